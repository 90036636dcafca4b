"""The outbox of the configuration, and the message that tells subscribers of its gaps."""

import os
import time
from collections.abc import Callable

from edged.mqtt.ids import MessageIds
from edged.mqtt.payloads import timestamp
from edged.mqtt.shapes.gap import GapMessage
from edged.mqtt.topics import Topics
from edged.outbox import DiskOutbox, Gap, MemoryOutbox, Outbox
from edged.service.state import state_folder
from edged.settings import LoadedSettings


def outbox_of(loaded: LoadedSettings, topics: Callable[[], Topics], *, once: bool) -> Outbox:
    """Where results wait for the broker: on disk, and in memory for a run over recordings, which can be repeated.

    Args:
        loaded: The settings.
        topics: Those of the device, as they are when a gap is told of.
        once: Whether it is a run over recordings.
    """
    mqtt = loaded.settings.mqtt
    max_bytes, max_age_s = int(mqtt.spool_max_bytes), mqtt.spool_max_age
    ids = MessageIds(clock=time.time, randomness=os.urandom)

    def told(gap: Gap) -> tuple[str, bytes]:
        message = GapMessage(
            id=ids(),
            device=topics().device,
            at=timestamp(time.time()),
            topic=gap.topic,
            reason=gap.reason,
            count=gap.count,
            first_id=gap.first_id,
            last_id=gap.last_id,
        )
        return topics().gap, message.payload()

    if once:
        return MemoryOutbox(max_bytes, max_age_s, gap_message=told)
    return DiskOutbox(state_folder(loaded) / "outbox", max_bytes, max_age_s, gap_message=told)

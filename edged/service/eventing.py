"""From what is followed to messages that outlive edged: what cameras are given, what is done at the start and end."""

import contextlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edged.mqtt.event_payloads import ended
from edged.mqtt.ids import MessageIds
from edged.outbox import Outbox
from edged.pipeline import Result
from edged.publisher import EventPublisher, Sender
from edged.sections import CameraSettings
from edged.service.counting import Counts, Key
from edged.service.open_events import OpenEvents
from edged.service.outlets import Listener, Outlets

if TYPE_CHECKING:
    from edged.tracking import Tracks


class Eventing:
    """Events and counts of all cameras.

    Attributes:
        outlets: What cameras are given.
    """

    def __init__(
        self,
        sender: Sender,
        outbox: Outbox,
        folder: Path | None,
        counts: Counts,
        *,
        on_counted: Callable[[], None],
        on_gone: Callable[[str, list[Key]], None],
        watch: Listener | None = None,
        looked: "Callable[[str, str, Result, Tracks | None], None] | None" = None,
    ) -> None:
        """Nothing is told yet.

        Args:
            sender: Under which names.
            outbox: Takes the messages.
            folder: Of this instance; None = events that are open are not written down.
            counts: Of what is there.
            on_counted: Called by any thread when there may be news of ``counts``.
            on_gone: Called with what of a camera is not counted any more.
            watch: Wants to see the frames in which something happened; None = nobody does.
            looked: Told of each frame that was looked at (`Outlets`); None = nobody wants to know.
        """
        self._ids = MessageIds(clock=time.time, randomness=os.urandom)
        self._open = OpenEvents(folder, outbox)
        self._publisher = EventPublisher(sender, self._open, self._ids)
        self._counts, self._on_counted, self._on_gone = counts, on_counted, on_gone
        self.outlets = Outlets(
            tell=self._publisher.tell,
            new_id=self._ids,
            counted=self._counted,
            placed=self._placed,
            watch=watch,
            looked=looked,
        )

    def start(self, cameras: Mapping[str, CameraSettings]) -> None:
        """End what a run before left open, before anything is followed.

        Args:
            cameras: That are configured.
        """
        ends = self._open.recover(
            lambda last: ended(last, "restart", message_id=self._ids(), at_s=time.time())
        )
        for camera, keys in _counted_in(ends).items():
            section = cameras.get(camera)
            kept = [key for key in keys if section and (key[0] == "" or key[0] in section.zones)]
            self._counts.expect_keys(camera, kept)
            self._on_gone(camera, [key for key in keys if key not in kept])
        self._open.start()

    def redirect(self, sender: Sender) -> None:
        """Use other names from now on."""
        self._publisher.redirect(sender)

    def flush(self, timeout_s: float) -> None:
        """Wait until the outbox has all that was told."""
        self._open.flush(timeout_s)

    def close(self, timeout_s: float) -> None:
        """The outbox is closed: write down what it has."""
        self._open.close(timeout_s)

    def _counted(
        self,
        camera: str,
        model: str,
        found: Mapping[tuple[str, str], int],
        crossings: Mapping[tuple[str, str, str], int],
    ) -> None:
        self._counts.saw(camera, model, found)
        self._counts.crossed(camera, model, crossings)
        self._on_counted()

    def _placed(self, camera: str, section: CameraSettings) -> None:
        """A camera has these zones and lines."""
        zones = {name: zone.labels for name, zone in section.zones.items()}
        lines = {name: line.labels for name, line in section.lines.items()}
        self._on_gone(camera, self._counts.under(camera, zones, lines))
        self._on_counted()


def _counted_in(ends: list[bytes]) -> dict[str, list[Key]]:
    """What a broker may still hold as there, though it ended with the run before; by camera."""
    found: dict[str, list[Key]] = defaultdict(list)
    for end in ends:
        with contextlib.suppress(KeyError, TypeError, ValueError, RecursionError):  # a file that is not ours
            message = json.loads(end)
            label, zones = str(message["label"]), [str(zone) for zone in message["zones_ever"]]
            found[str(message["source"])] += [("", label), *((zone, label) for zone in zones)]
    return {camera: list(dict.fromkeys(keys)) for camera, keys in found.items()}

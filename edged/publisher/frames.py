"""Results of cameras to messages in the outbox, as often as each camera's ``publish`` says."""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edged.mqtt.ids import MessageIds
from edged.mqtt.payloads import ModelInfo, TimingMs, detections_message
from edged.outbox import Outbox
from edged.pipeline import Result
from edged.publisher.sender import Sender
from edged.sections import CameraSettings


@dataclass(frozen=True, slots=True)
class Sight:
    """What is worth a message of a frame.

    Attributes:
        result: With those detections only.
        track_ids: Of each detection, 0 = none yet; None where nothing is followed.
        zones: In which each detection is; None where there are none.
        events: How many were told of it.
    """

    result: Result
    track_ids: Sequence[int] | None = None
    zones: Sequence[Sequence[str]] | None = None
    events: int = 0


class Publisher:
    """Makes a message of each result worth one and hands it to the outbox. Called from the callers' threads."""

    def __init__(self, sender: Sender, outbox: Outbox) -> None:
        """Nothing was found yet.

        Args:
            sender: Under which names.
            outbox: Takes the messages.
        """
        self._sender, self._outbox = sender, outbox
        self._ids = MessageIds(clock=time.time, randomness=os.urandom)

    def redirect(self, sender: Sender) -> None:
        """Use other names from now on."""
        self._sender = sender

    def emitter(
        self,
        camera: str,
        section: Callable[[], CameraSettings],
        info: Callable[[Result], ModelInfo],
        look: Callable[[Result, ModelInfo], Sight],
        may_send: Callable[[], bool] = lambda: True,
    ) -> Callable[[Result], bool]:
        """What a feed of this camera calls with each result; it says whether a message was made of it.

        Args:
            camera: Its name.
            section: As configured, asked with each result.
            info: Which model answered.
            look: Says what of a result is worth a message.
            may_send: Whether a message that is worth it may be sent; called once for each.
        """
        last: Counter[int] | None = None

        def emit(result: Result) -> bool:
            nonlocal last
            model, publish = info(result), section().publish
            seen = look(result, model)
            classes = seen.result.detections.class_id
            found = Counter(classes.tolist()) if publish == "changed" else None
            if (
                (found is not None and found == last)
                or (publish == "found" and not len(classes))
                or (publish == "events" and not seen.events)
            ):
                return False
            if not may_send():
                return False  # and a change is still one when the next frame comes
            last = found
            self._append(camera, model, seen)
            return True

        return emit

    def _append(self, camera: str, model: ModelInfo, seen: Sight) -> None:
        result, sender = seen.result, self._sender
        frame = result.frame
        timing = TimingMs(
            queue=result.queue_ms,
            preprocess=result.preprocess_ms,
            inference=result.inference_ms,
            decode=result.decode_ms,
            age=(time.monotonic() - frame.captured_monotonic_s) * 1000,
        )
        payload = detections_message(
            message_id=self._ids(),
            device=sender.topics.device,
            frame_source=camera,
            sequence=frame.sequence,
            captured_at_s=frame.captured_at_s,
            width=frame.width,
            height=frame.height,
            model=model,
            timing=timing,
            detections=result.detections,
            labels=result.model.labels,
            track_ids=seen.track_ids,
            zones=seen.zones,
        )
        self._outbox.append(sender.topics.detections(camera), payload, qos=sender.qos)

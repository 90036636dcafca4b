"""Results of cameras to messages in the outbox, as often as each camera's ``publish`` says."""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from edged.detection import label_of
from edged.mqtt.ids import MessageIds
from edged.mqtt.payloads import ModelInfo, TimingMs, detections_message
from edged.outbox import Outbox
from edged.pipeline import Result
from edged.publisher.sender import Sender
from edged.sections import CameraSettings


class Publisher:
    """Makes a message of each result worth one and hands it to the outbox. Called from the callers' threads."""

    def __init__(
        self,
        sender: Sender,
        outbox: Outbox,
        on_found: Callable[[str, str, Mapping[str, int]], None] | None = None,
    ) -> None:
        """Nothing was found yet.

        Args:
            sender: Under which names.
            outbox: Takes the messages.
            on_found: Told of each picture: the camera, the model, and how many of each label are in it.
        """
        self._on_found = on_found
        self._sender, self._outbox = sender, outbox
        self._ids = MessageIds(clock=time.time, randomness=os.urandom)

    def redirect(self, sender: Sender) -> None:
        """Use other names from now on."""
        self._sender = sender

    def emitter(
        self,
        camera: str,
        section: CameraSettings,
        info: Callable[[Result], ModelInfo],
        min_score: Callable[[], float | None] = lambda: None,
    ) -> Callable[[Result], bool]:
        """What a feed of this camera calls with each result; it says whether a message was made of it.

        Args:
            camera: Its name.
            section: As configured.
            info: Which model answered.
            min_score: Asked with each result: detections of a lower score are left out; None = all are kept.
        """
        last: Counter[int] | None = None

        def emit(result: Result) -> bool:
            nonlocal last
            result, model = _kept(result, min_score()), info(result)
            if self._on_found:
                self._on_found(camera, model.name, _by_label(result))
            found = Counter(result.detections.class_id.tolist()) if section.publish == "changed" else None
            unchanged = found is not None and found == last
            last = found
            if unchanged or (section.publish == "found" and not len(result.detections)):
                return False
            self._append(camera, model, result)
            return True

        return emit

    def _append(self, camera: str, model: ModelInfo, result: Result) -> None:
        frame, sender = result.frame, self._sender
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
        )
        self._outbox.append(sender.topics.detections(camera), payload, qos=sender.qos)


def _by_label(result: Result) -> dict[str, int]:
    """How many objects of each label are in a picture."""
    labels, found = result.model.labels, dict[str, int]()
    for class_id in result.detections.class_id.tolist():
        label = label_of(labels, class_id)
        found[label] = found.get(label, 0) + 1
    return found


def _kept(result: Result, min_score: float | None) -> Result:
    """The result without detections below a score."""
    found = result.detections
    if min_score is None or not len(found):
        return result
    keep = found.score >= min_score
    return result if keep.all() else replace(result, detections=found.take(keep))

"""One frame through one loaded model: prepared, answered, and brought back to pixels of the frame."""

import time
from dataclasses import dataclass
from pathlib import Path

from edged.detection import Detections
from edged.frame import Frame
from edged.geometry import Transform
from edged.manifest import InputRecipe
from edged.preprocess import Preparer
from edged.sources.pictures import read_picture
from edged.sources.pixels import of_picture
from edged.sources.stream import framed
from edged.worker.answer import Answer, Answering


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame and what was found in it, in frame pixels."""

    frame: Frame
    detections: Detections
    prepare_ms: float
    inference_ms: float
    decode_ms: float


class Look:
    """Frames through one model, one after the other. Owned by one thread."""

    def __init__(self, answers: Answering, recipe: InputRecipe) -> None:
        self._answers, self._preparer = answers, Preparer(recipe)

    def see(self, frame: Frame) -> Seen:
        """What the model finds in a frame.

        Raises:
            BadInput: The frame is broken, or the model gave no answer to it.
            WorkerLost: The process of the model died or hung.
        """
        started = time.perf_counter()
        transform = self._preparer.prepare(frame, self._answers.tensor(0))
        prepare_ms = (time.perf_counter() - started) * 1000
        answer = self._answers.answer(0)
        return Seen(frame, in_frame(answer, transform), prepare_ms, answer.inference_ms, answer.decode_ms)


def in_frame(answer: Answer, transform: Transform) -> Detections:
    """An answer's boxes in frame pixels, inside the frame, without those that have no area there."""
    found = answer.detections
    xyxy = transform.to_frame(found.xyxy)
    keep = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    return Detections(xyxy[keep], found.score[keep], found.class_id[keep])


def picture_frame(path: Path) -> Frame:
    """A picture file as a frame.

    Raises:
        EdgedError: As `edged.sources.pictures.read_picture`.
    """
    return framed(of_picture(read_picture(path)), str(path), 0, time.monotonic())

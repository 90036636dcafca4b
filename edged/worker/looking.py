"""One frame through one loaded model: prepared, answered, and brought back to pixels of the frame."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edged.decode.seams import merge
from edged.detection import Detections
from edged.frame import Frame
from edged.geometry import Region, Transform
from edged.manifest import InputRecipe
from edged.preprocess import Preparer
from edged.sources.pictures import read_picture
from edged.sources.pixels import of_picture
from edged.sources.stream import framed
from edged.worker.answer import Answering


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

    def see(
        self, frame: Frame, regions: Sequence[Region] = (), *, iou: float = 0.45, max_detections: int = 300
    ) -> Seen:
        """What the model finds in a frame, or in regions of it one after the other.

        Args:
            frame: Any.
            regions: Inside it; empty = the whole frame.
            iou: Up to which two boxes are two objects, where regions overlap.
            max_detections: Of all regions together.

        Raises:
            BadInput: The frame is broken, or the model gave no answer to it.
            WorkerLost: The process of the model died or hung.
        """
        prepare_s = inference_ms = decode_ms = 0.0
        found = []
        for region in regions or (None,):
            started = time.perf_counter()
            transform = self._preparer.prepare(frame, self._answers.tensor(0), region)
            prepare_s += time.perf_counter() - started
            answer = self._answers.answer(0)
            inference_ms, decode_ms = inference_ms + answer.inference_ms, decode_ms + answer.decode_ms
            found.append(in_frame(answer.detections, transform))
        detections = found[0]
        if len(found) > 1:
            started = time.perf_counter()
            detections = merge(found, regions, iou=iou, max_detections=max_detections)
            decode_ms += (time.perf_counter() - started) * 1000
        return Seen(frame, detections, prepare_s * 1000, inference_ms, decode_ms)


def in_frame(found: Detections, transform: Transform) -> Detections:
    """An answer's boxes in frame pixels, inside the frame, without those that have no area there."""
    if not len(found):
        return found
    xyxy = transform.to_frame(found.xyxy)
    inside = Detections(xyxy, found.score, found.class_id)
    keep = [x2 > x1 and y2 > y1 for x1, y1, x2, y2 in xyxy.tolist()]
    return inside if all(keep) else inside.take(np.array(keep))


def picture_frame(path: Path) -> Frame:
    """A picture file as a frame.

    Raises:
        EdgedError: As `edged.sources.pictures.read_picture`.
    """
    return framed(of_picture(read_picture(path)), str(path), 0, time.monotonic())

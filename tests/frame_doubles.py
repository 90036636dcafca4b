"""What a pipeline of frames needs of a worker, without a process; and frames for it."""

import threading
import time
from collections import deque

import numpy as np

from edged.detection import Detections
from edged.errors import InferenceFailed, WorkerLost
from edged.fit import Fit
from edged.frame import Frame, PixelLayout
from edged.manifest import InputRecipe
from edged.pipeline import Feed, Pipeline
from edged.worker.answer import Answer


def frame(sequence: int = 0, *, at_s: float | None = None, value: int = 0) -> Frame:
    at_s = time.monotonic() if at_s is None else at_s
    planes = (np.full((4, 4, 3), value, np.uint8),)
    return Frame("front", sequence, 0.0, at_s, 4, 4, PixelLayout.BGR, planes)


class Description:
    """Of a model that takes 4 × 4 pixels."""

    picture = InputRecipe(4, 4, layout="NHWC", dtype="uint8", fit=Fit.STRETCH)
    labels = ("cat", "dog")
    batch = 1
    iou, max_detections = 0.45, 300


class FakeProcess:
    """Answers with one box whose score is the value of the pixels; dies or fails where it is told to."""

    timeout_s = 1.0

    def __init__(self, worker: "FakeWorker", description: object = None) -> None:
        self.description = description or Description()
        self._worker = worker
        shape = (self.description.batch, *self.description.picture.shape)
        self._tensors = [tuple(np.zeros(shape, np.uint8)) for _ in range(8)]

    def tensors(self, lane: int) -> tuple[np.ndarray, ...]:
        return self._tensors[lane]

    def answers(self, lane: int, count: int, *, first: int = 0) -> list[Answer]:
        values = [int(tensor.flat[0]) for tensor in self._tensors[lane][first : first + count]]
        self._worker.seen += values
        self._worker.batches.append(count)
        self._worker.gate.acquire()
        fault = self._worker.faults.popleft() if self._worker.faults else None
        if fault is not None:
            raise fault
        if self._worker.dies_of in values:
            raise LOST
        if self._worker.hates in values:
            raise InferenceFailed("model toy", "hates it", "")
        return [Answer(box_of(value), 1.0, 0.1) for value in values]


def box_of(value: int) -> Detections:
    box = np.array([[0, 0, 2, 2]], np.float32)
    return Detections(box, np.array([value / 255], np.float32), np.array([0], np.int32))


class FakeWorker:
    """What the pipeline needs of a worker, without a process."""

    name = "toy"

    def __init__(self, version: int = 1) -> None:
        self.version = version
        self.faults: deque[Exception | None] = deque()
        self.gate = threading.Semaphore(1000)
        self.seen: list[int] = []
        self.batches: list[int] = []
        self.hates: int | None = None
        self.dies_of: int | None = None
        self.discarded = 0
        self.process: FakeProcess | None = FakeProcess(self)
        self.successor: FakeProcess | None = None

    def current(self, _timeout_s: float) -> FakeProcess | None:
        return self.process

    def discard(self, process: FakeProcess) -> None:
        if process is not self.process:
            return  # another caller said so already
        self.discarded += 1
        self.process = self.successor or FakeProcess(self)


LOST = WorkerLost("model toy", "its process 7 died (SIGSEGV)", "")


def attached(pipeline: Pipeline, **changes: object) -> tuple[Feed, list[int]]:
    """A lossless feed, and the sequences of its results as they come."""
    sequences: list[int] = []
    feed = Feed(
        source="front",
        emit=lambda result: sequences.append(result.frame.sequence) is None,
        **({"lossless": True} | changes),  # type: ignore[arg-type]
    )
    pipeline.attach(feed)
    return feed, sequences

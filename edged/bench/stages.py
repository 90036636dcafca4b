"""One frame after the other through each stage, nothing beside it: what each of them takes."""

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edged.bench.clocks import process_cpu_s
from edged.detection import Detections
from edged.errors import BadInput
from edged.frame import Frame
from edged.mqtt.ids import MessageIds
from edged.mqtt.payloads import ModelInfo, TimingMs, detections_message
from edged.outbox import Outbox
from edged.preprocess import Preparer
from edged.sources.stream import read_frames
from edged.worker.client import WorkerProcess
from edged.worker.looking import in_frame

MIN_FRAMES = 10
"""A shorter video is opened more than it is decoded."""
SAVE_S = 5.0
"""How long to wait for a message to be on disk."""


class Round:
    """What the frames of one round took.

    Attributes:
        wall_ms: By stage, of each frame.
        cpu_ms: By stage, of all frames together; see `mean_cpu_ms`.
        frames: How many.
    """

    def __init__(self) -> None:
        self.wall_ms: dict[str, list[float]] = defaultdict(list)
        self.cpu_ms: dict[str, float] = defaultdict(float)
        self.frames = 0
        self._worker_cpu_ms = 0.0

    def add(self, stage: str, wall_ms: float, cpu_ms: float) -> None:
        """Take what a stage took of a frame."""
        self.wall_ms[stage].append(wall_ms)
        self.cpu_ms[stage] += cpu_ms

    def add_worker(self, inference_ms: float, boxes_ms: float, cpu_ms: float) -> None:
        """Take what the worker took of a frame on the clock, and of the processor for both together."""
        self.wall_ms["inference"].append(inference_ms)
        self.wall_ms["boxes"].append(boxes_ms)
        self._worker_cpu_ms += cpu_ms

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Take what the block took, in this process."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        yield
        self.add(stage, (time.perf_counter() - wall_s) * 1000, (time.process_time() - cpu_s) * 1000)

    def mean_cpu_ms(self, stage: str) -> float:
        """Processor time of a frame."""
        if stage not in {"inference", "boxes"}:
            return self.cpu_ms[stage] / len(self.wall_ms[stage])
        # Boxes are read by one thread that does not wait: on a quiet machine its time on the clock is the processor's,
        # and the median is that of a quiet machine.
        both_ms = self._worker_cpu_ms / self.frames
        boxes_ms = min(both_ms, statistics.median(self.wall_ms["boxes"]))
        return boxes_ms if stage == "boxes" else both_ms - boxes_ms


class Stages:
    """A video, a loaded model and an outbox. Owned by one thread."""

    def __init__(
        self, video: str, worker: WorkerProcess, outbox: Outbox, *, model: ModelInfo, topic: str
    ) -> None:
        """Nothing is read yet.

        Args:
            video: A file, read over and over.
            worker: Loaded; its first lane is used.
            outbox: Started.
            model: As messages name it.
            topic: Of the messages.
        """
        self._video, self._worker, self._outbox = video, worker, outbox
        self._model, self._topic = model, topic
        self._preparer = Preparer(worker.description.picture)
        self._ids = MessageIds(clock=time.time, randomness=os.urandom)
        self._frames, self._since_begin = self._read(), 0

    def run(self, seconds: float, on_frame: Callable[[], None] = lambda: None) -> Round:
        """Frames for so long, at least one.

        Raises:
            EdgedError: The video cannot be read, or the model does not answer.
        """
        one = Round()
        end_s = time.monotonic() + seconds
        while not one.frames or time.monotonic() < end_s:
            self._frame(one)
            on_frame()
        return one

    def _frame(self, one: Round) -> None:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        frame = next(self._frames, None)
        decoded = (time.perf_counter() - wall_s) * 1000, (time.process_time() - cpu_s) * 1000
        if frame is None:
            self._begin_anew()
            return
        self._since_begin += 1
        one.add("decode", *decoded)
        one.frames += 1
        tensor = self._worker.tensor(0)
        with one.timed("prepare"):
            transform = self._preparer.prepare(frame, tensor)
        wall_s, cpu_s, worker_s = time.perf_counter(), time.process_time(), process_cpu_s(self._worker.pid)
        answer = self._worker.answer(0)
        found = in_frame(answer.detections, transform)
        cpu_ms = (time.process_time() - cpu_s) * 1000
        there_ms = (process_cpu_s(self._worker.pid) - worker_s) * 1000
        inside_ms = answer.inference_ms + answer.decode_ms
        one.add("hand over", (time.perf_counter() - wall_s) * 1000 - inside_ms, cpu_ms)
        one.add_worker(answer.inference_ms, answer.decode_ms, there_ms)
        with one.timed("publish"):
            self._publish(frame, found)

    def _begin_anew(self) -> None:
        """Open the video again; that, and its first frame, are no part of what a frame takes."""
        if self._since_begin < MIN_FRAMES:
            count = f"{self._since_begin} frame{'' if self._since_begin == 1 else 's'}"
            raise BadInput(self._video, f"has only {count}", "name a video of a second or more")
        self._frames, self._since_begin = self._read(), 1
        next(self._frames, None)

    def _publish(self, frame: Frame, found: Detections) -> None:
        message = detections_message(
            message_id=self._ids(),
            device="bench",
            frame_source="bench",
            sequence=frame.sequence,
            captured_at_s=frame.captured_at_s,
            width=frame.width,
            height=frame.height,
            model=self._model,
            timing=TimingMs(0, 0, 0, 0, 0),
            detections=found,
            labels=self._worker.description.labels,
        )
        self._outbox.append(self._topic, message, qos=1)
        self._outbox.wait_saved(SAVE_S)

    def _read(self) -> Iterator[Frame]:
        return read_frames(self._video, name="bench")

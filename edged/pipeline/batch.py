"""Frames whose turns have come together, through the model in as few inferences as it takes.

    turn ─┐            slot 0, 1, 2 …   an answer
    turn ─┼─ prepare ─→ of the lane ───→ a slot ─→ an outcome a turn
    turn ─┘             one inference

A frame that cannot be prepared costs only itself, and where a batch has no answer each of its tensors is tried alone.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edged.decode.seams import merge
from edged.detection import Detections
from edged.errors import WorkerLost
from edged.frame import Frame
from edged.geometry import Region, Transform
from edged.pipeline.turns import Turn
from edged.preprocess import Preparer
from edged.worker.answer import Answer
from edged.worker.client import WorkerProcess
from edged.worker.description import ModelDescription
from edged.worker.looking import in_frame


@dataclass(frozen=True, slots=True)
class Result:
    """One frame looked at by one model.

    Attributes:
        frame: The frame.
        model: What answered.
        version: Of it.
        detections: In frame pixels, inside the frame, best first.
        queue_ms: From its arrival in the inbox to its turn.
        preprocess_ms: To prepare its tensors.
        inference_ms: In the runtime; of inferences that it shared with other frames, its share.
        decode_ms: From outputs to boxes; likewise.
        regions: Where it was looked, an inference each; empty = at the whole frame, in one.
        low: What was found less surely than is asked for, in frame pixels, where tracks want it.
    """

    frame: Frame
    model: ModelDescription
    version: int
    detections: Detections
    queue_ms: float
    preprocess_ms: float
    inference_ms: float
    decode_ms: float
    regions: tuple[Region, ...] = ()
    low: Detections = field(default_factory=Detections.empty)

    @property
    def source(self) -> str:
        """Name of the camera."""
        return self.frame.source

    @property
    def found(self) -> int:
        """How many objects."""
        return len(self.detections)


@dataclass(slots=True)
class _Seen:
    """How far a turn is."""

    turn: Turn
    begun_s: float = 0.0
    looks: list[Detections] = field(default_factory=list)
    low: list[Detections] = field(default_factory=list)
    preprocess_ms: float = 0.0
    inference_ms: float = 0.0
    decode_ms: float = 0.0
    error: Exception | None = None

    def take(self, answer: Answer, transform: Transform) -> None:
        self.looks.append(in_frame(answer.detections, transform))
        self.low.append(in_frame(answer.low, transform))
        self.inference_ms += answer.inference_ms
        self.decode_ms += answer.decode_ms


class Batch:
    """One caller's way of taking turns through one process. Owned by its thread."""

    def __init__(self, process: WorkerProcess, lane: int) -> None:
        """Nothing is prepared yet.

        Args:
            process: Loaded.
            lane: The caller's.
        """
        self.process = process
        self._lane = lane
        self._preparer = Preparer(process.description.picture)
        self._filled: list[tuple[_Seen, Transform]] = []

    def answer(self, turns: Sequence[Turn], version: int) -> list[Result | Exception]:
        """Look at frames.

        Args:
            turns: Of different feeds.
            version: Of the model.

        Returns:
            For each turn its result, or why there is none.

        Raises:
            WorkerLost: The process died or hung over them.
        """
        self._filled.clear()
        slots = self.process.tensors(self._lane)
        seen = [_Seen(turn) for turn in turns]
        for one in seen:
            one.begun_s = time.monotonic()
            for region in one.turn.regions or (None,):
                self._fill(one, region, slots[len(self._filled)])
                if len(self._filled) == len(slots):
                    self._infer()
        if self._filled:
            self._infer()
        return [one.error or self._result(one, version) for one in seen]

    def _fill(self, one: _Seen, region: Region | None, slot: NDArray[Any]) -> None:
        """Prepare the next slot."""
        if one.error:
            return
        started_s, cpu_s = time.monotonic(), time.thread_time()
        try:
            transform = self._preparer.prepare(one.turn.frame, slot, region)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one frame must not cost the others
            one.error = error
            return
        one.preprocess_ms += (time.monotonic() - started_s) * 1000
        one.turn.feed.spent.prepare_cpu_s += time.thread_time() - cpu_s
        self._filled.append((one, transform))

    def _infer(self) -> None:
        filled, count = list(self._filled), len(self._filled)
        self._filled.clear()
        try:
            answers = self.process.answers(self._lane, count)
        except WorkerLost:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            if count == 1:
                filled[0][0].error = error
            else:
                self._infer_alone(filled)
            return
        for (one, transform), answer in zip(filled, answers, strict=True):
            one.take(answer, transform)

    def _infer_alone(self, filled: Sequence[tuple[_Seen, Transform]]) -> None:
        for slot, (one, transform) in enumerate(filled):
            try:
                (answer,) = self.process.answers(self._lane, 1, first=slot)
            except WorkerLost:
                raise
            except Exception as error:  # noqa: BLE001  # as above
                one.error = error
            else:
                one.take(answer, transform)

    def _result(self, one: _Seen, version: int) -> Result | Exception:
        turn, model = one.turn, self.process.description
        try:
            detections, low = one.looks[0], one.low[0]
            if len(one.looks) > 1:
                detections, low = (
                    merge(looks, turn.regions, iou=model.iou, max_detections=model.max_detections)
                    for looks in (one.looks, one.low)
                )
        except Exception as error:  # noqa: BLE001  # as above
            return error
        return Result(
            frame=turn.frame,
            model=model,
            version=version,
            detections=detections,
            queue_ms=max(0.0, one.begun_s - turn.arrived_s) * 1000,
            preprocess_ms=one.preprocess_ms,
            inference_ms=one.inference_ms,
            decode_ms=one.decode_ms,
            regions=turn.regions,
            low=low,
        )

"""Another version of a model looks at frames that were answered already, beside the one that serves.

    caller ─ result ─→ offer ─→ one frame waits at most ─ thread ─→ the other version ─→ on_seen

It publishes nothing, delays no frame, and skips those that come while it is busy. A candidate is compared this way
before it serves, and the previous version is asked this way for a second opinion afterwards.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray

from edged.detection import Detections, label_of
from edged.errors import EdgedError, WorkerLost
from edged.pipeline import Result
from edged.worker.client import WorkerProcess
from edged.worker.keeper import Worker
from edged.worker.looking import Look, Seen

log = structlog.get_logger()

WAIT_S = 0.5
SAME_PLACE = 0.5
"""Overlap (intersection over union) from which two boxes of one label are the same object."""
MIN_OBJECTS = 50
MIN_AGREEMENT = 0.1
"""A candidate that has so little in common with what serves, over so many objects, is another model."""


@dataclass(slots=True)
class Agreement:
    """How far two versions agree over the frames both have seen. Not synchronised.

    Attributes:
        frames: Seen by both.
        failed: Frames that the other gave no answer to.
        served: Objects that the serving version found in them.
        other: Objects that the other one found.
        matched: Found by both: the same label, and the same place.
        problem: Of the last frame it gave no answer to.
    """

    frames: int = 0
    failed: int = 0
    served: int = 0
    other: int = 0
    matched: int = 0
    problem: str = ""
    _score_difference: float = 0.0
    _ms: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))

    def take(self, result: Result, seen: Seen, labels: Sequence[str]) -> None:
        """Both have seen a frame; ``labels`` are the other's."""
        pairs = matches(result.detections, result.model.labels, seen.detections, labels)
        self.served += len(result.detections)
        self.other += len(seen.detections)
        self.matched += len(pairs)
        self._score_difference += sum(
            abs(float(result.detections.score[a]) - float(seen.detections.score[b])) for a, b in pairs
        )
        self._ms[0].append(result.inference_ms)
        self._ms[1].append(seen.inference_ms)
        self.frames += 1  # last: whoever sees it finds the rest

    def fail(self, problem: str) -> None:
        """The other gave no answer to a frame."""
        self.failed += 1
        self.problem = problem

    @property
    def share(self) -> float:
        """Of all objects that either found, how many both did; 1 where neither found any."""
        either = self.served + self.other - self.matched
        return self.matched / either if either else 1.0

    @property
    def objection(self) -> str:
        """Why the other version must not serve, or nothing."""
        if self.failed >= 3:
            return (
                f"gave no answer to {self.failed} of {self.frames + self.failed} live frames ({self.problem})"
            )
        if self.served >= MIN_OBJECTS and not self.other:
            return f"found none of {self.served} objects that the serving version found in {self.frames} live frames"
        if self.served >= MIN_OBJECTS and self.share < MIN_AGREEMENT:
            either = self.served + self.other - self.matched
            return f"agrees with the serving version on {self.matched} of {either} objects in {self.frames} live frames"
        return ""

    def __str__(self) -> str:
        if not self.frames:
            return "no live frame was seen by both"
        served_ms, other_ms = (float(np.median(ms)) for ms in self._ms)
        difference = self._score_difference / self.matched if self.matched else 0.0
        return (
            f"{self.frames} live frames: {self.matched} of {self.served + self.other - self.matched} objects found by "
            f"both, scores differ by {difference:.3f}, {other_ms:.1f} ms instead of {served_ms:.1f}"
        )


def matches(
    a: Detections, a_labels: Sequence[str], b: Detections, b_labels: Sequence[str]
) -> list[tuple[int, int]]:
    """Pairs of positions of the same object in both, the best of ``a`` choosing first."""
    if not len(a) or not len(b):
        return []
    overlap = _overlap(a.xyxy, b.xyxy)
    names = np.array([label_of(b_labels, int(one)) for one in b.class_id])
    pairs = []
    for row, class_id in enumerate(a.class_id):
        fits = np.where(names == label_of(a_labels, int(class_id)), overlap[row], 0.0)
        best = int(fits.argmax())
        if fits[best] >= SAME_PLACE:
            pairs.append((row, best))
            overlap[:, best] = 0.0
    return pairs


def _overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of each box of ``a`` with each of ``b``: (N, M)."""
    size = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.prod(np.clip(size, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    overlap: NDArray[np.float32] = np.where(union > 0, shared / np.where(union > 0, union, 1), 0.0)
    return overlap


class Shadow:
    """The thread ``shadow-NAME-VERSION`` that has a version look at offered frames. A context manager."""

    def __init__(
        self,
        worker: Worker,
        *,
        share: float,
        on_seen: Callable[[Result, Seen | str, Sequence[str]], None],
    ) -> None:
        """Nothing is looked at before `start`.

        Args:
            worker: The other version, loaded; nobody else uses its first lane meanwhile.
            share: Of the offered frames, 0–1.
            on_seen: Called from the thread with what served, what was seen or why nothing was, and the labels.
        """
        self.worker = worker
        self._share, self._on_seen = share, on_seen
        self._credit = 0.0
        self._condition = threading.Condition()
        self._waiting: Result | None = None
        self._stopping = False
        self._thread = threading.Thread(
            target=self._run, name=f"shadow-{worker.name}-{worker.version}", daemon=True
        )

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def offer(self, result: Result) -> None:
        """A frame was answered; it is taken if its turn has come and nothing waits."""
        with self._condition:
            self._credit = min(1.0, self._credit) + self._share
            if self._credit >= 1.0 and self._waiting is None and not self._stopping:
                self._credit -= 1.0
                self._waiting = result
                self._condition.notify()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End the thread; a frame in work is looked at to its end. True if that was done in time."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        look: tuple[WorkerProcess, Look] | None = None
        while result := self._next():
            process = self.worker.current(WAIT_S)
            if process is None:
                continue
            if look is None or look[0] is not process:
                look = (process, Look(process, process.description.picture))
            seen: Seen | str
            try:
                model = process.description
                seen = look[1].see(
                    result.frame, result.regions, iou=model.iou, max_detections=model.max_detections
                )
            except EdgedError as error:
                if isinstance(error, WorkerLost):
                    self.worker.discard(process)
                seen = error.problem
            except Exception as error:  # noqa: BLE001  # a bug of ours on one frame must not end the thread in silence
                log.warning("a bug: no second look", model=self.worker.name, error=repr(error))
                continue
            self._on_seen(result, seen, process.description.labels)

    def _next(self) -> Result | None:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._stopping)
            result, self._waiting = self._waiting, None
            return None if self._stopping else result

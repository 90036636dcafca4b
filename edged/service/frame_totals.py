"""What became of the frames of a camera since the start; a reload puts another post in its place, and this stays.

captured ─┬─ skipped: fps, still, damaged, ended, failed
          └─ delivered ─ for each model ─┬─ inferred: published, or kept back by ``publish``
                                         ├─ dropped: full, stale, unreadable, failed, lost, ended, unserved
                                         └─ waiting or in work
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from edged.metrics.catalog import DROPPED, SKIPPED, STAGES
from edged.metrics.distribution import Distribution
from edged.metrics.figure import Buckets
from edged.pipeline import Feed, Result
from edged.service.lasting import Counts, Lasting
from edged.service.source_totals import CameraWork, SourceTotals
from edged.sources.capture import SourceStatistics

AGE = "age"
UNSERVED = "unserved"
MANY = 1024
"""Frames whose figures wait to be counted."""
_SUM = "sum"


class Latencies:
    """How long the results of one feed took.

    A frame only leaves its figures here; they are counted when somebody asks, or when there are many: that costs a
    frame a third of what counting it at once would.
    """

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        self._new: deque[tuple[float, float, float, float, float]] = deque()
        self._lock = threading.Lock()  # around what was counted
        self._counted = {stage: Distribution() for stage in (*STAGES, AGE)}

    def timed(self, emit: Callable[[Result], bool]) -> Callable[[Result], bool]:
        """``emit``, with each result counted."""
        new = self._new

        def emit_timed(result: Result) -> bool:
            published = emit(result)
            age_ms = (time.monotonic() - result.frame.captured_monotonic_s) * 1000
            new.append((result.queue_ms, result.preprocess_ms, result.inference_ms, result.decode_ms, age_ms))
            if len(new) >= MANY:
                self._count()
            return published

        return emit_timed

    def counts(self) -> dict[Any, float]:
        """By stage and bucket."""
        self._count()
        counts: dict[Any, float] = {}
        with self._lock:
            for stage, taken in self._counted.items():
                counts[stage, _SUM] = taken.sum_s
                counts.update({(stage, bucket): count for bucket, count in enumerate(taken.counts)})
        return counts

    def _count(self) -> None:
        with self._lock:
            rows = [self._new.popleft() for _ in range(len(self._new))]
            if rows:
                for stage, column in zip(self._counted, np.array(rows).T / 1000, strict=True):
                    self._counted[stage].add(column)


class ModelTotals:
    """What became of the frames that one model was to be shown."""

    def __init__(self) -> None:
        """None was yet."""
        self._feeds = Lasting()

    def add(self, feed: Feed, latencies: Latencies) -> None:
        """Count a feed, too."""
        self._feeds.add(lambda: _of_feed(feed) | latencies.counts(), lambda: feed.is_over)

    def totals(self) -> dict[Any, float]:
        """Since the start: outcomes of frames, ``spent.…``, and (stage, bucket)."""
        return self._feeds.totals()

    @staticmethod
    def buckets(totals: Counts, stage: str) -> Buckets:
        """How long a stage took, out of `totals`."""
        counts = [totals.get((stage, bucket), 0) for bucket in range(len(Distribution().counts))]
        return Buckets(counts, totals.get((stage, _SUM), 0.0))


class FrameTotals:
    """Of one camera."""

    def __init__(self, name: str) -> None:
        """Nothing was captured yet.

        Args:
            name: Of the camera.
        """
        self.name = name
        self._source = Lasting()
        self._models: dict[str, ModelTotals] = {}

    def begin(
        self,
        statistics: SourceStatistics,
        *,
        models: Collection[str],
        more: Callable[[], Counts],
        is_over: Callable[[], bool],
    ) -> None:
        """A post was made for it; models that it does not name are forgotten.

        Args:
            statistics: What it will capture.
            models: That it names.
            more: `UNSERVED` with the name of a model, and ``cpu_s``.
            is_over: Whether its thread has ended.
        """
        self._models = {name: self._models.get(name) or ModelTotals() for name in models}
        self._source.add(lambda: _of_source(statistics) | dict(more()), is_over)

    def model(self, name: str) -> ModelTotals:
        """Of one of its models."""
        return self._models[name]

    def totals(self) -> tuple[dict[Any, float], dict[str, dict[Any, float]]]:
        """Since the start: of the camera (`_of_source`), and of each of its models (`ModelTotals.totals`)."""
        # In this order: what became of a frame is never seen before the frame itself.
        models = {name: model.totals() for name, model in self._models.items()}
        source = self._source.totals()
        for name, model in models.items():
            model[UNSERVED] = source.get((UNSERVED, name), 0)
        return source, models

    def sum(self, *, gated: bool) -> SourceTotals:
        """For ``health``: of all its models together.

        Args:
            gated: It has a motion gate.
        """
        source, models = self.totals()

        def over_models(key: str) -> float:
            return sum(model.get(key, 0) for model in models.values())

        dropped = {reason: int(over_models(reason)) for reason in DROPPED}
        dropped["unreadable"] += int(source.get("unreadable", 0))
        return SourceTotals(
            name=self.name,
            captured=source.get("captured", 0),
            published=over_models("published"),
            dropped=dropped,
            reconnects=int(source.get("reconnects", 0)),
            work=CameraWork(
                still=source.get("still", 0) if gated else None,
                late=over_models("full") + over_models("stale"),
                looked_at=over_models("spent.frames"),
                queue_s=over_models("spent.queue_s"),
                decode_cpu_s=source.get("cpu_s", 0.0),
                prepare_cpu_s=over_models("spent.prepare_cpu_s"),
                inference_s=over_models("spent.inference_s"),
            ),
        )


def _of_source(statistics: SourceStatistics) -> dict[Any, float]:
    return {
        "captured": statistics.captured,
        "chosen": statistics.chosen,
        "unreadable": statistics.unreadable,
        "reconnects": statistics.reconnects,
        "stalls": statistics.stalls,
        "still": statistics.still,
        "fps": statistics.skipped,
        "damaged": statistics.damaged,
        "ended": statistics.ended,
        "failed": statistics.failed,
    }


def _of_feed(feed: Feed) -> dict[Any, float]:
    spent = feed.spent
    return {
        **dict(feed.counts),  # copied at once: a reason that is counted for the first time must not disturb
        "spent.frames": spent.frames,
        "spent.queue_s": spent.queue_s,
        "spent.prepare_cpu_s": spent.prepare_cpu_s,
        "spent.inference_s": spent.inference_s,
    }


def passed_over(source: Counts) -> dict[str, float]:
    """Captured frames that were shown to no model, by reason."""
    return {reason: source.get(reason, 0) for reason in SKIPPED}


def inferred(model: Counts) -> float:
    """Frames that a model looked at, in time."""
    return model.get("published", 0) + model.get("withheld", 0)

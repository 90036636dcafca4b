"""Figures of a bench and what follows from them. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STAGES = ("decode", "prepare", "hand over", "inference", "boxes", "publish")
"""In their order; ``hand over`` is to the worker's process and back, ``decode`` is of the video."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        p50_ms: Of a frame, on the clock; the median.
        p95_ms: Of a frame, on the clock; nineteen of twenty take no longer.
        cpu_ms: Processor time of a frame, in all processes; the median of the rounds.
    """

    p50_ms: float
    p95_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Bare:
    """The session with nothing around it.

    Attributes:
        at_once: Inferences in work.
        per_s: Inferences a second; the median of the rounds.
        cpu_ms: Processor time of one; the median of the rounds.
    """

    at_once: int
    per_s: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything at once, as the daemon has it.

    Attributes:
        per_s: Frames a second; the median of the rounds.
        cpu_ms: Processor time of a frame, in all processes; the median of the rounds.
    """

    per_s: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many cameras like the video this machine carries.

    Attributes:
        fps: Detections a second of each.
        by_cpu: Were there nothing to do but to keep all cores busy with decoding every frame and looking at ``fps``.
        by_inference: Were there nothing but inferences.
    """

    fps: float
    by_cpu: int
    by_inference: int

    @property
    def cameras(self) -> int:
        """The smaller of the two."""
        return min(self.by_cpu, self.by_inference)

    @property
    def limit(self) -> str:
        """Which of the two it is: ``processor`` or ``inference``."""
        return "processor" if self.by_cpu <= self.by_inference else "inference"


def stage(rounds: Sequence[Sequence[float]], cpu_ms: Sequence[float]) -> Stage:
    """Of the clock times of each frame in each round, and the processor time of a frame in each round."""
    times = sorted(ms for one in rounds for ms in one)
    return Stage(percentile(times, 0.5), percentile(times, 0.95), statistics.median(cpu_ms))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of ordered values that ``share`` of them do not exceed.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def capacity(
    stages: Mapping[str, Stage], *, video_fps: float, fps: float, cores: int, inferences_per_s: float
) -> Capacity:
    """Cameras that a machine can carry, each decoded in full and looked at ``fps`` times a second.

    Args:
        stages: All of `STAGES`.
        video_fps: Frames a second that such a camera sends.
        fps: Of them to be looked at; more than it sends are as many.
        cores: Of the machine.
        inferences_per_s: That it can do at most.
    """
    looked = min(fps, video_fps)
    looking_ms = sum(stages[name].cpu_ms for name in STAGES if name != "decode")
    camera_ms = video_fps * stages["decode"].cpu_ms + looked * looking_ms
    return Capacity(looked, int(cores * 1000 / camera_ms), int(inferences_per_s / looked))


@dataclass(frozen=True, slots=True)
class Report:
    """All of one bench.

    Attributes:
        model: Path, provider, threads of one inference.
        video: Path, size, rate.
        machine: Processor, cores, packages.
        stages: By name, in order.
        alone: The session asked once at a time.
        full: The session asked by as many callers as there are cores.
        whole: Everything at once.
        capacity: What follows.
        rounds: How often each side had its turn.
        frames: That went through the stages.
        seconds: It all took.
        others: Cores that other programs kept busy meanwhile.
    """

    model: Mapping[str, Any]
    video: Mapping[str, Any]
    machine: Mapping[str, Any]
    stages: Mapping[str, Stage]
    alone: Bare
    full: Bare
    whole: Whole
    capacity: Capacity
    rounds: int
    frames: int
    seconds: float
    others: float

    @property
    def floor_ms(self) -> float:
        """Processor time of a frame that nobody can avoid: decoding it and the bare session."""
        return self.stages["decode"].cpu_ms + self.alone.cpu_ms

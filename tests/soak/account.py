"""What must add up at the end of a run, from figures and ids alone: no clock, no file, no process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SETTLED_S = 900.0  # by then heaps are as large as the usual mix of faults wants
JUDGED_S = 1800.0  # a slope over less is noise
SLOPE_MB_PER_H = 1.0
CHANCE = 2.0  # standard errors: the longer a run, the less it forgives
MORE_THREADS, MORE_DESCRIPTORS = 2, 4

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True)
class Sample:
    """The daemon's process just before a fault, when it has served for a while.

    Attributes:
        at_s: Since the run began.
        resident_mb: Of the daemon alone, in 10^6 bytes.
        threads: Of the daemon.
        descriptors: Open in the daemon.
    """

    at_s: float
    resident_mb: float
    threads: int
    descriptors: int


def total(series: Series, name: str, **labels: str) -> float:
    """The sum of all series of a name that have these labels."""
    wanted = set(labels.items())
    return sum(value for (found, has), value in series.items() if found == name and wanted <= has)


def frames_astray(series: Series, camera: str) -> list[str]:
    """Where captured frames and their ends differ; only of a camera that is switched off."""
    figure = {
        end: total(series, f"edged_camera_frames_{end}_total", camera=camera)
        for end in ("captured", "skipped", "delivered", "inferred", "dropped")
    }
    found = []
    if figure["captured"] != figure["skipped"] + figure["delivered"]:
        found.append(f"{camera}: captured is not skipped + delivered: {figure}")
    if figure["delivered"] != figure["inferred"] + figure["dropped"]:
        found.append(f"{camera}: delivered is not inferred + dropped: {figure}")
    if not figure["inferred"]:
        found.append(f"{camera}: nothing was inferred: {figure}")
    return found


def ids_astray(source: str, published: float, received: Sequence[str], told: int) -> list[str]:
    """Where messages are missing at the subscriber, beyond those told of on `gap`."""
    arrived = len(set(received))
    if arrived + told == published > 0:
        return []
    return [f"{source}: {published:.0f} published, {arrived} received, {told} told of as dropped"]


def disorder(source: str, received: Iterable[tuple[str, bool]]) -> list[str]:
    """Where the first arrivals are out of order; the replayed and the live ones have an order each."""
    seen: set[str] = set()
    last = {False: "", True: ""}
    for one, replayed in received:
        if one in seen:
            continue
        seen.add(one)
        if one < last[replayed]:
            return [f"{source}: {one} came after {last[replayed]}"]
        last[replayed] = one
    return []


@dataclass(frozen=True)
class Slope:
    """Of the resident memory.

    Attributes:
        mb_per_h: By least squares; 0 for fewer than three moments.
        error: Its standard error, in the same unit.
    """

    mb_per_h: float = 0.0
    error: float = 0.0

    def __str__(self) -> str:
        return f"{self.mb_per_h:+.1f} ± {self.error:.1f} MB/h"


def slope(samples: Sequence[Sample]) -> Slope:
    """What memory does over time, and how far chance may take that: it varies by megabytes from fault to fault."""
    count = len(samples)
    if count < 3:
        return Slope()
    middle_s = sum(one.at_s for one in samples) / count
    middle_mb = sum(one.resident_mb for one in samples) / count
    spread = sum((one.at_s - middle_s) ** 2 for one in samples)
    if not spread:
        return Slope()
    together = sum((one.at_s - middle_s) * (one.resident_mb - middle_mb) for one in samples)
    rises = together / spread
    left = sum((one.resident_mb - middle_mb - rises * (one.at_s - middle_s)) ** 2 for one in samples)
    return Slope(rises * 3600, (left / (count - 2) / spread) ** 0.5 * 3600)


def after_settling(samples: Sequence[Sample]) -> list[Sample]:
    """Those by which memory is judged."""
    return [one for one in samples if one.at_s >= SETTLED_S]


def leaks(samples: Sequence[Sample]) -> list[str]:
    """What grew from the first moment to the last; memory only where the run was long enough to say so."""
    first, last = samples[0], samples[-1]
    found = []
    if last.threads > first.threads + MORE_THREADS:
        found.append(f"threads grew from {first.threads} to {last.threads}")
    if last.descriptors > first.descriptors + MORE_DESCRIPTORS:
        found.append(f"descriptors grew from {first.descriptors} to {last.descriptors}")
    settled = after_settling(samples)
    if settled and settled[-1].at_s - settled[0].at_s >= JUDGED_S:
        grows = slope(settled)
        if grows.mb_per_h - CHANCE * grows.error > SLOPE_MB_PER_H:
            found.append(f"resident memory grows: {grows}")
    return found

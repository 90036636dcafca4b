"""Two ways to run a model, timed in turns: which costs less, and by enough.

What it costs is time and processor time, multiplied: of two ways that take the same time the one with less work wins,
and a second thread is worth its work only where it shortens the wait by more. For latency the time counts twice.

These are the energy-delay product and the energy-delay-squared product of computer architecture, with processor time
for energy (Brooks et al., "Power-Aware Microarchitecture", IEEE Micro 20(6), 2000).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

MARGIN = 0.05
"""A way must cost so much less than the one before it to be taken."""
ROUNDS, FEWEST_ROUNDS = 7, 2
SLICE_S = 0.02
"""Of each side in a round; at least one inference, however long it takes."""
PAUSE = 3.0
"""Times a slice: after each where something else is to be served meanwhile."""
CLEAR = 1.5
"""Who costs so many times more after the fewest rounds has lost."""
BUSY = 1.3
"""Times the processor time."""

Run = Callable[[], object]


@dataclass(slots=True)
class Figures:
    """What one side took in each slice: milliseconds an inference, and milliseconds of processor time."""

    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def ms(self) -> float:
        """Between two finished inferences: the median."""
        return median(self.wall_ms)

    @property
    def cpu(self) -> float:
        """Of one inference: the median."""
        return median(self.cpu_ms)

    def waited(self, threads: int) -> bool:
        """Whether so many threads, a core each, did not get them: the machine was busy with other things."""
        return self.ms * threads > BUSY * self.cpu

    def cost(self, *, throughput: bool) -> float:
        """As a mean, in milliseconds, so that a ratio reads as one of times."""
        ms, cpu = max(self.ms, 1e-6), max(self.cpu, 1e-6)
        return float((ms * cpu) ** (1 / 2) if throughput else (ms * ms * cpu) ** (1 / 3))


class Stopwatch:
    """Times inferences of this process, which does nothing else meanwhile."""

    def slice(self, run: Run, callers: int, figures: Figures) -> None:
        """Run for `SLICE_S` with so many callers, and take down what an inference took.

        Raises:
            InferenceFailed: As ``run``.
        """
        started, cpu = time.perf_counter(), time.process_time()
        until = started + SLICE_S
        done = _busy(run, until) if callers == 1 else _all_busy(run, until, callers)
        figures.wall_ms.append((time.perf_counter() - started) * 1000 / done)
        figures.cpu_ms.append((time.process_time() - cpu) * 1000 / done)


def duel(
    champion: Run,
    challenger: Run,
    *,
    callers: int,
    throughput: bool,
    budget_s: float,
    beside: bool = False,
    stopwatch: Stopwatch | None = None,
) -> tuple[bool, Figures, Figures]:
    """Whether the challenger wins, and the figures of both.

    Args:
        champion: One inference; warm.
        challenger: One inference; warm.
        callers: Inferences at once.
        throughput: What it is chosen for; else latency.
        budget_s: After so long no further round begins, but for the fewest; pauses not counted.
        beside: Another version serves meanwhile.
        stopwatch: Another in tests.

    Raises:
        InferenceFailed: One of the two failed.
    """
    stopwatch = stopwatch or Stopwatch()
    sides = [(champion, Figures()), (challenger, Figures())]
    left_s = budget_s
    for turn in range(ROUNDS):
        if turn >= FEWEST_ROUNDS and (left_s <= 0 or _is_clear(sides, throughput)):
            break
        for run, figures in sides if turn % 2 == 0 else reversed(sides):
            began_s = time.monotonic()
            stopwatch.slice(run, callers, figures)
            took_s = time.monotonic() - began_s
            left_s -= took_s
            if beside:
                time.sleep(PAUSE * took_s)
    (_, ours), (_, theirs) = sides
    won = theirs.cost(throughput=throughput) <= (1 - MARGIN) * ours.cost(throughput=throughput)
    return won, ours, theirs


def _is_clear(sides: list[tuple[Run, Figures]], throughput: bool) -> bool:
    costs = sorted(figures.cost(throughput=throughput) for _, figures in sides)
    return costs[1] > CLEAR * costs[0]


def _busy(run: Run, until: float) -> int:
    done = 0
    while not done or time.perf_counter() < until:
        run()
        done += 1
    return done


def _all_busy(run: Run, until: float, callers: int) -> int:
    """How many inferences all callers did together."""
    done: list[int] = []
    failed: list[BaseException] = []

    def call() -> None:
        try:
            done.append(_busy(run, until))
        except Exception as error:  # noqa: BLE001  # whatever it was, who asked must hear of it
            failed.append(error)

    threads = [threading.Thread(target=call, name=f"timing-{n}", daemon=True) for n in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return sum(done)

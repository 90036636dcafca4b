"""Choosing what ``auto`` among the providers stands for: whatever runs the model and agrees is timed, the best serves.

One after the other is made and timed against the best until then, so that never more than two sessions are in memory.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from edged.allocator import give_memory_back
from edged.errors import EdgedError
from edged.inference.session import Session
from edged.inference.tuning import Tuning
from edged.machine import cores
from edged.worker import limits
from edged.worker.agreement import MAX_DIFFERENCE, difference
from edged.worker.auto import Auto
from edged.worker.choice import Choice, Tried
from edged.worker.contest import PAUSE, duel
from edged.worker.opening import Opened

TIMING_S = 2.0
"""Of all rivals together; what takes longer than a slice to infer may take more."""
TRYING_S = 30.0
"""No further session is begun when this would be over, judged by the one that took longest; half of the time that a
model may take to load."""
TRYING_CPU_S = limits.LOAD_CPU_S / 2
"""The same for processor time, from the start of the process."""
STARVED = "needs more memory than there is"
_OUT_OF_MEMORY = (STARVED, "bad_alloc", "MemoryError")
LATE = "not tried: the others took long enough"

Outputs = Sequence[NDArray[Any]]
Feeds = Mapping[str, NDArray[Any]]


def choose_session(opened: Opened, feeds: Callable[[], Feeds], reference: Outputs) -> None:
    """Give the model the session that serves it best, where the user left that to edged.

    Args:
        opened: With a session that answers rightly.
        feeds: What the model was tried on.
        reference: The CPU provider's answer to it.
    """
    auto, refused = opened.auto, opened.session.provider.refused
    if auto is not None and auto.choice is None and opened.session.tuning == auto.plain:
        field = [tuning for tuning in auto.rivals() if tuning.provider not in opened.without]
        if len(field) > 1:
            _Contest(opened, feeds(), reference, field).hold(auto)
    choice = auto.choice if auto else None
    opened.know(choice=choice)
    if choice:
        opened.know_refused((*refused, *_refused(choice)))
    if opened.request.arithmetic != "f32" and opened.session.provider.in_use == "cpu":
        opened.note(f"precision = {opened.request.precision!r} has no effect on the CPU provider")


class _Contest:
    """One choice."""

    def __init__(self, opened: Opened, feeds: Feeds, reference: Outputs, field: Sequence[Tuning]) -> None:
        self._opened, self._feeds, self._reference = opened, feeds, reference
        self._champion, *self._rivals = field
        self._first, self._hampered = self._champion, False
        self._session = opened.session
        self._figures: dict[str, tuple[float, float]] = {}
        self._problems: dict[str, str] = {}
        self._agreed: dict[str, tuple[str, str, bool]] = {}
        self._failed: set[tuple[str, str, bool]] = set()
        self._started_s, self._longest_s = time.monotonic(), 0.0

    def hold(self, auto: Auto) -> None:
        left_s, opened = TIMING_S, self._opened
        for number, tuning in enumerate(self._rivals):
            if not self._is_of_use(tuning):
                continue
            if self._is_late():
                self._problems[tuning.name] = LATE
                continue
            session = self._made(tuning)
            if session is not None:
                began_s = time.monotonic()
                self._meet(tuning, session, max(0.0, left_s) / (len(self._rivals) - number))
                took_s = time.monotonic() - began_s
                left_s -= took_s / (1 + PAUSE) if opened.request.beside else took_s
            del session
            give_memory_back()
        opened.adopt(self._session)
        problem = auto.settle(
            self._champion,
            self._choice(),
            self._session.run(self._feeds),
            hampered=self._hampered,
        )
        if problem:
            opened.note(f"the chosen provider is not kept, and measured at each start: {problem}")

    def _is_of_use(self, tuning: Tuning) -> bool:
        """Not where its kind has failed, or another kind of its provider takes part already."""
        agreed = self._agreed.get(tuning.provider, tuning.kind)
        return agreed == tuning.kind and tuning.kind not in self._failed

    def _is_late(self) -> bool:
        until_s = time.monotonic() - self._started_s + self._longest_s
        return until_s > TRYING_S or time.process_time() > TRYING_CPU_S

    def _made(self, tuning: Tuning) -> Session | None:
        """A session that ran and agreed, warm; None where there is none."""
        began_s = time.monotonic()
        try:
            session = self._opened.session_on([tuning], require=True)
            wrong = difference(self._reference, session.run(self._feeds))
            if wrong > MAX_DIFFERENCE:
                self._fail(tuning, f"answers otherwise than the CPU provider (deviation {wrong:.0%})")
                return None
        except EdgedError as error:
            self._fail(tuning, error.problem)
            return None
        except MemoryError:
            self._fail(tuning, STARVED)
            return None
        finally:
            self._longest_s = max(self._longest_s, time.monotonic() - began_s)
        self._agreed[tuning.provider] = tuning.kind
        return session

    def _fail(self, tuning: Tuning, problem: str) -> None:
        self._problems[tuning.name] = problem
        self._failed.add(tuning.kind)
        self._hampered |= any(words in problem for words in _OUT_OF_MEMORY)

    def _meet(self, tuning: Tuning, session: Session, budget_s: float) -> None:
        """Time it against the best until now, and keep the better one."""
        request, champion = self._opened.request, self._session
        callers = request.callers if request.throughput else 1
        try:
            won, ours, theirs = duel(
                lambda: champion.run(self._feeds),
                lambda: session.run(self._feeds),
                callers=callers,
                throughput=request.throughput,
                budget_s=budget_s,
                beside=request.beside,
            )
        except (EdgedError, MemoryError) as error:
            self._fail(tuning, error.problem if isinstance(error, EdgedError) else STARVED)
            return
        known = self._figures.setdefault(self._champion.name, (ours.ms, ours.cpu))
        # A machine is busier in one duel than in the next: what counts is how one side did beside the other.
        self._figures[tuning.name] = (
            known[0] * theirs.ms / ours.ms,
            known[1] * theirs.cpu / max(ours.cpu, 1e-6),
        )
        if self._champion == self._first and self._first.threads == 1:
            self._hampered |= ours.waited(min(callers, cores()))
        if won:
            self._champion, self._session = tuning, session

    def _choice(self) -> Choice:
        request = self._opened.request
        known = {self._first.name, *self._figures, *self._problems}
        return Choice(
            self._champion.name,
            "throughput" if request.throughput else "latency",
            request.callers if request.throughput else 1,
            tuple(self._tried(tuning) for tuning in (self._first, *self._rivals) if tuning.name in known),
        )

    def _tried(self, tuning: Tuning) -> Tried:
        ms, cpu_ms = self._figures.get(tuning.name, (None, None))
        return Tried(
            tuning.name,
            tuning.provider,
            tuning.threads,
            tuning.precision,
            tuning.integers,
            None if ms is None else round(ms, 3),
            None if cpu_ms is None else round(cpu_ms, 3),
            self._problems.get(tuning.name, ""),
        )


def _refused(choice: Choice) -> tuple[str, ...]:
    """Providers that took no part at all, each with the first reason."""
    took_part = {one.provider for one in choice.tried if not one.problem}
    reasons: dict[str, str] = {}
    for one in choice.tried:
        if one.provider not in took_part:
            reasons.setdefault(one.provider, f"{one.provider}: {one.problem}")
    return tuple(reasons.values())

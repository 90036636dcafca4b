"""A loop that is led by what it reaches: inputs which made edged go another way are kept and changed further.

Lines are watched with Python's own tracing, so nothing has to be installed. `make fuzz` takes atheris instead where it
is there and asked for.
"""

import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import edged
from edged.errors import EdgedError
from fuzz.mutation import mutated
from fuzz.targets import Target

BOUND_S = 5.0
"""Of one input, processor time: far more than any of these needs."""
MAX_GROWTH_BYTES = 256 << 20
"""Of the process's peak by one input."""
SHRINK_TRIES = 400

_ROOT = str(Path(edged.__file__).parent)


class Hang(BaseException):
    """An input took longer than `BOUND_S`; no parser may catch it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What must not be.

    Attributes:
        target: Where.
        what: The exception and the innermost line of edged, or what else was wrong; the same for the same bug.
        content: The input, shortened.
        trace: For people.
    """

    target: str
    what: str
    content: bytes
    trace: str = ""


@dataclass
class Report:
    """What a run saw."""

    target: str
    seconds: float = 0.0
    inputs: int = 0
    kept: int = 0
    edges: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def line(self) -> str:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common(6))
        return (
            f"{self.target}: {self.inputs} inputs in {self.seconds:.1f} s, {self.edges} edges, {self.kept} kept; "
            f"{outcomes}; {len(self.findings)} findings"
        )


def explore(
    target: Target, *, seed: int, seconds: float = 0.0, inputs: int = 0, guided: bool = True
) -> Report:
    """Feed a target until the time is up or so many inputs were tried, whichever is given.

    Args:
        target: Opened.
        seed: Of chance: the same inputs for the same seed, as long as the code is the same.
        seconds: At most; 0 = no bound.
        inputs: At most; 0 = no bound.
        guided: Watch which lines are reached; without it more inputs are tried.
    """
    if not seconds and not inputs:
        raise ValueError("seconds or inputs")
    chance = random.Random(seed)
    report, reached = Report(target.name), set[Any]()
    corpus = list(dict.fromkeys(target.seeds))
    began_s = time.monotonic()
    queue = iter([*corpus])
    while not (seconds and time.monotonic() - began_s > seconds) and not (inputs and report.inputs >= inputs):
        first = next(queue, None)
        content = first if first is not None else _next(chance, corpus, target)
        report.inputs += 1
        with _watched(reached if guided else None) as fresh:
            finding = _tried(target, content, report.outcomes)
        if finding:
            if finding.what not in report.findings:
                report.findings[finding.what] = _shortened(target, finding)
        elif fresh and first is None:
            corpus.append(content)
            report.kept += 1
    report.edges, report.seconds = len(reached), time.monotonic() - began_s
    return report


def _next(chance: random.Random, corpus: Sequence[bytes], target: Target) -> bytes:
    # The newest reached what nothing before did: half of the time it is one of the last.
    chosen = (
        corpus[-1 - min(int(chance.expovariate(0.2)), len(corpus) - 1)] if chance.random() < 0.5 else None
    )
    return mutated(chance, chosen or chance.choice(corpus), tokens=target.tokens, others=corpus[:50])


def tried(target: Target, content: bytes) -> Finding | None:
    """One input; what is wrong about how it was taken, if anything."""
    return _tried(target, content, Counter())


def _tried(target: Target, content: bytes, outcomes: Counter[str]) -> Finding | None:
    before = _peak_bytes()
    try:
        with _bounded():
            outcome = target.run(content)
    except EdgedError as error:
        outcome = type(error).__name__
        if "\n" in str(error) or not error.problem:
            return Finding(
                target.name, f"an error of more or less than a line: {outcome}", content, repr(error)
            )
    except Hang:
        return Finding(target.name, f"took longer than {BOUND_S:g} s", content)
    except Exception as error:
        return Finding(target.name, _name(error), content, "".join(traceback.format_exception(error)[-8:]))
    if (grown := _peak_bytes() - before) > MAX_GROWTH_BYTES:
        return Finding(target.name, "took much memory", content, f"{grown >> 20} MiB")
    outcomes[outcome] += 1
    return None


def _name(error: BaseException) -> str:
    """The class, and the innermost line of edged or of these targets that it came through."""
    place = "?"
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if frame.f_code.co_filename.startswith(_ROOT) or path.parent.name == "targets":
            place = f"{path.parent.name}/{path.name}:{line}"
    return f"{type(error).__name__} in {place}"


def _shortened(target: Target, finding: Finding) -> Finding:
    """The same finding by less; pieces are left out, ever smaller ones."""
    best, tries = finding, 0
    step = max(1, len(best.content) // 2)
    while step and tries < SHRINK_TRIES and not finding.what.startswith("took"):
        at = 0
        while at < len(best.content) and tries < SHRINK_TRIES:
            less = best.content[:at] + best.content[at + step :]
            tries += 1
            again = tried(target, less)
            if again and again.what == best.what:
                best = again
            else:
                at += step
        step //= 2
    return best


@contextmanager
def _bounded() -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, BOUND_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def _watched(reached: set[Any] | None) -> Iterator[list[Any]]:
    """Which pairs of lines follow each other for the first time, in edged."""
    fresh: list[Any] = []
    if reached is None:
        yield fresh
        return

    def enter(frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if not code.co_filename.startswith(_ROOT):
            return None
        last = 0

        def line(inner: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
            nonlocal last
            if event == "line":
                edge = (code, last, inner.f_lineno)
                last = inner.f_lineno
                if edge not in reached:
                    reached.add(edge)
                    fresh.append(edge)
            return line

        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield fresh
    finally:
        sys.settrace(before)

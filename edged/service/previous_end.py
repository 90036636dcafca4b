"""How the run before this one ended: told apart by what it left in the folder for states.

A run writes ``run.json`` when it begins and when it ends, and touches it now and then while it lives, so that its age
says when a run ended that could not say so itself. What the interpreter writes when native code crashes, or when a
watchdog ends a process that hangs, stands in ``crash.txt``.

Pure: no clock, no file. `edged.service.runfile` reads and writes.
"""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

MAX_TRACE = 2000
"""Characters of a trace that are told."""
MAX_WHY = 1000
"""Characters of a reason, which of a hang holds the stack."""

How = Literal["clean", "error", "signal", "watchdog", "crash", "out of memory", "killed", "power"]

_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
    "Aborted": "SIGABRT: aborted by itself, or by a watchdog",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
}
_FATAL = re.compile(r"^Fatal Python error: (?P<what>[^\n]*)", re.MULTILINE)
NATIVE = "in a thread of native code, of which the interpreter knows nothing"
_CURRENT = re.compile(r"^Current thread [^\n]*\n(?:[^\n]+\n?)*", re.MULTILINE)


class Run(BaseModel):
    """What a run writes down of itself; a later edged may write more.

    Attributes:
        pid: Its process.
        begun_ticks: When that process began, as the kernel counts; 0 where it does not tell.
        boot: Of the machine, as the kernel names this one; empty where it does not tell.
        version: Of edged.
        started_at_s: Seconds since 1970.
        ooms: Processes that the kernel had ended for want of memory since the machine booted.
        hung: Why supervision gave it up; empty while it has not.
        ending: The signal that told it to end; empty before that.
        ended_at_s: Seconds since 1970; None while it runs.
        code: Its exit code, once it has ended.
        why: Of an end with an error.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    begun_ticks: int = 0
    boot: str = ""
    version: str = ""
    started_at_s: float
    ooms: int = 0
    hung: str = ""
    ending: str = ""
    ended_at_s: float | None = None
    code: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class PreviousEnd:
    """How a run ended.

    Attributes:
        how: ``clean``: told to end, or done. ``error``: with an error that it reported. ``signal``: at once, by a
            second signal while it was ending. ``watchdog``: a thread hung. ``crash``: in native code, or aborted.
            ``out of memory``: killed while the kernel ran out of it. ``killed``: by SIGKILL, or without a trace.
            ``power``: with the machine.
        at_s: When, in seconds since 1970; where it could not say so itself, when it was last seen alive.
        after_s: How long it ran, by the clock on the wall.
        why: In words; empty where nothing is known.
        trace: The stack of the thread that crashed; empty without one.
    """

    how: How
    at_s: float
    after_s: float
    why: str = ""
    trace: str = ""


def previous_end(run: Run, *, seen_alive_s: float, boot: str, ooms: int, crash: str) -> PreviousEnd:
    """Judge what a run left. Pure.

    Args:
        run: What it wrote of itself.
        seen_alive_s: When it last touched its file, in seconds since 1970.
        boot: The kernel's name of the machine's run now.
        ooms: Processes ended for want of memory since the machine booted, now.
        crash: What stands in the file for crashes.
    """
    fatal = _FATAL.search(crash)
    how, why = _how(run, fatal["what"] if fatal else "", boot=boot, more_ooms=ooms > run.ooms)
    at_s = run.ended_at_s if run.ended_at_s is not None else max(seen_alive_s, run.started_at_s)
    return PreviousEnd(
        how=how,
        at_s=at_s,
        after_s=max(0.0, at_s - run.started_at_s),
        why=why[:MAX_WHY],
        trace=trace_of(crash) if how == "crash" else "",  # a watchdog's signal comes to whichever thread
    )


def _how(run: Run, fatal: str, *, boot: str, more_ooms: bool) -> tuple[How, str]:
    """The first that holds."""
    ended, rebooted = run.ended_at_s is not None, bool(run.boot and boot and run.boot != boot)
    cases: list[tuple[object, How, str]] = [
        (ended and run.code, "error", run.why or f"exit code {run.code}"),
        (ended, "clean", run.ending),
        (run.hung, "watchdog", run.hung),
        (fatal, "crash", _SIGNALS.get(fatal, fatal)),
        (rebooted, "power", "the machine was switched off, reset, or restarted without telling edged"),
        (run.ending, "signal", f"ended at once while it was ending ({run.ending})"),
        (more_ooms, "out of memory", "the kernel ended processes for want of memory"),
    ]
    found = ((how, why) for holds, how, why in cases if holds)
    return next(found, ("killed", "SIGKILL, or an end that left no trace"))


def trace_of(crash: str) -> str:
    """What happened and where, of what the interpreter wrote about all threads."""
    fatal, current = _FATAL.search(crash), _CURRENT.search(crash)
    if fatal is None:
        return current.group().rstrip()[:MAX_TRACE] if current else ""
    where = current.group().rstrip() if current else NATIVE
    return f"{fatal.group().rstrip()}\n{where}"[:MAX_TRACE]

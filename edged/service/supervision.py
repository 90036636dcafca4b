"""Watches the threads of the daemon, and has the service manager know that all of them go on.

    threads ─ mark → hearts ─┐
                             ├─ thread "supervision", once a second ─→ all go on:    WATCHDOG=1
    an uncaught exception ───┘                                     └─→ one does not: its name and stack in the log, and
                                                                       silence, until the manager ends us

It does nothing that can be waited for but write to the log, so that it is never the one that hangs. ``/healthz`` asks
for `reasons`, which looks at the hearts itself: it tells the truth also where this thread is the one.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import structlog

from edged.heartbeat import Heartbeat, hearts
from edged.systemd import Notifier

CHECK_S = 1.0
"""Between two looks at all threads, at most."""
STOOD_STILL_S = 5.0
"""Between two looks: the whole process was stopped, or starved, and no thread is to blame."""
STUCK_S = 15.0
"""So late this thread is the one that hangs."""
MAX_FRAMES, MAX_STACK = 20, 2000
"""Of a stack in the log: its newest frames, and characters."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Troubles:
    """What has been wrong with threads since the start.

    Attributes:
        deaths: Times an error ended one.
        hangs: Times one did not go on within its bound.
    """

    deaths: int = 0
    hangs: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with a thread.

    Attributes:
        heart: Its heartbeat.
        text: What is wrong, for people.
        fatal: The process does not work without it.
    """

    heart: Heartbeat
    text: str
    fatal: bool


def findings(all_hearts: Iterable[Heartbeat], now_s: float, awake_since_s: float = 0.0) -> list[Finding]:
    """Which threads do not go on. Pure.

    Args:
        all_hearts: Of all threads.
        now_s: On the monotonic clock.
        awake_since_s: Until then the process stood still.
    """
    found = []
    for heart in all_hearts:
        late_s = heart.late_s(now_s, awake_since_s)
        if heart.error:
            found.append(Finding(heart, f"thread {heart.name} died ({heart.error})", fatal=True))
        elif late_s > 0:
            silent_s = late_s + heart.bound_s
            text = f"thread {heart.name} has not gone on for {silent_s:.0f} s"
            found.append(Finding(heart, text, fatal=late_s > heart.patience_s))
    return found


class Supervision:
    """A context manager that owns the thread ``supervision``."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        on_death: Callable[[str], None] = lambda _: None,
        on_hang: Callable[[str], None] = lambda _: None,
        all_hearts: Callable[[], list[Heartbeat]] = hearts,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is watched yet.

        Args:
            notifier: Hears that all goes on.
            on_death: Called in a thread that is about to end by an exception.
            on_hang: Called with the reason once it is found that the process does not work, and with an empty one once
                it does again; must not block.
            all_hearts: Gives those to be watched.
            monotonic: The monotonic clock, in seconds.
        """
        self._deaths = self._hangs = 0
        self._notifier, self._on_death, self._on_hang = notifier, on_death, on_hang
        self._hearts, self._monotonic = all_hearts, monotonic
        self._checked_s = self._awake_since_s = self._fed_s = monotonic()
        self._doomed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervision", daemon=True)
        self._hooks: tuple[Any, Any] = (None, None)

    def __enter__(self) -> "Supervision":
        self._hooks = (threading.excepthook, sys.unraisablehook)
        threading.excepthook, sys.unraisablehook = self._died, self._unraisable
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(CHECK_S)
        threading.excepthook, sys.unraisablehook = self._hooks

    @property
    def dead(self) -> list[str]:
        """Threads that cannot be missed and that an error ended; nothing but a new start brings them back."""
        return [heart.name for heart in self._hearts() if heart.error]

    @property
    def troubles(self) -> Troubles:
        """Counted until now. Any thread may ask."""
        return Troubles(self._deaths, self._hangs)

    def reasons(self) -> list[str]:
        """Why the process does not work; empty while it does."""
        now_s = self._monotonic()
        silent_s = now_s - self._checked_s
        awake_since_s = now_s if silent_s > STOOD_STILL_S else self._awake_since_s
        reasons = [one.text for one in findings(self._hearts(), now_s, awake_since_s) if one.fatal]
        if silent_s > STUCK_S:
            reasons.append(f"thread supervision has not gone on for {silent_s:.0f} s")
        return reasons

    def check(self) -> None:
        """Look at all threads; feed the watchdog, or say which one does not go on."""
        now_s = self._monotonic()
        if now_s - self._checked_s > STOOD_STILL_S:
            self._awake_since_s = now_s
        self._checked_s = now_s
        found = findings(self._hearts(), now_s, self._awake_since_s)
        if not any(one.fatal for one in found):
            self._feed(now_s)
        self._tell(found)

    def _feed(self, now_s: float) -> None:
        watchdog_s = self._notifier.watchdog_s
        if watchdog_s and now_s - self._fed_s >= watchdog_s / 3:
            self._fed_s = now_s
            self._notifier.alive()

    def _tell(self, found: list[Finding]) -> None:
        """One line when a thread stops going on, and one when it goes on again."""
        hung = {id(one.heart) for one in found}
        for heart in self._hearts():
            if heart.late and id(heart) not in hung:
                heart.late = False
                log.warning("a thread goes on again", thread=heart.name)
        for one in found:
            if not one.heart.late and not one.heart.error:
                one.heart.late = True
                self._hangs += 1
                log.error(
                    "a thread hangs", thread=one.heart.name, why=one.text, stack=stack_of(one.heart.thread_id)
                )
        fatal = [one for one in found if one.fatal]
        if fatal and not self._doomed:
            why = "; ".join(one.text for one in fatal)
            self._on_hang(f"{why}, at {stack_of(fatal[0].heart.thread_id)}")
            log.critical("edged does not work", why=why, watchdog_s=self._notifier.watchdog_s)
        elif self._doomed and not fatal:
            self._on_hang("")
        self._doomed = bool(fatal)

    def _run(self) -> None:
        every_s = min(CHECK_S, self._notifier.watchdog_s / 6 or CHECK_S)
        while not self._stop.wait(every_s):
            try:
                self.check()
            except Exception as error:  # of a bug here the watchdog hears by silence
                log.error("supervision stumbled", exc_info=error)

    def _died(self, args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "unknown"
        error = args.exc_value or args.exc_type()
        self._deaths += 1
        log.error(
            "a thread died",
            thread=name,
            deaths=self._deaths,
            exc_info=(type(error), error, args.exc_traceback),
        )
        self._on_death(f"thread {name} died ({type(error).__name__}: {error})")

    def _unraisable(self, args: "sys.UnraisableHookArgs") -> None:
        where = f"{threading.current_thread().name}, in {args.object!r:.200}"
        log.error("an error that nobody could be told of", where=where, error=f"{args.exc_value!r:.500}")


def stack_of(thread_id: int) -> str:
    """Where a thread is now, the innermost frame first, on one line of bounded length."""
    frame: FrameType | None = sys._current_frames().get(
        thread_id
    )  # no source is read: the disk may be what hangs
    places: list[str] = []
    while frame is not None and len(places) < MAX_FRAMES:
        places.append(f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(places)[:MAX_STACK] or "gone"


def _short(path: str) -> str:
    return "/".join(path.replace("\\", "/").rsplit("/", 3)[-3:])

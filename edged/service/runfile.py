"""What a run leaves in the folder for states, so that the next one can say how it ended; see `previous_end`.

The folder may be on a disk that hangs, is full, or is not there: everything is written in a thread of its own, and
nobody waits for it for long.
"""

import contextlib
import faulthandler
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from edged import __version__
from edged.service.previous_end import PreviousEnd, Run, previous_end
from edged.service.serial import SerialExecutor, Task
from edged.service.statefile import StateFileDamagedError, read_state, write_state

RUN, CRASH = "run.json", "crash.txt"
MAX_RUN_BYTES = 64 << 10
MAX_CRASH_BYTES = 256 << 10
TOUCH_EVERY_S = 60.0
"""So exact is the time of an end that could not be written down."""
END_S = 0.5
"""For the last word to reach the disk."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger()


class RunFile:
    """Of this run. Made before anything is started; any thread may call. Crashes are caught to the very end.

    Attributes:
        previous: How the run before ended; None where there was none, or it cannot be told.
    """

    def __init__(self, folder: Path | None) -> None:
        """Read what the run before left; nothing is written before `begin`.

        Args:
            folder: For the state of this instance; None = nothing is kept.
        """
        self.previous: PreviousEnd | None = None
        self._folder = folder
        self._lock = threading.Lock()
        self._touch_at_s = 0.0
        self._writer = SerialExecutor("run-file", limit=16)
        self._run = Run(
            pid=os.getpid(),
            begun_ticks=_begun_ticks(os.getpid()),
            boot=_boot(),
            version=__version__,
            started_at_s=time.time(),
            ooms=_ooms(),
        )
        before = _read(folder) if folder else None
        if folder is None or before is None:
            return
        run, seen_alive_s = before
        if _lives(run):
            log.warning("another edged keeps its states in the same folder", folder=str(folder), pid=run.pid)
            self._folder = None
            return
        crash, crashed_s = _read_crash(folder)
        self.previous = previous_end(
            run,
            seen_alive_s=max(seen_alive_s, crashed_s),
            boot=self._run.boot,
            ooms=self._run.ooms,
            crash=crash,
        )

    def begin(self) -> None:
        """Say how the run before ended, and write this one down."""
        if self._folder is None:
            return
        self._writer.start()
        _catch_crashes(self._folder)
        self._write()
        before = self.previous
        if before is not None and before.how != "clean":
            log.warning(
                "the run before did not end as it should",
                how=before.how,
                why=before.why,
                after_s=round(before.after_s),
                trace=before.trace,
            )

    def touch(self) -> None:
        """The process lives; called often, does little."""
        now_s = time.monotonic()
        if self._folder is None or now_s < self._touch_at_s:
            return
        self._touch_at_s = now_s + TOUCH_EVERY_S
        ooms = _ooms()
        if ooms != self._run.ooms:  # those of our workers, which we survived
            self._note(ooms=ooms)
        else:
            self._submit(partial(_touch, self._folder))

    def hangs(self, why: str) -> None:
        """It was given up, and waits for the watchdog; empty: it goes on after all."""
        self._note(hung=why)

    def ending(self, signal: str) -> None:
        """It was told to end."""
        self._note(ending=signal)

    def ended(self, code: int, why: str = "") -> None:
        """The last word: it has ended with this exit code. Waits half a second at most."""
        if self._folder is None:
            return
        done = threading.Event()
        self._note(ended_at_s=time.time(), code=code, why=why)
        self._submit(done.set)
        done.wait(END_S)
        self._writer.close()

    def _note(self, **changes: Any) -> None:
        with self._lock:
            self._run = self._run.model_copy(update=changes)
        self._write()

    def _write(self) -> None:
        if self._folder is not None:
            self._submit(partial(_put, self._folder, self._run))

    def _submit(self, run: Callable[[], None]) -> None:
        self._writer.submit(Task(run=run, cancel=lambda: None))


def _put(folder: Path, run: Run) -> None:
    try:
        write_state(folder / RUN, run.model_dump_json().encode())
    except OSError as error:
        log.warning("how this run ends will not be known", folder=str(folder), why=error.strerror)


def _touch(folder: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(folder / RUN)


def _read(folder: Path) -> tuple[Run, float] | None:
    """What the run before wrote, and when it last touched it."""
    path = folder / RUN
    try:
        content = read_state(path, MAX_RUN_BYTES)
        return None if content is None else (Run.model_validate_json(content), path.stat().st_mtime)
    except (OSError, ValueError, StateFileDamagedError) as error:
        log.warning("how the run before ended is not known", file=str(path), why=str(error))
        return None


def _read_crash(folder: Path) -> tuple[str, float]:
    """What was written when it crashed, and when; nothing, and 0, where it did not."""
    path = folder / CRASH
    with contextlib.suppress(OSError, StateFileDamagedError):
        if content := read_state(path, MAX_CRASH_BYTES):
            return content.decode("utf-8", "replace"), path.stat().st_mtime
    return "", 0.0


def _catch_crashes(folder: Path) -> None:
    """Have the interpreter write there what every thread was doing when native code crashes, or SIGABRT comes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / CRASH, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    except OSError:
        return  # they go to standard error still
    faulthandler.enable(descriptor, all_threads=True)  # which stays open to the very end


def _lives(run: Run) -> bool:
    """Whether that very process is still there; a number is given to others later."""
    return run.pid != os.getpid() and run.begun_ticks != 0 and _begun_ticks(run.pid) == run.begun_ticks


def _begun_ticks(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()[19]
        )
    return 0


def _boot() -> str:
    with contextlib.suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return ""


def _ooms() -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0

"""Says that something may have changed in the store, as soon as it does: a thread that listens to the kernel.

    list the folders → listen to them → call → wait for an event, for ``every_s`` at most ┐
    └───────────────────────────────────── stop listening ←───────────────────────────────┘

Each round lists and listens anew, so that no round cares what became of what an earlier one listened to: a folder
that was made or deleted, a link that was swapped, events that were lost. It calls after it began to listen, so that
nothing falls between two rounds.

Events only make it quick. The call every ``every_s`` makes it right: on a network's file system, which says nothing,
and where the kernel's limits are reached. Time is the monotonic clock's; watchfiles' own time-outs are not used,
because they follow the wall clock.
"""

import contextlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

# Not its generator `watch`, which opens only where it also waits, and writes to `logging`.
from watchfiles._rust_notify import RustNotify

from edged.heartbeat import Heartbeat
from edged.modelstore.records import REJECTED
from edged.modelstore.staging import PREFIX

STOP_S = 2.0
"""How long leaving the ``with`` waits for the thread; it looks at the stop event every `STEP_MS`."""
STEP_MS = 250
"""How often the listener looks for events; they are together when a step brings no new one. Each look is a wake-up of
the processor, on boxes where nothing changes for months."""
DEBOUNCE_MS = 100
"""Events that do not end are passed on after so long."""
RETRY_S = (0.1, 1.0, 5.0, 15.0, 60.0)
"""Until it listens again after failures in a row: the first is often a folder that went while it was listed."""
DEPTH = 3
"""Of ``<name>/<version>/<folder>``; what lies deeper comes with a version, whose own folder changes too."""
MAX_FOLDERS = 512
"""Listened to; a model may lie in somebody's home."""

STUCK_S = 120.0
"""A thread that has not gone on for so long hangs; a large store on a slow network is looked through in that time."""

_REMEDY = "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl"

log = structlog.get_logger()


def concerns(path: Path) -> bool:
    """Whether a change there may be one of the models. It looks at the names only.

    Names that begin with one dot are staging, edged's own records and editors' temporaries; with two, they are what
    Kubernetes swaps. Vim tries whether it may write with a file ``4913``: a version of that number has to wait for
    the next call.
    """
    name = path.name
    if any(part.startswith(PREFIX) for part in path.parts) or _is_hidden(name):
        return False
    return name != "4913" and not name.endswith((REJECTED, "~", ".swp", ".swx", "#"))


class StoreWatcher:
    """Owns the thread ``store-watch``; a context manager.

    ``on_change`` is called in that thread and nowhere else: once at the start, after events, and every ``every_s``.
    What it raises is logged and changes nothing. `start` and `stop` may be called from any other thread.
    """

    def __init__(
        self, folders: Sequence[Path], *, on_change: Callable[[], None], every_s: float = 5.0
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            folders: The store, and those of single model files. They need not be there, and may come and go.
            on_change: Looks what is there now. It should be quick: events wait for it.
            every_s: Between two calls at most, on the monotonic clock.
        """
        self._roots = [str(folder) for folder in folders]
        self._on_change, self._every_s = on_change, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)
        self._failures = 0
        self._retry_s = 0.0
        self._unwatched: set[str] = set()

    def start(self) -> None:
        """Begin; once only."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Ask the thread to end and wait for it.

        Returns:
            Whether it has ended. If not, it ends by itself when ``on_change`` returns.
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(STOP_S)

    def _run(self) -> None:
        with Heartbeat(STUCK_S) as heart:
            while not self._stop.is_set():
                heart.mark(self._every_s)
                self._round()

    def _round(self) -> None:
        with self._listen() as listener:
            due_s = time.monotonic() + self._every_s
            self._call()
            if listener is None:
                self._stop.wait(max(min(due_s, self._retry_s) - time.monotonic(), STEP_MS / 1000))
            else:
                self._wait(listener, due_s)

    def _listen(self) -> AbstractContextManager[RustNotify | None]:
        """Begin to listen to the folders that are there now; None where that is impossible."""
        if time.monotonic() < self._retry_s:
            return nullcontext()
        try:
            folders, unwatched = _folders(self._roots)
            self._tell(unwatched)
            # Without inotify it looks by itself, in a thread that sleeps so long: no oftener than we do.
            return RustNotify(folders, False, False, max(round(self._every_s * 1000), 1000), False, False)
        except BaseException as error:  # noqa: BLE001  a panic in Rust, as when no thread can be made, is no Exception
            self._failed(error)
            return nullcontext()

    def _call(self) -> None:
        try:
            self._on_change()
        except Exception:
            # A bug of the caller's must not end the watch: the next change may be the repair.
            log.exception("looking at the model store failed")

    def _wait(self, listener: RustNotify, due_s: float) -> None:
        """Until something happened that concerns us, the next call is due, or the stop came."""
        until = _Until(self._stop, due_s)
        try:
            while True:  # one step at least, however long the call took
                seen = listener.watch(DEBOUNCE_MS, STEP_MS, 0, until)
                if isinstance(seen, str) or any(concerns(Path(path)) for _, path in seen):
                    break
        except BaseException as error:  # noqa: BLE001  as above
            self._failed(error)
        else:
            self._worked()

    def _failed(self, error: BaseException) -> None:
        self._retry_s = time.monotonic() + RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        if self._failures == 2:
            log.warning(
                "model store is not watched, only looked at now and then",
                every_s=self._every_s,
                problem=str(error) or type(error).__name__,
                remedy=_REMEDY,
            )

    def _worked(self) -> None:
        if self._failures >= 2:
            log.info("model store is watched again")
        self._failures = 0

    def _tell(self, unwatched: set[str]) -> None:
        """Say of each part that is not listened to that it is not, once while it lasts."""
        for problem in sorted(unwatched - self._unwatched):
            log.warning(
                "part of the model store is not watched, only looked at now and then",
                every_s=self._every_s,
                problem=problem,
            )
        self._unwatched = unwatched


class _Until:
    """Looks like an event that is set with another one, or when a moment of the monotonic clock has come."""

    def __init__(self, stop: threading.Event, due_s: float) -> None:
        self._stop, self._due_s = stop, due_s

    def is_set(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._due_s


def _folders(roots: Sequence[str]) -> tuple[list[str], set[str]]:
    """The folders to listen to, level by level and each once, and for people what is wrong with others."""
    found: dict[tuple[int, int], str] = {}
    problems: set[str] = set()
    level = list(roots)
    for _ in range(DEPTH + 1):
        below: list[str] = []
        for folder in level:
            try:
                status = os.stat(folder)  # noqa: PTH116  thousands of them, every few seconds
                identity = status.st_dev, status.st_ino
                if identity in found or not stat.S_ISDIR(status.st_mode):
                    continue
                if len(found) == MAX_FOLDERS:
                    problems.add(f"there are more than {MAX_FOLDERS} folders")
                    return list(found.values()), problems
                folder.encode()
                below += _folders_in(folder)
                found[identity] = folder
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, UnicodeError) as error:
                problems.add(f"{folder!a} cannot be read ({getattr(error, 'strerror', None) or error})")
        level = below
    return list(found.values()), problems


def _folders_in(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # a link to itself, or into a folder of others
                if not _is_hidden(entry.name) and entry.is_dir():
                    yield entry.path


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and not name.startswith("..")

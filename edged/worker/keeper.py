"""Keeps a process running for a version of a model, and starts another when it dies."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from edged.errors import EdgedError, ModelRejected
from edged.heartbeat import Heartbeat
from edged.worker.client import MAX_TIMEOUT_S, WorkerProcess
from edged.worker.description import LoadRequest, ModelDescription

log = structlog.get_logger()

RESTART_DELAYS_S = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S = 60.0
"""A worker that lived this long starts the delays over."""
STUCK_S = 15.0
"""A thread that has not gone on for so long hangs, what it waits for aside …"""
PROVE_S = 900.0
"""… which is the trial of a first process: several providers, each with its own bound."""
Proof = Callable[[WorkerProcess], ModelDescription]
"""Has a process load its model and makes sure of it; raises why it is not to serve."""


class Worker:
    """Keeps one process running for a version. A context manager that owns the thread ``worker-NAME-VERSION``.

    The first start is the caller's to wait for (`settled`): what is wrong with a model then is ``error``. The process
    that was proven then is the one that serves. Later deaths are repaired with one line in the log and a call of
    ``on_lost``; a successor loads the same bytes or none.

    Attributes:
        version: Of the model.
        restarts: How often a successor had to be started.
        failing: How many starts in a row have failed since a process served last; 0 while one serves.
        error: Why there is no process and will be none, or None.
        last_end: How the last process ended.
    """

    def __init__(
        self,
        name: str,
        request: LoadRequest,
        *,
        version: int = 1,
        timeout_s: float | None = None,
        prove: Proof | None = None,
        known: bool = False,
        on_change: Callable[[], None] = lambda: None,
        on_lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Nothing is started yet.

        Args:
            name: Of the model, for errors and the log.
            request: What to load.
            version: Of the model.
            timeout_s: Of one inference; None = learned from the warm latency.
            prove: How the first process is loaded; default: as it is.
            known: The version served before, so a first start that fails is tried again like any other.
            on_change: Called from this thread when the process is another one, or none.
            on_lost: Called from this thread with how a process ended by itself.
        """
        self.name, self.request, self.version = name, request, version
        self.restarts = self.failing = 0
        self._known = known
        self.error: EdgedError | None = None
        self.last_end = ""
        self._timeout_s, self._prove = timeout_s, prove
        self._on_change, self._on_lost = on_change, on_lost
        self._condition = threading.Condition()
        self._current: WorkerProcess | None = None
        self._starting: WorkerProcess | None = None
        self._description: ModelDescription | None = None
        self._stopping = threading.Event()
        self._heart = Heartbeat(STUCK_S)
        self._thread = threading.Thread(target=self._run, name=f"worker-{name}-{version}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def settled(self, timeout_s: float) -> bool:
        """Wait until the first process serves, or it is known that none will; False if that took longer."""
        with self._condition:
            return bool(self._condition.wait_for(lambda: self._description or self.error, timeout_s))

    @property
    def description(self) -> ModelDescription | None:
        """Of the model, once it was loaded."""
        return self._description

    def current(self, timeout_s: float) -> WorkerProcess | None:
        """The process that serves now; waits for one being started, None if none came in time."""
        with self._condition:
            self._condition.wait_for(lambda: self._current or self._stopping.is_set(), timeout_s)
            return None if self._stopping.is_set() else self._current

    def discard(self, process: WorkerProcess) -> None:
        """A caller lost this process: do not hand it out again."""
        process.kill()
        with self._condition:
            if self._current is process:
                self._current = None

    def relocate(self, before: Path, now: Path) -> None:
        """The files of the version stand elsewhere; the next process loads them there."""
        if self.request.path == str(before):
            self.request = replace(self.request, path=str(now))

    def kill(self) -> None:
        """End whatever process there is, at once; another is started unless `stop` was called."""
        with self._condition:
            process = self._current or self._starting
        if process:
            process.kill()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the process and the thread; True if that was done in time."""
        self._stopping.set()
        with self._condition:
            process = self._current or self._starting
            self._condition.notify_all()
        if process:
            process.close(timeout_s / 2)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with self._heart:
            self._keep()

    def _keep(self) -> None:
        failures, timeout_s = 0, self._timeout_s
        while not self._rest(RESTART_DELAYS_S[min(failures, len(RESTART_DELAYS_S) - 1)]):
            started = time.monotonic()
            self._heart.mark(PROVE_S)
            process: WorkerProcess | None = None
            try:
                process = WorkerProcess(self.name, self.request)
                if not self._announce(process):
                    process.close(0)
                    return
                description = self._load(process, timeout_s)
            except Exception as failure:  # noqa: BLE001  # whatever it is, this thread must not end without a word
                error = failure if isinstance(failure, EdgedError) else self._puzzle(failure)
                if process:
                    process.close(0)
                if self._description is None and not self._known:
                    self._give_up(error)
                    return
                failures += 1
                if not self._stopping.is_set():
                    self.failing += 1
                    log.error("worker did not start", model=self.name, version=self.version, error=str(error))
                    self._on_change()
                continue
            self._serve(process, description, started_in_s=time.monotonic() - started)
            process.close()
            failures = 0 if time.monotonic() - started > STEADY_S else failures + 1
            if self._timeout_s is None and process.was_slow:
                timeout_s = min(
                    MAX_TIMEOUT_S, process.timeout_s * 2
                )  # a busy machine is slower than the warm-up

    def _rest(self, delay_s: float) -> bool:
        """Wait before the next start; True if told to stop."""
        self._heart.mark(delay_s)
        return self._stopping.wait(delay_s)

    def _load(self, process: WorkerProcess, timeout_s: float | None) -> ModelDescription:
        if self._description or self._prove is None:
            return process.load(timeout_s=timeout_s)
        return self._prove(process)

    def _puzzle(self, failure: Exception) -> EdgedError:
        return ModelRejected(
            self.request.path, f"its process said what nobody understands ({failure!r})", "report this"
        )

    def _announce(self, process: WorkerProcess) -> bool:
        """Let `stop` know of a process; False if that was called before it could."""
        with self._condition:
            self._starting = process
            return not self._stopping.is_set()

    def _give_up(self, error: EdgedError) -> None:
        with self._condition:
            self.error = error
            self._condition.notify_all()
        self._on_change()

    def _serve(self, process: WorkerProcess, description: ModelDescription, *, started_in_s: float) -> None:
        self._heart.mark()
        first = self._description is None
        with self._condition:
            if self._stopping.is_set():
                return
            self._current, self._description, self.failing = process, description, 0
            self.request = replace(self.request, digest=description.digest)
            self._condition.notify_all()
        if not first:
            self.restarts += 1
            log.warning(
                "worker restarted",
                model=self.name,
                version=self.version,
                pid=process.pid,
                seconds=round(started_in_s, 2),
            )
        self._on_change()
        self._heart.rest()
        how = process.wait()
        self._heart.mark()
        with self._condition:
            if self._current is process:
                self._current = None
        if not self._stopping.is_set():
            self.last_end = how
            log.error("worker lost", model=self.name, version=self.version, pid=process.pid, why=how)
            self._on_lost(how)
            self._on_change()

"""The callers of one model: threads that take what waits, one turn after the other, to the version that serves.

A caller has a lane of the worker to itself. What a turn is, and what becomes of it, is for the pipelines of frames and
of rows to say.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from functools import partial
from typing import Generic, Protocol, TypeVar

from edged.errors import WorkerLost
from edged.heartbeat import Heartbeat
from edged.worker.client import WorkerProcess
from edged.worker.keeper import Worker

MAX_ATTEMPTS = 3
"""What is being worked on when its worker dies goes to the next worker, this often at most."""
WAIT_S = 2.0
"""Longest wait without a look at whether to stop."""
WARN_EVERY_S = 60.0
STUCK_S = 10.0
"""A caller that has not gone on for so long hangs, what its worker is given aside."""


class Outcome(Protocol):
    """What a version made of a turn."""

    @property
    def source(self) -> str:
        """Name of the camera or sensor."""
        ...

    @property
    def inference_ms(self) -> float:
        """In the runtime; of rows, a window's share."""
        ...

    @property
    def found(self) -> int:
        """How many objects; of rows, how many windows."""
        ...


class Observer(Protocol):
    """Hears how each turn went, from a caller's thread; must not block."""

    def looked(self, worker: Worker, result: Outcome) -> None:
        """A version answered."""
        ...

    def failed(self, worker: Worker, source: str, problem: str) -> None:
        """A version gave no answer to something of this source."""
        ...


T = TypeVar("T")


class Callers(ABC, Generic[T]):
    """The callers of one model. A context manager that owns its threads ``caller-MODEL-N``.

    Attributes:
        name: Of the model.
        worker: The version that serves; None while there is none.
        inferences: Answered since the start; of a batch, as many as were in it.
        inference_s: In the runtime since the start, of all callers together.
    """

    def __init__(self, name: str, callers: int, observer: Observer | None = None) -> None:
        """Nothing serves yet; see `serve`.

        Args:
            name: Of the model.
            callers: How many turns may be in work at once.
            observer: Hears how each went.
        """
        self.name = name
        self.worker: Worker | None = None
        self.inferences, self.inference_s = 0, 0.0
        self._observer = observer
        self._resting = 0  # callers that wait for a turn
        self._in_use: dict[int, Worker] = {}
        lock = threading.Lock()
        self._work = threading.Condition(lock)  # callers wait for a turn …
        self._room = threading.Condition(lock)  # … sources that can wait until there is room …
        self._rest = threading.Condition(lock)  # … and who ends everything until nothing is in work
        self._stopping = False
        self._hearts: defaultdict[int, Heartbeat] = defaultdict(partial(Heartbeat, STUCK_S))  # by lane
        self._callers = [
            threading.Thread(target=self._call, args=(lane,), name=f"caller-{name}-{lane}", daemon=True)
            for lane in range(callers)
        ]

    @property
    def count(self) -> int:
        """How many callers there are."""
        return len(self._callers)

    @property
    def ended(self) -> bool:
        """Whether it was told to stop and no caller is left, so that its counts stay as they are."""
        return self._stopping and not any(caller.is_alive() for caller in self._callers)

    @property
    def late(self) -> int:
        """What was dropped because the model had no time for it, since the start."""
        return 0

    def start(self) -> None:
        """Begin to serve feeds."""
        for caller in self._callers:
            caller.start()

    def __enter__(self) -> "Callers[T]":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def serve(self, worker: Worker | None) -> Worker | None:
        """Have another version serve from the next turn on; those in work end where they are.

        Args:
            worker: With as many callers as this has; None = nothing serves.

        Returns:
            What served until now.
        """
        with self._work:
            before, self.worker = self.worker, worker
            self._work.notify_all()
        return before

    def wait_left(self, worker: Worker, timeout_s: float) -> bool:
        """Wait until nothing is in work with a version; False if that took longer."""
        with self._work:
            return self._rest.wait_for(lambda: worker not in self._in_use.values(), timeout_s)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing waits and nothing is in work; False if that took longer."""
        with self._work:
            return self._rest.wait_for(lambda: self._is_idle() or self._stopping, timeout_s)

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Let what is in work end, forget what waits, join the callers; False if one did not end in time."""
        with self._work:
            self._stopping = True
            for condition in (self._work, self._room, self._rest):
                condition.notify_all()
        deadline = time.monotonic() + timeout_s
        for caller in self._callers:
            if caller.is_alive():
                caller.join(max(0.0, deadline - time.monotonic()))
        return not any(caller.is_alive() for caller in self._callers)

    # For the pipelines

    @abstractmethod
    def _is_idle(self) -> bool:
        """Whether nothing waits and nothing is in work; called with the lock held."""

    @abstractmethod
    def _take(self, process: WorkerProcess) -> T | None:
        """The next turn, if there is one; called with the lock held."""

    @abstractmethod
    def _is_waiting(self) -> bool:
        """Whether there is a turn for another caller; called with the lock held."""

    @abstractmethod
    def _hand_back(self, turn: T) -> None:
        """No version was shown it: it goes back to where it waited; called with the lock held."""

    @abstractmethod
    def _lost(self, turn: T) -> None:
        """The process died over it."""

    @abstractmethod
    def _serve_turn(self, turn: T, worker: Worker, process: WorkerProcess, lane: int) -> None:
        """Take it through the model and hand on what comes out.

        Raises:
            WorkerLost: The process died over it.
        """

    def _ran(self, inferences: int, inference_ms: float) -> None:
        """So many were answered in so long; called with the lock held."""
        self.inferences += inferences
        self.inference_s += inference_ms / 1000

    def _patience_s(self) -> float:
        """How long to wait for a turn before another look; called with the lock held."""
        return WAIT_S

    def _call(self, lane: int) -> None:
        with self._hearts[lane] as heart:
            while not self._stopping:
                heart.mark(2 * WAIT_S)
                self._call_once(lane, heart)

    def _call_once(self, lane: int, heart: Heartbeat) -> None:
        worker = self.worker
        if worker is None:
            self._wait_for_worker()
            return
        process = worker.current(WAIT_S)
        turn = self._next_turn(process) if process else None
        if not process or turn is None:
            return
        if not self._occupy(lane, worker):  # swapped while a turn was waited for
            with self._work:
                self._hand_back(turn)
                self._work.notify()
                self._rest.notify_all()
            return
        try:
            heart.mark(2 * process.timeout_s)  # where together fails, each is tried alone
            self._serve_turn(turn, worker, process, lane)
        except WorkerLost:
            worker.discard(process)
            self._lost(turn)
        finally:
            self._leave(lane)

    def _wait_for_worker(self) -> None:
        with self._work:
            if self.worker is None and not self._stopping:
                self._work.wait(WAIT_S)

    def _occupy(self, lane: int, worker: Worker) -> bool:
        """Use a version's lane from now on; False if it is not the one that serves any more."""
        with self._work:
            if worker is not self.worker:
                return False
            self._in_use[lane] = worker
            return True

    def _leave(self, lane: int) -> None:
        with self._work:
            self._in_use.pop(lane, None)
            self._rest.notify_all()

    def _next_turn(self, process: WorkerProcess) -> T | None:
        with self._work:
            turn = self._take(process)
            if turn is None and not self._stopping:
                self._resting += 1
                self._work.wait(self._patience_s())
                self._resting -= 1
                turn = None if self._stopping else self._take(process)
            if turn is not None:
                self._room.notify_all()
                if self._is_waiting():
                    self._work.notify()  # for another caller
            return turn

"""The daemon's end of a worker process, from its start to its end: start it, hand tensors over, bound every wait."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edged import errors, machine
from edged.errors import EdgedError, InferenceFailed, KilledWhileLoading, ModelRejected, WorkerLost
from edged.manifest import RowRecipe
from edged.worker import limits
from edged.worker.answer import Answer, Scored
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.journal import Progress
from edged.worker.process import FAILED, REPLY, REQUEST, receive_control, receive_message
from edged.worker.ring import Ring
from edged.worker.starting import send_control, start
from edged.worker.wire import Reply, Texts, pack_pictures, pack_request, unpack_answers, unpack_scores

LOAD_TIMEOUT_S = 60.0
SLOW = "no answer within"
STARVED_S = 10.0
"""Of processor time within that: who got less says nothing of the model."""
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1.0, 30.0
TIMEOUT_FACTOR = 10
"""An inference that takes this many times its warm latency counts as hung."""


def too_slow(path: str, got_s: float) -> ModelRejected:
    """What is to be said of a model that did not load in time.

    Args:
        path: Of it.
        got_s: Processor time that its process got meanwhile.
    """
    problem = f"did not load within {LOAD_TIMEOUT_S:.0f} s"
    if got_s < STARVED_S:
        problem += f", in which its process got {got_s:.1f} s of processor time"
        return KilledWhileLoading(path, problem, "find out what keeps the processor or the disk busy")
    return ModelRejected(path, problem, "use a smaller model")


class WorkerProcess:
    """One process for one model. A lane is used by one thread at a time; `close` by any.

    Attributes:
        name: Of the model.
        description: Of the model, once it was loaded.
        progress: How far the model came, and what is known of it; also where `load` raises.
    """

    description: ModelDescription
    _lanes: list[socket.socket]
    _ends: list[socket.socket]

    def __init__(self, name: str, request: LoadRequest) -> None:
        """Start the process; it loads nothing yet.

        The process ends with the thread that calls this, at the latest.

        Args:
            name: Of the model, for errors.
            request: What to load; ``callers`` lanes are made.

        Raises:
            WorkerLost: This machine cannot start one now.
        """
        self.name, self._request = name, request
        self.progress = Progress()
        self._lock = threading.Lock()
        self._hung = self._end = ""
        self._closed = False
        self._tensors: list[tuple[NDArray[Any], ...]] = []
        self._numbers = [0] * request.callers
        self.timeout_s = MAX_TIMEOUT_S
        self._start(request)

    def load(self, *, timeout_s: float | None = None) -> ModelDescription:
        """Wait until the process has loaded, tried and understood the model; to be called once, before `answer`.

        Args:
            timeout_s: Of one inference; None = learned from the warm latency.

        Raises:
            InputNotFound, ModelRejected, RuntimeMissing: As the worker found, or because the model killed it.
            WorkerLost: This machine has no shared memory left for its tensors.
        """
        description = self._await_description()
        slowest_ms = max(description.latency_ms, *description.batch_ms.values(), 0.0)
        learned = TIMEOUT_FACTOR * self._request.callers * slowest_ms / 1000
        self.timeout_s = timeout_s or min(MAX_TIMEOUT_S, max(MIN_TIMEOUT_S, learned))
        try:
            ring = Ring.create(self._request.callers, description.slot_shape, description.input.dtype)
        except OSError as error:
            raise self._not_started(error) from error
        try:
            ends = [end.fileno() for end in self._ends]
            socket.send_fds(self._control, [b"r"], [ring.descriptor, *ends])
        except OSError as error:
            raise self._died_loading() from error
        finally:
            ring.close()
            self._close_ends()
        for connection in self._lanes:
            _bound_waits(connection, self.timeout_s)
        self._tensors = [_parts(ring.slot(lane), description) for lane in range(self._request.callers)]
        self.description = description
        return description

    def _start(self, request: LoadRequest) -> None:
        self._lanes, self._ends = [], []
        with contextlib.ExitStack() as made:
            try:
                for _ in range(request.callers):
                    mine, end = socket.socketpair()
                    self._lanes.append(made.enter_context(mine))
                    self._ends.append(made.enter_context(end))
                started = start(request.to_json())
            except OSError as error:
                raise self._not_started(error) from error
            made.pop_all()
        self._process, self._control, self._stderr = started.process, started.control, started.stderr
        self._is_asked = bool(started.asked)

    def _close_ends(self) -> None:
        """The process has its own of them, or never will."""
        for end in self._ends:
            end.close()

    def _not_started(self, error: OSError) -> WorkerLost:
        return WorkerLost(
            f"model {self.name}",
            f"its process cannot be started ({error.strerror or error})",
            "this machine is out of memory, processes or descriptors",
        )

    def _await_description(self) -> ModelDescription:
        path = self._request.path
        deadline_s = time.monotonic() + LOAD_TIMEOUT_S
        self._control.settimeout(LOAD_TIMEOUT_S)
        try:
            if not self._is_asked:
                send_control(self._control, self._request.to_json())
            values = self._receive_reply(deadline_s)
            self._control.settimeout(None)
        except TimeoutError as error:
            raise too_slow(path, machine.usage([self.pid]).cpu_s) from error
        except OSError as error:
            raise self._died_loading() from error
        if not values:
            raise self._died_loading()
        if "error" in values:
            leaf = getattr(errors, values["error"], ModelRejected)
            raise leaf(values["subject"], values["problem"], values["remedy"])
        return ModelDescription.from_dict(values["ready"])

    def _receive_reply(self, deadline_s: float) -> dict[str, Any]:
        """The description or the error, with the journal taken down that comes before it; empty if it died."""
        while reply := receive_control(self._control):
            values: dict[str, Any] = json.loads(reply)
            if "ready" in values or "error" in values:
                return values
            self.progress.take(values)
            self._control.settimeout(max(0.001, deadline_s - time.monotonic()))
        return {}

    def _died_loading(self) -> EdgedError:
        how = self._how_it_ended()
        problem = f"killed the process that loaded it ({how})"
        if how.startswith("SIGKILL"):
            return KilledWhileLoading(self._request.path, problem, "export it again or use another model")
        if how.startswith("SIGXCPU"):
            problem = f"took more than {limits.LOAD_CPU_S} s of processor time to load"
        return ModelRejected(self._request.path, problem, "export it again or use another model")

    @property
    def was_slow(self) -> bool:
        """Whether it was ended because it did not answer in time, though no signal had stopped it."""
        return self._hung.startswith(SLOW)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def tensor(self, lane: int) -> NDArray[Any]:
        """The lane's first input tensor in shared memory, the same array each time; write it, then call `answer`.

        Raises:
            WorkerLost: The process was ended.
        """
        return self.tensors(lane)[0]

    def tensors(self, lane: int) -> tuple[NDArray[Any], ...]:
        """All of the lane's: as many as the model takes at once; write some, then call `answers`.

        Raises:
            WorkerLost: The process was ended.
        """
        tensors = self._tensors
        if not tensors:
            raise self._lost("died")
        return tensors[lane]

    def answer(self, lane: int) -> Answer:
        """Infer what stands in the lane's first tensor; see `answers`."""
        return self.answers(lane, 1)[0]

    def answers(self, lane: int, count: int, *, first: int = 0) -> list[Answer]:
        """Infer what stands in some of the lane's tensors, together.

        Args:
            lane: The caller's.
            count: How many tensors.
            first: The position of the first of them.

        Returns:
            An answer a tensor; milliseconds are a tensor's share.

        Raises:
            InferenceFailed: The model gave no answer to these tensors together.
            WorkerLost: The process died or hung; it is ended, and its successor may be given the frames.
        """
        reply = self._exchange(lane, pack_pictures(first, count))
        shares = reply.inference_ms / count, reply.decode_ms / count
        least = self.description.min_score
        parts = [found.parted(least) for found in unpack_answers(reply.body, count)]
        return [Answer(found, *shares, low) for found, low in parts]

    def score(self, lane: int, numbers: NDArray[Any], texts: Texts = ()) -> Scored:
        """Score windows of rows.

        Args:
            lane: The caller's.
            numbers: (N, W, F); they fit, as `RowRecipe.at_once` says.
            texts: For each window its rows' texts; empty where the model takes none.

        Raises:
            InferenceFailed: The model gave no answer to these windows.
            WorkerLost: The process died or hung; it is ended, and its successor may be given the windows.
        """
        self.tensor(lane)[: numbers.size] = numbers.reshape(-1)
        reply = self._exchange(lane, pack_request(numbers.shape[0], numbers.shape[1], texts))
        return Scored(unpack_scores(reply.body), reply.inference_ms, reply.decode_ms)

    def _exchange(self, lane: int, request: bytes) -> Reply:
        connection = self._lanes[lane]
        self._numbers[lane] += 1
        try:
            connection.sendall(REQUEST.pack(self._numbers[lane], len(request)) + request)
            reply = receive_message(connection, REPLY)
        except BlockingIOError as error:
            self._end_hung()
            raise self._lost("hung") from error
        except OSError as error:
            raise self._lost("died") from error
        if reply is None:
            raise self._lost("died")
        (_, status, inference_ms, decode_ms, _), body = reply
        if status == FAILED:
            raise InferenceFailed(f"model {self.name}", body.decode("utf-8", "replace"), "")
        return Reply(inference_ms, decode_ms, body)

    def _end_hung(self) -> None:
        with self._lock:
            if not self._hung:
                stopped = _is_stopped(self.pid)
                self._hung = "stopped by a signal" if stopped else f"{SLOW} {self.timeout_s:.1f} s"
        self.kill()

    def _lost(self, what: str) -> WorkerLost:
        return WorkerLost(
            f"model {self.name}", f"its process {self._process.pid} {what} ({self._how_it_ended()})", ""
        )

    def _how_it_ended(self) -> str:
        """Why the process is no more, in a few words; the same to everyone who asks."""
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return self._hung or "it does not answer"
        with self._lock:
            if not self._end:
                last = self._last_words()
                how = f"exit {code}"
                with contextlib.suppress(ValueError):
                    how = signal.Signals(-code).name if code < 0 else how
                self._end = self._hung or (f"{how}, {last}" if last else how)
            return self._end

    def _last_words(self) -> str:
        """The last line it wrote to standard error, if any."""
        with contextlib.suppress(OSError):
            text = os.read(self._stderr, 65536).decode("utf-8", "replace")
            words = [line for line in text.splitlines() if line.startswith("Fatal") or "Error" in line]
            return words[-1].strip()[:200] if words else ""
        return ""

    def wait(self) -> str:
        """Wait for the process's end; says how it ended."""
        self._process.wait()
        return self._how_it_ended()

    def kill(self) -> None:
        """End the process now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def close(self, timeout_s: float = 2.0) -> None:
        """Let the process end by itself, then make sure that it has, and give everything back."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self.wait()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._tensors = []  # the mapped memory goes now, not when somebody collects the garbage
            for connection in (self._control, *self._lanes):
                connection.close()
            self._close_ends()
            os.close(self._stderr)


def _parts(slot: NDArray[Any], description: ModelDescription) -> tuple[NDArray[Any], ...]:
    """A lane's tensors, each for one picture; of rows, all in one."""
    if isinstance(description.input, RowRecipe):
        return (slot,)
    return tuple(slot[index : index + 1] for index in range(len(slot)))


def _bound_waits(connection: socket.socket, timeout_s: float) -> None:
    """Have sending and receiving raise `BlockingIOError` after so long: the system counts, so none is polled for."""
    seconds, rest = divmod(timeout_s, 1)
    bound = struct.pack("@ll", int(seconds), max(1, int(rest * 1e6)))  # all zeros would mean for ever
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bound)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bound)


def _is_stopped(pid: int) -> bool:
    """Whether a process is in the state T (stopped by a signal); False where that cannot be told."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in {
            "T",
            "t",
        }
    return False

"""The session asked again and again, with nothing around it but the way to its process."""

import statistics
import threading
import time
from dataclasses import dataclass

from edged.bench.clocks import process_cpu_s
from edged.errors import EdgedError
from edged.worker.client import WorkerProcess


@dataclass(frozen=True, slots=True)
class BareRound:
    """One round.

    Attributes:
        per_s: Inferences a second.
        cpu_ms: Processor time of one.
    """

    per_s: float
    cpu_ms: float


def run(worker: WorkerProcess, lanes: int, seconds: float) -> BareRound:
    """Have each of some lanes infer what stands in its tensor, for so long.

    The reading of boxes and the way there and back are not counted; of frames a second, what they took is taken off.

    Raises:
        EdgedError: The model does not answer.
    """
    callers = [_Caller(worker, lane, seconds) for lane in range(lanes)]
    cpu_s = process_cpu_s(worker.pid)
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    cpu_ms = (process_cpu_s(worker.pid) - cpu_s) * 1000
    for caller in callers:
        if caller.error:
            raise caller.error
    count = sum(caller.count for caller in callers)
    boxes_ms = statistics.median(
        ms for caller in callers for ms in caller.boxes_ms
    )  # as in `edged.bench.stages`
    per_s = sum(caller.count / caller.inference_ms * 1000 for caller in callers)
    return BareRound(per_s, max(0.0, cpu_ms / count - boxes_ms))


class _Caller(threading.Thread):
    def __init__(self, worker: WorkerProcess, lane: int, seconds: float) -> None:
        super().__init__(name=f"bench-{lane}", daemon=True)
        self._worker, self._lane, self._seconds = worker, lane, seconds
        self.count, self.inference_ms = 0, 0.0
        self.boxes_ms: list[float] = []
        self.error: EdgedError | None = None

    def run(self) -> None:
        end_s = time.monotonic() + self._seconds
        try:
            while not self.count or time.monotonic() < end_s:
                answer = self._worker.answer(self._lane)
                self.count += 1
                self.inference_ms += answer.inference_ms
                self.boxes_ms.append(answer.decode_ms)
        except EdgedError as error:
            self.error = error

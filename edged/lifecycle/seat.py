"""The seat from which one version serves: who takes it, who waits beside it to come back, and how well it does there.

take ─→ active, on probation ─ passed ─→ active, the previous one is ended
                └ failed ─→ back: the previous one, still at hand, serves again
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from edged.lifecycle.ledger import Version
from edged.machine import available_bytes, memory_bytes, usage
from edged.manifest import RowRecipe
from edged.modelstore.survey import Standing
from edged.pipeline import Pipeline, Result, RowPipeline
from edged.pipeline.callers import Outcome
from edged.probation import Probation, Record, Verdict
from edged.sections import ModelSettings
from edged.shadow import Agreement, Shadow
from edged.worker.keeper import Worker
from edged.worker.looking import Seen

log = structlog.get_logger()

SHADOW_FRAMES, SHADOW_S = 50, 60.0
LEAVE_S = 5.0
"""For frames in work with a version that does not serve any more."""
SPARE_SHARE = 0.1
"""Of the memory that must be free for the previous version to stay at hand."""
FAILED_STARTS = 2
"""So many starts in a row must fail before another version is looked for."""
ROOM = 1.2
"""A second version is expected to need so many times the memory of the first."""


@dataclass(slots=True, eq=False)
class Serving:
    """A version with its process.

    Attributes:
        version: Which.
        worker: With the process that passed the gate.
        record: How it did on live frames since its probation.
    """

    version: Version
    worker: Worker
    record: Record = field(default_factory=Record)


class Seat:
    """Owned by the model's thread, which alone changes who sits. Also the observer of its pipeline.

    Attributes:
        pipeline: What feeds attach to, or None where nothing ever served.
        active: What serves, or None.
        parked: The previous version while it is at hand, or None.
        previous: The version that served before, or None.
        agreement: Of the last shadow run.
        losses: How often a process ended by itself, or hung and was ended; of the candidate, too.
        swaps: How often another version came to serve.
    """

    def __init__(
        self, name: str, section: ModelSettings, *, callers: int, wake: Callable[[], None], once: bool
    ) -> None:
        """Nobody sits yet.

        Args:
            name: Of the model.
            section: As configured.
            callers: Frames in work at once.
            wake: Has the model's thread look at how things stand; called from any thread.
            once: Nothing is replaced, so nothing is on probation.
        """
        self._name, self._section, self._callers, self._wake, self._once = name, section, callers, wake, once
        self.pipeline: Pipeline | RowPipeline | None = None
        self.active: Serving | None = None
        self.parked: Serving | None = None
        self.previous: Version | None = None
        self.agreement = Agreement()
        self.losses = self.swaps = 0
        self._lock = threading.Lock()  # of what callers' threads use too: active, probation, shadow
        self._probation: Probation | None = None
        self._shadow: Shadow | None = None
        self._shadow_until_s = 0.0
        self._interrupted = False
        self._losses: queue.SimpleQueue[tuple[Worker, str]] = queue.SimpleQueue()
        self._ending: list[threading.Thread] = []

    # Who sits

    def take(self, version: Version, worker: Worker) -> Serving:
        """A version that passed the gate serves from the next frame on."""
        new, old = Serving(version, worker), self.active
        self._announce_labels(old, new)
        unproven = self.on_probation
        probation = None
        if old and not self._once:
            probation = Probation(
                self._yardstick(old),
                now_s=time.monotonic(),
                min_s=self._section.probation,
                max_latency_ms=self._section.max_latency * 1000 if self._section.max_latency else None,
            )
        self._serve(new, probation)
        if old:
            if self.parked and unproven:
                self.end(old.worker)
            elif self._may_stay(old):
                self.parked = old
            else:
                self.end(old.worker)
            self.previous = self.parked.version if self.parked else old.version
        self._interrupted = False
        return new

    def _yardstick(self, old: Serving) -> Record:
        """What a new version is compared with: the last one that passed its probation, if it is known."""
        if self._probation is None:
            return old.record
        return self.parked.record if self.parked else self._probation.record

    def go_back(self, *, failed: bool) -> bool:
        """The previous version serves again, if it is still at hand; else the active one stays, not on probation.

        Args:
            failed: What leaves is no good and not to be gone back to.
        """
        self._ask_no_more()
        parked, self.parked, left = self.parked, None, self.active
        if parked and parked.worker.current(0.0) is None:
            self.end(parked.worker)
            parked = None
        if parked is None:
            with self._lock:
                self._probation = None
            return False
        self._announce_labels(left, parked)
        self._serve(parked, None)
        log.info("back to the previous version", model=self._name, version=parked.version.number)
        self.previous = left.version if left and not failed else None
        if left:
            self.end(left.worker)
        return True

    def settle(self) -> None:
        """The probation is over: the active version serves for good, the previous one is ended."""
        self._ask_no_more()
        with self._lock:
            if self.active and self._probation:
                self.active.record = self._probation.record
            self._probation = None
        parked, self.parked = self.parked, None
        if parked:
            self.end(parked.worker)

    def _serve(self, new: Serving, probation: Probation | None) -> None:
        if self.pipeline is None:
            description = new.worker.description
            rows = description is not None and isinstance(description.input, RowRecipe)
            kind = RowPipeline if rows else Pipeline
            self.pipeline = kind(self._name, self._callers, observer=self)
            self.pipeline.start()
        with self._lock:
            self.swaps += self.active is not None
            self.active, self._probation = new, probation
        self.pipeline.serve(new.worker)

    def _may_stay(self, old: Serving) -> bool:
        """Whether the previous version can stay at hand, so that the way back takes no time."""
        if self._interrupted or old.worker.current(0.0) is None:
            return False
        available = available_bytes()
        spare = not available or available >= memory_bytes() * SPARE_SHARE
        return self._section.swap != "stop-first" and spare

    def _announce_labels(self, old: Serving | None, new: Serving) -> None:
        before = old.worker.description if old else None
        after = new.worker.description
        if before and after and before.labels != after.labels:
            log.warning(
                "labels changed",
                model=self._name,
                version=new.version.number,
                added=[label for label in after.labels if label not in before.labels][:20],
                gone=[label for label in before.labels if label not in after.labels][:20],
            )

    def end(self, worker: Worker) -> None:
        """End a version's process once no frame is in work with it; returns at once."""

        def leave() -> None:
            if self.pipeline:
                self.pipeline.wait_left(worker, LEAVE_S)
            worker.stop()

        thread = threading.Thread(target=leave, name=f"end-{worker.name}-{worker.version}", daemon=True)
        thread.start()
        self._ending = [one for one in self._ending if one.is_alive()] + [thread]

    # Where memory does not allow two

    def must_stop_first(self) -> bool:
        """Make room for a second version, by ending the previous one at need; whether the active one has to go too."""
        if self.active is None or self._section.swap != "auto":
            return self.active is not None and self._section.swap == "stop-first"
        process = self.active.worker.current(0.0)
        needed = usage([process.pid]).memory_bytes * ROOM if process else 0
        if 0 < available_bytes() < needed and self.parked:
            log.warning("no room to keep the previous version at hand", model=self._name)
            self._ask_no_more()
            parked, self.parked = self.parked, None
            parked.worker.stop()
        return 0 < available_bytes() < needed

    @property
    def interrupted(self) -> bool:
        """Whether nothing serves while a version is tried."""
        return self._interrupted

    @property
    def is_down(self) -> bool:
        """Whether the active version has no process, and starting one fails again and again."""
        return (
            self.active is not None and self.active.worker.failing >= FAILED_STARTS and not self._interrupted
        )

    @property
    def is_up(self) -> bool:
        """Whether the active version has a process."""
        return self.active is not None and self.active.worker.current(0.0) is not None

    def touched(
        self, standings: Mapping[int, Standing], refreshed: Callable[[Version, Standing], Version | None]
    ) -> None:
        """The files of what serves may stand elsewhere by now, the same as before: that is where a process loads them.

        Args:
            standings: By number.
            refreshed: The version as it stands now, or None if it is another one.
        """
        for one in (self.active, self.parked):
            standing = standings.get(one.version.number) if one else None
            if one is None or standing is None or standing.marks == one.version.standing.marks:
                continue
            if version := refreshed(one.version, standing):
                one.worker.relocate(one.version.standing.path, standing.path)
                one.version = version

    def interrupt(self) -> None:
        """Nothing serves while the next version is tried; what served waits to be started again."""
        if self.active is None or self.pipeline is None:
            return
        number = self.active.version.number
        log.warning("service interrupted to try the next version", model=self._name, version=number)
        self.pipeline.serve(None)
        self.pipeline.wait_left(self.active.worker, LEAVE_S)
        self.active.worker.stop()
        self._interrupted = True

    def resume(self) -> None:
        """Start again what was interrupted, if anything was."""
        if not self._interrupted or self.active is None or self.pipeline is None:
            return
        before = self.active.worker
        worker = Worker(
            self._name,
            before.request,
            version=before.version,
            timeout_s=self._section.timeout,
            known=True,
            on_change=self._wake,
            on_lost=lambda how: self.hear_loss(worker, how),
        )
        worker.start()
        with self._lock:
            self.active.worker = worker
        self.pipeline.serve(worker)
        self._interrupted = False

    # How well it does

    @property
    def on_probation(self) -> bool:
        """Whether the active version may still be taken back."""
        return self._probation is not None

    @property
    def probation(self) -> str:
        """How far it is, for people; empty = over."""
        with self._lock:
            return self._probation.summary(time.monotonic()) if self._probation else ""

    @property
    def usual_ms(self) -> float | None:
        """How long an inference takes: p95 on live frames, or as measured while warming up; None = unknown."""
        if self.active is None:
            return None
        with self._lock:
            records = [self._probation.record] if self._probation else []
            records += [self.active.record] + ([self.parked.record] if self.parked else [])
            for record in records:
                if (p95_ms := record.p95_ms()) is not None:
                    return p95_ms
        description = self.active.worker.description
        return description.latency_ms if description else None

    def hear_loss(self, worker: Worker, how: str) -> None:
        """A version's process ended by itself; called from its worker's thread."""
        with self._lock:
            self.losses += 1
        self._losses.put((worker, how))
        self._wake()

    def judge(self, now_s: float) -> Verdict | None:
        """What is known of the active version's probation, or None where it is on none."""
        while not self._losses.empty():
            worker, how = self._losses.get()
            with self._lock:
                if self._probation and self.active and worker is self.active.worker:
                    self._probation.died(how, now_s)
        if self._probation is None:
            return None
        with self._lock:
            self._probation.alone = self.parked is None
            verdict, suspicion = self._probation.verdict(now_s), self._probation.suspicion(now_s)
        if verdict.state == "pending" and suspicion and self.parked and self._shadow is None:
            self._begin_shadow(self.parked.worker, 1.0, self._take_opinion)
        elif not suspicion:
            self._ask_no_more()
        return verdict

    def looked(self, worker: Worker, result: Outcome) -> None:
        """See `edged.pipeline.Observer`."""
        source, found, now_s = result.source, result.found, time.monotonic()
        with self._lock:
            if self.active is None or worker is not self.active.worker:
                return
            shadow = self._shadow
            if self._probation is None:
                self.active.record.took(source, result.inference_ms, found)
            else:
                self._probation.took(source, result.inference_ms, found, now_s)
                asks_previous = shadow is not None and self.parked and shadow.worker is self.parked.worker
                if asks_previous and (found or self._probation.suspicion(now_s) != source):
                    shadow = None
        if shadow and isinstance(result, Result):
            shadow.offer(result)

    def failed(self, worker: Worker, source: str, problem: str) -> None:
        """See `edged.pipeline.Observer`."""
        with self._lock:
            if self.active is None or worker is not self.active.worker:
                return
            if self._probation is None:
                self.active.record.failed(source, problem)
            else:
                self._probation.failed(source, problem, time.monotonic())
        self._wake()

    def _take_opinion(self, result: Result, seen: Seen | str, _labels: Sequence[str]) -> None:
        if isinstance(seen, str):
            return
        with self._lock:
            if self._probation:
                self._probation.opinion(result.frame.source, len(seen.detections), time.monotonic())
        self._wake()

    # A candidate beside it

    def shadow(self, worker: Worker, now_s: float) -> bool:
        """Have a candidate look at live frames first, if that is configured; whether that still goes on."""
        rows = isinstance(self.pipeline, RowPipeline)
        if not self._section.shadow or self.active is None or self._interrupted or rows:
            return False
        if self._shadow is None or self._shadow.worker is not worker:
            self.end_shadow()
            self.agreement, self._shadow_until_s = Agreement(), now_s + SHADOW_S
            self._begin_shadow(worker, self._section.shadow, self._compare)
        enough = self.agreement.frames >= SHADOW_FRAMES or self.agreement.objection
        return not enough and now_s < self._shadow_until_s

    def forget_agreement(self) -> None:
        """The last shadow run says nothing about the next candidate."""
        self.agreement = Agreement()

    @property
    def shadowing(self) -> bool:
        """Whether another version looks at live frames now."""
        return self._shadow is not None

    def end_shadow(self) -> None:
        """Nobody looks beside the active version any more."""
        with self._lock:
            shadow, self._shadow = self._shadow, None
        if shadow:
            shadow.stop()

    def _ask_no_more(self) -> None:
        """The previous version gives no opinions any more; a candidate's shadow run goes on."""
        if self._shadow and self.parked and self._shadow.worker is self.parked.worker:
            self.end_shadow()

    def _begin_shadow(
        self, worker: Worker, share: float, on_seen: Callable[[Result, Seen | str, Sequence[str]], None]
    ) -> None:
        shadow = Shadow(worker, share=share, on_seen=on_seen)
        shadow.start()
        with self._lock:
            self._shadow = shadow

    def _compare(self, result: Result, seen: Seen | str, labels: Sequence[str]) -> None:
        if isinstance(seen, str):
            self.agreement.fail(seen)
        else:
            self.agreement.take(result, seen, labels)
        self._wake()

    # The end

    @property
    def workers(self) -> list[Worker]:
        """With a process of their own: of the active version, and of the previous one at hand."""
        return [one.worker for one in (self.active, self.parked) if one]

    @property
    def ending(self) -> list[threading.Thread]:
        """Threads that end processes."""
        return self._ending

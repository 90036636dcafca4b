"""One model of the configuration: a thread that keeps the right version in service and replaces it when told to.

The thread ``model-NAME`` does one thing after the other: it obeys commands, judges the version on probation, follows
the one on trial, and looks at the store. So two swaps, a rollback and an end never meet. Frames never wait for it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import structlog

from edged.errors import EdgedError, ModelAwaited, ModelRejected, NotAsConfigured, Unreachable
from edged.heartbeat import Heartbeat
from edged.lifecycle.asking import load_request
from edged.lifecycle.choice import choose
from edged.lifecycle.demand import Demand
from edged.lifecycle.ledger import Ledger, Version
from edged.lifecycle.retries import Retries
from edged.lifecycle.running import Running
from edged.lifecycle.seat import Seat
from edged.lifecycle.telling import Telling, model_state
from edged.lifecycle.trial import Trial, slower
from edged.lifecycle.wishes import Reply, Wishes
from edged.modelstore.home import Home
from edged.modelstore.survey import Standing
from edged.mqtt.payloads import ModelInfo
from edged.mqtt.shapes.info import RunningShape
from edged.mqtt.shapes.model_state import ModelStateMessage
from edged.pipeline import Pipeline, Result, RowPipeline, RowResult
from edged.sections import ModelSettings
from edged.worker.client import LOAD_TIMEOUT_S
from edged.worker.description import ModelDescription
from edged.worker.keeper import Worker

log = structlog.get_logger()

TICK_S, LOOK_EVERY_S = 0.2, 5.0
SETTLE_S = LOAD_TIMEOUT_S + 20.0
"""Longest wait for a first version to arrive and to be tried."""
ARRIVE_S = 5.0
"""Longest wait for a version that is just being put there, where only one is served."""
LOOK_SLOWLY_S = 1.0
ENDED = "edged does not serve this model any more"
STUCK_S = 120.0
"""A thread that has not gone on for so long hangs: the digest of a large model on a slow disk takes part of it."""
VANISHED_S = 10.0
"""So long must the serving version be gone from the store before an older one replaces it."""


class ServedModel:
    """One model and what became of it.

    Attributes:
        name: As configured.
        section: As configured.
        demand: What is wanted of it.
        error: Why it is not served, or None.
    """

    def __init__(
        self,
        name: str,
        section: ModelSettings,
        *,
        store: Path,
        demand: Demand,
        on_change: Callable[["ServedModel"], None],
        keep_versions: int = 0,
        once: bool = False,
        awaited: bool = False,
    ) -> None:
        """Begin to load the model; `wait_ready` says how that went.

        Args:
            name: As configured.
            section: As configured.
            store: The folder of models.
            demand: What is wanted of it.
            on_change: Called from the model's thread when `state` has changed.
            keep_versions: How many the store keeps; 0 = all.
            once: The first version that can be served is served to the end.
            awaited: A store without a version of it is no fault: the server of updates is asked for one.
        """
        self.name, self.section, self.demand = name, section, demand
        self.error: EdgedError | None = None
        self._on_change, self._once, self._awaited = on_change, once, awaited
        self._look_now, self._wake = threading.Event(), threading.Event()
        self._settled, self._stopping = threading.Event(), threading.Event()
        home = Home(store, name, section.path, keep=not once)
        self._ledger = Ledger(name, home, keep_versions=keep_versions)
        callers = Running.of(section, demand).callers
        self._seat = Seat(name, section, callers=callers, wake=self._wake.set, once=once)
        self._trial: Trial | None = None
        self._retries = Retries()
        self._waits_since_s: float | None = None
        self._was_up = False
        self._told_pin: tuple[int | None, str] = (None, "")
        self._vanished_s: float | None = None
        self._last_error: EdgedError | None = None
        self._next_look_s = 0.0
        self._since_s, self._began_s = time.time(), time.monotonic()
        self._wishes = Wishes(
            name,
            self._seat,
            self._ledger,
            test=self._test,
            asked_for=self._make_way,
            newest=self._make_way_for_newest,
        )
        self._heart = Heartbeat(STUCK_S)
        self._thread = threading.Thread(target=self._run, name=f"model-{name}", daemon=True)
        self._thread.start()

    # What others ask

    @property
    def pipeline(self) -> Pipeline | RowPipeline | None:
        """What feeds attach to, or None where nothing was ever served."""
        return self._seat.pipeline

    @property
    def frames(self) -> Pipeline | None:
        """What feeds of cameras attach to, if anything."""
        pipeline = self._seat.pipeline
        return pipeline if isinstance(pipeline, Pipeline) else None

    @property
    def rows(self) -> RowPipeline | None:
        """What feeds of sensors attach to, if anything."""
        pipeline = self._seat.pipeline
        return pipeline if isinstance(pipeline, RowPipeline) else None

    @property
    def watched(self) -> list[Path]:
        """Folders in which a change may concern this model."""
        return self._ledger.home.watched

    @property
    def worker(self) -> Worker | None:
        """Of the version that serves."""
        active = self._seat.active
        return active.worker if active else None

    @property
    def pids(self) -> list[int]:
        """Of all processes of this model: the serving one, the previous one while at hand, and the candidate."""
        processes = [worker.current(0.0) for worker in self._workers()]
        return [process.pid for process in processes if process]

    @property
    def losses(self) -> int:
        """How often a process ended by itself, or hung and was ended; another was started then."""
        return self._seat.losses

    @property
    def swaps(self) -> int:
        """How often another version came to serve, forward or back."""
        return self._seat.swaps

    @property
    def ended(self) -> bool:
        """Whether it was stopped and does nothing any more, so that its counts stay as they are."""
        pipeline = self._seat.pipeline
        return not self._thread.is_alive() and (pipeline is None or pipeline.ended)

    def suits(self, section: ModelSettings, demand: Demand) -> bool:
        """Whether this is what a configuration asks for."""
        if self.section != section or self.error or not demand.fits(self.demand):
            return False
        known = self.description
        batches = known is not None and known.takes_batches
        return Running.of(section, demand, batches=batches) == Running.of(
            section, self.demand, batches=batches
        )

    def want(self, demand: Demand) -> None:
        """From now on this is wanted, which it suits: of versions to come, too."""
        self.demand = demand

    def settled(self, timeout_s: float) -> bool:
        """Wait until it is known whether the model serves; False if that took longer."""
        return self._settled.wait(timeout_s)

    def wait_ready(self) -> bool:
        """Wait until the model serves, or will not; True if it serves."""
        self._settled.wait()
        return self.error is None

    @property
    def description(self) -> ModelDescription | None:
        """Of the version that serves."""
        worker = self.worker
        return worker.description if worker else None

    def info(self, result: Result | RowResult) -> ModelInfo:
        """For messages about its results."""
        return ModelInfo(self.name, result.version, result.model.digest, result.model.provider)

    def running(self) -> RunningShape | None:
        """For ``info``; None while it is not served."""
        active = self._seat.active
        description = active.worker.description if active else None
        if active is None or description is None:
            return None
        return RunningShape(
            version=active.version.number,
            digest=description.digest,
            family=description.family,
            provider=description.provider,
            provider_asked=description.provider_asked,
            choice=description.choice.text if description.choice else "",
            callers=self.pipeline.count if self.pipeline else 1,
            batch=description.batch,
        )

    def state(self, device: str) -> ModelStateMessage:
        """For ``model/<name>/state``."""
        seat, trial, ledger = self._seat, self._trial, self._ledger
        active, candidate = seat.active, None
        if trial and trial.reply is None:
            candidate = (trial.version, "shadow" if trial.settled and seat.shadowing else trial.step)
        return model_state(
            Telling(
                device=device,
                model=self.name,
                section=self.section,
                active=(active.version.number, active.worker) if active else None,
                previous=seat.previous,
                candidate=candidate,
                rejected=list(ledger.rejections.values()),
                waiting=ledger.waiting,
                pinned=ledger.pinned,
                pin_problem=ledger.pin_problem,
                probation=seat.probation,
                agreement=str(seat.agreement) if seat.agreement.frames else "",
                error=self.error,
                since_s=self._since_s,
            )
        )

    # What others tell

    def look(self) -> None:
        """Something may have changed in the store."""
        self._look_now.set()
        self._wake.set()

    def command(self, verb: str, version: int | None, reply: Reply) -> None:
        """``activate`` or ``test`` a version, ``rollback``, ``update`` or ``list``; the answer may take a trial's time.

        ``update`` serves the newest version from now on. It is answered as soon as it is known which that is, before
        its trial is over.

        Args:
            verb: One of these.
            version: Its number, where one is needed.
            reply: Called once, from the model's thread.
        """
        if not self._thread.is_alive():
            reply({"ok": False, "error": ENDED})
            return
        self._wishes.put(verb, version, reply)
        self._wake.set()

    def halt(self) -> None:
        """Begin nothing any more; returns at once."""
        self._stopping.set()
        self._wake.set()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Let frames in work end, then end the processes; True if that was done in time."""
        self.halt()
        deadline_s = time.monotonic() + timeout_s
        if trial := self._trial:
            trial.worker.kill()  # nobody waits for a model that is still being loaded
        ended = self.pipeline.stop(timeout_s) if self.pipeline else True
        self._thread.join(max(0.1, deadline_s - time.monotonic()))
        threads = [
            threading.Thread(target=worker.stop, args=(timeout_s,), name=f"stop-{self.name}", daemon=True)
            for worker in self._workers()
        ]
        for thread in threads:
            thread.start()
        threads += [*self._seat.ending, self._thread]
        for thread in threads:
            thread.join(max(0.1, deadline_s + timeout_s - time.monotonic()))
        return ended and not any(thread.is_alive() for thread in threads)

    def _workers(self) -> list[Worker]:
        trial = self._trial
        return [*self._seat.workers, *([trial.worker] if trial else [])]

    # The thread

    def _run(self) -> None:
        with self._heart:
            self._keep()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._heart.mark()
            try:
                self._step(time.monotonic())
            except Exception as error:  # whatever it is, this thread must not end without a word
                log.error("a bug in the lifecycle of a model", model=self.name, exc_info=error)
                self._stopping.wait(1.0)
            pause_s = self._pause_s()
            self._heart.mark(pause_s)
            self._wake.wait(pause_s)
            self._wake.clear()
        self._seat.end_shadow()
        self._wishes.refuse(ENDED)
        if trial := self._trial:
            trial.answer_asker()
        self._settled.set()

    def _pause_s(self) -> float:
        if self._trial or self._seat.on_probation or not self._settled.is_set():
            return TICK_S
        return max(0.05, min(LOOK_EVERY_S, self._next_look_s - time.monotonic()))

    def _step(self, now_s: float) -> None:
        self._wishes.obey()
        self._judge(now_s)
        if self._seat.is_down and self._seat.parked:
            self._go_back(failed=False)
        if self._trial:
            self._follow(self._trial, now_s)
        due = self._look_now.is_set() or now_s >= self._next_look_s
        frozen = self._once and self._seat.active is not None
        looks = due and not frozen and self._trial is None and not self._stopping.is_set()
        if looks:
            self._look_now.clear()
            self._next_look_s = now_s + LOOK_EVERY_S
            self._look(now_s)
        candidate = self._trial.version if self._trial and self._trial.reply is None else None
        if looks or candidate:
            self._wishes.looked(candidate)
        up, pin = self._seat.is_up, (self._ledger.pinned, self._ledger.pin_problem)
        if (self._was_up, self._told_pin) != (up, pin):
            self._was_up, self._told_pin = up, pin
            self._changed()
        self._settle(now_s)

    def _settle(self, now_s: float) -> None:
        """Whether it is known by now if the model serves."""
        if self._settled.is_set() or self._stopping.is_set():
            return
        if self._seat.active is None:
            if (self._trial or self._ledger.waiting) and now_s - self._began_s < SETTLE_S:
                return
            self.error = self._why_nothing_serves()
            if isinstance(self.error, ModelAwaited):
                log.info("model awaited", model=self.name, why=str(self.error))
            else:
                log.error("model refused", model=self.name, error=str(self.error))
        self._changed()
        self._settled.set()

    def _why_nothing_serves(self) -> EdgedError:
        subject = f"models.{self.name}"
        if error := self._last_error:
            return error
        if missing := self._ledger.home.missing():
            ahead = "the server of updates is asked for the first one"
            return ModelAwaited(subject, "has no version yet", ahead) if self._awaited else missing
        if rejections := self._ledger.rejections:
            rejection = rejections[max(rejections)]
            problem = f"version {rejection.version} was rejected ({rejection.reason})"
            return ModelRejected(subject, problem, "put another version there")
        why = next(iter(self._ledger.waiting.values()), "nothing can be served")
        return ModelRejected(subject, f"has not arrived ({why})", "wait until it is there")

    def _changed(self) -> None:
        self._since_s = time.time()
        self._on_change(self)

    # Looking at the store

    def _look(self, now_s: float) -> None:
        ledger, seat = self._ledger, self._seat
        before = ledger.waiting
        acceptable = ledger.look(now_s)
        ledger.warn(now_s)
        self._wait_on(now_s)
        if before != ledger.waiting:
            self._changed()
        self._wishes.found()
        if not seat.is_down:
            seat.touched(acceptable, ledger.refreshed)
        if self._once and ledger.waiting and now_s - self._began_s < ARRIVE_S:
            return  # the newest is wanted, and nothing else will be looked at later
        serves = seat.active.version.number if seat.active and not seat.is_down else None
        target = choose(
            acceptable,
            rejected=self._retries.held(now_s),
            pinned=ledger.pinned,
            active=serves,
            trusted=None if self._once or serves else ledger.trusted_among(acceptable),
        )
        if target is None or not self._is_wanted(acceptable[target], now_s):
            return
        if seat.parked and seat.parked.version.standing.marks == acceptable[target].marks:
            self._go_back(failed=False)
        else:
            self._try(ledger.identify(acceptable[target]))

    def _wait_on(self, now_s: float) -> None:
        """Look again soon for what is just arriving, and less often for what takes long."""
        if not self._ledger.waiting:
            self._waits_since_s = None
            return
        self._waits_since_s = self._waits_since_s or now_s
        soon = now_s - self._waits_since_s < ARRIVE_S
        self._next_look_s = now_s + (TICK_S if soon else LOOK_SLOWLY_S)

    def _is_wanted(self, standing: Standing, now_s: float) -> bool:
        """Whether a version is another one than that which serves, and it is time for it."""
        active = self._seat.active
        if active is None or self._seat.is_down:
            return True
        if standing.version == active.version.number:
            self._vanished_s = None
            other = standing.marks != active.version.standing.marks
            return other and self._ledger.identify(standing).content != active.version.content
        if standing.version > active.version.number or standing.version == self._ledger.pinned:
            self._vanished_s = None
            return not self._ledger.is_kept(standing)
        return self._ledger.is_rejected(active.version) or self._has_vanished(active.version, now_s)

    def _has_vanished(self, active: Version, now_s: float) -> bool:
        """Whether what serves is gone from the store for good; with other bytes there, those in memory serve well."""
        if active.number in self._ledger.found:
            self._vanished_s = None
            return False
        self._vanished_s = self._vanished_s or now_s
        return now_s - self._vanished_s >= VANISHED_S

    # The trial

    def _try(self, version: Version, reply: Reply | None = None) -> None:
        if self._stopping.is_set():
            return
        self._seat.forget_agreement()
        if reply is None and self._seat.must_stop_first():
            self._seat.interrupt()
        self._trial = Trial(
            self.name,
            version,
            load_request(self.section, self.demand, version, beside=self._seat.active is not None),
            self.section,
            on_change=self._wake.set,
            on_lost=self._seat.hear_loss,
            reply=(lambda trial: reply(trial.answer())) if reply else None,
        )
        if self._settled.is_set():
            log.info("candidate found", model=self.name, version=version.number, digest=version.digest)
        self._changed()

    def _follow(self, trial: Trial, now_s: float) -> None:
        """What became of the version on trial by now."""
        seat = self._seat
        if not trial.settled:
            if self._look_now.is_set() and not self._ledger.still_stands(trial.version):
                self._drop(trial)
            elif trial.tell_step():
                self._changed()
            return
        passes = trial.error is None and trial.reply is None
        if passes and not self._is_quick(trial):
            return
        if passes and seat.shadow(trial.worker, now_s):
            if trial.tell_step("shadow"):
                self._changed()
            return
        if trial.reply:
            self._drop(trial)
        elif passes and not seat.agreement.objection:
            self._take_over_or_wait(trial, now_s)
        else:
            self._drop(trial)
            self._refuse(trial, now_s)

    def _is_quick(self, trial: Trial) -> bool:
        """Whether a version that passed is not too slow to serve; it is rejected if it is."""
        if trial.timed:
            return True
        trial.timed = True
        objection = slower(trial, self._seat.usual_ms, self.section)
        if objection and not self._stopping.is_set():
            self._drop(trial)
            self._reject(trial.version, "warm-up", objection)
        return not objection

    def _drop(self, trial: Trial) -> None:
        """End a trial; what served before it serves on."""
        self._seat.end_shadow()
        trial.answer_asker()
        self._trial = None
        self._next_look_s = 0.0
        if self._seat.interrupted:
            trial.worker.stop()  # its memory is needed
        else:
            self._seat.end(trial.worker)
        self._seat.resume()
        self._changed()

    def _take_over_or_wait(self, trial: Trial, now_s: float) -> None:
        """Swap, if the process that passed is still there."""
        if trial.worker.current(0.0) is not None:
            self._seat.end_shadow()
            self._take_over(trial)
        elif trial.worker.failing:
            self._drop(trial)
            self._try_later(trial.version, "its process ended after it had passed", now_s)

    def _try_later(self, version: Version, why: str, now_s: float) -> None:
        """What happened says nothing about the version: it is tried again, less and less often."""
        self._retries.hold(version.number, now_s)
        log.warning("candidate not tried to the end", model=self.name, version=version.number, why=why)
        self._wishes.disappoint(version.number, f"version {version.number}: {why}")

    def _refuse(self, trial: Trial, now_s: float) -> None:
        """A trial failed: the version is rejected, unless that says nothing about it."""
        error, version = trial.error, trial.version
        if error is None:
            self._reject(version, "shadow", self._seat.agreement.objection)
            return
        self._last_error = error
        excused = self._retries.excuses(error, version)
        if not self._ledger.still_stands(version):
            log.warning("candidate is gone", model=self.name, version=version.number, error=str(error))
            self._wishes.disappoint(
                version.number, f"version {version.number} was changed while it was tried"
            )
        elif excused:
            self._try_later(version, str(error), now_s)
        else:
            # Where nothing serves yet, it is as likely that the configuration is wrong: that must not condemn a model.
            keep = not isinstance(error, NotAsConfigured) or self._seat.active is not None
            what_to_do = f"; {error.remedy}" if error.remedy else ""
            self._reject(version, trial.step, error.problem + what_to_do, keep=keep)
        self._changed()

    def _reject(self, version: Version, step: str, reason: str, *, keep: bool = True) -> None:
        self._ledger.reject(version, step=step, reason=reason, keep=keep)
        self._wishes.disappoint(version.number, f"version {version.number}: {step}: {reason}")
        self._changed()

    # The swap

    def _take_over(self, trial: Trial) -> None:
        """What passed serves from the next frame on."""
        seat, ledger, worker = self._seat, self._ledger, trial.worker
        self._retries.forget(trial.version.number)
        description = worker.description
        path = ledger.settle_in(trial.version, whole=bool(description and not description.external_data))
        if path != trial.version.standing.path:
            worker.request = replace(worker.request, path=str(path))
        first = seat.active is None
        serving = seat.take(trial.version, worker)
        self._trial, self.error, self._last_error = None, None, None
        if first:
            trusted = ledger.trusted
            seat.previous = ledger.known(trusted.previous if trusted else None)
            self._trust(trial.version)
        self._report(
            serving.version, worker, {step.name: step.ms for step in trial.steps if step.ms is not None}
        )
        self._wishes.served()
        self._changed()

    def _judge(self, now_s: float) -> None:
        seat = self._seat
        verdict = seat.judge(now_s)
        if verdict is None or verdict.state == "pending" or seat.active is None:
            return
        active = seat.active
        if verdict.state == "passed":
            self._wishes.proved()
            log.info("probation passed", model=self.name, version=active.version.number, why=verdict.evidence)
            seat.settle()
            self._trust(active.version)
            self._changed()
            return
        log.error("rolling back", model=self.name, version=active.version.number, evidence=verdict.evidence)
        self._go_back(failed=True)
        self._reject(active.version, "probation", verdict.evidence)
        self._wishes.failed(active.version.number)
        self._look_now.set()

    def _go_back(self, *, failed: bool) -> None:
        """The previous version, if it is still at hand, serves again."""
        if self._seat.go_back(failed=failed) and self._seat.active:
            self._trust(self._seat.active.version)
        self._wishes.served()
        self._changed()

    def _trust(self, version: Version) -> None:
        seat = self._seat
        if not self._once:
            previous = seat.previous.number if seat.previous else None
            active = seat.active.version.number if seat.active else None
            self._ledger.trust(version, previous=previous, spared=active)

    def _report(self, version: Version, worker: Worker, gate_ms: Mapping[str, float]) -> None:
        description = worker.description
        if description is None:
            return
        for reason in description.provider_refused:
            log.warning("provider passed over", model=self.name, reason=reason, in_use=description.provider)
        process = worker.current(0.0)
        log.info(
            "model ready",
            model=self.name,
            version=version.number,
            family=description.family,
            provider=description.provider,
            nodes=dict(description.provider_nodes),
            latency_ms=description.latency_ms,
            batch=description.batch,
            labels=len(description.labels),
            gate_ms=dict(gate_ms),
            pid=process.pid if process else 0,
        )
        if description.choice:
            log.info("provider chosen", model=self.name, choice=description.choice.text)
        for note in description.notes:
            log.info("model note", model=self.name, note=note)

    # Commands

    def _test(self, version: Version, reply: Reply) -> None:
        if self._trial:
            raise Unreachable(f"models.{self.name}", "another version is being tried", "ask again later")
        self._try(version, reply=reply)

    def _make_way(self, version: Version) -> None:
        """A version was asked for: nothing else is tried before it."""
        self._retries.forget(version.number)
        trial = self._trial
        if trial and trial.reply is None and trial.version.number != version.number:
            self._drop(trial)
        self._look_now.set()

    def _make_way_for_newest(self) -> None:
        """Nothing older is tried before the newest version, and nothing is held back."""
        for number in self._retries.held(time.monotonic()):
            self._retries.forget(number)
        ledger, trial = self._ledger, self._trial
        newest = max(set(ledger.found) - set(ledger.rejections) - set(ledger.waiting), default=0)
        if trial and trial.reply is None and trial.version.number < newest:
            self._drop(trial)
        self._look_now.set()

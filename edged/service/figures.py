"""What `/metrics` says: figures that the parts of the daemon have anyway, read when somebody asks.

Loaded by the first who asks. Names of labels' values come from the configuration, or from the lists of the catalog.
"""

import os
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edged import __version__, machine
from edged.lifecycle import ServedModel
from edged.metrics import catalog
from edged.metrics.catalog import DROPPED, ROWS_DROPPED, SNAPSHOTS_DROPPED, STAGES, WINDOWS_DROPPED, Metric
from edged.metrics.figure import Figure
from edged.outbox import Outbox
from edged.service.device import Device
from edged.service.frame_totals import AGE, ModelTotals, inferred, passed_over
from edged.service.posts import CameraPost
from edged.service.quota import KINDS
from edged.service.report import Health, spool
from edged.service.sensor_posts import SensorPost
from edged.service.supervision import Troubles
from edged.sources.switch import SourceStatus

if TYPE_CHECKING:
    from edged.mqtt.shapes.model_state import ModelStateMessage
    from edged.service.pictures import Pictures
    from edged.service.updates import Totals

Check = Callable[[], list[str]]


class Figures:
    """Gathers them. Any thread may call."""

    def __init__(
        self,
        device: Device,
        outbox: Outbox,
        reports: Health,
        *,
        healthy: Check,
        ready: Check,
        troubles: Callable[[], Troubles],
    ) -> None:
        """Nothing was asked yet.

        Args:
            device: What is spoken of.
            outbox: Where messages wait.
            reports: With the errors that were kept.
            healthy: Why the process does not work.
            ready: Why it is not ready yet.
            troubles: What has been wrong with threads.
        """
        self._device, self._outbox, self._reports = device, outbox, reports
        self._healthy, self._ready, self._troubles = healthy, ready, troubles
        self._workers = WorkerTime()

    def all(self) -> list[Figure]:
        """As they are now."""
        device = self._device
        figures = [*self._process(), *self._broker()]
        for camera in device.cameras():
            figures += of_camera(camera)
            figures += of_pictures(camera.name, device.pictures())
        for sensor in device.sensors():
            figures += of_sensor(sensor)
        models, totals = device.models(), device.model_totals()
        self._workers.keep_only(models)
        for model in models.values():
            work = totals[model.name].totals() if model.name in totals else {}
            figures += of_model(model, work)
            figures += of_workers(model.name, model.pids, self._workers)
        if totals_of_updates := device.update_totals():
            figures += of_updates(totals_of_updates, [device.model_state(one) for one in models.values()])
        return figures

    def _process(self) -> Iterator[Figure]:
        own = machine.footprint(os.getpid()) or machine.Footprint()
        yield Figure(catalog.BUILD, (__version__, platform.python_version()), 1)
        yield _one(catalog.START, self._device.started_at_s)
        yield _one(catalog.HEALTHY, not self._healthy())
        yield _one(catalog.READY, not self._ready())
        yield _one(catalog.ERRORS, self._reports.count)
        yield _one(catalog.CPU, own.cpu_s)
        yield _one(catalog.MEMORY, own.memory_bytes)
        yield _one(catalog.FDS, own.descriptors)
        yield _one(catalog.THREADS, own.threads)
        troubles = self._troubles()
        yield _one(catalog.THREAD_DEATHS, troubles.deaths)
        yield _one(catalog.THREAD_HANGS, troubles.hangs)

    def _broker(self) -> Iterator[Figure]:
        device = self._device
        waiting = spool(self._outbox, device.set_aside)
        yield _one(catalog.MQTT_UP, device.link().connected)
        yield _one(catalog.MQTT_RECONNECTS, device.reconnects)
        yield _one(catalog.WAITING, waiting.entries)
        yield _one(catalog.WAITING_BYTES, waiting.bytes)
        yield _one(catalog.ON_DISK, not waiting.why)
        yield _one(catalog.OUTBOX_DROPPED, waiting.dropped)
        yield _one(catalog.SET_ASIDE, waiting.set_aside)


class WorkerTime:
    """Processor time of processes that come and go, which their sum outlives. Any thread may call."""

    def __init__(self) -> None:
        """None was seen yet."""
        self._lock = threading.Lock()
        self._seen: dict[str, dict[int, float]] = {}
        self._past: dict[str, float] = {}

    def total(self, model: str, now: dict[int, float]) -> float:
        """Of all processes of a model that were ever seen.

        Args:
            model: Its name.
            now: Seconds of each process that it has now, by process id.
        """
        with self._lock:
            seen = self._seen.get(model, {})
            # A process that is gone, or another one of the same number, keeps what was seen of it last.
            over = sum(cpu_s for pid, cpu_s in seen.items() if now.get(pid, -1.0) < cpu_s)
            self._seen[model] = now
            self._past[model] = self._past.get(model, 0.0) + over
            return self._past[model] + sum(now.values())

    def keep_only(self, models: Any) -> None:
        """Forget models that are not used any more."""
        with self._lock:
            self._seen = {name: seen for name, seen in self._seen.items() if name in models}
            self._past = {name: past for name, past in self._past.items() if name in models}


def of_camera(post: CameraPost) -> Iterator[Figure]:
    """Of one camera and the models that it names."""
    name, state = post.name, post.camera.state
    source, models = post.frames.totals()

    def one(metric: Metric, value: float) -> Figure:
        return Figure(metric, (name,), value)

    yield one(catalog.CAMERA_UP, state.status is SourceStatus.ONLINE)
    yield one(catalog.CAMERA_ENABLED, post.override.enabled)
    yield one(catalog.CAPTURED, source["captured"])
    for reason, count in passed_over(source).items():
        yield Figure(catalog.SKIPPED_FRAMES, (name, reason), count)
    yield one(catalog.DELIVERED, source["chosen"])
    yield one(catalog.UNDECODABLE, source["unreadable"] - source["damaged"])
    yield one(catalog.CAMERA_RECONNECTS, source["reconnects"])
    yield one(catalog.CAMERA_STALLS, source["stalls"])
    yield one(catalog.DECODE_CPU, source["cpu_s"])
    for kind in KINDS:
        yield Figure(catalog.WITHHELD, (name, kind), post.quota.withheld[kind])
    for model, counts in models.items():
        yield Figure(catalog.INFERRED, (name, model), inferred(counts))
        yield Figure(catalog.CAMERA_PUBLISHED, (name, model), counts.get("published", 0))
        for reason in DROPPED:
            yield Figure(catalog.DROPPED_FRAMES, (name, model, reason), counts.get(reason, 0))
        for stage in STAGES:
            yield Figure(catalog.STAGE, (name, model, stage), ModelTotals.buckets(counts, stage))
        yield Figure(catalog.AGE, (name, model), ModelTotals.buckets(counts, AGE))


def of_pictures(camera: str, pictures: "Pictures | None") -> Iterator[Figure]:
    """Of the pictures of a camera's objects."""
    dropped = pictures.dropped(camera) if pictures else {}
    yield Figure(catalog.SNAPSHOTS, (camera,), pictures.made(camera) if pictures else 0)
    for reason in SNAPSHOTS_DROPPED:
        yield Figure(catalog.SNAPSHOTS_LOST, (camera, reason), dropped.get(reason, 0))


def of_sensor(post: SensorPost) -> Iterator[Figure]:
    """Of one sensor and the models that it names."""
    name, source = post.name, post.rows.source()

    def one(metric: Metric, value: float) -> Figure:
        return Figure(metric, (name,), value)

    yield one(catalog.SENSOR_UP, post.sensor.state.status is SourceStatus.ONLINE)
    if (alarm := post.alarm) is not None:
        yield one(catalog.SENSOR_ALARM, alarm)
    yield one(catalog.ROWS, source["rows"])
    yield one(catalog.ROWS_REJECTED, source["rejected"])
    for reason in ROWS_DROPPED:
        yield Figure(catalog.LOST_ROWS, (name, reason), source[reason])
    yield one(catalog.DELIVERIES_FAILED, source["deliveries failed"])
    yield one(catalog.RECEIVED, source["bytes"])
    yield one(catalog.SENSOR_RECONNECTS, source["reconnects"])
    yield one(catalog.SENSOR_SILENCES, source["silences"])
    for model, feeds in post.rows.models().items():
        counts = feeds.totals()
        yield Figure(catalog.SCORED, (name, model), inferred(counts))
        yield Figure(catalog.SENSOR_PUBLISHED, (name, model), counts.get("published", 0))
        yield Figure(catalog.WINDOWS_WAITING, (name, model), feeds.waiting)
        for reason in WINDOWS_DROPPED:
            yield Figure(catalog.LOST_WINDOWS, (name, model, reason), counts.get(reason, 0))


def of_model(model: ServedModel, work: dict[Any, float]) -> Iterator[Figure]:
    """Of one model.

    Args:
        model: That is used now.
        work: What those of its name did since the start.
    """
    state, worker, pipeline = model.state(""), model.worker, model.pipeline
    description = worker.description if worker else None

    def one(metric: Metric, value: float) -> Figure:
        return Figure(metric, (model.name,), value)

    yield one(catalog.MODEL_UP, worker is not None and worker.current(0.0) is not None)
    yield one(catalog.ACTIVE_VERSION, state.active.version if state.active else 0)
    if description:
        kind = description.provider.partition(":")[0]  # a worker says it, and what it says may be anything
        provider = kind if kind in catalog.PROVIDERS else catalog.OTHER
        yield Figure(catalog.MODEL, (model.name, provider, ",".join(state.provider_asked)), 1)
    yield one(catalog.FALLBACK, description is not None and bool(description.provider_refused))
    yield one(catalog.CANDIDATE, state.candidate is not None)
    yield one(catalog.PROBATION, bool(state.probation))
    yield one(catalog.REJECTED, len(state.rejected))
    yield one(catalog.SWAPS, work.get("swaps", 0))
    yield one(catalog.RESTARTS, work.get("losses", 0))
    yield one(catalog.INFERENCES, work.get("inferences", 0))
    yield one(catalog.INFERENCE_TIME, work.get("inference_s", 0.0))
    yield one(catalog.CALLERS, pipeline.count if pipeline else 0)


def of_updates(totals: "Totals", states: Sequence["ModelStateMessage"]) -> Iterator[Figure]:
    """Of updates from afar.

    Args:
        totals: Since the start.
        states: Of the models that are used now.
    """
    for result in catalog.UPDATE_CHECKS:
        yield Figure(catalog.UPDATE_CHECKED, (result,), totals.checks.get(result, 0))
    yield _one(catalog.UPDATE_LAST, totals.checked_s)
    yield _one(catalog.UPDATE_BYTES, totals.arrived_bytes)
    for model in states:
        if update := model.update:
            yield Figure(catalog.UPDATE_VERSION, (model.model,), update.version or 0)
            for state in catalog.UPDATE_STATES:
                yield Figure(catalog.UPDATE_STATE, (model.model, state), update.state == state)


def of_workers(name: str, pids: Sequence[int], time: WorkerTime) -> Iterator[Figure]:
    """Of the processes of a model.

    Args:
        name: Of the model.
        pids: Of its processes.
        time: What they took until now.
    """
    known = {pid: found for pid in dict.fromkeys(pids) if (found := machine.footprint(pid))}
    taken_s = time.total(name, {pid: found.cpu_s for pid, found in known.items()})
    yield Figure(catalog.WORKERS, (name,), len(known))
    yield Figure(catalog.WORKER_CPU, (name,), taken_s)
    yield Figure(catalog.WORKER_MEMORY, (name,), sum(found.memory_bytes for found in known.values()))
    yield Figure(catalog.WORKER_FDS, (name,), sum(found.descriptors for found in known.values()))
    yield Figure(catalog.WORKER_THREADS, (name,), sum(found.threads for found in known.values()))


def _one(metric: Metric, value: float) -> Figure:
    return Figure(metric, (), value)

"""What a device says of itself: ``info`` and ``health``."""

import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edged import __version__, machine
from edged.lifecycle import ServedModel
from edged.mqtt.payloads import timestamp
from edged.mqtt.shapes.health import HealthMessage, ModelHealthShape, SourceHealthShape, SpoolShape
from edged.mqtt.shapes.info import InfoMessage, MachineShape, PreviousEndShape, UpdatesShape
from edged.outbox import Outbox
from edged.sections import UpdatesSettings
from edged.service.bottleneck import Load, ModelLoad, bottleneck
from edged.service.device import Device
from edged.service.model_load import ModelTotals, spent_s, totals_of
from edged.service.previous_end import PreviousEnd
from edged.service.source_totals import SourceTotals
from edged.urls import redacted

MAX_ERRORS = 5
SHORTEST_S = 5.0
"""Rates are told of no shorter time than this, if edged has run for so long."""


def info(
    device: str,
    cameras: Iterable[str],
    sensors: Iterable[str],
    models: Sequence[ServedModel],
    started_at_s: float,
    *,
    before: PreviousEnd | None = None,
    updates: UpdatesSettings | None = None,
) -> InfoMessage:
    """What the device is and what it runs."""
    descriptions = [model.description for model in models if model.description]
    providers = dict.fromkeys(name for found in descriptions for name in found.providers_available)
    return InfoMessage(
        device=device,
        version=__version__,
        machine=MachineShape(
            architecture=platform.machine(),
            cores=machine.cores(),
            cpu=machine.cpu_name(),
            memory_bytes=machine.memory_bytes(),
        ),
        providers=tuple(providers),
        cameras=tuple(cameras),
        sensors=tuple(sensors),
        models={model.name: running for model in models if (running := model.running())},
        started_at=timestamp(started_at_s),
        previous_end=_previous_end(before) if before else None,
        updates=_updates(updates) if updates and updates.url else None,
    )


def _updates(section: UpdatesSettings) -> UpdatesShape:
    return UpdatesShape(
        url=redacted(section.url), channel=section.channel, channels=section.channels, window=section.window
    )


def _previous_end(before: PreviousEnd) -> PreviousEndShape:
    return PreviousEndShape(
        how=before.how,
        at=timestamp(before.at_s),
        after_s=round(before.after_s, 1),
        why=redacted(before.why),
        trace=redacted(before.trace) or None,
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything that is counted, at one moment.

    Attributes:
        at_s: On the monotonic clock.
        cpu_s: Processor time of the daemon and of each process that it has now, by process id.
        memory_bytes: Resident, of the same.
        busy_s: Of the cores, whoever kept them busy.
        sources: Cameras, then sensors.
        models: Those that are served.
        spool: What waits for the broker.
        reconnects: Connections to a broker after the first.
    """

    at_s: float
    cpu_s: Mapping[int, float] = field(default_factory=dict)
    memory_bytes: int = 0
    busy_s: float = 0.0
    sources: tuple[SourceTotals, ...] = ()
    models: tuple[ModelTotals, ...] = ()
    spool: SpoolShape = field(default_factory=lambda: SpoolShape(entries=0, bytes=0, dropped=0))
    reconnects: int = 0


def spool(outbox: Outbox, set_aside: int) -> SpoolShape:
    """What waits for the broker."""
    return SpoolShape(
        entries=len(outbox),
        bytes=outbox.depth_bytes,
        dropped=outbox.dropped,
        set_aside=set_aside,
        why=outbox.problem,
    )


def sample(device: Device, outbox: Outbox) -> Sample:
    """How everything stands now. Any thread may call."""
    models, work = list(device.models().values()), device.model_totals()
    used = {
        pid: machine.usage([pid]) for pid in (os.getpid(), *(pid for model in models for pid in model.pids))
    }
    known = [totals_of(model, work[model.name].totals()) for model in models if model.name in work]
    return Sample(
        at_s=time.monotonic(),
        cpu_s={pid: one.cpu_s for pid, one in used.items()},
        memory_bytes=sum(one.memory_bytes for one in used.values()),
        busy_s=machine.busy_s(),
        sources=tuple(post.totals() for post in (*device.cameras(), *device.sensors())),
        models=tuple(one for one in known if one),
        spool=spool(outbox, device.set_aside),
        reconnects=device.reconnects,
    )


class Health:
    """Remembers what the figures of the next report are compared with, and the last errors.

    Attributes:
        count: Errors that were kept since the start.
    """

    def __init__(self) -> None:
        """Nothing was done yet."""
        start = Sample(time.monotonic(), busy_s=machine.busy_s())
        self._start, self._reported = start, (start, start)  # the last one, and the one before
        self._errors: tuple[str, ...] = ()
        self.count = 0

    def remember(self, error: str) -> None:
        """Keep an error for the reports, unless it is the newest already."""
        line = redacted(error)
        if line not in self._errors[:1]:
            self._errors = (line, *self._errors)[:MAX_ERRORS]
            self.count += 1

    def report(self, device: str, now: Sample) -> HealthMessage:
        """How the device did since the last report; called by one thread."""
        before = self._reported[0]
        self._reported = (now, before)
        return self._message(device, now, before)

    def look(self, device: str, now: Sample) -> tuple[HealthMessage, float]:
        """How the device did lately, for whoever asks; the next report knows nothing of it. Any thread may call.

        Returns:
            The message, and the seconds that its rates are of.
        """
        last, one_before = self._reported
        before = last if now.at_s - last.at_s >= SHORTEST_S else one_before
        return self._message(device, now, before), now.at_s - before.at_s

    def _message(self, device: str, now: Sample, before: Sample) -> HealthMessage:
        seconds = max(1e-3, now.at_s - before.at_s)
        known = {one.key: one for one in before.sources}
        models = {one.name: one for one in before.models}
        sources = tuple(one.health(known.get(one.key), seconds) for one in now.sources)
        served = tuple(one.health(models.get(one.name), seconds) for one in now.models)
        return HealthMessage(
            device=device,
            at=timestamp(time.time()),
            uptime_s=round(now.at_s - self._start.at_s, 1),
            cpu_percent=round(100 * spent_s(now.cpu_s, before.cpu_s) / seconds, 1),
            memory_bytes=now.memory_bytes,
            sources=sources,
            models=served,
            bottleneck=bottleneck(_load(now, before, sources, served)),
            spool=now.spool,
            reconnects=now.reconnects,
            errors=self._errors,
        )


def _load(
    now: Sample, before: Sample, sources: Iterable[SourceHealthShape], models: Iterable[ModelHealthShape]
) -> Load:
    """The same figures, for the word that says what they mean."""
    seconds = max(1e-3, now.at_s - before.at_s)
    return Load(
        cores=machine.cores(),
        busy_cores=max(0.0, now.busy_s - before.busy_s) / seconds,
        decode_cores={
            source.name: source.decode_cpu_percent / 100
            for source in sources
            if source.decode_cpu_percent is not None
        },
        models={
            model.name: ModelLoad(model.utilisation_percent / 100, model.cpu_percent / 100, model.late_per_s)
            for model in models
        },
        spooled=now.spool.entries,
        spooled_before=before.spool.entries,
    )

"""What a device says of itself: ``info`` and ``health``."""

import os
import platform
import time
from collections.abc import Iterable, Sequence

from edged import __version__, machine
from edged.lifecycle import ServedModel
from edged.mqtt.link import Link
from edged.mqtt.payloads import (
    HealthMessage,
    InfoMessage,
    MachineShape,
    ModelHealthShape,
    SourceHealthShape,
    SpoolShape,
    timestamp,
)
from edged.outbox import Outbox
from edged.service.bottleneck import Load, ModelLoad, bottleneck
from edged.service.model_load import ModelLoads
from edged.service.posts import CameraPost
from edged.service.sensor_posts import SensorPost
from edged.urls import redacted

MAX_ERRORS = 5


def info(
    device: str,
    cameras: Iterable[str],
    sensors: Iterable[str],
    models: Sequence[ServedModel],
    started_at_s: float,
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
    )


def spool(outbox: Outbox, link: Link) -> SpoolShape:
    """What waits for the broker."""
    return SpoolShape(
        entries=len(outbox),
        bytes=outbox.depth_bytes,
        dropped=outbox.dropped,
        set_aside=link.set_aside,
        why=outbox.problem,
    )


class Health:
    """Figures that need the time since the last report, and the last errors."""

    def __init__(self) -> None:
        self._started_s = self._reported_s = time.monotonic()
        self._cpu_s, self._busy_s, self._spooled = 0.0, machine.busy_s(), 0
        self._loads = ModelLoads()
        self._errors: list[str] = []

    def remember(self, error: str) -> None:
        """Keep an error for the reports, unless it is the newest already."""
        line = redacted(error)
        if line not in self._errors[:1]:
            self._errors = [line, *self._errors][:MAX_ERRORS]

    def report(
        self,
        device: str,
        posts: Iterable[CameraPost | SensorPost],
        models: Iterable[ServedModel],
        waiting: SpoolShape,
    ) -> HealthMessage:
        """How the device is doing, the workers included."""
        now_s, models = time.monotonic(), list(models)
        seconds = max(1e-3, now_s - self._reported_s)
        used = machine.usage([os.getpid(), *(pid for model in models for pid in model.pids)])
        cpu_percent = 100 * max(0.0, used.cpu_s - self._cpu_s) / seconds
        self._reported_s, self._cpu_s = now_s, used.cpu_s
        sources, served = tuple(post.health(seconds) for post in posts), self._loads.report(models, seconds)
        return HealthMessage(
            device=device,
            at=timestamp(time.time()),
            uptime_s=round(now_s - self._started_s, 1),
            cpu_percent=round(cpu_percent, 1),
            memory_bytes=used.memory_bytes,
            sources=sources,
            models=served,
            bottleneck=bottleneck(self._load(sources, served, waiting, seconds)),
            spool=waiting,
            errors=tuple(self._errors),
        )

    def _load(
        self,
        sources: Iterable[SourceHealthShape],
        models: Iterable[ModelHealthShape],
        waiting: SpoolShape,
        seconds: float,
    ) -> Load:
        """The same figures, for the word that says what they mean."""
        busy_s, spooled = self._busy_s, self._spooled
        self._busy_s, self._spooled = machine.busy_s(), waiting.entries
        return Load(
            cores=machine.cores(),
            busy_cores=(self._busy_s - busy_s) / seconds,
            decode_cores={
                source.name: source.decode_cpu_percent / 100
                for source in sources
                if source.decode_cpu_percent is not None
            },
            models={
                model.name: ModelLoad(
                    model.utilisation_percent / 100, model.cpu_percent / 100, model.late_per_s
                )
                for model in models
            },
            spooled=waiting.entries,
            spooled_before=spooled,
        )

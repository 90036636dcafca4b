"""Which version of a model is current: found, started in a worker, served by a pipeline, replaced on reload.

A model that cannot be served is an outcome with a reason, never the end of the others.
"""

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from edged.errors import EdgedError
from edged.machine import cores
from edged.modelstore import StoredModel, find_at, find_in_store
from edged.mqtt.payloads import (
    ModelInfo,
    ModelStateMessage,
    RejectedShape,
    RunningShape,
    VersionShape,
    timestamp,
)
from edged.pipeline import Pipeline
from edged.settings import ModelSettings
from edged.worker.client import Worker
from edged.worker.description import LoadRequest, ModelDescription

log = structlog.get_logger()


class ServedModel:
    """One model of the configuration and what became of it.

    Attributes:
        name: As configured.
        section: As configured.
        error: Why it is not served, or None.
        worker: Its process, or None where it is not served.
        pipeline: What feeds attach to, or None where it is not served.
    """

    def __init__(
        self,
        name: str,
        section: ModelSettings,
        *,
        store: Path,
        feeds: int,
        on_change: Callable[["ServedModel"], None],
    ) -> None:
        """Begin to load the model; `wait_ready` says how that went.

        Args:
            name: As configured.
            section: As configured.
            store: The folder of models.
            feeds: How many cameras will use it.
            on_change: Called from any thread when `state` has changed.
        """
        self.name, self.section, self.feeds = name, section, feeds
        self.error: EdgedError | None = None
        self.worker: Worker | None = None
        self.pipeline: Pipeline | None = None
        self._stored: StoredModel | None = None
        self._on_change = on_change
        self._since_s = time.time()
        try:
            self._stored = find_at(section.path) if section.path else find_in_store(store, name)
        except EdgedError as error:
            self.error = error
            return
        request = _request(self._stored.path, section, feeds)
        self.worker = Worker(name, request, timeout_s=section.timeout, on_change=self._changed)
        self.worker.start()

    def suits(self, section: ModelSettings, feeds: int) -> bool:
        """Whether this is what a configuration asks for, for so many cameras."""
        same = self.section == section and self.error is None
        return same and _callers(section, feeds) == _callers(section, self.feeds)

    def settled(self, timeout_s: float) -> bool:
        """Wait until it is known whether the model serves; False if that took longer."""
        return self.worker is None or self.worker.settled(timeout_s)

    def wait_ready(self) -> bool:
        """Wait until the model serves, or will not; True if it serves."""
        if self.worker is None:
            self._report_refused()
            return False
        try:
            description = self.worker.wait_ready()
        except EdgedError as error:
            self.error = error
            self.worker.stop()
            self._report_refused()
            return False
        self.pipeline = Pipeline(self.worker)
        self.pipeline.start()
        self._report_served(description)
        self._changed()
        return True

    @property
    def description(self) -> ModelDescription | None:
        """Of the served version."""
        return self.worker.description if self.worker else None

    def info(self, description: ModelDescription) -> ModelInfo:
        """For messages about its results."""
        version = self._stored.version if self._stored else 1
        return ModelInfo(self.name, version, description.digest, description.provider)

    def running(self) -> RunningShape | None:
        """For ``info``; None while it is not served."""
        description = self.description
        if description is None or self.error is not None:
            return None
        return RunningShape(
            version=self._stored.version if self._stored else 1,
            digest=description.digest,
            family=description.family,
            provider=description.provider,
            provider_asked=description.provider_asked,
        )

    def state(self, device: str) -> ModelStateMessage:
        """For ``model/<name>/state``."""
        version = self._stored.version if self._stored else 1
        description = self.description
        served = description is not None and self.error is None
        why = "" if served else str(self.error or "loading")
        if description and served:
            ended = self.worker.last_end if self.worker and self.worker.current(0) is None else ""
            why = (
                f"its process ended ({ended}), a new one is being started"
                if ended
                else "; ".join(description.provider_refused)
            )
        return ModelStateMessage(
            device=device,
            model=self.name,
            active=VersionShape(version=version, digest=description.digest)
            if description and served
            else None,
            rejected=()
            if self.error is None
            else (RejectedShape(version=version, reason=str(self.error), at=timestamp(self._since_s)),),
            provider_asked=self.section.providers,
            provider=description.provider if description and served else "",
            why=why,
            since=timestamp(self._since_s),
        )

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Let frames in work end, then end the process; True if that was done in time."""
        ended = self.pipeline.stop(timeout_s) if self.pipeline else True
        if self.worker:
            ended = self.worker.stop(timeout_s) and ended
        return ended

    def _changed(self) -> None:
        self._since_s = time.time()
        self._on_change(self)

    def _report_refused(self) -> None:
        log.error("model refused", model=self.name, error=str(self.error))
        self._changed()

    def _report_served(self, description: ModelDescription) -> None:
        for reason in description.provider_refused:
            log.warning("provider passed over", model=self.name, reason=reason, in_use=description.provider)
        log.info(
            "model ready",
            model=self.name,
            family=description.family,
            provider=description.provider,
            nodes=dict(description.provider_nodes),
            latency_ms=description.latency_ms,
            labels=len(description.labels),
            pid=worker_pid(self.worker),
        )
        for note in description.notes:
            log.info("model note", model=self.name, note=note)


def worker_pid(worker: Worker | None) -> int:
    """Of the process that serves now, 0 where there is none."""
    process = worker.current(0) if worker else None
    return process.pid if process else 0


def _callers(section: ModelSettings, feeds: int) -> int:
    return section.callers or max(1, min(feeds, cores()))


def _request(path: Path, section: ModelSettings, feeds: int) -> LoadRequest:
    """What to load and how: as many callers as there are cameras for, and cores."""
    callers = _callers(section, feeds)
    return LoadRequest(
        path=str(path),
        providers=section.providers,
        require_provider=section.require_provider,
        min_score=section.min_score,
        labels=section.labels,
        threads=section.threads or 0,
        callers=callers,
        max_memory_bytes=int(section.max_memory or 0),
    )

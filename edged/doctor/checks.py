"""Which checks a configuration calls for: each a probe, and the rules that make findings of its facts.

Without a configuration only the machine is looked at.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from edged.doctor import (
    broker,
    cameras,
    configuration,
    devices,
    machine,
    models,
    needs,
    runtime,
    service,
    storage,
)
from edged.doctor.deadline import Deadline
from edged.doctor.examination import Check
from edged.doctor.findings import Finding
from edged.doctor.probes import broker as broker_probe
from edged.doctor.probes import cameras as camera_probe
from edged.doctor.probes import machine as machine_probe
from edged.doctor.probes import models as model_probe
from edged.doctor.probes import runtime as runtime_probe
from edged.doctor.probes import service as service_probe
from edged.doctor.probes import storage as storage_probe
from edged.doctor.probes.users import user
from edged.doctor.service import Presence
from edged.errors import ConfigurationError, EdgedError
from edged.lifecycle import Demand
from edged.sections import ModelSettings
from edged.service.addresses import require_addresses
from edged.service.broker import topics_of
from edged.service.demands import uses
from edged.service.state import USUAL_CONFIG
from edged.settings import LoadedSettings, find_config, load_settings

Ask = Callable[[Deadline], runtime.RuntimeFacts]


def read(config: Path | None) -> tuple[LoadedSettings | None, EdgedError | None]:
    """The configuration as `edged run` reads it; neither that nor an error where there is none.

    Args:
        config: The file; None = where it usually is.
    """
    try:
        path = find_config(config)
    except ConfigurationError:
        return None, None
    try:
        loaded = load_settings(path)
        require_addresses(loaded)
    except EdgedError as error:
        return None, error
    return loaded, None


def checks(
    loaded: LoadedSettings | None, problem: EdgedError | None, *, load_models: bool | None = None
) -> Iterator[Check]:
    """In the order of the report.

    Args:
        loaded: The configuration, as far as it could be read.
        problem: What is wrong with it.
        load_models: Whether models are loaded; None = unless a daemon serves them.
    """
    found = configuration_facts(loaded, problem)
    yield Check("configuration", lambda _: configuration.findings(found))
    yield Check("machine", lambda _: machine.findings(machine_probe.facts()))
    if loaded is None:
        yield from _of_machine(_Once([]), {}, {}, [])
        yield Check("service", lambda _: service.unit_findings(service_probe.units(), user=user()))
        return
    settings = loaded.settings
    used, needed = needs.providers(settings), needs.devices(settings)
    ask = _Once([one for section in used.values() for one in section.providers])
    yield from _of_machine(ask, used, needs.decoders(settings), needed)
    own = service.unit_of(loaded.path)
    units = partial(service.unit_findings, user=user(), own=own, needs_devices=bool(needed))
    yield Check("service", lambda _: units(service_probe.units()))
    presence = service_probe.presence(
        settings.http.listen,
        named="http.listen" in loaded.origin,
        state=service_probe.state_looked_at(loaded),
        device=settings.device,
    )
    yield Check("daemon", lambda _: service.daemon_findings(presence, own=own))
    yield Check("broker", partial(_broker, loaded, presence))
    yield from _sources(loaded, presence)
    yield Check("store", lambda _: _folders(loaded))
    load = _Loading(ask, _why_not(load_models, presence))
    for name, demand in uses(settings).items():
        yield Check(f"models.{name}", partial(_model, loaded, name, demand, load))


def _why_not(load_models: bool | None, presence: Presence) -> str:
    """Why no model is loaded; empty where they are."""
    if os.name != "posix":
        return "nothing bounds a process on this system"
    if load_models is None:
        return "a daemon serves it; --models loads it beside that" if presence.runs else ""
    return "" if load_models else "--no-models"


class _Once:
    """Asks the runtime once, whoever comes first; the others wait for the same answer."""

    def __init__(self, providers: Iterable[str]) -> None:
        self._providers = list(dict.fromkeys(providers))
        self._lock = threading.Lock()
        self._facts: runtime.RuntimeFacts | None = None

    def __call__(self, deadline: Deadline) -> runtime.RuntimeFacts:
        with self._lock:
            if self._facts is None:
                self._facts = runtime_probe.facts(self._providers, deadline)
            return self._facts


class _Loading:
    """Has models loaded one after the other: a small box has no memory for all of them at once."""

    def __init__(self, ask: Ask, untried: str) -> None:
        """Args: ask: For what the runtime offers. untried: Why none is loaded; empty where they are."""
        self._ask, self._untried, self._turn = ask, untried, threading.Lock()

    def __call__(
        self, seen: models.ModelFacts, section: ModelSettings, demand: Demand, deadline: Deadline
    ) -> models.ModelFacts:
        """What came of it."""
        if self._untried:
            return replace(seen, untried=self._untried)
        installed = self._ask(deadline)
        if not installed.usable:
            return replace(seen, untried="ONNX Runtime cannot be used")
        if not self._turn.acquire(timeout=deadline.left_s()):
            return replace(seen, late=True)
        try:
            return model_probe.loaded(seen, section, demand, automatic=installed.automatic, deadline=deadline)
        finally:
            self._turn.release()


def configuration_facts(
    loaded: LoadedSettings | None, problem: EdgedError | None
) -> configuration.ConfigurationFacts:
    """Of the file and the secrets in it."""
    if loaded is None:
        return configuration.ConfigurationFacts("", str(USUAL_CONFIG), problem)
    settings = loaded.settings
    held: dict[str, Mapping[str, object]] = {
        "camera": settings.cameras,
        "sensor": settings.sensors,
        "model": settings.models,
    }
    return configuration.ConfigurationFacts(
        path=str(loaded.path),
        counts=tuple(f"{len(those)} {name}{'' if len(those) == 1 else 's'}" for name, those in held.items()),
        warnings=tuple(loaded.warnings()),
        exposed=tuple(
            str(path) for path in configuration.secret_files(loaded) if storage_probe.is_exposed(path)
        ),
    )


def _of_machine(
    ask: Ask,
    used: Mapping[str, ModelSettings],
    decoders: Mapping[str, str],
    needed: list[needs.DeviceNeed],
) -> Iterator[Check]:
    def look_at_runtime(deadline: Deadline) -> Iterator[Finding]:
        facts = ask(deadline)
        yield from runtime.findings(facts)
        yield from runtime.provider_findings(facts, used)

    yield Check("ONNX Runtime", look_at_runtime)
    yield Check(
        "decoders",
        lambda deadline: machine.decoder_findings(machine_probe.decoder_facts(deadline), decoders),
    )
    yield Check("devices", lambda _: devices.findings(machine_probe.device_facts(needed), user=user()))


def _broker(loaded: LoadedSettings, presence: Presence, deadline: Deadline) -> Iterator[Finding]:
    settings = loaded.settings
    facts = broker_probe.facts(settings, loaded.path.parent if loaded.path else Path(), deadline)
    return broker.findings(facts, device=settings.device, runs=presence.runs)


def _sources(loaded: LoadedSettings, presence: Presence) -> Iterator[Check]:
    settings = loaded.settings

    def camera(name: str, deadline: Deadline) -> list[Finding]:
        facts = camera_probe.facts(name, settings.cameras[name], deadline)
        return [cameras.finding(facts, runs=presence.runs)]

    def sensor(name: str, _: Deadline) -> list[Finding]:
        section, topics = settings.sensors[name], topics_of(settings)
        problem = camera_probe.sensor_problem(name, section, topics=topics, listen=settings.http.listen)
        return [cameras.sensor_finding(name, section.url, problem)]

    for name in settings.cameras:
        yield Check(f"cameras.{name}", partial(camera, name))
    for name in settings.sensors:
        yield Check(f"sensors.{name}", partial(sensor, name))


def _folders(loaded: LoadedSettings) -> Iterator[Finding]:
    settings, who = loaded.settings, user()
    store = storage_probe.folder_facts(settings.store.path)
    folder = service_probe.state_looked_at(loaded)
    state = storage_probe.folder_facts(folder)
    outbox = storage_probe.folder_facts(folder / "outbox")
    needed = any(section.path is None for section in needs.providers(settings).values())
    yield from storage.store_findings(store, needed=needed, user=who)
    yield from storage.state_findings(
        state,
        outbox,
        spool_bytes=int(settings.mqtt.spool_max_bytes),
        user=who,
        said=(store.exists or needed) and store.disk == state.disk,
    )


def _model(
    loaded: LoadedSettings, name: str, demand: Demand, load: _Loading, deadline: Deadline
) -> Iterator[Finding]:
    settings = loaded.settings
    section = settings.models[name]
    seen = model_probe.standing(name, section, settings.store.path)
    if seen.chosen is not None:
        seen = load(seen, section, demand, deadline)
    yield from models.findings(seen)
    yield from models.label_findings(seen, settings)

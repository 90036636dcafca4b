"""Looks at what stands in the store, and has a worker process load a model as the daemon would."""

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edged.doctor.deadline import Deadline
from edged.doctor.models import ModelFacts, Rejected
from edged.errors import EdgedError
from edged.lifecycle import Demand
from edged.lifecycle.choice import choose
from edged.modelstore.digests import onnx_digest
from edged.modelstore.home import Home
from edged.modelstore.pins import read_pin
from edged.modelstore.records import read_rejection
from edged.modelstore.survey import Standing, content_digest
from edged.sections import ModelSettings
from edged.worker.description import LoadRequest


def standing(name: str, section: ModelSettings, store: Path) -> ModelFacts:
    """What there is of a model, without loading it.

    Args:
        name: As configured.
        section: Its own.
        store: The folder of models.
    """
    home = Home(store, name, section.path, keep=False)
    seen = ModelFacts(name, asked=section.providers)
    if missing := home.missing():
        return replace(seen, missing=missing)
    versions, records = home.look(), home.records
    rejected = _rejected(versions, records)
    chosen = choose(
        versions, rejected=[one.version for one in rejected], pinned=read_pin(records) if records else None
    )
    path = str(versions[chosen].path) if chosen else ""
    return replace(seen, versions=tuple(sorted(versions)), rejected=rejected, chosen=chosen, path=path)


def _rejected(versions: Mapping[int, Standing], records: Path | None) -> tuple[Rejected, ...]:
    found = []
    for number, one in sorted(versions.items()):
        record = read_rejection(records, number) if records else None
        if record and record.is_of(content_digest(one.path), onnx_digest(one.path)):
            found.append(Rejected(number, record.step, record.reason, str(one.path)))
    return tuple(found)


def loaded(
    seen: ModelFacts,
    section: ModelSettings,
    demand: Demand,
    *,
    automatic: tuple[str, ...],
    deadline: Deadline,
) -> ModelFacts:
    """What came of loading it.

    Args:
        seen: What there is of it; some version is chosen.
        section: Its own.
        demand: What it is wanted for.
        automatic: What ``auto`` stands for. It is not measured here: what is measured beside cameras that open is
            wrong, and would be remembered.
        deadline: For all of it.
    """
    from edged.worker.client import WorkerProcess  # noqa: PLC0415  # not on Windows
    from edged.worker.gate import Gate  # noqa: PLC0415

    gate, is_over = Gate(Path(seen.path), quiet_s=0.0), threading.Event()
    request = _request(seen.path, section, demand, automatic)
    try:
        gate.files()
        with contextlib.closing(WorkerProcess(seen.name, request)) as process:

            def give_up() -> None:
                is_over.set()
                process.kill()

            timer = threading.Timer(deadline.left_s(), give_up)
            timer.daemon = True
            timer.start()
            try:
                description = gate.load(process)
            finally:
                timer.cancel()
    except EdgedError as error:
        return replace(seen, late=is_over.is_set(), error=error)
    return replace(
        seen,
        provider=description.provider,
        passed_over=tuple(description.provider_refused),
        latency_ms=description.latency_ms,
        load_ms=description.load_ms,
        labels=description.labels if description.task == "detect" else None,
    )


def _request(path: str, section: ModelSettings, demand: Demand, automatic: tuple[str, ...]) -> LoadRequest:
    providers = [one for asked in section.providers for one in (automatic if asked == "auto" else (asked,))]
    return LoadRequest(
        path=path,
        providers=tuple(dict.fromkeys(providers)),
        require_provider=section.require_provider,
        min_score=section.min_score,
        labels=section.labels,
        threads=section.threads or 0,
        precision=section.precision,
        optimize=section.optimize,
        max_memory_bytes=int(section.max_memory or 0),
        serves=demand.serves,
        rows=demand.rows,
    )

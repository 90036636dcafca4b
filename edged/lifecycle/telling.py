"""What ``model/<name>/state`` says of a model. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edged.errors import EdgedError
from edged.lifecycle.ledger import Version
from edged.modelstore.records import Rejection
from edged.mqtt.payloads import timestamp
from edged.mqtt.shapes.model_state import CandidateShape, ModelStateMessage, RejectedShape, VersionShape
from edged.sections import ModelSettings
from edged.worker.keeper import Worker

MAX_REJECTED, MAX_LABELS = 20, 1000
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class Telling:
    """How a model stands.

    Attributes:
        device: This box.
        model: Its name.
        section: As configured.
        active: Number and worker of what serves, or None.
        previous: What served before, or None.
        candidate: What is tried, and the step it is at, or None.
        rejected: What is not tried again.
        waiting: What has not arrived yet, and what it waits for, by number.
        pinned: What a person wants served, or None.
        pin_problem: Why there is nothing where the pin points; empty where there is.
        probation: How far the serving version's probation is; empty = over.
        agreement: Of the last shadow run; empty = none.
        error: Why nothing is served, or None.
        since_s: Seconds since 1970.
    """

    device: str
    model: str
    section: ModelSettings
    active: tuple[int, Worker] | None
    previous: Version | None
    candidate: tuple[Version, str] | None
    rejected: Sequence[Rejection]
    waiting: Mapping[int, str]
    pinned: int | None
    pin_problem: str
    probation: str
    agreement: str
    error: EdgedError | None
    since_s: float


def model_state(telling: Telling) -> ModelStateMessage:
    """The message."""
    worker = telling.active[1] if telling.active else None
    description = worker.description if worker else None
    active = None
    if telling.active and description:
        active = VersionShape(version=telling.active[0], digest=description.digest)
    newest = sorted(telling.rejected, key=lambda one: one.version)[-MAX_REJECTED:]
    return ModelStateMessage(
        device=telling.device,
        model=telling.model,
        active=active,
        previous=_version(telling.previous),
        candidate=_candidate(telling.candidate),
        rejected=tuple(
            RejectedShape(version=one.version, reason=one.reason, step=one.step, at=one.at)
            for one in newest
            if MOMENT.fullmatch(one.at)  # people write records too
        ),
        waiting={str(number): why for number, why in telling.waiting.items()},
        pinned=telling.pinned,
        probation=telling.probation,
        shadow=telling.agreement,
        labels=description.labels[:MAX_LABELS] if description else (),
        provider_asked=telling.section.providers,
        provider=description.provider if description else "",
        choice=description.choice.text if description and description.choice else "",
        why=_why(telling, worker),
        since=timestamp(telling.since_s),
    )


def _version(version: Version | None) -> VersionShape | None:
    if version is None or not version.digest:
        return None
    return VersionShape(version=version.number, digest=version.digest)


def _candidate(candidate: tuple[Version, str] | None) -> CandidateShape | None:
    if candidate is None or not candidate[0].digest:
        return None
    version, step = candidate
    return CandidateShape(version=version.number, digest=version.digest, step=step)


def _why(telling: Telling, worker: Worker | None) -> str:
    """Why nothing is served, or not what or where it was asked for."""
    description = worker.description if worker else None
    if worker is None or description is None:
        return str(telling.error or "loading")
    if worker.last_end and worker.current(0) is None:
        return f"its process ended ({worker.last_end}), a new one is being started"
    reasons = list(description.provider_refused)
    if pin := telling.pin_problem or _why_not_pinned(telling):
        reasons.append(pin)
    return "; ".join(reasons)


def _why_not_pinned(telling: Telling) -> str:
    """Why another version serves than the one that is pinned and there; nothing while that is on its way."""
    pinned = telling.pinned
    if pinned is None or telling.active is None or pinned == telling.active[0]:
        return ""
    if any(one.version == pinned for one in telling.rejected):
        return f"version {pinned} is pinned and cannot be served: it was rejected"
    tried = telling.candidate is not None and telling.candidate[0].number == pinned
    return (
        "" if tried or pinned in telling.waiting else f"version {pinned} is pinned and is still to be tried"
    )

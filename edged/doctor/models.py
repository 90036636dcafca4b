"""What the store has of a configured model, and what came of loading it. Pure."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from edged.doctor import kinds
from edged.doctor.findings import Finding
from edged.errors import EdgedError, Unreachable
from edged.service.unknown_labels import of_camera
from edged.settings import Settings


@dataclass(frozen=True, slots=True)
class Rejected:
    """A version that stands rejected.

    Attributes:
        version: Its number.
        step: Of the gate, or ``probation``.
        reason: In one line.
        path: Of its file or folder.
    """

    version: int
    step: str
    reason: str
    path: str


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What was seen of one.

    Attributes:
        name: As configured.
        missing: Why there is nothing; None where there is something.
        versions: That stand there.
        rejected: Of these.
        chosen: The version that would serve now; None where none would.
        path: Of that version.
        untried: Why it was not loaded; empty where that was tried.
        late: Whether the time was up before it was loaded.
        error: Why it does not load; None where it does, or was not tried.
        asked: Providers, in order.
        provider: What runs most of it; empty where it was not loaded.
        passed_over: Why providers that were asked for earlier do not run it.
        latency_ms: Of one inference.
        load_ms: To make the session.
        labels: That it finds, of a detector that was loaded; None of any other.
    """

    name: str
    missing: EdgedError | None = None
    versions: tuple[int, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    chosen: int | None = None
    path: str = ""
    untried: str = ""
    late: bool = False
    error: EdgedError | None = None
    asked: tuple[str, ...] = ()
    provider: str = ""
    passed_over: tuple[str, ...] = ()
    latency_ms: float = 0.0
    load_ms: float = 0.0
    labels: tuple[str, ...] | None = None


def findings(facts: ModelFacts) -> Iterator[Finding]:
    """What it comes to: at least one."""
    key = f"models.{facts.name}"
    if facts.missing is not None:
        yield kinds.MODEL_MISSING.found(key, facts.missing.problem, do=facts.missing.remedy)
        return
    if facts.chosen is None:
        for one in facts.rejected[-1:]:
            yield kinds.MODEL_ALL_REJECTED.found(key, _rejected(one), path=shlex.quote(one.path))
        return
    for one in facts.rejected:
        if one.version > facts.chosen:
            yield kinds.MODEL_REJECTED.found(key, _rejected(one), path=shlex.quote(one.path))
    yield from _loaded(key, facts)


def label_findings(facts: ModelFacts, settings: Settings) -> Iterator[Finding]:
    """Labels of cameras that have no other model, which it does not find."""
    if facts.labels is None:
        return
    found = settings.models[facts.name].labels or facts.labels
    for name, camera in settings.cameras.items():
        if set(camera.models) == {facts.name}:
            for one in of_camera(name, camera, found):
                yield kinds.LABEL_UNKNOWN.found(
                    one.key, f"{facts.name} does not find {one.label!r}", do=one.hint
                )


def _rejected(one: Rejected) -> str:
    return f"version {one.version} was rejected at {one.step or 'an unknown step'}: {one.reason}"


def _loaded(key: str, facts: ModelFacts) -> Iterator[Finding]:
    path = shlex.quote(facts.path)
    if facts.untried:
        yield kinds.MODEL_SKIPPED.found(key, f"version {facts.chosen} was not loaded: {facts.untried}")
    elif facts.late:
        yield kinds.MODEL_UNFINISHED.found(key, f"{facts.path} was still loading", path=path)
    elif isinstance(
        facts.error, Unreachable
    ):  # no runtime, or no process: said of this machine, not of the model
        yield kinds.UNEXAMINED.found(key, facts.error.problem, instead=facts.error.remedy)
    elif facts.error is not None:
        remedy = facts.error.remedy or f"edged model test {path}"
        yield kinds.MODEL_UNSERVABLE.found(key, f"{facts.path}: {facts.error.problem}", do=remedy)
    else:
        runs = f"runs on {facts.provider}, {facts.latency_ms:.1f} ms an inference, loaded in {facts.load_ms:.0f} ms"
        if facts.passed_over:
            reasons = "; ".join(facts.passed_over)
            remedy = f'write providers = ["{facts.provider}"], or edged model inspect {path} says more'
            yield kinds.MODEL_ELSEWHERE.found(key, f"{runs}; {reasons}", do=remedy)
        else:
            yield kinds.MODEL.found(key, f"version {facts.chosen} {runs}")

"""Labels of the configuration that no model finds: what names one counts nothing for ever, and nobody would know.

A model's labels are known once it serves, so this is no error of the configuration, only told of: once for each version
of the models that should know it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Protocol

import structlog

from edged.sections import CameraSettings, ModelSettings, SensorSettings
from edged.settings import Settings

if TYPE_CHECKING:
    from edged.worker.description import ModelDescription

_SHOWN = 10
_log = structlog.get_logger()


class KnownModel(Protocol):
    """A model as far as it matters here."""

    section: ModelSettings

    @property
    def description(self) -> "ModelDescription | None":
        """Of the version that serves."""


@dataclass(frozen=True, slots=True)
class UnknownLabel:
    """One that is named and never found.

    Attributes:
        key: That names it.
        label: As written.
        hint: The nearest that is found, or some of those that are.
    """

    key: str
    label: str
    hint: str


def of_camera(name: str, section: CameraSettings, found: Sequence[str]) -> Iterator[UnknownLabel]:
    """Those of a camera.

    Args:
        name: Of the camera.
        section: Its own.
        found: Labels that its models find and keep; empty where they have class numbers only.
    """
    named = {
        **{f"zones.{zone}.labels": one.labels for zone, one in section.zones.items()},
        **{f"lines.{line}.labels": one.labels for line, one in section.lines.items()},
        **{f"masks.{mask}.labels": one.labels for mask, one in section.masks.items()},
        "snapshots.labels": section.snapshots.labels if section.snapshots.enabled else (),
        "privacy.blur": section.privacy.blur,
    }
    for key, labels in named.items():
        yield from _unknown(f"cameras.{name}.{key}", labels, found)


def of_sensor(name: str, section: SensorSettings, found: Sequence[str]) -> Iterator[UnknownLabel]:
    """Those of a sensor whose models are classifiers; the default of ``normal`` names nothing."""
    if "normal" in section.model_fields_set:
        yield from _unknown(f"sensors.{name}.normal", section.normal, found)


def _unknown(key: str, labels: Sequence[str], found: Sequence[str]) -> Iterator[UnknownLabel]:
    for label in dict.fromkeys(labels):
        if label in found or (not found and label.isdecimal()):
            continue
        near = get_close_matches(label, found, n=1)
        known = ", ".join(found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
        hint = f"did you mean {near[0]!r}?" if near else f"found are {known or 'class numbers, as text'}"
        yield UnknownLabel(key, label, hint)


class LabelWatch:
    """Says in the log what no model finds. Owned by the main thread."""

    def __init__(self) -> None:
        self._looked: tuple[Settings, Mapping[str, str]] | None = None
        self._told: set[tuple[UnknownLabel, tuple[str, ...]]] = set()

    def look(self, settings: Settings, models: Mapping[str, KnownModel]) -> None:
        """Look where something has changed since the last time; called now and then.

        Args:
            settings: In force.
            models: That are served, by name.
        """
        known = {name: one for name, model in models.items() if (one := model.description)}
        digests = {name: one.digest for name, one in known.items()}
        if self._looked and self._looked[0] is settings and self._looked[1] == digests:
            return
        self._looked = settings, digests
        told = set()
        for users, unknown in _all(settings, known):
            told.add(case := (unknown, tuple(digests[name] for name in users)))
            if case not in self._told:
                _log.warning(
                    "no model finds this label",
                    key=unknown.key,
                    label=unknown.label,
                    hint=unknown.hint,
                    models=", ".join(users),
                )
        self._told = told


def _all(
    settings: Settings, known: Mapping[str, "ModelDescription"]
) -> Iterator[tuple[tuple[str, ...], UnknownLabel]]:
    """With the models that should know it; of cameras and sensors whose models all serve."""
    for name, camera in settings.cameras.items():
        found = _found(settings, camera.models, known, task="detect")
        if found is not None:
            yield from ((camera.models, one) for one in of_camera(name, camera, found))
    for name, sensor in settings.sensors.items():
        found = _found(settings, sensor.models, known, task="tabular")
        if found:
            yield from ((sensor.models, one) for one in of_sensor(name, sensor, found))


def _found(
    settings: Settings, names: Sequence[str], known: Mapping[str, "ModelDescription"], *, task: str
) -> list[str] | None:
    """What models of a task find and keep; None where it cannot be said: one does not serve, or none has the task."""
    if any(name not in known for name in names):
        return None
    asked = [name for name in names if known[name].task == task]
    return (
        [label for name in asked for label in settings.models[name].labels or known[name].labels]
        if asked
        else None
    )

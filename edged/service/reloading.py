"""What a reload changes, and who is told when it is done."""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from edged.sections import CameraSettings, PrivacySettings, SensorSettings, SnapshotSettings, TrackSettings
from edged.settings import Settings

MAX_ASKING = 64
"""Commands that wait for a reload."""

Reply = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between the settings in force and new ones.

    Attributes:
        link: The broker, or how this device calls itself there.
        models: Those that are loaded anew, and those that are not used any more.
        gone: Cameras that end: their section is another one, or is not there any more.
        new: Cameras whose section was not there.
        adjusted: Cameras that go on with another section, as their connection stays as it is.
        updates: From where models come, or when.
        gone_sensors: Likewise; those that the broker gives their rows also where it is another one.
        new_sensors: Likewise.
    """

    link: bool
    models: tuple[str, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]
    gone_sensors: tuple[str, ...] = ()
    new_sensors: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    updates: bool = False

    @property
    def sections(self) -> list[str]:
        """For people."""
        cameras = [*self.gone, *self.new, *self.adjusted]
        return [
            *(["mqtt"] if self.link else []),
            *(f"models.{name}" for name in self.models),
            *(f"cameras.{name}" for name in cameras),
            *(f"sensors.{name}" for name in (*self.gone_sensors, *self.new_sensors)),
            *(["updates"] if self.updates else []),
        ]


def changes(
    old: Settings,
    new: Settings,
    *,
    fresh: Collection[str],
    served: Collection[str],
    used: Collection[str],
    cameras: Mapping[str, CameraSettings],
    sensors: Mapping[str, SensorSettings],
) -> Changes:
    """Compare settings. Pure.

    Args:
        old: In force.
        new: To be put in force.
        fresh: Models that are loaded anew for them.
        served: Models that are there now.
        used: Models that ``new`` uses.
        cameras: Those at work, as they were started.
        sensors: Likewise.
    """
    retired = [name for name in served if name in fresh or name not in used]
    link = (old.mqtt, old.device) != (new.mqtt, new.device)
    return Changes(
        link=link,
        models=tuple(dict.fromkeys([*fresh, *retired])),
        gone=tuple(
            name for name, section in cameras.items() if not is_same_source(section, new.cameras.get(name))
        ),
        new=tuple(name for name in new.cameras if name not in cameras),
        gone_sensors=tuple(
            name
            for name, section in sensors.items()
            if new.sensors.get(name) != section
            or (link and section.url.startswith("mqtt:"))
            or any(
                model in fresh for model in section.models
            )  # what waits for the old one is asked for again
        ),
        new_sensors=tuple(name for name in new.sensors if name not in sensors),
        updates=old.updates != new.updates,
        adjusted=tuple(
            name
            for name, section in cameras.items()
            if section != new.cameras.get(name) and is_same_source(section, new.cameras.get(name))
        ),
    )


def is_same_source(section: CameraSettings, other: CameraSettings | None) -> bool:
    """Whether a camera can go on with another section as it is: only what is made of its results differs."""
    return other is not None and _source(section) == _source(other)


def _source(section: CameraSettings) -> CameraSettings:
    """The section without what is asked for with each result."""
    usual: dict[str, Any] = {
        "publish": "every",
        "min_score": None,
        "max_rate": None,
        "track": TrackSettings(),
    }
    places: dict[str, Any] = {"zones": {}, "lines": {}, "masks": {}}
    pictures: dict[str, Any] = {"snapshots": SnapshotSettings(), "privacy": PrivacySettings()}
    motion = section.motion.model_copy(update={"off_delay": 0.0})
    return section.model_copy(update=usual | places | pictures | {"motion": motion})


class Reloads:
    """Who asked for a reload by command: any thread asks, the main thread takes and answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Reply] = []
        self._taken: list[Reply] = []
        self._closed = ""

    def ask(self, reply: Reply) -> None:
        """Ask for a reload; ``reply`` is called once, when it is done, was refused, or will not come."""
        with self._lock:
            refusal = self._closed
            if not refusal and len(self._waiting) >= MAX_ASKING:
                refusal = "too many commands are waiting"
            if not refusal:
                self._waiting.append(reply)
        if refusal:
            reply({"ok": False, "error": refusal})

    def take(self) -> bool:
        """Whether somebody asks; one reload, begun after this, serves all who have asked by now."""
        with self._lock:
            self._taken += self._waiting
            self._waiting = []
            return bool(self._taken)

    def answer(self, answer: Mapping[str, Any]) -> None:
        """Tell those who were taken, unless they were told already."""
        with self._lock:
            taken, self._taken = self._taken, []
        for reply in taken:
            reply(answer)

    def close(self, why: str) -> None:
        """No reload comes any more: everybody is told."""
        with self._lock:
            self._closed = why
        self.take()
        self.answer({"ok": False, "error": why})

"""What Home Assistant is told of the configuration, and when it is told again."""

import time
from collections.abc import Callable, Mapping, Sequence

from edged import __version__, machine
from edged.lifecycle import ServedModel
from edged.mqtt.homeassistant import (
    BORN,
    Announced,
    AnnouncedCamera,
    AnnouncedSensor,
    discovery_topic,
    labels_to_count,
)
from edged.mqtt.topics import Topics
from edged.sections import CameraSettings, SensorSettings
from edged.service.announcing import Announcer
from edged.service.counting import Counts
from edged.settings import Settings

COLLECT_S = 5.0
"""Between two announcements for labels that were found first: each is the whole message."""


class HomeAssistant:
    """Keeps Home Assistant told. `tell` belongs to the main thread; `hear` may be called from any."""

    def __init__(self, announcer: Announcer, counts: Counts, repeat: Callable[[str], None]) -> None:
        """Nothing is said yet.

        Args:
            announcer: Says it, and remembers.
            counts: Labels found so far.
            repeat: Has the broker told a state once more.
        """
        self._announcer, self._counts, self._repeat = announcer, counts, repeat
        self._machine = machine.cpu_name()
        self._said: Announced | None = None
        self._said_s = float("-inf")
        self._born = False

    def hear(self, payload: bytes) -> None:
        """Home Assistant says how it is."""
        self._born = self._born or payload == BORN

    def tell(
        self, settings: Settings, topics: Topics, models: Mapping[str, ServedModel], *, anew: bool = False
    ) -> None:
        """Announce what is there, if that has changed, or Home Assistant was born.

        Args:
            settings: In force.
            topics: Of the device.
            models: Those that are used.
            anew: The link was not told before.
        """
        if not settings.mqtt.homeassistant:
            self._said = None
            self._announcer.withdraw()
            return
        born, self._born = self._born, False
        labels = {
            camera: tuple(
                dict.fromkeys(
                    label
                    for name in section.models
                    if name in models
                    for label in self._counted(settings, camera, models[name])
                )
            )
            for camera, section in settings.cameras.items()
        }
        for camera, expected in labels.items():
            self._counts.expect(camera, expected)
        announced = Announced(
            version=__version__,
            machine=self._machine,
            cameras=tuple(
                _camera(camera, settings.cameras[camera], counted) for camera, counted in labels.items()
            ),
            models=tuple(models),
            sensors=tuple(
                _sensor(name, section, [models[one] for one in section.models if one in models])
                for name, section in settings.sensors.items()
            ),
        )
        now_s = time.monotonic()
        changed = announced != self._said and now_s - self._said_s > COLLECT_S
        if changed or anew or born:
            self._said, self._said_s = announced, now_s
            self._announcer.announce(announced, topics, born=born)
        if born:
            self._repeat(discovery_topic(topics))

    def _counted(self, settings: Settings, camera: str, model: ServedModel) -> tuple[str, ...]:
        known = model.description.labels if model.description else ()
        seen = (*self._announcer.labels(camera), *self._counts.labels(camera))
        return labels_to_count(settings.models[model.name].labels, known, seen)


def _camera(name: str, section: CameraSettings, labels: tuple[str, ...]) -> AnnouncedCamera:
    pictured = section.snapshots.labels or labels
    return AnnouncedCamera(
        name,
        labels,
        has_motion=section.motion.gate != "off" or section.track.enabled,
        zones=tuple((zone, asked.labels or labels) for zone, asked in section.zones.items()),
        lines=tuple((line, asked.labels or labels) for line, asked in section.lines.items())
        if section.track.enabled
        else (),
        pictures=pictured if section.snapshots.enabled else (),
    )


_SAYS: Mapping[str, tuple[str, ...]] = {
    "classifier": ("label",),
    "regressor": ("value",),
    "anomaly": ("score",),
    "autoencoder": ("score",),
}
"""Keys of ``result`` by family; an anomaly itself is told by the alarm."""


def _sensor(name: str, section: SensorSettings, models: Sequence[ServedModel]) -> AnnouncedSensor:
    from edged.publisher import tells_anomalies  # noqa: PLC0415  # for who has sensors

    found = [model.description for model in models if model.description]
    says = dict.fromkeys(key for one in found for key in _SAYS.get(one.family, ()))
    alarms = any(tells_anomalies(one.family, one.labels, section) for one in found)
    return AnnouncedSensor(name, tuple(says), alarms)

"""What cameras and sensors want of the models that they name. Pure."""

from collections import Counter

from edged.errors import ConfigurationError
from edged.lifecycle.demand import Demand
from edged.sections import CameraSettings, SensorSettings
from edged.settings import Settings
from edged.worker.request import RowUse

BLUR_SCORE = 0.1
"""What is found with such a score is blurred where its label is."""


def uses(settings: Settings) -> dict[str, Demand]:
    """What is wanted of each model that is used.

    Raises:
        ConfigurationError: A camera and a sensor want the same one.
    """
    cameras = Counter(name for camera in settings.cameras.values() for name in dict.fromkeys(camera.models))
    rows: dict[str, list[RowUse]] = {}
    for sensor, section in settings.sensors.items():
        for name in dict.fromkeys(section.models):
            rows.setdefault(name, []).append(_row_use(sensor, section))
    for name in rows:
        if name in cameras:
            raise ConfigurationError(
                f"models.{name}", "is named by a camera and by a sensor", "a model takes pictures, or rows"
            )
    demands = {name: _of_cameras(name, settings, feeds) for name, feeds in cameras.items()}
    return demands | {name: Demand(len(users), "rows", tuple(users)) for name, users in rows.items()}


def _of_cameras(name: str, settings: Settings, feeds: int) -> Demand:
    users = [camera for camera in settings.cameras.values() if name in camera.models]
    tensors = sum(tensors_of(camera) for camera in users)
    return Demand(
        feeds,
        tensors=tensors,
        max_age_s=min(camera.max_age for camera in users),
        eager=sum(camera.fps == 0 or camera.realtime is False for camera in users),
        low_score=min(_low_score(camera) for camera in users),
    )


def _low_score(section: CameraSettings) -> float:
    """Down to which detections are wanted: tracks go on with faint ones, and what may be a person is blurred."""
    tracked = section.track.low_score  # also where nothing is followed yet: a reload may change that at once
    return min(tracked, BLUR_SCORE) if section.privacy.blur else tracked


def _row_use(sensor: str, section: SensorSettings) -> RowUse:
    rows = section.window if isinstance(section.window, int) else 0
    return RowUse(sensor, section.fields, rows, fixed=not isinstance(section.window, float))


def tensors_of(section: CameraSettings) -> int:
    """That a frame of a camera makes, as a rule: of a tiled one the whole too, of motion one."""
    columns, rows = section.tiles
    return 1 + (columns * rows if section.tiles != (1, 1) else 0) + section.motion.regions

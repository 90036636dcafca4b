"""The sections of the configuration: every key of the contract with its type, its default and its bounds.

The JSON Schema comes from these classes. A stage gets its own section and never the whole.
"""

from edged.sections.cameras import (
    CameraSettings,
    MotionSettings,
    PrivacySettings,
    SnapshotSettings,
    TrackSettings,
    is_path,
    stream_scheme,
)
from edged.sections.daemon import (
    HttpSettings,
    ModelSettings,
    MqttSettings,
    StateSettings,
    StoreSettings,
    UpdatesSettings,
)
from edged.sections.sensors import SensorSettings, is_sensor_path
from edged.sections.values import Name, limits_of

__all__ = [
    "CameraSettings",
    "HttpSettings",
    "ModelSettings",
    "MotionSettings",
    "MqttSettings",
    "Name",
    "PrivacySettings",
    "SensorSettings",
    "SnapshotSettings",
    "StateSettings",
    "StoreSettings",
    "TrackSettings",
    "UpdatesSettings",
    "is_path",
    "is_sensor_path",
    "limits_of",
    "stream_scheme",
]

"""Under which names results go out."""

from dataclasses import dataclass

from edged.mqtt.topics import Topics


@dataclass(frozen=True, slots=True)
class Sender:
    """Under which names results go out.

    Attributes:
        topics: Of the device.
        qos: Of results.
    """

    topics: Topics
    qos: int

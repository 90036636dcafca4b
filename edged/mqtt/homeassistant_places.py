"""Entities of what happens where before a camera: zones, lines, pictures of what is there. Pure."""

from collections.abc import Iterator, Mapping
from itertools import islice

from edged.mqtt.homeassistant_entities import Entity
from edged.mqtt.homeassistant_names import can_be_a_topic, shown
from edged.mqtt.homeassistant_templates import Config, attributes, availability, available, on
from edged.mqtt.topics import Topics

Labels = tuple[str, ...]

MOST_PLACES = 200
"""Entities of a camera's zones, and of its lines; more would fill Home Assistant."""


def of_zones(topics: Topics, camera: str, zones: Mapping[str, Labels]) -> Iterator[Entity]:
    """Whether something of a label is in a zone, and how many.

    Args:
        topics: Of the device.
        camera: Its name.
        zones: By name: labels that are counted in it.
    """
    yield from islice(
        (
            Entity(
                "binary_sensor",
                ("camera", camera, "zone", zone, label),
                f"{camera} {zone} {shown(label)}",
                {
                    "state_topic": topics.zone_count(camera, zone, label),
                    "value_template": on("value | int(0) > 0"),
                    "device_class": "occupancy",
                    **attributes(topics.zone_count(camera, zone, label), {"count": "value | int(0)"}),
                    "availability": [
                        *availability(topics),
                        available(topics.camera_state(camera), "value_json.state == 'online'"),
                    ],
                    "availability_mode": "all",
                },
            )
            for zone, labels in zones.items()
            for label in filter(can_be_a_topic, dict.fromkeys(labels))
        ),
        MOST_PLACES,
    )


def of_lines(topics: Topics, camera: str, lines: Mapping[str, Labels]) -> Iterator[Entity]:
    """How many of a label have crossed a line, each way, since edged was started.

    Args:
        topics: Of the device.
        camera: Its name.
        lines: By name: labels that are counted.
    """
    yield from islice(
        (
            Entity(
                "sensor",
                ("camera", camera, "line", line, label, way),
                f"{camera} {line} {shown(label)} {way}",
                _crossings(topics.line_count(camera, line, label, way), way),
            )
            for line, labels in lines.items()
            for label in filter(can_be_a_topic, dict.fromkeys(labels))
            for way in ("in", "out")
        ),
        MOST_PLACES,
    )


def of_pictures(topics: Topics, camera: str, labels: Labels) -> Iterator[Entity]:
    """The best picture of the newest object of a label.

    Args:
        topics: Of the device.
        camera: Its name.
        labels: Of which there are pictures.
    """
    for label in filter(can_be_a_topic, dict.fromkeys(labels)):
        yield Entity(
            "image",
            ("camera", camera, "picture", label),
            f"{camera} {shown(label)} picture",
            {"image_topic": topics.best_view(camera, label), "content_type": "image/jpeg"},
        )


def _crossings(topic: str, way: str) -> Config:
    icon = "mdi:location-enter" if way == "in" else "mdi:location-exit"
    return {"state_topic": topic, "state_class": "total_increasing", "icon": icon}

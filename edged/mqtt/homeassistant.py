"""Announcing a device to Home Assistant: one retained message that names all its entities (MQTT discovery).

    Announced ─┬─ config_payload ─→ homeassistant/device/<id>/config ─→ Home Assistant makes a device of it
               └─ announced_components ─→ the caller remembers them: what is gone later is named once more as gone

Pure: no clock, no file, no socket. Home Assistant takes an entity away where its component holds nothing but the
platform, or where the whole message is empty; to leave a component out takes nothing away. See
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (Home Assistant 2024.12 and later).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

from edged.mqtt.homeassistant_entities import (
    Entity,
    components,
    of_camera,
    of_device,
    of_model,
    of_sensor,
)
from edged.mqtt.homeassistant_names import identifier
from edged.mqtt.homeassistant_places import of_lines, of_pictures, of_zones
from edged.mqtt.homeassistant_templates import availability
from edged.mqtt.topics import Topics

PREFIX: Final = "homeassistant"
"""Where Home Assistant looks for devices, unless it was told otherwise."""

BIRTH_TOPIC: Final = f"{PREFIX}/status"
BORN: Final = b"online"
"""What Home Assistant says there when it has started, and is ready to hear of devices."""

NO_DEVICE: Final = b""
"""As configuration: the device is gone, with all its entities."""

FEW_LABELS = 20
"""A model of so many is counted by all its labels; one of more, such as COCO's 80, by those it has found."""

MOST_LABELS = 100
"""Of one model; more would fill Home Assistant with entities, and the message beyond what brokers take."""


@dataclass(frozen=True, slots=True)
class AnnouncedCamera:
    """A camera as announced.

    Attributes:
        name: As configured.
        labels: Those whose count is published; see `labels_to_count`.
        has_motion: Whether ``camera/<name>/motion`` is published.
        zones: Each with the labels that are counted in it.
        lines: Each with the labels of which crossings are counted.
        pictures: Labels of which there are pictures.
    """

    name: str
    labels: tuple[str, ...] = ()
    has_motion: bool = False
    zones: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lines: tuple[tuple[str, tuple[str, ...]], ...] = ()
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnouncedSensor:
    """A sensor as announced.

    Attributes:
        name: As configured.
        says: Keys of ``result`` that its models give: ``label``, ``value``, ``anomaly``, ``score``.
        alarms: Whether something says what an anomaly is.
    """

    name: str
    says: tuple[str, ...] = ()
    alarms: bool = False


@dataclass(frozen=True, slots=True)
class Announced:
    """A device as announced; its name is that of its topics.

    Attributes:
        version: Of edged.
        machine: What it is, for people: the processor, or the board. Empty if that is not known.
        configuration_url: Of a page about it, ``http://…`` or ``https://…``; empty for none.
        cameras: In the order of the configuration.
        models: Names of those that are served.
        sensors: In the order of the configuration.
    """

    version: str
    machine: str = ""
    configuration_url: str = ""
    cameras: tuple[AnnouncedCamera, ...] = ()
    models: tuple[str, ...] = ()
    sensors: tuple[AnnouncedSensor, ...] = ()


class Component(NamedTuple):
    """What Home Assistant knows an entity of a device by."""

    id: str
    platform: str


def discovery_topic(topics: Topics, *, prefix: str = PREFIX) -> str:
    """Where a device is announced, retained.

    >>> discovery_topic(Topics("edged", "gate-7"))
    'homeassistant/device/edged--gate-7/config'
    """
    return f"{prefix}/device/{_device_id(topics)}/config"


def config_payload(announced: Announced, topics: Topics, *, removed: Iterable[Component] = ()) -> bytes:
    """The whole message.

    Args:
        announced: The device as it is now.
        topics: Of the device.
        removed: What was announced before and is gone; what is there again is announced, not removed.
    """
    found: dict[str, dict[str, Any]] = {
        gone.id: {"platform": gone.platform} for gone in removed
    } | _components(announced, topics)
    device = {
        "identifiers": [topics.root],
        "name": topics.device,
        "manufacturer": "edged",
        "model": announced.machine,
        "sw_version": announced.version,
        "configuration_url": announced.configuration_url,
    }
    message = {
        "device": {key: value for key, value in device.items() if value},
        "origin": {"name": "edged", "sw_version": announced.version},
        "availability": availability(topics),
        "qos": 1,
        "components": found,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def announced_components(announced: Announced, topics: Topics) -> tuple[Component, ...]:
    """What `config_payload` announces: to be remembered, so that it can be removed when it is gone."""
    return tuple(Component(key, config["platform"]) for key, config in _components(announced, topics).items())


def labels_to_count(
    configured: Sequence[str], known: Sequence[str], seen: Iterable[str] = ()
) -> tuple[str, ...]:
    """Which labels of a model get a count of their own.

    Args:
        configured: ``labels`` of the model in the configuration: if there are any, they are what is wanted.
        known: Labels of the served version; all of them where they are few.
        seen: Those found so far, of any model and from before a restart as well, the first one first. Where ``known``
            is not empty, others than those are left out.

    Returns:
        Each once, `MOST_LABELS` at most.

    >>> labels_to_count([], ["parcel", "code"])
    ('parcel', 'code')
    """
    if configured:
        chosen: Iterable[str] = configured
    elif 0 < len(known) <= FEW_LABELS:
        chosen = known
    else:
        possible = set(known)
        chosen = (label for label in seen if label in possible or not possible)
    return tuple(dict.fromkeys(chosen))[:MOST_LABELS]


def _components(announced: Announced, topics: Topics) -> dict[str, dict[str, Any]]:
    return components(_entities(announced, topics), topics, _device_id(topics))


def _entities(announced: Announced, topics: Topics) -> Iterator[Entity]:
    return chain(
        of_device(topics),
        chain.from_iterable(_of_camera(topics, camera) for camera in announced.cameras),
        chain.from_iterable(
            of_sensor(topics, sensor.name, sensor.says, alarms=sensor.alarms) for sensor in announced.sensors
        ),
        chain.from_iterable(of_model(topics, model) for model in announced.models),
    )


def _of_camera(topics: Topics, camera: AnnouncedCamera) -> Iterator[Entity]:
    yield from of_camera(topics, camera.name, camera.labels, has_motion=camera.has_motion)
    yield from of_zones(topics, camera.name, dict(camera.zones))
    yield from of_lines(topics, camera.name, dict(camera.lines))
    yield from of_pictures(topics, camera.name, camera.pictures)


def _device_id(topics: Topics) -> str:
    return identifier(topics.base, topics.device)

"""Entities of zones, lines and pictures: as documented, and reading what edged says."""

import contextlib
import json
from typing import Any

import pytest
from homeassistant_schema import VALIDATOR
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edged.mqtt.homeassistant import Announced, AnnouncedCamera, announced_components, config_payload
from edged.mqtt.homeassistant_places import MOST_PLACES, of_lines, of_zones
from edged.mqtt.topics import JPEG, TEXT, Topics

TOPICS = Topics("edged", "gate-7")
CAMERA = AnnouncedCamera(
    "front",
    ("person", "traffic light"),
    has_motion=True,
    zones=(("yard", ("person", "traffic light")), ("person", ("person",))),
    lines=(("gate", ("person",)),),
    pictures=("person",),
)
JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
JINJA.filters["to_json"] = json.dumps


def components(camera: AnnouncedCamera = CAMERA) -> dict[str, dict[str, Any]]:
    message = json.loads(config_payload(Announced("1", cameras=(camera,)), TOPICS))
    VALIDATOR.validate(message)
    found: dict[str, dict[str, Any]] = message["components"]
    return found


def rendered(template: str, payload: bytes) -> str:
    variables: dict[str, object] = {"value": payload.decode()}
    with contextlib.suppress(ValueError):
        variables["value_json"] = json.loads(payload)
    return JINJA.from_string(template).render(variables)


@pytest.mark.parametrize(
    ("payload", "state", "count"), [(b"0", "OFF", 0), (b"1", "ON", 1), (b"12", "ON", 12)]
)
def test_a_zone_is_occupied_while_something_is_in_it(payload: bytes, state: str, count: int) -> None:
    zone = components()["camera--front--zone--yard--person"]
    assert zone["state_topic"] == TOPICS.zone_count("front", "yard", "person")
    assert rendered(zone["value_template"], payload) == state
    assert json.loads(rendered(zone["json_attributes_template"], payload)) == {"count": count}
    assert zone["device_class"] == "occupancy"


def test_every_topic_is_one_that_edged_publishes() -> None:
    found = components()
    lines = [found[f"camera--front--line--gate--person--{way}"] for way in ("in", "out")]
    assert [line["state_topic"].rpartition("/")[2] for line in lines] == ["in", "out"]
    for one in (*lines, found["camera--front--zone--yard--person"]):
        assert TOPICS.meaning(one["state_topic"]).content_type == TEXT
    picture = found["camera--front--picture--person"]
    assert picture["image_topic"] == TOPICS.best_view("front", "person") != TOPICS.snapshot("front")
    assert TOPICS.meaning(picture["image_topic"]).content_type == JPEG


def test_zones_lines_and_pictures_of_like_names_are_told_apart() -> None:
    camera = AnnouncedCamera(
        "front",
        ("a",),
        zones=(("a", ("a",)), ("a-b", ("c",)), ("a", ("b-c",))),
        lines=(("a", ("a",)),),
        pictures=("a",),
    )
    found = components(camera)
    assert len({one["unique_id"] for one in found.values()}) == len(found)
    assert len({one["default_entity_id"] for one in found.values()}) == len(found)


def test_what_was_taken_out_of_the_configuration_is_named_as_gone() -> None:
    before = announced_components(Announced("1", cameras=(CAMERA,)), TOPICS)
    bare = Announced("1", cameras=(AnnouncedCamera("front", CAMERA.labels, has_motion=True),))
    kept = {one.id for one in announced_components(bare, TOPICS)}
    gone = [one for one in before if one.id not in kept]
    assert {one.platform for one in gone} == {"binary_sensor", "sensor", "image"}
    assert len(gone) == 3 + 2 + 1
    message = json.loads(config_payload(bare, TOPICS, removed=gone))
    VALIDATOR.validate(message)
    assert message["components"]["camera--front--picture--person"] == {"platform": "image"}


def test_home_assistant_is_not_filled_with_places() -> None:
    labels = tuple(map(str, range(MOST_PLACES)))
    assert len(list(of_zones(TOPICS, "front", {"a": labels, "b": labels}))) == MOST_PLACES
    assert len(list(of_lines(TOPICS, "front", {"a": labels}))) == MOST_PLACES
    assert not list(of_zones(TOPICS, "front", {"a": ("\x85",)}))

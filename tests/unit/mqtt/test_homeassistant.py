"""The announcement of a device against Home Assistant's documentation."""

import json
import re
from typing import Any

import pytest
from homeassistant_schema import SCHEMA, VALIDATOR
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from edged.mqtt.homeassistant import (
    FEW_LABELS,
    MOST_LABELS,
    NO_DEVICE,
    Announced,
    AnnouncedCamera,
    AnnouncedSensor,
    Component,
    announced_components,
    config_payload,
    discovery_topic,
    labels_to_count,
)
from edged.mqtt.homeassistant_names import identifier
from edged.mqtt.topics import Topics

TOPICS = Topics("edged", "gate-7")
LABELS = (
    "person",
    "traffic light",
    "Gabelstapler größer",
    "人",
    'the "best" label',
    "it's {{ 7 }}",
    "a/b",
    "a_b",
)
ALL = Announced(
    version="0.1.0",
    machine="AMD EPYC, 2 cores",
    configuration_url="http://10.0.0.7:9110",
    cameras=(AnnouncedCamera("front", LABELS, has_motion=True), AnnouncedCamera("yard.back", ("person",))),
    models=("vehicles", "yolox.nano"),
    sensors=(
        AnnouncedSensor("pump", ("label", "value", "score"), alarms=True),
        AnnouncedSensor("front"),  # as a camera is called
        AnnouncedSensor("line.1", ("value",)),
    ),
)


def message(announced: Announced = ALL, topics: Topics = TOPICS, **more: Any) -> dict[str, Any]:
    return json.loads(config_payload(announced, topics, **more))


# The message


@pytest.mark.parametrize(
    "announced", [ALL, Announced(version="0.1.0"), Announced("1", cameras=(AnnouncedCamera("front"),))]
)
def test_the_announcement_is_as_home_assistant_documents_it(announced: Announced) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(message(announced, removed=[Component("old", "sensor")]))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("camera--front--snapshot", {"state_topic": "a"}),  # an image has none
        ("camera--front--motion", {"device_class": "movement"}),
        ("camera--front--motion", {"entity_category": "config"}),
        ("camera--front--enabled", {"retain": True}),
        ("model--vehicles--update", {"unique_id": "with space"}),
        ("device--cpu", {"platform": "camera"}),
    ],
)
def test_the_schema_of_these_tests_refuses_what_is_wrong(key: str, change: dict[str, Any]) -> None:
    wrong = message()
    wrong["components"][key] |= change
    with pytest.raises(ValidationError):
        VALIDATOR.validate(wrong)


def test_a_device_is_announced_on_a_topic_that_home_assistant_takes() -> None:
    assert discovery_topic(TOPICS) == "homeassistant/device/edged--gate-7/config"
    odd = discovery_topic(Topics("haus/größe", "a.b"), prefix="ha")
    assert re.fullmatch("ha/device/[a-zA-Z0-9_-]+/config", odd)
    assert odd != discovery_topic(Topics("haus/größe", "a_b"), prefix="ha")


def test_the_device_says_what_it_is_and_leaves_out_what_is_not_known() -> None:
    assert message()["device"] == {
        "identifiers": ["edged/gate-7"],
        "name": "gate-7",
        "manufacturer": "edged",
        "model": "AMD EPYC, 2 cores",
        "sw_version": "0.1.0",
        "configuration_url": "http://10.0.0.7:9110",
    }
    assert {"model", "configuration_url"}.isdisjoint(message(Announced("0.1.0"))["device"])


def test_each_entity_of_the_contract_is_there() -> None:
    only_front = Announced(
        "1",
        cameras=(AnnouncedCamera("front", ("person",), has_motion=True),),
        models=("m",),
        sensors=(AnnouncedSensor("pump", ("label", "score"), alarms=True),),
    )
    assert {(one.platform, one.id) for one in announced_components(only_front, TOPICS)} == {
        ("binary_sensor", "device--connection"),
        ("sensor", "device--cpu"),
        ("sensor", "device--memory"),
        ("sensor", "device--waiting"),
        ("sensor", "device--dropped"),
        ("binary_sensor", "device--outbox_problem"),
        ("sensor", "device--last_error"),
        ("button", "device--reload"),
        ("binary_sensor", "camera--front--connection"),
        ("switch", "camera--front--enabled"),
        ("number", "camera--front--min_score"),
        ("binary_sensor", "camera--front--motion"),
        ("sensor", "camera--front--count--person"),
        ("sensor", "camera--front--frame_rate"),
        ("sensor", "camera--front--result_rate"),
        ("image", "camera--front--snapshot"),
        ("button", "camera--front--take_snapshot"),
        ("binary_sensor", "sensor--pump--connection"),
        ("sensor", "sensor--pump--rejected"),
        ("binary_sensor", "sensor--pump--alarm"),
        ("sensor", "sensor--pump--label"),
        ("sensor", "sensor--pump--score"),
        ("sensor", "sensor--pump--row_rate"),
        ("sensor", "model--m--version"),
        ("update", "model--m--update"),
    }


def test_motion_is_announced_only_where_it_is_published() -> None:
    keys = message()["components"]
    assert "camera--front--motion" in keys
    assert identifier("camera", "yard.back", "motion") not in keys


def test_names_of_a_camera_stand_together_and_entity_ids_read_well() -> None:
    found = [one for key, one in message()["components"].items() if key.startswith("camera--front--")]
    assert all(one["name"].startswith("front ") for one in found)
    light = next(one for one in found if "traffic" in one["name"])
    assert light["name"] == "front traffic light count"
    assert light["default_entity_id"] == "sensor.gate_7_front_traffic_light_count"
    assert light["state_topic"] == TOPICS.count("front", "traffic light")


def test_an_alarm_and_what_models_say_are_announced_only_where_they_are_published() -> None:
    keys = message(Announced("1", sensors=(AnnouncedSensor("pump"),)))["components"]
    found = {key for key in keys if key.startswith("sensor--pump--")}
    assert found == {"sensor--pump--connection", "sensor--pump--rejected", "sensor--pump--row_rate"}


def test_entities_of_a_sensor_read_well() -> None:
    found = {key: one for key, one in message()["components"].items() if key.startswith("sensor--pump--")}
    assert found["sensor--pump--score"]["name"] == "pump score"
    assert found["sensor--pump--score"]["default_entity_id"] == "sensor.gate_7_pump_score"
    assert found["sensor--pump--score"]["state_topic"] == TOPICS.sensor_result("pump")
    assert found["sensor--pump--alarm"]["default_entity_id"] == "binary_sensor.gate_7_pump_alarm"
    assert found["sensor--pump--alarm"]["device_class"] == "problem"


def test_a_sensor_that_lost_its_alarm_has_it_removed() -> None:
    before = announced_components(ALL, TOPICS)
    quiet = Announced("1", sensors=(AnnouncedSensor("pump"),))
    found = message(quiet, removed=before)["components"]
    assert found["sensor--pump--alarm"] == {"platform": "binary_sensor"}
    assert found["sensor--pump--connection"]["device_class"] == "connectivity"
    VALIDATOR.validate(message(quiet, removed=before))


def test_each_entity_has_an_identifier_of_its_own() -> None:
    found = message()["components"].values()
    for key in ("unique_id", "default_entity_id"):
        given_ids = [one[key] for one in found]
        assert len(set(given_ids)) == len(given_ids)


def test_two_devices_share_no_identifier() -> None:
    others = (Topics("edged", "gate-8"), Topics("edged/gate", "7"), Topics("edged", "gate.7"))
    mine = {one["unique_id"] for one in message()["components"].values()}
    for other in others:
        theirs = {one["unique_id"] for one in message(topics=other)["components"].values()}
        assert mine.isdisjoint(theirs)


def test_a_label_that_cannot_be_in_a_topic_is_left_out() -> None:
    odd = Announced("1", cameras=(AnnouncedCamera("front", ("ok", "\ud800", "\x85", "\uffff")),))
    counts = [key for key in message(odd)["components"] if "--count--" in key]
    assert counts == ["camera--front--count--ok"]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(), unique=True, max_size=20))
def test_any_labels_make_a_valid_announcement(labels: list[str]) -> None:
    odd = Announced("1", cameras=(AnnouncedCamera("front", tuple(labels)),))
    found = message(odd)
    VALIDATOR.validate(found)
    given_ids = [one["default_entity_id"] for one in found["components"].values()]
    assert len(set(given_ids)) == len(given_ids)


# Removing


def test_what_is_gone_is_named_with_its_platform_alone_and_what_is_back_is_announced() -> None:
    gone = Component("camera--old--snapshot", "image")
    back = Component("camera--front--snapshot", "image")
    found = message(removed=[gone, back])["components"]
    assert found[gone.id] == {"platform": "image"}
    assert found[back.id]["image_topic"] == TOPICS.snapshot("front")
    assert {Component(key, one["platform"]) for key, one in found.items()} - {gone} == set(
        announced_components(ALL, TOPICS)
    )


def test_a_device_is_removed_by_an_empty_message() -> None:
    assert NO_DEVICE == b""


# Which labels


MANY = [f"label {number}" for number in range(FEW_LABELS + 1)]


@pytest.mark.parametrize(
    ("configured", "known", "seen", "expected"),
    [
        ([], [], [], ()),
        (["car", "bus", "car"], MANY, ["label 1"], ("car", "bus")),
        ([], ["parcel", "code"], ["other"], ("parcel", "code")),
        ([], MANY[:-1], [], tuple(MANY[:-1])),
        ([], MANY, [], ()),
        ([], MANY, ["label 7", "of an older version", "label 2", "label 7"], ("label 7", "label 2")),
        ([], [], ["0", "17"], ("0", "17")),  # a model without labels: the class as text
    ],
)
def test_labels_that_are_counted(
    configured: list[str], known: list[str], seen: list[str], expected: tuple[str, ...]
) -> None:
    assert labels_to_count(configured, known, seen) == expected


def test_a_model_of_a_thousand_labels_does_not_fill_home_assistant() -> None:
    known = [str(number) for number in range(1000)]
    assert labels_to_count([], known, known) == tuple(known[:MOST_LABELS])

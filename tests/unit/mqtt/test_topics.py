import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.schemas import SHAPES
from edged.mqtt.topics import JPEG, JSON, TABLE, TEXT, Place, Topics, everything, level, place

TOPICS = Topics("site/edged", "gate-7")


def test_every_topic_of_the_contract_is_spelled_as_there():
    root = "site/edged/gate-7"
    assert TOPICS.status == f"{root}/status"
    assert TOPICS.info == f"{root}/info"
    assert TOPICS.health == f"{root}/health"
    assert TOPICS.detections("front") == f"{root}/camera/front/detections"
    assert TOPICS.events("front") == f"{root}/camera/front/events"
    assert TOPICS.count("front", "car") == f"{root}/camera/front/count/car"
    assert TOPICS.zone_count("front", "driveway", "car") == f"{root}/camera/front/zone/driveway/count/car"
    assert TOPICS.line_count("front", "gate", "car", "in") == f"{root}/camera/front/line/gate/count/car/in"
    assert TOPICS.motion("front") == f"{root}/camera/front/motion"
    assert TOPICS.camera_state("front") == f"{root}/camera/front/state"
    assert TOPICS.snapshot("front") == f"{root}/camera/front/snapshot"
    assert TOPICS.sensor_result("pump") == f"{root}/sensor/pump/result"
    assert TOPICS.sensor_state("pump") == f"{root}/sensor/pump/state"
    assert TOPICS.model_state("vehicles") == f"{root}/model/vehicles/state"
    assert TOPICS.commands == f"{root}/cmd/#"
    assert TOPICS.command("model/activate") == f"{root}/cmd/model/activate"
    assert TOPICS.response("ping") == f"{root}/rsp/ping"


@pytest.mark.parametrize(
    ("topic", "schema"),
    [
        (TOPICS.detections("front"), "edged.detections/1"),
        (TOPICS.sensor_result("pump"), "edged.sensor/1"),
        (TOPICS.info, "edged.info/1"),
        (TOPICS.health, "edged.health/1"),
        (TOPICS.camera_state("state"), "edged.camera_state/1"),
        (TOPICS.sensor_state("result"), "edged.sensor_state/1"),
        (TOPICS.model_state("detections"), "edged.model_state/1"),
        (TOPICS.events("front"), "edged.event/1"),
    ],
)
def test_json_topics_know_their_schema_whatever_the_names_in_them(topic, schema):
    assert TOPICS.meaning(topic).schema == schema
    assert TOPICS.meaning(topic).content_type == JSON


@pytest.mark.parametrize(
    ("topic", "content_type"),
    [
        (TOPICS.status, TEXT),
        (TOPICS.motion("front"), TEXT),
        (TOPICS.count("front", "car"), TEXT),
        (TOPICS.zone_count("front", "z", "car"), TEXT),
        (TOPICS.snapshot("front"), JPEG),
        (TOPICS.best_view("front", "fork/lift"), JPEG),
    ],
)
def test_other_topics_say_what_they_carry(topic, content_type):
    assert TOPICS.meaning(topic).content_type == content_type
    assert TOPICS.meaning(topic).schema == ""


PUBLISHED = {
    "status": TOPICS.status,
    "info": TOPICS.info,
    "health": TOPICS.health,
    "gap": TOPICS.gap,
    "camera/<name>/state": TOPICS.camera_state("front"),
    "camera/<name>/detections": TOPICS.detections("front"),
    "camera/<name>/events": TOPICS.events("front"),
    "camera/<name>/count/<label>": TOPICS.count("front", "car"),
    "camera/<name>/zone/<zone>/count/<label>": TOPICS.zone_count("front", "driveway", "car"),
    "camera/<name>/line/<line>/count/<label>/in": TOPICS.line_count("front", "gate", "car", "in"),
    "camera/<name>/line/<line>/count/<label>/out": TOPICS.line_count("front", "gate", "car", "out"),
    "camera/<name>/motion": TOPICS.motion("front"),
    "camera/<name>/snapshot": TOPICS.snapshot("front"),
    "camera/<name>/snapshot/<label>": TOPICS.best_view("front", "car"),
    "sensor/<name>/state": TOPICS.sensor_state("pump"),
    "sensor/<name>/result": TOPICS.sensor_result("pump"),
    "model/<name>/state": TOPICS.model_state("vehicles"),
    "cmd/<verb>": TOPICS.command("model/activate"),
    "rsp/<verb>": TOPICS.response("ping"),
}


def test_the_table_has_every_topic_that_is_used_once():
    assert [row.pattern for row in TABLE] == list(PUBLISHED)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.pattern)
def test_a_topic_is_spelled_as_its_pattern_and_means_what_its_row_says(row):
    topic = PUBLISHED[row.pattern].removeprefix("site/edged/gate-7/")
    parts = (r"[^/]+(/[^/]+)?" if part.startswith("<") else part for part in row.pattern.split("/"))
    assert re.fullmatch("/".join(parts), topic)
    assert TOPICS.meaning(PUBLISHED[row.pattern]) == row.meaning


def test_the_table_names_every_schema_once():
    named = [row.meaning.schema for row in TABLE if row.meaning.schema]
    assert sorted(named) == sorted("edged." + name.replace("-", "/") for name in SHAPES)


@given(st.text(max_size=40))
def test_a_label_of_any_text_is_one_level_without_wildcards(text):
    name = level(text)
    assert name
    assert not set(name) & set("/+#\x00")


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True))
def test_what_is_put_together_is_taken_apart_again(name):
    assert place("site/edged", TOPICS.detections(name)) == Place("gate-7", "camera", name, "detections")


@pytest.mark.parametrize("topic", ["", "other/x/status", "site/edged", "site/edged/", "site/edged/gate-7"])
def test_what_is_no_topic_of_a_device_is_told_apart(topic):
    assert place("site/edged", topic) is None


def test_the_device_s_own_topics_have_no_kind():
    assert place("site/edged", TOPICS.status) == Place("gate-7", "", "", "status")
    assert everything("site/edged") == "site/edged/#"

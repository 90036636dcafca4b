"""Each entity on messages that edged really makes: rendered as Home Assistant does, read as edged reads commands."""

import contextlib
import json
from typing import Any

import pytest
from homeassistant_schema import UPDATE_STATE_VALIDATOR
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edged.mqtt.commands import Command, read_command
from edged.mqtt.homeassistant import Announced, AnnouncedCamera, AnnouncedSensor, config_payload
from edged.mqtt.homeassistant_entities import Entity, components, of_camera, of_model, of_sensor
from edged.mqtt.payloads import timestamp
from edged.mqtt.records import Received
from edged.mqtt.sensor_payloads import RejectedRowShape, SensorStateMessage
from edged.mqtt.shapes.camera_state import CameraStateMessage
from edged.mqtt.shapes.health import HealthMessage, SourceHealthShape, SpoolShape
from edged.mqtt.shapes.model_state import (
    CandidateShape,
    ModelStateMessage,
    RejectedShape,
    UpdateShape,
    VersionShape,
)
from edged.mqtt.topics import Topics

TOPICS = Topics("edged", "gate-7")
ALL = Announced(
    "0.1.0",
    cameras=(AnnouncedCamera("front", ("person",), has_motion=True),),
    models=("vehicles",),
    sensors=(AnnouncedSensor("pump", ("label", "value", "score"), alarms=True),),
)
DIGEST = "sha256:" + "ab" * 32
NOW = timestamp(1_795_359_600.0)

JINJA = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined
)  # stricter than Home Assistant, which only logs
JINJA.filters["to_json"] = lambda value: json.dumps(value, ensure_ascii=False, allow_nan=False)


def rendered(template: str, payload: bytes) -> str:
    """As Home Assistant renders a template of what came in."""
    text = payload.decode()
    variables: dict[str, object] = {"value": text}
    with contextlib.suppress(ValueError):
        variables["value_json"] = json.loads(text)
    return JINJA.from_string(template).render(variables)


def message() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(config_payload(ALL, TOPICS))
    return found


def component(key: str) -> dict[str, Any]:
    found: dict[str, Any] = message()["components"][key]
    return found


def state_of(key: str, payload: bytes) -> str:
    return rendered(component(key)["value_template"], payload)


def attributes_of(key: str, payload: bytes) -> Any:
    return json.loads(rendered(component(key)["json_attributes_template"], payload))


def ordered(key: str, option: str) -> Command:
    """The command that edged reads from what Home Assistant sends for an option."""
    config = component(key)
    assert (config["qos"], config["retain"]) == (1, False)
    command = read_command(TOPICS, Received(config["command_topic"], config[option].encode(), retained=False))
    assert isinstance(command, Command)
    return command


def camera(state: str = "online", **more: Any) -> bytes:
    return CameraStateMessage(device="gate-7", camera="front", state=state, since=NOW, **more).payload()


def health(**more: Any) -> bytes:
    made = {
        "device": "gate-7",
        "at": NOW,
        "uptime_s": 61.0,
        "cpu_percent": 108.2,
        "memory_bytes": 232_202_240,
        "sources": (SourceHealthShape(name="front", captured_per_s=11.93, published_per_s=2.0, dropped={}),),
        "spool": SpoolShape(entries=3, bytes=1000, dropped=4),
        **more,
    }
    return HealthMessage(**made).payload()


def version(number: int) -> VersionShape:
    return VersionShape(version=number, digest=DIGEST)


def rejected(number: int, reason: str = "no box where one was expected") -> RejectedShape:
    return RejectedShape(version=number, reason=reason, step="golden", at=NOW)


def model(**more: Any) -> bytes:
    return ModelStateMessage(
        device="gate-7", model="vehicles", provider_asked=("auto",), since=NOW, **more
    ).payload()


# Availability


@pytest.mark.parametrize(
    ("status", "expected"), [(b"online", "online"), (b"offline", "offline"), (b"stopped", "offline")]
)
def test_the_device_is_available_while_it_is_online(status: bytes, expected: str) -> None:
    (only,) = message()["availability"]
    assert only["topic"] == TOPICS.status
    assert rendered(only["value_template"], status) == expected
    assert state_of("device--connection", status) == ("ON" if expected == "online" else "OFF")
    assert component("device--connection")["availability"] == []


@pytest.mark.parametrize(
    ("state", "expected"), [("online", "online"), ("offline", "offline"), ("disabled", "offline")]
)
def test_what_a_camera_sees_is_available_while_it_is_online(state: str, expected: str) -> None:
    for key in ("camera--front--count--person", "camera--front--motion", "camera--front--take_snapshot"):
        config = component(key)
        assert config["availability_mode"] == "all"
        of_device, of_camera = config["availability"]
        assert of_device["topic"] == TOPICS.status
        assert of_camera["topic"] == TOPICS.camera_state("front")
        assert rendered(of_camera["value_template"], camera(state)) == expected


# Cameras


def test_a_camera_says_whether_it_is_online_and_why_not() -> None:
    online = camera(width=1920, height=1080, fps=25.0)
    offline = camera("offline", why='it says "no" in größe')
    assert state_of("camera--front--connection", online) == "ON"
    assert state_of("camera--front--connection", offline) == "OFF"
    assert attributes_of("camera--front--connection", online) == {
        "camera_state": "online",
        "reason": "",
        "since": NOW,
        "width": 1920,
        "height": 1080,
        "announced_fps": 25.0,
    }
    assert attributes_of("camera--front--connection", offline) == {
        "camera_state": "offline",
        "reason": 'it says "no" in größe',
        "since": NOW,
        "width": None,
        "height": None,
        "announced_fps": None,
    }


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (camera(), "ON"),
        (camera("offline"), "ON"),
        (camera("disabled"), "OFF"),
        (camera("online", enabled=True), "ON"),
        (camera("online", enabled=False), "OFF"),  # it is being closed
        (camera("disabled", enabled=True), "ON"),  # it is being opened
    ],
)
def test_the_switch_shows_what_was_switched(payload: bytes, expected: str) -> None:
    assert state_of("camera--front--enabled", payload) == expected


def test_the_switch_sends_a_command() -> None:
    for option, enabled in (("payload_on", True), ("payload_off", False)):
        command = ordered("camera--front--enabled", option)
        assert command.verb == "camera/enable"
        assert command.arguments == {"name": "front", "enabled": enabled}


@pytest.mark.parametrize(
    ("payload", "expected"), [(camera(), 0), (camera(min_score=0.35), 0.35), (camera(min_score=1.0), 1)]
)
def test_the_minimum_score_is_shown(payload: bytes, expected: float) -> None:
    assert float(state_of("camera--front--min_score", payload)) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.35, 0.35), (0, 0), (1, 1), (0.1 + 0.2, 0.3)])
def test_the_minimum_score_is_sent_as_a_number(value: float, expected: float) -> None:
    config = component("camera--front--min_score")
    sent = JINJA.from_string(config["command_template"]).render(value=value)
    command = read_command(TOPICS, Received(config["command_topic"], sent.encode(), retained=False))
    assert isinstance(command, Command)
    assert command.verb == "camera/min_score"
    assert command.arguments == {"name": "front", "min_score": expected}


def test_buttons_ask_for_a_snapshot_and_for_a_reload() -> None:
    snapshot = ordered("camera--front--take_snapshot", "payload_press")
    assert (snapshot.verb, snapshot.arguments) == ("camera/snapshot", {"name": "front"})
    reload = ordered("device--reload", "payload_press")
    assert (reload.verb, reload.arguments) == ("reload", {})


@pytest.mark.parametrize("name", ["it's", 'a "b"', "{{ 7 * 7 }}{% raw %}", "größe 人", "back\\slash\nline"])
def test_a_name_is_taken_as_it_is_whatever_stands_in_it(name: str) -> None:
    entities = iter(
        [
            *of_camera(TOPICS, name, (), has_motion=False),
            *of_model(TOPICS, name),
            *of_sensor(TOPICS, name, (), alarms=False),
        ]
    )
    found = {key.rpartition("--")[2]: one for key, one in components(entities, TOPICS, "d").items()}
    sent = JINJA.from_string(found["min_score"]["command_template"]).render(value=0.5)
    assert json.loads(sent) == {"name": name, "min_score": 0.5}
    assert json.loads(found["enabled"]["payload_on"])["name"] == name
    assert json.loads(found["take_snapshot"]["payload_press"]) == {"name": name}
    assert json.loads(found["update"]["payload_install"]) == {"name": name}
    assert json.loads(rendered(found["update"]["value_template"], model()))["title"] == name
    seen = SourceHealthShape(name=name, captured_per_s=1, published_per_s=7.5, dropped={})
    assert rendered(found["result_rate"]["value_template"], health(sources=(seen,))) == "7.5"
    assert rendered(found["row_rate"]["value_template"], health(sources=(seen,))) == "1.0"


# Sensors


def sensor(state: str = "online", **more: Any) -> bytes:
    made = {"device": "gate-7", "sensor": "pump", "state": state, "since": NOW, "rows": 7, **more}
    return SensorStateMessage(**made).payload()


def scored(said: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"schema": "edged.sensor/1", "source": "pump", "result": said, **more}).encode()


@pytest.mark.parametrize(
    ("state", "expected"), [("online", "online"), ("offline", "offline"), ("disabled", "offline")]
)
def test_what_a_sensor_says_is_available_while_it_is_online(state: str, expected: str) -> None:
    for key in ("alarm", "label", "value", "score"):
        config = component(f"sensor--pump--{key}")
        assert config["availability_mode"] == "all"
        of_device, of_sensor = config["availability"]
        assert of_device["topic"] == TOPICS.status
        assert of_sensor["topic"] == TOPICS.sensor_state("pump")
        assert rendered(of_sensor["value_template"], sensor(state)) == expected
    for key in ("connection", "rejected", "row_rate"):
        assert "availability" not in component(f"sensor--pump--{key}")


def test_a_sensor_says_whether_it_is_online_and_why_not_and_what_could_not_be_read() -> None:
    last = RejectedRowShape(line=3, reason="x is 'ä', not a number", at=NOW)
    offline = sensor("offline", why='no "row"', rejected=2, last_rejected=last)
    assert state_of("sensor--pump--connection", sensor()) == "ON"
    assert state_of("sensor--pump--connection", offline) == "OFF"
    said = {"sensor_state": "online", "reason": "", "since": NOW, "rows": 7, "last_rejected": ""}
    assert attributes_of("sensor--pump--connection", sensor()) == said
    assert attributes_of("sensor--pump--connection", offline) == said | {
        "sensor_state": "offline",
        "reason": 'no "row"',
        "last_rejected": "x is 'ä', not a number",
    }
    assert state_of("sensor--pump--rejected", sensor()) == "0"
    assert state_of("sensor--pump--rejected", offline) == "2"


@pytest.mark.parametrize(
    ("payload", "expected"), [(sensor(alarm=True), "ON"), (sensor(alarm=False), "OFF"), (sensor(), "OFF")]
)
def test_an_alarm_is_a_problem(payload: bytes, expected: str) -> None:
    assert component("sensor--pump--alarm")["state_topic"] == TOPICS.sensor_state("pump")
    assert state_of("sensor--pump--alarm", payload) == expected


@pytest.mark.parametrize(
    ("key", "said", "expected"),
    [
        ("label", {"label": "größer", "class_id": 1}, "größer"),
        ("label", {"label": "x" * 300}, "x" * 255),
        ("value", {"value": 20.5}, "20.5"),
        ("value", {"value": 0.0}, "0.0"),
        ("score", {"anomaly": True, "score": -0.25, "alarm": True}, "-0.25"),
    ],
)
def test_the_newest_result_is_shown(key: str, said: dict[str, Any], expected: str) -> None:
    assert component(f"sensor--pump--{key}")["state_topic"] == TOPICS.sensor_result("pump")
    assert state_of(f"sensor--pump--{key}", scored(said)) == expected


@pytest.mark.parametrize(
    ("key", "said", "expected"),
    [
        ("label", {"count": 2, "label": ["normal", "inner"], "class_id": [0, 1]}, "inner"),
        ("value", {"count": 2, "value": [1.5, 0.0]}, "0.0"),
        ("score", {"count": 1, "anomaly": [True], "score": [-0.25]}, "-0.25"),
        ("score", {"count": 1, "value": [1.5]}, ""),
    ],
)
def test_of_many_results_in_a_message_the_newest_is_shown(
    key: str, said: dict[str, Any], expected: str
) -> None:
    payload = json.dumps({"schema": "edged.sensor/1", "source": "pump", "results": said}).encode()
    assert state_of(f"sensor--pump--{key}", payload) == expected


def test_a_result_of_another_model_or_from_before_changes_nothing() -> None:
    for key in ("label", "value", "score"):
        assert state_of(f"sensor--pump--{key}", scored({"outputs": {"y": [1]}})) == ""
    assert state_of("sensor--pump--value", scored({"value": 7.0}, replayed=True)) == ""


def test_a_sensor_that_is_called_as_a_camera_has_a_rate_of_its_own() -> None:
    entities = of_sensor(TOPICS, "front", (), alarms=False)
    rate = components(entities, TOPICS, "d")["sensor--front--row_rate"]["value_template"]
    camera_first = [
        SourceHealthShape(name="front", captured_per_s=captured, published_per_s=0, dropped={})
        for captured in (12.0, 256.0)
    ]
    assert rendered(rate, health(sources=tuple(camera_first))) == "256.0"
    assert rendered(rate, health(sources=())) == ""


# Health


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("device--cpu", "108.2"),
        ("device--memory", "221.4"),
        ("device--waiting", "3"),
        ("device--dropped", "4"),
        ("device--outbox_problem", "OFF"),
        ("device--last_error", "none"),
        ("camera--front--frame_rate", "11.93"),
        ("camera--front--result_rate", "2.0"),
    ],
)
def test_health_is_shown(key: str, expected: str) -> None:
    assert component(key)["state_topic"] == TOPICS.health
    assert component(key)["expire_after"] > 3 * 60
    assert state_of(key, health()) == expected


def test_figures_of_a_message_that_waited_are_ignored() -> None:
    for key in ("device--cpu", "device--memory", "device--outbox_problem", "camera--front--frame_rate"):
        assert state_of(key, health(replayed=True)) == ""


def test_a_camera_that_is_not_reported_on_yet_has_no_rate() -> None:
    assert state_of("camera--front--frame_rate", health(sources=())) == ""


def test_the_last_error_is_shown_as_far_as_a_state_goes() -> None:
    assert state_of("device--last_error", health(errors=('größer "als"', "older"))) == 'größer "als"'
    assert state_of("device--last_error", health(errors=("x" * 300,))) == "x" * 255


def test_an_outbox_that_cannot_be_kept_is_a_problem_with_a_reason() -> None:
    full = health(spool=SpoolShape(entries=0, bytes=0, dropped=0, why="no space left on device"))
    assert state_of("device--outbox_problem", full) == "ON"
    assert attributes_of("device--outbox_problem", full) == {"reason": "no space left on device"}


# Models


def test_the_version_that_serves_is_shown_and_what_runs_it() -> None:
    serving = model(active=version(3), previous=version(2), provider="cpu", pinned=3)
    assert state_of("model--vehicles--version", serving) == "3"
    assert attributes_of("model--vehicles--version", serving) == {
        "provider": "cpu",
        "reason": "",
        "pinned": 3,
        "previous": 2,
        "probation": "",
    }
    assert state_of("model--vehicles--version", model(why="no version")) == "None"  # shown as unknown


def afar(state: str, **changes: Any) -> UpdateShape:
    return UpdateShape(state=state, at=NOW, **changes)


TRIED = CandidateShape(version=4, digest=DIGEST, step="warm-up")


@pytest.mark.parametrize(
    ("payload", "installed", "latest", "summary", "busy"),
    [
        (model(), "none", "none", "", False),
        (model(active=version(3)), "3", "3", "", False),
        (model(active=version(3), previous=version(2), rejected=(rejected(2),)), "3", "3", "", False),
        (model(active=version(3), candidate=TRIED), "3", "4", "Version 4 is being tried: warm-up", True),
        (model(candidate=TRIED), "none", "4", "Version 4 is being tried: warm-up", True),
        (
            model(active=version(3), rejected=(rejected(4), rejected(5, 'a "bad" größe'))),
            "3",
            "3",
            'Version 5 was rejected: a "bad" größe',
            False,
        ),
        (
            model(active=version(9), waiting={"10": "model.onnx is still growing", "8": "x"}),
            "9",
            "10",
            "Version 10 has not arrived: model.onnx is still growing",
            False,
        ),
        (
            model(active=version(2), previous=version(3), pinned=2),
            "2",
            "3",
            "Version 2 is pinned; installing takes the pin away.",
            False,
        ),
        (
            model(active=version(2), previous=version(3), rejected=(rejected(3),)),
            "2",
            "2",
            "Version 3 was rejected: no box where one was expected",
            False,
        ),
        (model(rejected=(rejected(1, "y" * 400),)), "none", "none", None, False),
        (model(active=version(3), update=afar("checked")), "3", "3", "", False),
        (model(active=version(3), update=afar("active", version=3)), "3", "3", "", False),
        (
            model(active=version(3), update=afar("offered", version=5, reason="waits for 01:00-05:00")),
            "3",
            "5",
            "Updates: offered waits for 01:00-05:00",
            False,
        ),
        (
            model(active=version(3), update=afar("downloading", version=5, bytes=996, of=1000)),
            "3",
            "5",
            "Version 5 is being downloaded: 99 %",
            True,
        ),
        (model(update=afar("downloading", version=1, bytes=0, of=0)), "none", "1", None, True),
        (
            model(active=version(3), candidate=TRIED, update=afar("staged", version=4)),
            "3",
            "4",
            "Version 4 is being tried: warm-up",
            True,
        ),
        (
            model(active=version(3), update=afar("refused", version=5, reason="needs: edged 9")),
            "3",
            "3",
            "Updates: refused needs: edged 9",
            False,
        ),
        (
            model(
                active=version(3),
                rejected=(rejected(4),),
                update=afar("refused", version=4, reason="y" * 400),
            ),
            "3",
            "3",
            "Version 4 was rejected: no box where one was expected",
            False,
        ),
        (
            model(active=version(2), pinned=2, update=afar("offered", version=5, reason="x")),
            "2",
            "5",
            "Version 2 is pinned; installing takes the pin away.",
            False,
        ),
    ],
)
def test_an_update_offers_the_newest_version_that_stands(
    payload: bytes, installed: str, latest: str, summary: str | None, busy: bool
) -> None:
    found = json.loads(state_of("model--vehicles--update", payload))
    UPDATE_STATE_VALIDATOR.validate(found)
    assert found["title"] == "vehicles"
    assert (found["installed_version"], found["latest_version"]) == (installed, latest)
    assert found["in_progress"] is busy
    assert summary is None or found["release_summary"] == summary


def test_an_update_is_installed_by_command() -> None:
    command = ordered("model--vehicles--update", "payload_install")
    assert (command.verb, command.arguments) == ("model/update", {"name": "vehicles"})


def test_an_entity_needs_no_options() -> None:
    (only,) = components(iter([Entity("tag", ("a", "b"), "n")]), TOPICS, "d").items()
    assert only == (
        "a--b",
        {"platform": "tag", "unique_id": "d--a--b", "default_entity_id": "tag.gate_7_n", "name": "n"},
    )

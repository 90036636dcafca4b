from typing import Any

import pytest

from edged.sections import CameraSettings, SensorSettings
from edged.service.reloading import MAX_ASKING, Reloads, changes
from edged.settings import Settings, check_settings


def settings(**given: Any) -> Settings:
    cameras = given.pop("cameras", {"front": {"url": "a.mp4", "models": ["m"]}})
    return check_settings({"device": "box", "cameras": cameras, **given}, name="test").settings


def sections(old: Settings) -> dict[str, CameraSettings]:
    return dict(old.cameras)


def compared(old: Settings, new: Settings, *fresh: str, served: tuple[str, ...] = ("m",)) -> list[str]:
    used = {name for camera in new.cameras.values() for name in camera.models}
    used |= {name for sensor in new.sensors.values() for name in sensor.models}
    return changes(
        old,
        new,
        fresh=fresh,
        served=served,
        used=used,
        cameras=sections(old),
        sensors=sensor_sections(old),
    ).sections


def sensor_sections(old: Settings) -> dict[str, SensorSettings]:
    return dict(old.sensors)


def test_the_same_settings_change_nothing() -> None:
    assert compared(settings(), settings()) == []


@pytest.mark.parametrize("given", [{"device": "crate"}, {"mqtt": {"url": "mqtt://other"}}])
def test_another_name_or_broker_is_another_link(given: dict[str, Any]) -> None:
    assert compared(settings(), settings(**given)) == ["mqtt"]


def test_cameras_that_are_new_changed_or_gone_are_named_and_others_are_not() -> None:
    kept, other = {"url": "a.mp4", "models": ["m"]}, {"url": "b.mp4", "models": ["m"]}
    old = settings(cameras={"kept": kept, "changed": kept, "gone": kept})
    new = settings(cameras={"kept": kept, "changed": other, "new": kept})
    change = changes(old, new, fresh=(), served=["m"], used=["m"], cameras=sections(old), sensors={})
    assert (change.gone, change.new) == (("changed", "gone"), ("new",))
    assert change.sections == ["cameras.changed", "cameras.gone", "cameras.new"]


def test_sensors_that_are_new_changed_or_gone_are_named_and_others_are_not() -> None:
    kept, other = {"url": "a.csv", "models": ["m"]}, {"url": "a.csv", "models": ["m"], "window": 8}
    old = settings(sensors={"kept": kept, "changed": kept, "gone": kept})
    new = settings(sensors={"kept": kept, "changed": other, "new": kept})
    change = changes(
        old, new, fresh=(), served=["m"], used=["m"], cameras=sections(old), sensors=sensor_sections(old)
    )
    assert (change.gone, change.new) == ((), ())
    assert (change.gone_sensors, change.new_sensors) == (("changed", "gone"), ("new",))
    assert change.sections == ["sensors.changed", "sensors.gone", "sensors.new"]


def test_what_a_sensor_has_instead_of_a_missing_value_may_be_nan_and_is_no_change() -> None:
    lenient = {"lenient": {"url": "a.csv", "models": ["m"], "missing": float("nan")}}
    same = {"lenient": {"url": "a.csv", "models": ["m"], "missing": -float("nan")}}
    assert compared(settings(sensors=lenient), settings(sensors=same)) == []


@pytest.mark.parametrize("given", [{"device": "crate"}, {"mqtt": {"url": "mqtt://other"}}])
def test_sensors_of_the_broker_begin_anew_with_another_link(given: dict[str, Any]) -> None:
    sensors = {
        "topic": {"url": "MQTT:factory/pump", "models": ["m"]},
        "file": {"url": "mqtt.csv", "models": ["m"]},
    }
    found = compared(settings(sensors=sensors), settings(sensors=sensors, **given))
    assert found == ["mqtt", "sensors.topic"]


def test_updates_from_elsewhere_are_named_and_touch_nothing_else() -> None:
    given = {"updates": {"url": "https://u", "root": "root.json"}}
    assert compared(settings(), settings(**given)) == ["updates"]
    assert compared(settings(**given), settings(**given)) == []


def test_models_that_are_loaded_anew_or_left_are_named_once() -> None:
    old = settings(cameras={"front": {"url": "a.mp4", "models": ["m", "n"]}})
    found = compared(old, settings(), "m", served=("m", "n"))
    assert found == ["models.m", "models.n", "cameras.front"]


def test_whoever_asked_before_a_reload_began_is_told_once_and_others_by_the_next() -> None:
    reloads, told = Reloads(), []
    assert not reloads.take()
    reloads.ask(lambda answer: told.append(("first", answer)))
    assert reloads.take()
    reloads.ask(lambda answer: told.append(("later", answer)))
    reloads.answer({"ok": True})
    reloads.answer({"ok": False})
    assert told == [("first", {"ok": True})]
    assert reloads.take()
    reloads.answer({"ok": False})
    assert told[1:] == [("later", {"ok": False})]


def test_nobody_waits_for_a_reload_that_does_not_come() -> None:
    reloads, told = Reloads(), []
    reloads.ask(told.append)
    reloads.take()
    reloads.ask(told.append)
    reloads.close("stopping")
    reloads.ask(told.append)
    assert told == [{"ok": False, "error": "stopping"}] * 3


def test_not_more_ask_than_can_be_remembered() -> None:
    reloads, told = Reloads(), []
    for _ in range(MAX_ASKING + 1):
        reloads.ask(told.append)
    assert [answer["error"] for answer in told] == ["too many commands are waiting"]


AREA = {"points": [[0, 0], [1, 0], [1, 1]]}


@pytest.mark.parametrize(
    "differs",
    [
        {"zones": {"a": AREA}},
        {"lines": {"a": {"points": [[0, 0], [1, 1]]}}},
        {"masks": {"a": AREA}},
        {"track": False},
        {"publish": "changed"},
        {"min_score": 0.5},
        {"max_rate": "1/s"},
        {"snapshots": True},
        {"privacy": {"blur": ["person"]}},
        {"motion": {"gate": "off", "off_delay": "9s"}},
    ],
)
def test_what_is_asked_of_results_only_leaves_the_connection_of_a_camera_as_it_is(
    differs: dict[str, Any],
) -> None:
    camera = {"url": "a.mp4", "models": ["m"]}
    old, new = settings(cameras={"front": camera}), settings(cameras={"front": camera | differs})
    change = changes(old, new, fresh=(), served=["m"], used=["m"], cameras=sections(old), sensors={})
    assert (change.gone, change.adjusted, change.sections) == ((), ("front",), ["cameras.front"])


@pytest.mark.parametrize("differs", [{"fps": 5}, {"crop": [0, 0, 0.5, 1]}, {"motion": {"gate": "pixels"}}])
def test_anything_else_begins_a_camera_anew_with_its_zones(differs: dict[str, Any]) -> None:
    camera = {"url": "a.mp4", "models": ["m"]}
    old = settings(cameras={"front": camera})
    new = settings(cameras={"front": camera | differs | {"zones": {"a": AREA}}})
    change = changes(old, new, fresh=(), served=["m"], used=["m"], cameras=sections(old), sensors={})
    assert (change.gone, change.adjusted) == (("front",), ())

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.records import Received
from edged.mqtt.tally import MAX_MODELS, MAX_REASONS, MAX_SOURCES, RATE_OVER_S, Row, Tally


def result(identity: str, sequence: int, **more) -> Received:
    payload = {"id": identity, "sequence": sequence, "detections": [], **more}
    return Received("edged/gate-7/camera/front/detections", json.dumps(payload).encode(), False)


def told(leaf: str, payload: bytes | dict) -> Received:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Received(f"edged/gate-7/{leaf}", body, False)


def gap(identity: str, topic: str, count: object, reason: str = "full") -> Received:
    return told("gap", {"id": identity, "topic": topic, "reason": reason, "count": count})


FRONT = "edged/gate-7/camera/front/detections"


def fed(*messages: Received) -> Tally:
    tally = Tally("edged")
    for message in messages:
        tally.feed(message, 0.0)
    return tally


def dropped(tally: Tally) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {row.source: (row.dropped, row.reasons) for row in tally.rows(0.0)}


def only(tally: Tally, now_s: float = 0.0) -> Row:
    (row,) = tally.rows(now_s)
    return row


def test_gaps_duplicates_and_replays_are_counted_apart():
    tally = Tally("edged")
    for message in (
        result("a", 10),
        result("b", 11),
        result("b", 11),
        result("c", 15, replayed=True),
        result("a", 10),
    ):
        tally.feed(message, 0.0)
    row = only(tally)
    assert (row.messages, row.gaps, row.duplicates, row.replayed) == (3, 3, 2, 1)


def batch(identity: str, first: int, /, **results: Any) -> Received:
    return told("sensor/pump/result", {"id": identity, "sequence": first, "results": results})


def test_each_result_of_a_message_of_many_counts():
    tally = Tally("edged")
    for now_s, message in enumerate(
        [
            batch("a", 0, count=100, label=["normal"] * 100),
            batch("b", 100, count=50, label=["normal"] * 50),
            batch("b", 100, count=50, label=["normal"] * 50),
            batch("c", 152, count=3, sequence=[152, 155, 156], value=[1, 2, 3.5]),
        ]
    ):
        tally.feed(message, float(now_s))
    row = only(tally, 3.0)
    assert (row.messages, row.gaps, row.duplicates) == (153, 4, 1)
    assert row.latest == "3.5"
    assert row.rate == 51.0


def test_of_many_results_in_a_message_the_last_is_shown():
    said = batch(
        "a", 7, count=2, label=["inner", "outer"], scores={"inner": [0.9, 0.1], "outer": [0.1, 0.87]}
    )
    assert only(fed(said)).latest == "outer 0.87"


def test_a_source_that_begins_anew_is_no_gap():
    tally = Tally("edged")
    for number, sequence in enumerate([1000, 0, 1, 2]):
        tally.feed(result(f"m{number}", sequence), 0.0)
    assert only(tally).gaps == 0


def test_live_results_that_overtake_a_backlog_are_no_gaps():
    tally = fed(
        told("status", b"online"),
        *(result(f"a{n}", n) for n in range(3)),
        told("status", b"online"),
        *(result(f"a{n}", n, replayed=True) for n in range(3, 6)),
        result("a20", 20),
    )
    row = tally.rows(0.0)[1]
    assert (row.gaps, row.replayed) == (0, 3)
    for number in range(6, 20):
        tally.feed(result(f"a{number}", number, replayed=True), 1.0)
        assert tally.rows(1.0)[1].gaps == 0
    tally.feed(result("a21", 21), 1.0)
    row = tally.rows(1.0)[1]
    assert (row.messages, row.gaps, row.replayed) == (22, 0, 17)


def test_a_backlog_that_ends_early_leaves_a_gap_once_it_is_over():
    tally = fed(told("status", b"online"), result("a", 1), told("status", b"online"))
    tally.feed(result("b", 2, replayed=True), 5.0)
    tally.feed(result("c", 10), 5.0)
    assert tally.rows(5.0)[1].gaps == 0
    assert tally.rows(5.0 + RATE_OVER_S)[1].gaps == 7


def test_a_start_of_the_daemon_is_no_gap_even_where_it_has_counted_further():
    started = [told("info", {"started_at": f"2026-11-22T15:0{minute}:00.000000Z"}) for minute in range(2)]
    tally = fed(
        told("status", b"online"),
        started[0],
        result("a", 3),
        told("status", b"online"),
        started[1],
        result("b", 4, replayed=True),
        result("c", 50),
    )
    assert tally.rows(0.0)[1].gaps == 0
    tally.feed(started[1], 0.0)  # said again after a reload
    tally.feed(result("d", 52), 0.0)
    assert tally.rows(0.0)[1].gaps == 1


def test_a_connect_of_one_device_says_nothing_of_another():
    other = Received("edged/gate-8/status", b"online", False)
    tally = fed(told("status", b"online"), result("a", 1), result("b", 5), other, result("c", 6))
    assert tally.rows(0.0)[1].gaps == 3


def test_each_model_of_a_camera_has_its_own_order():
    names = {"fast": {"name": "fast"}, "slow": {"name": "slow"}}
    order = [("fast", 1), ("fast", 2), ("slow", 1), ("fast", 3), ("slow", 2), ("slow", 3), ("fast", 5)]
    tally = fed(*(result(f"{model}{n}", n, model=names[model]) for model, n in order))
    assert only(tally).gaps == 1


def test_a_replayed_result_is_not_shown_as_the_latest_while_there_are_live_ones():
    tally = fed(result("a", 9), result("b", 3, replayed=True, detections=[{"label": "dog"}]))
    assert only(tally).latest == "nothing"


def test_dropped_results_are_counted_for_their_source_with_the_reason():
    sensor = "edged/gate-7/sensor/pump/result"
    tally = fed(
        result("a", 1),
        gap("g1", FRONT, 12),
        gap("g2", FRONT, 3, "old"),
        gap("g3", FRONT, 1),
        gap("g4", sensor, 2, "disk"),
    )
    assert dropped(tally) == {"camera/front": (16, ("full", "old")), "sensor/pump": (2, ("disk",))}
    assert tally.rows(0.0)[0].messages == 1


def test_a_gap_that_comes_twice_counts_once():
    tally = fed(gap("g1", FRONT, 12), gap("g1", FRONT, 12))
    assert dropped(tally) == {"camera/front": (12, ("full",))}
    assert only(tally).duplicates == 0


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "edged/gate-7/health",
        "other/gate-7/camera/front/detections",
        "edged/gate-8/camera/front/detections",
    ],
    ids=["not known", "of the device", "elsewhere", "of another device"],
)
def test_what_was_dropped_of_no_source_of_the_device_is_the_device_s(topic):
    assert dropped(fed(gap("g1", topic, 5, "damaged"))) == {"": (5, ("damaged",))}


@pytest.mark.parametrize("count", [0, -1, 1.5, "3", None, True, 10**400])
def test_a_gap_without_a_count_is_none(count):
    assert dropped(fed(gap("g1", FRONT, count))) in ({}, {"camera/front": (0, ())})


def test_the_state_of_a_source_does_not_hide_why_results_were_dropped():
    tally = fed(gap("g1", FRONT, 5), told("camera/front/state", {"state": "online", "why": ""}))
    assert dropped(tally) == {"camera/front": (5, ("full",))}
    assert only(tally).state == "online"


def test_a_stranger_cannot_fill_the_memory_with_models_or_reasons():
    tally = fed(*(result(f"m{n}", 10 * n, model={"name": f"m{n}"}) for n in range(MAX_MODELS + 5)))
    assert (only(tally).messages, only(tally).gaps) == (MAX_MODELS + 5, 0)
    tally = fed(*(gap(f"g{n}", FRONT, 1, f"reason {n}") for n in range(MAX_REASONS + 5)))
    assert (only(tally).dropped, len(only(tally).reasons)) == (MAX_REASONS + 5, MAX_REASONS)


def test_the_rate_is_that_of_the_last_ten_seconds():
    tally = Tally("edged")
    for number in range(200):
        tally.feed(result(f"m{number}", number), number / 10)
    assert abs(only(tally, 20.0).rate - 10.0) < 0.5
    assert only(tally, 60.0).rate == 0.0


def test_what_was_found_is_said_in_words():
    tally = Tally("edged")
    people = [{"label": "person"}, {"label": "dog"}, {"label": "person"}]
    tally.feed(result("a", 1, detections=people), 0.0)
    assert only(tally).latest == "2 person, 1 dog"
    tally.feed(result("b", 2), 0.0)
    assert only(tally).latest == "nothing"


def test_states_of_devices_cameras_and_models_are_shown():
    tally = Tally("edged")
    for topic, payload in (
        ("edged/gate-7/status", b"online"),
        ("edged/gate-7/camera/front/state", b'{"state": "offline", "why": "no answer"}'),
        ("edged/gate-7/model/vehicles/state", b'{"active": {"version": 3}, "provider": "cpu"}'),
    ):
        tally.feed(Received(topic, payload, True), 0.0)
    rows = [(row.source, row.state, row.why, row.latest) for row in tally.rows(0.0)]
    assert rows == [
        ("", "online", "", ""),
        ("camera/front", "offline", "no answer", ""),
        ("model/vehicles", "version 3", "", "cpu"),
    ]


@given(
    st.text(max_size=30),
    st.sampled_from(["detections", "state", "status", "gap", "x"]),
    st.binary(max_size=60),
)
def test_nothing_that_anybody_publishes_breaks_it(name, leaf, payload):
    tally = Tally("edged")
    tally.feed(Received(f"edged/{name}/camera/{name}/{leaf}", payload, False), 0.0)
    tally.feed(Received(f"edged/{name}/{leaf}", payload, False), 0.0)
    for row in tally.rows(0.0):
        assert (row.device + row.source + row.state + row.latest).isprintable()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_fields_of_the_wrong_type_break_nothing(value):
    tally = Tally("edged")
    payload = {
        "id": value,
        "sequence": value,
        "detections": value,
        "state": value,
        "active": value,
        "why": value,
        "model": value,
        "started_at": value,
        "topic": value,
        "count": value,
        "reason": value,
        "results": {"count": value, "sequence": value, "scores": value, "label": value},
    }
    leaves = ("camera/a/detections", "camera/a/state", "model/a/state", "sensor/a/result", "info", "gap")
    for topic in leaves:
        tally.feed(Received(f"edged/d/{topic}", json.dumps(payload).encode(), False), 0.0)
    assert tally.rows(0.0)


def test_a_stranger_cannot_fill_the_memory_with_devices():
    tally = Tally("edged")
    for number in range(MAX_SOURCES + 50):
        tally.feed(Received(f"edged/d{number}/status", b"online", True), 0.0)
    assert len(tally.rows(0.0)) == MAX_SOURCES


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"label": "inner", "class_id": 1, "scores": {"inner": 0.961}, "alarm": True}, "inner 0.96"),
        ({"label": "inner", "scores": {"inner": "high"}}, "inner"),
        ({"label": "inner", "scores": [1]}, "inner"),
        ({"label": ["odd\x1b"]}, "['odd\\x1b']"),
        ({"anomaly": True, "score": 3.25, "alarm": False}, "anomaly 3.25"),
        ({"anomaly": False}, "no anomaly"),
        ({"value": 21.5}, "21.5"),
        ({"values": [1.5, 2]}, "[1.5, 2]"),
        ({"outputs": {"y": [[1.0]]}}, '{"y": [[1.0]]}'),
        ({"anomaly": "yes"}, '{"anomaly": "yes"}'),
        ("odd", '"odd"'),
    ],
)
def test_what_a_sensor_says_is_shown_in_words(says, words):
    assert only(fed(told("sensor/pump/result", {"id": "a", "sequence": 1, "result": says}))).latest == words


def test_which_device_behind_a_sensor_it_was_is_shown():
    message = {"id": "a", "sequence": 1, "origin": "hall-2", "result": {"label": "normal"}}
    assert only(fed(told("sensor/pump/result", message))).latest == "hall-2: normal"


def test_the_alarm_of_a_sensor_is_what_its_state_says():
    states = [
        {"state": "online", **more} for more in ({"alarm": True}, {"alarm": False}, {}, {"alarm": "up"})
    ]
    shown = [only(fed(told("sensor/pump/state", state))).alarm for state in states]
    assert shown == [True, False, None, None]
    assert only(fed(*(told("sensor/pump/state", state) for state in states[:2]))).alarm is False

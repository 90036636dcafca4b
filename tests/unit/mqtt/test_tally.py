import json

from hypothesis import given
from hypothesis import strategies as st

from edged.mqtt.records import Received
from edged.mqtt.tally import MAX_SOURCES, Row, Tally


def result(identity: str, sequence: int, **more) -> Received:
    payload = {"id": identity, "sequence": sequence, "detections": [], **more}
    return Received("edged/gate-7/camera/front/detections", json.dumps(payload).encode(), False)


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


def test_a_source_that_begins_anew_is_no_gap():
    tally = Tally("edged")
    for number, sequence in enumerate([1000, 0, 1, 2]):
        tally.feed(result(f"m{number}", sequence), 0.0)
    assert only(tally).gaps == 0


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


@given(st.text(max_size=30), st.sampled_from(["detections", "state", "status", "x"]), st.binary(max_size=60))
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
    }
    for topic in ("camera/a/detections", "camera/a/state", "model/a/state", "sensor/a/result"):
        tally.feed(Received(f"edged/d/{topic}", json.dumps(payload).encode(), False), 0.0)
    assert tally.rows(0.0)


def test_a_stranger_cannot_fill_the_memory_with_devices():
    tally = Tally("edged")
    for number in range(MAX_SOURCES + 50):
        tally.feed(Received(f"edged/d{number}/status", b"online", True), 0.0)
    assert len(tally.rows(0.0)) == MAX_SOURCES

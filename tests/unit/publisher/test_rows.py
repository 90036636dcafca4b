"""Scores of sensors to messages: which of them, what they say, and when the rows behind them are safe."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edged.mqtt.payloads import ModelInfo
from edged.mqtt.topics import Topics
from edged.outbox import Rank
from edged.pipeline import RowResult
from edged.publisher import RowPublisher, Sender
from edged.publisher import rows as publisher_rows
from edged.publisher.alarm import Alarm
from edged.publisher.rows import anomalous
from edged.rows import Receipt, Scores, Windows
from edged.sections import SensorSettings

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[3] / "edged/schema/sensor-1.json").read_text())
)
PAGE = Path(__file__).parents[3] / "docs/sensors.md"
INFO = ModelInfo("pump-anomaly", 3, "sha256:" + "ab" * 32, "cpu")
LABELS = ("normal", "worn", "broken")
NORMAL, WORN, BROKEN = 0, 1, 2


class Appended(NamedTuple):
    """What an outbox was given."""

    topic: str
    message: dict[str, Any]
    qos: int
    rank: Rank
    settled: Callable[[], None] | None


class FakeOutbox:
    """Keeps what it is given; a test says when it is safe."""

    def __init__(self) -> None:
        self.appended: list[Appended] = []

    def append(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        rank: Rank = Rank.RESULT,
        settled: Callable[[], None] | None = None,
    ) -> None:
        self.appended.append(Appended(topic, json.loads(payload), qos, rank, settled))

    @property
    def messages(self) -> list[dict[str, Any]]:
        for one in self.appended:
            VALIDATOR.validate(one.message)
        return [one.message for one in self.appended]

    @property
    def sequences(self) -> list[int]:
        return [message["sequence"] for message in self.messages]


def classes(*class_ids: int) -> Scores:
    scores = np.full((len(class_ids), 3), 0.125, np.float32)
    scores[np.arange(len(class_ids)), class_ids] = 0.75
    return Scores("class", class_id=np.array(class_ids, np.int32), scores=scores)


def named(*names: str) -> Scores:
    return Scores("class", class_id=np.full(len(names), -1, np.int32), names=names)


def values(*numbers: float) -> Scores:
    return Scores("value", values=np.array(numbers, np.float64).reshape(-1, 1))


def anomalies(*flags: bool, scores: tuple[float, ...] | None = None) -> Scores:
    given_scores = np.array(scores or [0.5] * len(flags), np.float64).reshape(-1, 1)
    return Scores("anomaly", anomaly=np.array(flags, bool), values=given_scores)


def outputs(*numbers: float) -> Scores:
    return Scores("outputs", outputs=[{"y": [number]} for number in numbers])


def result(scores: Scores, sequence: int = 0, *, origin: str = "", **changes: Any) -> RowResult:
    count = len(scores)
    moments = 1_800_000_000.5 + np.arange(sequence, sequence + count, dtype=np.float64)
    windows = Windows(
        "pump",
        origin,
        sequence,
        np.zeros((count, 4, 3)),
        (),
        moments,
        moments + 0.25,
        time.monotonic() - 1,
        **changes,
    )
    model: Any = SimpleNamespace(labels=LABELS)
    return RowResult(windows, model, 3, scores, queue_ms=1.0, batch_ms=4.0, inference_ms=2.0)


def sensor(**changes: Any) -> SensorSettings:
    return SensorSettings(url="-", models=("pump-anomaly",), **changes)


@pytest.fixture
def outbox():
    return FakeOutbox()


@pytest.fixture
def alarms():
    return []


@pytest.fixture
def publisher(outbox, alarms):
    return RowPublisher(Sender(Topics("edged", "gate-7"), qos=1), outbox, lambda *told: alarms.append(told))


def emitter(publisher: RowPublisher, **changes: Any) -> Callable[[RowResult], int]:
    return publisher.emitter("pump", sensor(**changes), lambda _: INFO)


# Which windows


SAID = {
    "classes": classes(NORMAL, NORMAL, WORN, WORN, BROKEN, NORMAL),
    "names": named("normal", "normal", "worn", "worn", "broken", "normal"),
    "values": values(1, 1, 7, 7, 8, 1),
    "anomalies": anomalies(False, False, True, True, True, False),
    "outputs": outputs(1, 1, 2, 2, 3, 1),
}


@pytest.mark.parametrize(
    ("scores", "publish", "sent"),
    [
        ("classes", "every", [0, 1, 2, 3, 4, 5]),
        ("classes", "changed", [0, 2, 4, 5]),
        ("classes", "anomaly", [2, 3, 4, 5]),
        ("names", "every", [0, 1, 2, 3, 4, 5]),
        ("names", "changed", [0, 2, 4, 5]),
        ("names", "anomaly", [2, 3, 4, 5]),
        ("values", "every", [0, 1, 2, 3, 4, 5]),
        ("values", "changed", [0, 2, 4, 5]),
        ("values", "anomaly", []),
        ("anomalies", "every", [0, 1, 2, 3, 4, 5]),
        ("anomalies", "changed", [0, 2, 5]),
        ("anomalies", "anomaly", [2, 3, 4, 5]),
        ("outputs", "every", [0, 1, 2, 3, 4, 5]),
        ("outputs", "changed", [0, 2, 4, 5]),
        ("outputs", "anomaly", []),
    ],
)
@pytest.mark.parametrize("at_once", [6, 1, 4])
def test_a_sensor_is_published_as_often_as_it_says_however_windows_are_batched(
    publisher, outbox, scores, publish, sent, at_once
):
    emit = emitter(publisher, publish=publish)
    counts = [
        emit(result(SAID[scores].part(start, min(start + at_once, 6)), start))
        for start in range(0, 6, at_once)
    ]
    assert outbox.sequences == sent
    assert sum(counts) == len(sent)


@pytest.mark.parametrize(
    ("section", "scores", "expected"),
    [
        ({"above": 2.0}, values(1, 2, 3), [False, False, True]),
        ({"below": 2.0}, values(1, 2, 3), [True, False, False]),
        ({"above": 2.0, "below": 1.0}, values(0.5, 1, 2, 2.5), [True, False, False, True]),
        ({"above": 0.0}, values(-1, 0, 1), [False, False, True]),
        ({}, values(1), None),
        ({}, anomalies(True, False), [True, False]),
        ({"above": 0.6}, anomalies(True, False, scores=(0.5, 0.7)), [False, True]),  # instead of the model
        ({}, classes(NORMAL, WORN, BROKEN), [False, True, True]),
        ({"normal": ["normal", "worn"]}, classes(NORMAL, WORN, BROKEN), [False, False, True]),
        ({"normal": ["other"]}, classes(NORMAL), None),
        ({"normal": []}, classes(NORMAL), None),
        ({"above": 1.0}, classes(WORN), [True]),
        ({}, named("normal", "odd"), [False, True]),
        ({"above": 1.0}, outputs(5), None),
    ],
)
def test_what_an_anomaly_is(section, scores, expected):
    found = anomalous(scores, LABELS, sensor(**section))
    assert (None if found is None else found.tolist()) == expected


def test_of_several_values_the_first_is_compared():
    two = Scores("value", values=np.array([[1.0, 9.0], [9.0, 1.0]]))
    found = anomalous(two, (), sensor(above=5.0))
    assert found is not None
    assert found.tolist() == [False, True]


def test_a_label_that_a_new_version_numbers_otherwise_is_no_change(publisher, outbox):
    emit = emitter(publisher, publish="changed")
    emit(result(classes(WORN), 0))
    other = result(classes(NORMAL), 1)
    object.__setattr__(other, "model", SimpleNamespace(labels=("worn", "normal")))
    emit(other)
    assert outbox.sequences == [0]


def test_values_that_a_message_shows_alike_are_no_change(publisher, outbox):
    emit = emitter(publisher, publish="changed")
    emit(result(values(1.0, 1.00000001, 1.0001)))
    assert outbox.sequences == [0, 2]


def test_what_changed_of_one_device_is_no_change_of_another(publisher, outbox):
    emit = emitter(publisher, publish="changed")
    for sequence, (origin, class_id) in enumerate([("a", WORN), ("b", NORMAL), ("a", WORN), ("b", WORN)]):
        emit(result(classes(class_id), sequence, origin=origin))
    assert outbox.sequences == [0, 1, 3]


# Alarms


def test_an_alarm_is_counted_over_batches_and_said_in_each_message(publisher, outbox):
    emit = emitter(publisher, raise_after=3, clear_after=2)
    emit(result(anomalies(True, False, True), 0))
    emit(result(anomalies(True), 3))
    emit(result(anomalies(True, False, True, False), 4))
    emit(result(anomalies(False, False), 8))
    says = [message["result"]["alarm"] for message in outbox.messages]
    assert says == [False, False, False, False, True, True, True, True, False, False]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=6), max_size=8),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_an_alarm_does_not_depend_on_how_windows_are_batched(batches, raise_after, clear_after):
    outbox, told = FakeOutbox(), []
    publisher = RowPublisher(Sender(Topics("edged", "d"), 1), outbox, lambda *says: told.append(says[-1]))
    emit = emitter(publisher, raise_after=raise_after, clear_after=clear_after)
    alarm, expected, events, sequence = Alarm(raise_after, clear_after), [], [], 0
    for batch in batches:
        emit(result(anomalies(*batch), sequence))
        for anomaly in batch:
            if alarm.saw(anomaly=anomaly):
                events.append(sequence)
            expected.append(alarm.up)
            sequence += 1
        assert told[-1] == alarm.up
    assert [one.message["result"]["alarm"] for one in outbox.appended] == expected
    assert [one.message["sequence"] for one in outbox.appended if one.rank is Rank.EVENT] == events


def test_where_nothing_says_what_an_anomaly_is_there_is_no_alarm(publisher, outbox, alarms):
    emitter(publisher)(result(values(1, 2)))
    assert ["alarm" in message["result"] for message in outbox.messages] == [False, False]
    assert alarms == []


def test_an_alarm_is_told_when_it_is_first_known_and_when_it_turns(publisher, alarms):
    emit = emitter(publisher, publish="anomaly")
    for sequence, flag in enumerate([False, False, True, True, False]):
        emit(result(anomalies(flag), sequence))
    assert alarms == [
        ("pump", "pump-anomaly", "", False),
        ("pump", "pump-anomaly", "", True),
        ("pump", "pump-anomaly", "", False),
    ]


def test_an_alarm_that_a_new_version_makes_known_is_told(publisher, alarms):
    emit = emitter(publisher)
    emit(result(values(1)))
    emit(result(classes(NORMAL), 1))
    assert alarms == [("pump", "pump-anomaly", "", False)]


def test_each_device_has_an_alarm_of_its_own(publisher, outbox, alarms):
    emit = emitter(publisher, raise_after=2)
    for sequence, origin in enumerate(["a", "b", "a", "b"]):
        emit(result(anomalies(origin == "a"), sequence, origin=origin))
    assert [message["result"]["alarm"] for message in outbox.messages] == [False, False, True, False]
    assert [told[2:] for told in alarms] == [("a", False), ("b", False), ("a", True)]


def test_of_too_many_devices_the_longest_silent_is_forgotten_and_its_alarm_lowered(
    publisher, alarms, monkeypatch
):
    monkeypatch.setattr(publisher_rows, "MAX_ORIGINS", 2)
    emit = emitter(publisher)
    for sequence, origin in enumerate(["a", "b", "a", "c", "b"]):
        emit(result(anomalies(origin == "b"), sequence, origin=origin))
    assert [told[2:] for told in alarms] == [
        ("a", False),
        ("b", True),
        ("b", False),
        ("c", False),
        ("b", True),
    ]


def test_what_raises_or_clears_an_alarm_outlives_other_results_in_a_full_outbox(publisher, outbox):
    emitter(publisher)(result(anomalies(False, True, True, False, False)))
    ranks = [one.rank for one in outbox.appended]
    assert ranks == [Rank.RESULT, Rank.EVENT, Rank.RESULT, Rank.EVENT, Rank.RESULT]


# What a message says


def test_a_message_says_what_was_scored_when_and_by_what(publisher, outbox):
    emitter(publisher)(result(classes(NORMAL, WORN), 88, origin="line 1/press"))
    (one, message) = outbox.messages
    assert outbox.appended[0].topic == "edged/gate-7/sensor/pump/result"
    assert outbox.appended[0].qos == 1
    assert (message["device"], message["source"], message["origin"]) == ("gate-7", "pump", "line 1/press")
    assert (message["sequence"], message["rows"]) == (89, 4)
    assert one["first_at"] == "2027-01-15T08:01:28.500000Z"
    assert one["captured_at"] == "2027-01-15T08:01:28.750000Z"
    assert message["model"] == {
        "name": "pump-anomaly",
        "version": 3,
        "digest": "sha256:" + "ab" * 32,
        "provider": "cpu",
    }
    timing = message["timing_ms"]
    assert (timing["queue"], timing["inference"]) == (1.0, 4.0)
    assert 1000 <= timing["age"] < 10_000
    assert message["result"] == {
        "label": "worn",
        "class_id": 1,
        "scores": {"normal": 0.125, "worn": 0.75, "broken": 0.125},
        "alarm": True,
    }


def test_the_last_row_is_echoed(publisher, outbox):
    emitter(publisher)(result(values(1, 2), echoes=({"id": 'p"1', "n": 4}, {})))
    first, second = outbox.messages
    assert first["echo"] == {"id": 'p"1', "n": 4}
    assert "echo" not in second


def test_no_two_messages_have_one_id(publisher, outbox):
    emitter(publisher)(result(values(*range(100))))
    assert len({message["id"] for message in outbox.messages}) == 100


def test_after_a_change_of_the_device_results_go_out_under_its_new_name(publisher, outbox):
    emit = emitter(publisher)
    publisher.redirect(Sender(Topics("site", "dock-1"), qos=0))
    emit(result(values(1)))
    (one,) = outbox.appended
    assert (one.topic, one.qos, one.message["device"]) == ("site/dock-1/sensor/pump/result", 0, "dock-1")


# Many results in a message


def expanded(message: dict[str, Any]) -> list[dict[str, Any]]:
    """What messages of one window each would have said, as a subscriber finds it."""
    if "result" in message:
        return [
            {
                "sequence": message["sequence"],
                "first_at": message["first_at"],
                "captured_at": message["captured_at"],
                "echo": message.get("echo", {}),
                "result": message["result"],
            }
        ]
    columns = dict(message["results"])
    count, first_at = columns.pop("count"), datetime.fromisoformat(message["first_at"])

    def moment(microseconds: int) -> str:
        at = first_at + timedelta(microseconds=microseconds)
        return at.isoformat(timespec="microseconds")[:-6] + "Z"

    sequences = columns.pop("sequence", range(message["sequence"], message["sequence"] + count))
    captured = [moment(us) for us in columns.pop("captured_us", ())] or [message["captured_at"]] * count
    first = [moment(us) for us in columns.pop("first_us", ())] or captured
    echoes = columns.pop("echo", {})
    scores = columns.pop("scores", {})
    assert {len(column) for column in (*columns.values(), *scores.values(), *echoes.values())} <= {count}
    singles = []
    for n in range(count):
        result = {name: column[n] for name, column in columns.items() if column[n] is not None}
        if scores:
            result["scores"] = {name: column[n] for name, column in scores.items()}
        singles.append(
            {
                "sequence": sequences[n],
                "first_at": first[n],
                "captured_at": captured[n],
                "echo": {name: column[n] for name, column in echoes.items() if column[n] is not None},
                "result": result,
            }
        )
    return singles


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
ECHO = st.dictionaries(
    st.sampled_from(["id", "n", 'q"']),
    st.one_of(st.integers(0, 9), st.booleans(), st.text(max_size=3)),
    max_size=2,
)


@st.composite
def scored(draw: Any) -> RowResult:
    count = draw(st.integers(1, 9))
    numbers = draw(arrays(np.float32, (count, 3), elements=FINITE))
    class_id = draw(arrays(np.int32, count, elements=st.integers(-1, 4)))
    texts = st.lists(st.text(max_size=4), min_size=count, max_size=count)
    scores = draw(
        st.sampled_from(
            [
                Scores("class", class_id=class_id, scores=numbers),
                Scores("class", class_id=np.abs(class_id), scores=np.zeros((count, 0), np.float32)),
                Scores("class", class_id=class_id, scores=numbers, names=draw(texts)),
                Scores("value", values=numbers[:, :1].astype(np.float64)),
                Scores("value", values=numbers.astype(np.float64)),
                Scores("anomaly", anomaly=numbers[:, 0] > 0, values=numbers[:, 1:2].astype(np.float64)),
                Scores("outputs", outputs=[{"y": row.tolist(), "t": "x"} for row in numbers]),
            ]
        )
    )
    moments = arrays(np.float64, count, elements=st.floats(-1.0, 4e9) | st.just(1.8e9))
    first_at_s = draw(moments)
    made = result(
        scores, draw(st.integers(0, 99)), echoes=draw(st.lists(ECHO, min_size=count, max_size=count))
    )
    last_at_s = first_at_s if draw(st.booleans()) else draw(moments)
    return replace(made, windows=replace(made.windows, first_at_s=first_at_s, last_at_s=last_at_s))


@settings(deadline=None, max_examples=60)
@given(
    scored(),
    st.integers(2, 10),
    st.sampled_from(["every", "changed", "anomaly"]),
    st.sampled_from([{}, {"above": 0.5}]),
)
def test_messages_of_many_windows_say_what_a_message_of_each_would_have_said(one, per_message, publish, says):
    singles, batched = FakeOutbox(), FakeOutbox()
    for outbox, most in ((singles, 1), (batched, per_message)):
        publisher = RowPublisher(Sender(Topics("edged", "gate-7"), qos=1), outbox)
        emit = emitter(publisher, publish=publish, per_message=most, **says)
        assert emit(one) == sum(len(expanded(message)) for message in outbox.messages)
    wanted = [single for message in singles.messages for single in expanded(message)]
    assert [single for message in batched.messages for single in expanded(message)] == wanted
    assert all("results" in message for message in batched.messages)
    assert len(batched.messages) == -(-len(wanted) // per_message)
    for message in batched.messages:
        about = expanded(message)
        assert message["sequence"] == about[0]["sequence"]
        assert (message["first_at"], message["captured_at"]) == (
            about[0]["first_at"],
            about[-1]["captured_at"],
        )


@settings(deadline=None, max_examples=30)
@given(scored(), st.sampled_from(["every", "changed"]))
def test_what_the_page_about_sensors_takes_messages_apart_with_does_so(one, publish):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    read: dict[str, Any] = {}
    exec(code, read)
    outbox = FakeOutbox()
    emitter(RowPublisher(Sender(Topics("edged", "d"), 1), outbox), publish=publish, per_message=100)(one)
    for message in outbox.messages:
        found, wanted = read["results"](message), expanded(message)
        assert [entry["sequence"] for entry in found] == [single["sequence"] for single in wanted]
        for entry, single in zip(found, wanted, strict=True):
            said = {name: value for name, value in entry.items() if value is not None}
            echo = {name: value for name, value in said.get("echo", {}).items() if value is not None}
            assert echo == single["echo"]
            assert single["result"].items() <= said.items()


def test_what_many_windows_have_in_common_is_said_once(publisher, outbox):
    emitter(publisher, per_message=10)(result(classes(NORMAL, WORN, NORMAL), 88))
    (message,) = outbox.messages
    assert message["sequence"] == 88
    assert message["results"] == {
        "count": 3,
        "first_us": [0, 1_000_000, 2_000_000],
        "captured_us": [250_000, 1_250_000, 2_250_000],
        "label": ["normal", "worn", "normal"],
        "class_id": [0, 1, 0],
        "scores": {"normal": [0.75, 0.125, 0.75], "worn": [0.125, 0.75, 0.125], "broken": [0.125] * 3},
        "alarm": [False, True, False],
    }


def test_the_message_in_which_an_alarm_turns_outlives_others_in_a_full_outbox(publisher, outbox):
    emitter(publisher, per_message=2)(result(anomalies(False, False, True, True, True, False)))
    assert [one.rank for one in outbox.appended] == [Rank.RESULT, Rank.EVENT, Rank.EVENT]


def test_rows_are_safe_when_the_message_that_holds_their_results_is(publisher, outbox):
    safe: list[int] = []
    receipts = tuple(Receipt(lambda n=n: safe.append(n)) for n in range(3))
    emitter(publisher, per_message=2)(result(values(1, 2, 3), receipts=receipts))
    for receipt in receipts:
        receipt.let_go()
    first, second = outbox.appended
    first.settled()
    assert safe == []
    second.settled()
    assert safe == [0, 1, 2]


def test_a_message_is_no_longer_than_brokers_take_and_the_next_ones_are_made_shorter_at_once(
    publisher, outbox, monkeypatch
):
    monkeypatch.setattr(publisher_rows, "MAX_MESSAGE_BYTES", 2000)
    emit = emitter(publisher, per_message=100)
    echoes = [{"id": "x" * 100}] * 64
    for sequence in (0, 64):
        emit(result(values(*range(64)), sequence, echoes=echoes))
    counts = [message["results"]["count"] for message in outbox.messages]
    assert sum(counts) == 128
    assert set(counts) == {8}
    assert max(len(json.dumps(message, separators=(",", ":"))) for message in outbox.messages) <= 2000
    emit(result(values(*range(64)), 128))
    counts = [message["results"]["count"] for message in outbox.messages if message["sequence"] >= 128]
    assert counts == [8, 16, 32, 8], "it grows again while there is room"


def test_a_single_window_that_is_longer_than_that_goes_out_all_the_same(publisher, outbox, monkeypatch):
    monkeypatch.setattr(publisher_rows, "MAX_MESSAGE_BYTES", 100)
    emitter(publisher, per_message=4)(result(values(1, 2, 3)))
    assert [message["results"]["count"] for message in outbox.messages] == [1, 1, 1]


# When rows are safe


def test_a_row_is_safe_when_each_of_its_messages_is(publisher, outbox):
    safe: list[str] = []
    first, second = (Receipt(lambda name=name: safe.append(name)) for name in ("first", "second"))
    emitter(publisher)(result(values(1, 2), receipts=(first, second)))
    first.let_go()  # as the pipeline does then
    second.let_go()
    assert safe == []
    for one in outbox.appended:
        assert safe == []
        assert one.settled is not None
        one.settled()
    assert safe == ["first", "second"]


def test_a_row_that_is_not_worth_a_message_is_safe_at_once(publisher, outbox):
    safe: list[bool] = []
    receipt = Receipt(lambda: safe.append(True))
    emitter(publisher, publish="anomaly")(result(anomalies(False, False), receipts=(receipt,)))
    receipt.let_go()
    assert (safe, outbox.appended) == ([True], [])


def test_nobody_is_told_of_rows_that_cannot_come_again(publisher, outbox):
    emitter(publisher)(result(values(1)))
    assert outbox.appended[0].settled is None


def test_who_waits_until_messages_are_safe_waits_for_the_disk():
    outbox = FakeOutbox()
    outbox.wait_saved = lambda timeout_s: timeout_s > 1.0
    publisher = RowPublisher(Sender(Topics("edged", "box"), 1), outbox)
    assert publisher.wait_safe(2.0)
    assert not publisher.wait_safe(0.5)

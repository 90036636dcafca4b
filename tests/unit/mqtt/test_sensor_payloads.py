"""The messages about sensors against their shapes, whatever stands in them."""

import json
import math
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.mqtt.payloads import ModelInfo, timestamp
from edged.mqtt.schemas import FOLDER
from edged.mqtt.sensor_payloads import (
    RejectedRowShape,
    RowTiming,
    SensorMessage,
    SensorMessages,
    SensorStateMessage,
    figure,
    outcome,
)
from edged.rows import Scores

DIGEST = "sha256:" + "ab" * 32
MODEL = ModelInfo(name="pump-anomaly", version=1, digest=DIGEST, provider="cpu")
TIMING = RowTiming(queue=0.1, inference=0.2, age=3.0)
ID = "01ARYZ6S410000000000000000"
MOMENT = timestamp(1795359600.123456)


def validator(name: str) -> Any:
    return jsonschema.Draft202012Validator(
        json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")),
    )


SENSOR, STATE = validator("sensor-1"), validator("sensor_state-1")


def read(payload: bytes) -> dict[str, Any]:
    """As strict a reader as there is."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    found: dict[str, Any] = json.loads(payload.decode("utf-8"), parse_constant=refuse)
    return found


def messages(**changes: Any) -> SensorMessages:
    said = {"device": "gate-7", "source": "pump", "origin": "", "rows": 256, "model": MODEL, "timing": TIMING}
    return SensorMessages(**(said | changes))


def message(result: dict[str, Any], *, echo: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    payload = messages(**changes).one(
        ID,
        sequence=88,
        first_at_s=1795359599.5,
        captured_at_s=1795359600.123456,
        echo=echo or {},
        result=result,
    )
    said = read(payload)
    SENSOR.validate(said)
    assert json.loads(SensorMessage.model_validate(said).payload()) == said
    return said


def test_the_message_of_the_contract() -> None:
    scores = Scores("class", class_id=np.array([0], np.int32), scores=np.array([[0.97, 0.03]], np.float32))
    assert message(outcome(scores, 0, ("normal", "faulty"))) == {
        "schema": "edged.sensor/1",
        "id": ID,
        "device": "gate-7",
        "source": "pump",
        "sequence": 88,
        "first_at": "2026-11-22T14:59:59.500000Z",
        "captured_at": "2026-11-22T15:00:00.123456Z",
        "rows": 256,
        "model": {"name": "pump-anomaly", "version": 1, "digest": DIGEST, "provider": "cpu"},
        "timing_ms": {"queue": 0.1, "inference": 0.2, "age": 3.0},
        "result": {"label": "normal", "class_id": 0, "scores": {"normal": 0.97, "faulty": 0.03}},
    }


def test_a_message_begins_as_subscribers_without_a_reader_of_json_expect() -> None:
    payload = messages().one(ID, sequence=0, first_at_s=0, captured_at_s=0, echo={}, result={"value": 1.0})
    assert payload.startswith(b'{"schema":"edged.sensor/1","id":"' + ID.encode() + b'","device":"gate-7",')


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (
            Scores("class", class_id=np.array([2], np.int32), scores=np.zeros((1, 0), np.float32)),
            {"label": "2", "class_id": 2},
        ),
        (
            Scores("class", class_id=np.array([1], np.int32), scores=np.array([[0.1, 0.2, 0.7]], np.float32)),
            {"label": "b", "class_id": 1, "scores": {"a": 0.1, "b": 0.2, "2": 0.7}},
        ),
        (Scores("class", class_id=np.array([-1], np.int32), names=["new"]), {"label": "new"}),
        (
            Scores(
                "class",
                class_id=np.array([-1], np.int32),
                names=["new"],
                scores=np.array([[0.123456]], np.float32),
            ),
            {"label": "new", "scores": {"a": 0.1235}},
        ),
        (Scores("value", values=np.array([[20.123456789]])), {"value": 20.12346}),
        (Scores("value", values=np.array([[1.0, -2.5]])), {"values": [1.0, -2.5]}),
        (
            Scores("anomaly", anomaly=np.array([True]), values=np.array([[-0.25]])),
            {"anomaly": True, "score": -0.25},
        ),
        (
            Scores("outputs", outputs=[{"y": [[1, 2]], "größe": "x"}]),
            {"outputs": {"y": [[1, 2]], "größe": "x"}},
        ),
    ],
    ids=["no scores", "scores", "name", "name and scores", "value", "values", "anomaly", "outputs"],
)
def test_each_kind_says_what_it_is(scores: Scores, expected: dict[str, Any]) -> None:
    result = outcome(scores, 0, ("a", "b"))
    assert result == expected
    assert message(result)["result"] == expected


def test_a_window_says_what_is_its_own() -> None:
    scores = Scores("value", values=np.array([[1.0], [2.0], [3.0]]))
    assert [outcome(scores, n, ())["value"] for n in range(3)] == [1, 2, 3]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_figure_is_finite_and_near(value: float) -> None:
    assert math.isfinite(figure(value))
    assert figure(value) == pytest.approx(value, rel=1e-6, abs=1e-320)


TEXT = st.text() | st.sampled_from(
    ['"', "\\", "a/b", "größe", "人", "\n", "\x00", "\u2028", "😀", '","id":"']
)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
ECHO = st.dictionaries(TEXT, TEXT | NUMBER | st.booleans() | st.integers(-(2**63), 2**63), max_size=4)
LABELS = st.lists(TEXT, min_size=1, max_size=4, unique=True)


@st.composite
def some_scores(draw: st.DrawFn) -> tuple[Scores, tuple[str, ...]]:
    labels = tuple(draw(LABELS))
    kind = draw(st.sampled_from(["class", "names", "value", "anomaly", "outputs"]))
    if kind == "class":
        count = draw(st.integers(0, 5))
        scores = np.array(
            [
                draw(
                    st.lists(
                        st.floats(width=32, allow_nan=False, allow_infinity=False),
                        min_size=count,
                        max_size=count,
                    )
                )
            ],
            np.float32,
        )
        ids = np.array([draw(st.integers(0, 9))], np.int32)
        return Scores("class", class_id=ids, scores=scores.reshape(1, count)), labels
    if kind == "names":
        return Scores("class", class_id=np.array([-1], np.int32), names=[draw(TEXT)]), labels
    if kind == "value":
        return Scores("value", values=np.array([draw(st.lists(NUMBER, min_size=1, max_size=3))])), labels
    if kind == "anomaly":
        flags = np.array([draw(st.booleans())])
        return Scores("anomaly", anomaly=flags, values=np.array([[draw(NUMBER)]])), labels
    nested = st.recursive(
        NUMBER | TEXT | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
    )
    return Scores("outputs", outputs=[draw(st.dictionaries(TEXT, nested, max_size=3))]), labels


@settings(deadline=None)
@given(some_scores(), TEXT, TEXT, TEXT, ECHO, st.none() | st.booleans())
def test_any_message_is_of_its_shape_and_says_what_it_was_given(
    scored: tuple[Scores, tuple[str, ...]],
    device: str,
    source: str,
    origin: str,
    echo: dict[str, Any],
    alarm: Any,
) -> None:
    result = outcome(scored[0], 0, scored[1])
    if alarm is not None:
        result["alarm"] = alarm
    payload = messages(device=device, source=source, origin=origin, rows=1).one(
        ID, sequence=0, first_at_s=1.5, captured_at_s=1.5, echo=echo, result=result
    )
    said = read(payload)
    SENSOR.validate(said)
    SensorMessage.model_validate(said)
    assert (said["id"], said["device"], said["source"]) == (ID, device, source)
    assert said.get("origin", "") == origin
    assert said.get("echo", {}) == echo
    assert said["result"] == result
    assert said["first_at"] == said["captured_at"]


def test_half_a_letter_costs_that_letter_and_not_the_message() -> None:
    said = message({"label": "a\ud83d"}, echo={"id": "\udc00b"}, origin="\ud800")
    assert (said["result"]["label"], said["echo"], said["origin"]) == ("a?", {"id": "?b"}, "?")


def test_what_is_absent_is_not_there() -> None:
    assert {"origin", "echo", "replayed"}.isdisjoint(message({"value": 1.0}))


def test_a_message_that_is_not_of_the_shape_is_refused() -> None:
    said = message({"value": 1.0})
    for broken in (
        {key: value for key, value in said.items() if key != "schema"},
        said | {"rows": 0},
        said | {"result": {"label": 5}},
        said | {"echo": {"id": [1]}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            SENSOR.validate(broken)


def test_the_state_of_a_sensor_keeps_to_its_schema_and_leaves_out_what_is_not_known() -> None:
    state = SensorStateMessage(device="d", sensor="pump", state="online", since=MOMENT, rows=7)
    said = read(state.payload())
    STATE.validate(said)
    assert said == {
        "schema": "edged.sensor_state/1",
        "device": "d",
        "sensor": "pump",
        "state": "online",
        "why": "",
        "since": MOMENT,
        "rows": 7,
        "rejected": 0,
        "dropped": {},
    }


@given(TEXT, TEXT)
@settings(deadline=None)
def test_a_row_that_could_not_be_read_is_in_the_state(reason: str, text: str) -> None:
    rejected = RejectedRowShape(line=41, reason=reason, text=text, at=MOMENT)
    state = SensorStateMessage(
        device="d",
        sensor="pump",
        state="offline",
        why="no row for 5 s",
        since=MOMENT,
        rows=41,
        rejected=1,
        last_rejected=rejected,
        dropped={"full": 3, "gap": 1},
        alarm=False,
    )
    said = read(state.payload())
    STATE.validate(said)
    assert said["last_rejected"] == {"line": 41, "reason": reason, "text": text, "at": MOMENT}
    assert said["alarm"] is False

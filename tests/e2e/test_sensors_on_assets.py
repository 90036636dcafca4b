"""What `edged score` and `edged run` say about real rows: a wind turbine's, irises, a machine and a pump that fail.

Figures of the streams with the models of `tests/sensor_models/train.py`, which says how they were chosen; the alarm is
raised after three anomalous windows and cleared after three others. They are the same on every run.

stream                 windows  in alarm where a fault is labelled          in alarm elsewhere
NAB machine              1,880  6, 18, 0, 46: three of four labelled spans  14 (0.74 %)
SKAB valve1_0              218  66 (the valve is closed for 80 strides)     0
SKAB valve1_4              208  75 (closed for 69; the alarm comes down late) 0
SKAB anomaly-free          624  no fault is labelled                        5 (0.8 %), raised once

NAB's third span is a subtle one: nothing in it is outside of what the week of training had. A threshold low enough for
one window of it has three to five times as many false ones.
"""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from commands import process
from mosquitto_broker import Mosquitto
from sensor_models import train
from sensorboxes import Ear, once, write_sensors

pytestmark = pytest.mark.assets

Brokers = Callable[..., Mosquitto]
SCHEMA_FILE = Path(__file__).parents[2] / "edged" / "schema" / "sensor-1.json"
TURBINE, FOREST = "wind_turbine_rf_fault.onnx", "wind_turbine_isolation_forest.onnx"
TURBINE_LABELS = ["NF"] * 3 + ["GF"] * 7 + ["NF"] * 5


@pytest.fixture
def sensors(assets: Path) -> Path:
    return assets / "sensors"


@pytest.fixture
def expected(assets: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((assets / "expected.json").read_text())["sensors"]
    return found


Say = Callable[..., list[dict[str, Any]]]


@pytest.fixture(params=["score", "run"])
def say(request: pytest.FixtureRequest, mosquitto: Brokers, tmp_path: Path) -> Say:
    """What is said about the rows of a file, by the command, or by the daemon over a real broker."""

    def by_command(rows: Path, model: Path, *, fields: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        names = ["--fields", ",".join(fields)] if fields else []
        done = process("score", rows, "-m", model, "--json", *names)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def by_daemon(rows: Path, model: Path, *, fields: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        broker = mosquitto()
        section = {"url": rows, "format": "csv", "models": ["m"], "fields": list(fields)}
        config = write_sensors(
            tmp_path / "edged.toml", broker.url, sensors={"s": section}, models={"m": {"path": model}}
        )
        with Ear(broker) as ear:
            once(config)
            assert ear.wait_for(lambda: b"stopped" in ear.payloads("edged/box/status"))
            assert ear.state()["rejected"] == 0
            return ear.results()

    return by_command if request.param == "score" else by_daemon


def test_a_turbine_fails_where_it_did(say: Say, sensors: Path, expected: dict[str, Any]) -> None:
    known = expected[TURBINE]
    found = say(sensors / known["input_csv"], sensors / TURBINE, fields=tuple(known["feature_order"]))
    require_messages(found)
    assert [message["result"]["label"] for message in found] == TURBINE_LABELS
    for message, row in zip(found, known["rows"], strict=True):
        assert message["result"]["label"] == row["label"]
        assert message["result"]["scores"] == pytest.approx(row["probabilities"], abs=0.02)
    assert found[0]["captured_at"].startswith("2014-05-01T")


def test_irises_are_told_apart(say: Say, sensors: Path, expected: dict[str, Any]) -> None:
    known = expected["rf_iris.onnx"]
    found = say(sensors / "iris_data.csv", sensors / "rf_iris.onnx")
    require_messages(found)
    assert len(found) == 38
    assert [message["result"]["label"] for message in found] == [str(label) for label in known["labels"]]
    assert found[0]["result"]["scores"] == pytest.approx(known["probabilities_row0"], abs=0.02)


def test_an_isolation_forest_says_how_strange_a_row_is(
    say: Say, sensors: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    known = expected[FOREST]
    fields = known["feature_count"]
    rows = {"zeros": [0] * fields, "ones": [1] * fields, "all_1000": [1000] * fields, "0..80": range(fields)}
    probes = tmp_path / "probes.csv"
    probes.write_text("".join(",".join(map(str, row)) + "\n" for row in rows.values()))
    found = say(probes, sensors / FOREST)
    require_messages(found)
    verdicts = dict(zip(rows, (message["result"] for message in found), strict=True))
    for probe, (label, score) in known["probes"].items():
        assert verdicts[probe]["anomaly"] is (label == -1)
        assert verdicts[probe]["score"] == pytest.approx(score, abs=1e-4)


def require_valid(found: list[dict[str, Any]]) -> None:
    """They are as the committed schema says."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))
    for message in found:
        validator.validate(message)


def require_messages(found: list[dict[str, Any]]) -> None:
    """They are as the committed schema says, in order, and none is there twice."""
    require_valid(found)
    assert [message["sequence"] for message in found] == list(range(len(found)))
    assert len({message["id"] for message in found}) == len(found)


class Alarms:
    """What a stream's alarm did, of `edged run --once` with ``publish = "anomaly"``.

    Attributes:
        windows: How many the stream had.
        up: Begin and end of each window after which the alarm was up.
        raised: How many times it was raised.
    """

    def __init__(self, found: list[dict[str, Any]], windows: int) -> None:
        self.windows = windows
        ups = [message for message in found if message["result"]["alarm"]]
        self.up = [(moment(message["first_at"]), moment(message["captured_at"])) for message in ups]
        sequences = [message["sequence"] for message in ups]
        self.raised = sum(
            number == 0 or sequence > sequences[number - 1] + 1 for number, sequence in enumerate(sequences)
        )

    def inside(self, begin: datetime, end: datetime) -> int:
        """Windows in alarm that touch a span of time."""
        return sum(first <= end and last >= begin for first, last in self.up)

    def outside(self, spans: list[tuple[datetime, datetime]]) -> float:
        """The share of all windows that are in alarm and touch none of the spans."""
        astray = [
            (first, last)
            for first, last in self.up
            if not any(first <= end and last >= begin for begin, end in spans)
        ]
        return len(astray) / self.windows


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))


@pytest.fixture
def play(mosquitto: Brokers, tmp_path: Path) -> Callable[..., Alarms]:
    """Play a file through a model of `train`; the alarm needs three windows to come, and three to go."""

    def play(rows: Path, detector: train.Detector, *, stride: int) -> Alarms:
        broker = mosquitto()
        section = {
            "url": rows,
            "format": "csv",
            "models": ["m"],
            "stride": stride,
            "publish": "anomaly",
            "raise_after": 3,
            "clear_after": 3,
        }
        model = train.save(detector, tmp_path / "model")
        config = write_sensors(
            tmp_path / "edged.toml", broker.url, sensors={"s": section}, models={"m": {"path": model}}
        )
        with Ear(broker) as ear:
            once(config)
            assert ear.wait_for(lambda: b"stopped" in ear.payloads("edged/box/status"))
            state, found = ear.state(), ear.results()
        lines = len(rows.read_bytes().splitlines()) - 1
        assert (state["rows"], state["rejected"], state["dropped"]) == (lines, 0, {})
        require_valid(found)
        return Alarms(found, (lines - detector.window) // stride + 1)

    return play


def test_a_machine_that_fails_raises_the_alarm_where_people_say_it_failed(
    play: Callable[..., Alarms], sensors: Path
) -> None:
    spans = train.labelled(sensors)
    alarms = play(sensors / train.NAB_FILE, train.nab(sensors), stride=12)
    found = [alarms.inside(*span) for span in spans]
    print(f"{alarms.windows} windows, in alarm inside {found}, outside {alarms.outside(spans):.2%}")
    first, shutdown, _subtle, failure = found
    assert first
    assert shutdown
    assert failure > 20
    assert alarms.outside(spans) < 0.01


@pytest.mark.parametrize(("name", "share"), [("valve1_0", 0.7), ("valve1_4", 0.7)])
def test_a_valve_that_closes_raises_the_alarm_while_it_is_closed(
    name: str, share: float, play: Callable[..., Alarms], sensors: Path
) -> None:
    file = sensors / f"skab_{name}.csv"
    closed = [row["datetime"] for row in train.table(file, ";") if float(row["anomaly"])]
    span = datetime.fromisoformat(closed[0]), datetime.fromisoformat(closed[-1])
    alarms = play(file, train.skab(sensors, name, rows=400), stride=5)
    inside, possible = alarms.inside(*span), (len(closed) - 60) // 5
    print(f"{alarms.windows} windows, {inside} in alarm while closed, outside {alarms.outside([span]):.2%}")
    assert inside >= share * possible
    assert alarms.outside([span]) < 0.01


def test_a_pump_without_a_fault_raises_hardly_any_alarm_and_at_another_speed_nothing_but(
    play: Callable[..., Alarms], sensors: Path
) -> None:
    quiet = "anomaly-free_anomaly-free"
    detector = train.skab(sensors, quiet, rows=4700, components=8)
    alarms = play(sensors / f"skab_{quiet}.csv", detector, stride=15)
    print(f"{alarms.windows} windows, {len(alarms.up)} in alarm, raised {alarms.raised} times")
    assert len(alarms.up) < 0.02 * alarms.windows
    other = play(sensors / "skab_valve1_0.csv", detector, stride=15)
    assert len(other.up) == other.windows - 2


def test_training_gives_the_same_model_every_time(sensors: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        train.save(train.skab(sensors, "valve1_0", rows=400), tmp_path / folder)
    for file in ("model.onnx", "model.toml"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()

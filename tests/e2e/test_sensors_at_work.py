"""Sensors while everything around them changes: alarms, models, the configuration, the broker."""

import os
import re
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

from daemons import Daemon
from mosquitto_broker import Mosquitto, until
from sensorboxes import (
    LINES,
    Ear,
    Metronome,
    Publisher,
    Section,
    csv_row,
    once,
    sum_score,
    two_classes,
    write_sensors,
)

Brokers = Callable[..., Mosquitto]

STREAM = [0, 20, 0, 20, 20, 20, 0, 20, 0, 0, 0, 20]
"""Scores of a row each: above ten is an anomaly. With two to raise and three to clear, the alarm is up from 4 to 9."""
UP = range(4, 10)


def play(broker: Mosquitto, folder: Path, rows: bytes, sensors: dict[str, Section]) -> Ear:
    """Play rows to several sensors once; who heard it, away by now."""
    file = folder / "rows.csv"
    file.write_bytes(rows)
    models = {"m": {"path": sum_score(folder / "m")}, "classes": {"path": two_classes(folder / "c.onnx")}}
    alarm = {"url": file, **LINES, "raise_after": 2, "clear_after": 3}
    sections = {name: {**alarm, **section} for name, section in sensors.items()}
    config = write_sensors(folder / "edged.toml", broker.url, sensors=sections, models=models)
    with Ear(broker) as ear:
        once(config)
        assert ear.wait_for(lambda: b"stopped" in ear.payloads("edged/box/status"))
    return ear


def test_an_alarm_needs_several_windows_to_come_and_to_go(mosquitto: Brokers, tmp_path: Path) -> None:
    told = {
        "every": list(range(12)),
        "anomaly": [*UP, 10],
        "changed": [0, 1, 2, 3, 4, 6, 7, 8, 10, 11],  # 4 says no more than 3, but the alarm; 5 and 9 do not
    }
    rows = b"".join(csv_row(number, a=score, b=0) for number, score in enumerate(STREAM))
    sensors: dict[str, Section] = {publish: {"publish": publish} for publish in told}
    ear = play(mosquitto(), tmp_path, rows, {**sensors, "quiet": {"above": 100.0, "publish": "anomaly"}})
    for publish, ids in told.items():
        assert ear.ids(publish) == ids
        for result in ear.results(publish):
            number = result["echo"]["id"]
            assert result["sequence"] == number
            assert result["result"]["anomaly"] is (STREAM[number] > 10)
            assert result["result"]["score"] == STREAM[number]
            assert result["result"]["alarm"] is (number in UP)
        assert (ear.state(publish)["rows"], ear.state(publish)["alarm"]) == (12, False)
    assert not ear.results("quiet")
    assert ear.state("quiet")["alarm"] is False


def test_what_a_label_and_a_limit_call_an_anomaly_raises_the_alarm_too(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    rows = b"".join(csv_row(number, a=20 - score, b=5) for number, score in enumerate(STREAM))
    sensors: dict[str, Section] = {
        "label": {"models": ["classes"]},
        "limit": {"above": 1e9, "below": 10.0},
        "normal": {"models": ["classes"], "normal": ["faulty"]},
        "unknown": {"models": ["classes"], "normal": ["fine"]},
    }
    anomalies = {name: {**section, "publish": "anomaly"} for name, section in sensors.items()}
    ear = play(mosquitto(), tmp_path, rows, anomalies)
    labels = [(result["echo"]["id"], result["result"]["label"]) for result in ear.results("label")]
    assert labels == [(number, "faulty" if STREAM[number] else "normal") for number in [*UP, 10]]
    assert ear.ids("limit") == [*UP, 10]
    assert ear.ids("normal") == [9, 10, 11]  # the other way round
    assert not ear.results("unknown")  # nothing says what an anomaly is
    assert "alarm" not in ear.state("unknown")


def test_an_alarm_is_told_on_the_state_while_it_is_up(mosquitto: Brokers, tmp_path: Path) -> None:
    broker = mosquitto()
    section = {"url": "mqtt:plants/+/rows", "fields": ["a", "b"], "echo": ["id"], "models": ["m"]}
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"s": {**section, "raise_after": 2, "clear_after": 2, "publish": "anomaly"}},
        models={"m": {"path": sum_score(tmp_path / "m")}},
    )

    def says(ear: Ear, *, alarm: bool) -> bool:
        return ear.wait_for(lambda: ear.state().get("alarm") is alarm, 5)

    with Ear(broker) as ear, Publisher(broker) as publisher, Daemon("-c", str(config)) as daemon:
        assert ear.is_online(), daemon.log
        assert "alarm" not in ear.state()
        for number, (origin, score) in enumerate([("fern", 0), ("moss", 20), ("fern", 20)]):
            publisher.send(f"plants/{origin}/rows", {"id": number, "a": score, "b": 0})
        assert says(ear, alarm=False), ear.state()  # two anomalies in a row, but of two plants
        publisher.send("plants/fern/rows", {"id": 3, "a": 20, "b": 0})
        assert says(ear, alarm=True), ear.state()
        for number in (4, 5):
            publisher.send("plants/fern/rows", {"id": number, "a": 0, "b": 0})
        assert says(ear, alarm=False), ear.state()
        assert ear.hears({3, 4, 5})
        told = [(r["echo"]["id"], r["origin"], r["result"]["alarm"]) for r in ear.results()]
        assert told == [(3, "fern", True), (4, "fern", True), (5, "fern", False)]
        assert daemon.end() == 0


def test_rows_that_wait_for_their_window_are_not_lost_when_the_daemon_ends(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    """Of twenty rows in windows of eight, four wait.

    A message is a row, so those of a topic come once. A piece of a file is many: it is read again from its beginning,
    where windows may begin elsewhere than before.
    """
    broker, file = mosquitto("max_queued_messages 0"), tmp_path / "rows.csv"
    file.touch()
    topic: Section = {"url": "mqtt:rows", "fields": ["a", "b"], "echo": ["id"], "models": ["m"]}
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"file": {"url": file, **LINES}, "topic": topic},
        models={"m": {"path": sum_score(tmp_path / "m", window=8)}},
    )
    with Ear(broker) as ear, Publisher(broker) as publisher, file.open("ab", buffering=0) as out:
        for numbers, ends in ((range(20), [7, 15]), (range(20, 36), [7, 15, 23, 31])):
            with Daemon("-c", str(config)) as daemon:
                assert ear.wait_for(lambda: len(ear.states("topic")) > 0, 20), daemon.log
                assert daemon.says("sensor online sensor=topic", 20), daemon.log
                for number in numbers:
                    publisher.send("rows", {"id": number, "a": 1, "b": number})
                    out.write(csv_row(number, a=1, b=number))
                assert ear.hears(ends, "topic"), daemon.log
                assert ear.wait_for(lambda n=ends[-1]: max(ear.ids("file"), default=0) > n - 8), daemon.log
                assert daemon.end() == 0
        assert ear.ids("topic") == [7, 15, 23, 31]
        windows = {name: [range(end - 7, end + 1) for end in ear.ids(name)] for name in ("file", "topic")}
        assert {row for window in windows["file"] for row in window} >= set(range(28))
        for name in ("file", "topic"):
            sums = [result["result"]["score"] for result in ear.results(name)]
            assert sums == [8 + sum(window) for window in windows[name]]


def put(store: Path, number: int, *, fields: int = 2) -> None:
    """A version renamed into place."""
    staged = store / "m" / f".staged-{number}"
    two_classes(staged / "model.onnx", version=number, fields=fields)
    staged.rename(store / "m" / str(number))


def test_a_model_is_replaced_in_the_middle_of_a_stream_and_no_row_is_without_a_result(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    broker, store = mosquitto("max_queued_messages 0"), tmp_path / "store"
    put(store, 1)
    file = tmp_path / "rows.csv"
    file.touch()
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"s": {"url": file, **LINES}},
        models={"m": {}},
        store={"path": str(store)},
    )

    def serves(ear: Ear, version: int) -> bool:
        found = ear.results()
        return bool(found) and found[-1]["model"]["version"] == version

    with Ear(broker) as ear, file.open("ab", buffering=0) as out, Daemon("-c", str(config)) as daemon:
        with Metronome(lambda n: out.write(csv_row(n)), 200) as rows:
            assert ear.wait_for(lambda: serves(ear, 1), 20), daemon.log
            put(store, 2)
            assert ear.wait_for(lambda: serves(ear, 2), 20), daemon.log
            put(store, 3, fields=1)
            assert until((store / "m" / "3.rejected.json").exists, 20), daemon.log
            before = len(ear.results())
            assert ear.wait_for(lambda: len(ear.results()) > before + 100, 10), daemon.log
            assert serves(ear, 2)
            put(store, 4)
            assert ear.wait_for(lambda: serves(ear, 4), 20), daemon.log
            sent = rows.stop()
        assert ear.hears(range(sent)), daemon.log
        found = ear.results()
        assert [result["echo"]["id"] for result in found] == list(range(sent))
        assert [result["sequence"] for result in found] == list(range(sent))
        versions = [result["model"]["version"] for result in found]
        assert versions == sorted(versions)
        assert set(versions) == {1, 2, 4}
        assert len({result["model"]["digest"] for result in found}) == 3
        assert ear.state()["dropped"] == {}
        rejected = ear.objects("edged/box/model/m/state")[-1]["rejected"]
        assert [one["version"] for one in rejected] == [3]
        assert daemon.end() == 0


class Reloadable:
    """A daemon whose sensors are written anew; each reads a topic of its own name and has a model of its own."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        self.broker, self._path = broker, folder / "edged.toml"
        self._model = two_classes(folder / "m.onnx")

    def write(self, **sensors: Section) -> Path:
        sections = {
            name: {
                "url": f"mqtt:rows/{name}",
                "fields": ["a", "b"],
                "echo": ["id"],
                "models": [name],
                **section,
            }
            for name, section in sensors.items()
        }
        models = {name: {"path": self._model} for name in sensors}
        return write_sensors(self._path, self.broker.url, sensors=sections, models=models)

    def connections(self, sensor: str) -> int:
        """How often it has connected."""
        return sum(
            "New client connected" in line and f"-sensor-{sensor} " in line for line in self.broker.log
        )


def test_a_reload_touches_only_the_sensors_that_differ(mosquitto: Brokers, tmp_path: Path) -> None:
    box = Reloadable(mosquitto(), tmp_path)
    config = box.write(kept={}, changed={}, gone={})
    with Ear(box.broker) as ear, Publisher(box.broker) as publisher, Daemon("-c", str(config)) as daemon:
        for name in ("kept", "changed", "gone"):
            assert ear.is_online(name), daemon.log
        for name in ("kept", "changed", "gone"):
            publisher.send(f"rows/{name}", {"id": 1, "a": 2, "b": 1})
            assert ear.hears({1}, name), daemon.log
        box.write(kept={}, changed={"publish": "changed", "fields": ["b", "a"]}, new={})
        daemon.send(signal.SIGHUP)
        assert daemon.says("reloaded"), daemon.log
        assert ear.wait_for(lambda: b"" in ear.payloads("edged/box/sensor/gone/state")), daemon.log
        for name in ("changed", "new"):
            assert ear.is_online(name), daemon.log
        assert until(lambda: box.connections("changed") == 2 and box.connections("new") == 1, 10)
        assert box.connections("kept") == 1
        for name in ("kept", "changed", "new", "gone"):
            publisher.send(f"rows/{name}", {"id": 2, "a": 2, "b": 1})
        for name in ("kept", "changed", "new"):
            assert ear.hears({2}, name), daemon.log
        assert [result["result"]["label"] for result in ear.results("changed")] == ["normal", "faulty"]
        assert [result["sequence"] for result in ear.results("kept")] == [0, 1]
        assert ear.ids("gone") == [1]
        assert ear.objects("edged/box/info")[-1]["sensors"] == ["kept", "changed", "new"]
        assert daemon.end() == 0
    with Ear(box.broker) as late:
        assert late.wait_for(lambda: bool(late.states("kept")))
        assert not late.states("gone")


def test_no_row_is_lost_where_a_reload_gives_a_model_another_sensor(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    """The model is loaded anew for it, and the sensors it has already begin anew."""
    broker, file = mosquitto("max_queued_messages 0"), tmp_path / "rows.csv"
    file.touch()
    topic: Section = {"url": "mqtt:rows", "fields": ["a", "b"], "echo": ["id"], "models": ["m"]}
    sensors = {"file": {"url": file, **LINES}, "topic": topic}
    more = {"models": {"m": {"path": two_classes(tmp_path / "m.onnx")}}}
    config = write_sensors(tmp_path / "edged.toml", broker.url, sensors=sensors, **more)
    with (
        Ear(broker) as ear,
        Publisher(broker) as publisher,
        file.open("ab", buffering=0) as out,
        Daemon("-c", str(config)) as daemon,
    ):
        assert ear.is_online("topic"), daemon.log

        def tick(number: int) -> None:
            publisher.send("rows", {"id": number, "a": 2, "b": 1})
            out.write(csv_row(number))

        with Metronome(tick, 200) as rows:
            for number in range(3):
                assert ear.hears({rows.count}, "topic"), daemon.log
                sensors |= {f"more{number}": {**topic, "url": f"mqtt:more/{number}"}}
                write_sensors(config, broker.url, sensors=sensors, **more)
                daemon.send(signal.SIGHUP)
                assert daemon.says("reloaded", times=number + 1), daemon.log
            sent = rows.stop()
        for name in ("file", "topic"):
            assert ear.hears(range(sent), name), daemon.log
            print(f"{name}: {sent} rows, {len(ear.results(name)) - sent} came twice")
        assert daemon.end() == 0


WRONG: dict[str, Section] = {
    r"sensors\.wrong\.url.*names nothing": {"url": "mqtt:"},
    r"sensors\.wrong\.url.*results": {"url": "mqtt:edged/box/sensor/#"},
    r"sensors\.wrong\.url.*did you mean baud": {"url": "serial:/dev/ttyUSB0?bauds=9600"},
    r"sensors\.wrong\.windows.*did you mean 'window'": {"windows": 3},
    r"sensors\.wrong\.raise_after": {"raise_after": 0},
    r"models.*other": {"models": ["other"]},
}


def test_a_wrong_section_changes_nothing(mosquitto: Brokers, tmp_path: Path) -> None:
    box = Reloadable(mosquitto(), tmp_path)
    config = box.write(kept={})
    with Ear(box.broker) as ear, Publisher(box.broker) as publisher, Daemon("-c", str(config)) as daemon:
        assert ear.is_online("kept"), daemon.log
        for number, (said, wrong) in enumerate(WRONG.items()):
            box.write(kept={"publish": "changed"}, wrong=wrong)
            daemon.send(signal.SIGHUP)
            assert daemon.says("reload refused", times=number + 1), daemon.log
            refusal = [line for line in daemon.log if "reload refused" in line][-1]
            assert re.search(said, refusal), refusal
            publisher.send("rows/kept", {"id": number, "a": 2, "b": 1})
            assert ear.hears({number}, "kept"), daemon.log
        assert [result["sequence"] for result in ear.results("kept")] == list(range(len(WRONG)))
        assert box.connections("kept") == 1
        assert not ear.states("wrong")
        assert daemon.end() == 0


def test_rows_of_a_file_are_scored_while_the_broker_is_away_and_their_results_wait(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    broker = mosquitto("max_queued_messages 0", persistence=True)
    file = tmp_path / "rows.csv"
    file.touch()
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"s": {"url": file, **LINES}},
        models={"m": {"path": two_classes(tmp_path / "m.onnx")}},
    )

    def write(numbers: range) -> None:
        with file.open("ab") as out:
            out.write(b"".join(map(csv_row, numbers)))

    with Ear(broker, "edged/box/sensor/s/#", name="witness") as ear, Daemon("-c", str(config)) as daemon:
        write(range(100))
        assert ear.hears(range(100)), daemon.log
        broker.stop()
        assert daemon.says("mqtt not connected"), daemon.log
        write(range(100, 1100))
        assert until(lambda: waiting(tmp_path / "state") == 1000, 10), waiting(tmp_path / "state")
        broker.start()
        assert ear.hears(range(1100), within_s=20), daemon.log
        assert list(dict.fromkeys(ear.ids())) == list(range(1100))
        replayed = {result["echo"]["id"] for result in ear.results() if result.get("replayed")}
        assert replayed == set(range(100, 1100))
        write(range(1100, 1110))
        assert ear.hears(range(1110)), daemon.log
        assert ear.state()["rejected"] == 0
        assert daemon.end() == 0


def waiting(state: Path) -> int:
    """Results in the outbox on disk."""
    file = state / "outbox" / "outbox.db"
    if not file.exists() or not os.access(file, os.R_OK):
        return 0
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT count(*) FROM message WHERE topic LIKE '%/result'")
        return int(rows.fetchone()[0])


def test_a_sensor_of_topics_goes_on_when_the_broker_is_back(mosquitto: Brokers, tmp_path: Path) -> None:
    broker = mosquitto("max_queued_messages 0", persistence=True)
    section = {"url": "mqtt:rows/#", "fields": ["a", "b"], "echo": ["id"], "models": ["m"]}
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"s": section},
        models={"m": {"path": two_classes(tmp_path / "m.onnx")}},
    )
    with Ear(broker, "edged/box/sensor/s/#", name="witness") as ear, Daemon("-c", str(config)) as daemon:
        assert ear.is_online(), daemon.log
        for round_ in range(2):
            with Publisher(broker) as publisher:
                for number in range(100):
                    publisher.send("rows/a/b", {"id": 100 * round_ + number, "a": 2, "b": 1})
            assert ear.hears(range(100 * round_ + 100), within_s=20), daemon.log
            broker.stop()
            assert daemon.says("sensor offline", times=round_ + 1), daemon.log
            broker.start()
            assert daemon.says("sensor online", 20, times=round_ + 2), daemon.log
        assert {result["origin"] for result in ear.results()} == {"a/b"}
        assert ear.wait_for(lambda: ear.state()["state"] == "online")
        assert daemon.end() == 0

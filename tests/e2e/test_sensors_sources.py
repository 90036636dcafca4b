"""Where rows come from: a file that rotates, a FIFO, standard input, a serial line, an IIO buffer, posts."""

import http.client
import json
import os
import shutil
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daemons import Daemon
from mosquitto_broker import Listener, Mosquitto, until
from row_sources import Pseudoterminal, rendered_iio, write_all
from sensorboxes import LINES, Ear, Metronome, csv_row, once, two_classes, write_sensors

Brokers = Callable[..., Mosquitto]


@pytest.fixture
def broker(mosquitto: Brokers) -> Mosquitto:
    return mosquitto("max_queued_messages 0", persistence=True)


Configure = Callable[..., Path]


@pytest.fixture
def configure(broker: Mosquitto, tmp_path: Path) -> Configure:
    """A configuration with one sensor of lines at an address."""

    def configure(url: object, **section: Any) -> Path:
        more = section.pop("tables", {})
        return write_sensors(
            tmp_path / "edged.toml",
            broker.url,
            sensors={"s": {"url": url, **LINES, **section}},
            models={"m": {"path": two_classes(tmp_path / "m.onnx")}},
            **more,
        )

    return configure


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_a_file_is_followed_over_rotation_and_restarts(
    how: str, broker: Mosquitto, configure: Configure, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.touch()
    config = configure(file)
    written = 0

    def write(count: int) -> None:
        nonlocal written
        with file.open("ab") as out:
            for _ in range(count):
                out.write(csv_row(written))
                written += 1

    def rotate() -> None:
        if how == "rename":
            file.rename(tmp_path / f"rows.csv.{written}")
            file.touch()
        else:
            shutil.copyfile(file, tmp_path / f"rows.csv.{written}")
            os.truncate(file, 0)

    with Ear(broker, "edged/box/sensor/s/#", name="witness") as ear:
        with Daemon("-c", str(config)) as daemon:
            write(100)
            assert ear.hears(range(written)), daemon.log
            rotate()
            write(100)
            assert ear.hears(range(written)), daemon.log
            assert daemon.end() == 0
        assert ear.wait_for(lambda: ear.state()["rows"] == written), ear.state()
        write(50)  # while nobody reads
        if how == "rename":
            rotate()
            write(50)
        with Daemon("-c", str(config)) as daemon:
            assert ear.hears(range(written)), daemon.log
            write(10)
            assert ear.hears(range(written)), daemon.log
            assert daemon.end() == 0
        assert ear.ids() == list(range(written))


def test_a_file_that_is_written_while_the_daemon_ends_and_starts_loses_no_row_and_has_none_twice(
    broker: Mosquitto, configure: Configure, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.touch()
    config = configure(file)
    with Ear(broker, "edged/box/sensor/s/#", name="witness") as ear, file.open("ab", buffering=0) as out:
        with Metronome(lambda n: out.write(csv_row(n)), 300) as rows:
            for _ in range(2):
                with Daemon("-c", str(config)) as daemon:
                    before = len(ear.results())
                    assert ear.wait_for(lambda n=before: len(ear.results()) > n + 100, 20), daemon.log
                    assert daemon.end() == 0
            sent = rows.stop()
        with Daemon("-c", str(config)) as daemon:
            assert ear.hears(range(sent)), daemon.log
            assert daemon.end() == 0
        assert ear.ids() == list(range(sent))


def test_a_file_that_is_not_there_yet_is_waited_for_beside_one_that_is(
    broker: Mosquitto, tmp_path: Path
) -> None:
    here, later = tmp_path / "here.csv", tmp_path / "later.csv"
    here.write_bytes(csv_row(1))
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"here": {"url": here, **LINES}, "later": {"url": later, **LINES}},
        models={"m": {"path": two_classes(tmp_path / "m.onnx")}},
    )
    with Ear(broker) as ear, Daemon("-c", str(config)) as daemon:
        assert ear.hears({1}, "here"), daemon.log
        assert ear.state("later")["state"] == "offline"
        assert "no such file" in ear.state("later")["why"]
        later.write_bytes(csv_row(2))
        assert ear.hears({2}, "later", 20), daemon.log
        assert ear.is_online("later")
        assert daemon.end() == 0


def test_writers_of_a_fifo_come_and_go(broker: Mosquitto, configure: Configure, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    config = configure(fifo)
    with Ear(broker) as ear, Daemon("-c", str(config)) as daemon:
        assert ear.is_online(), daemon.log
        for number in range(3):
            with fifo.open("wb") as out:
                out.write(
                    csv_row(2 * number) + csv_row(2 * number + 1).rstrip()
                )  # the last line is not ended
            assert ear.hears(range(2 * number + 2)), daemon.log
        assert ear.ids() == list(range(6))
        assert daemon.end() == 0


@pytest.mark.parametrize("to_the_end", [True, False])
def test_rows_are_piped_into_the_daemon(
    to_the_end: bool, broker: Mosquitto, configure: Configure, tmp_path: Path
) -> None:
    """With --once it ends with its input; without, the sensor goes offline and says why."""
    fifo = tmp_path / "stdin"
    os.mkfifo(fifo)
    config = configure("-")
    arguments = ["--once"] if to_the_end else []
    redirect = ("sh", "-c", 'exec "$@" < "$0"', str(fifo))
    with Ear(broker) as ear, Daemon(*arguments, "-c", str(config), wrapper=redirect) as daemon:
        with fifo.open("wb") as out:
            for number in range(500):
                out.write(csv_row(number))
            out.flush()
            assert ear.hears(range(500)), daemon.log
            out.write(csv_row(500).rstrip())
        assert ear.hears(range(501)), daemon.log
        if to_the_end:
            assert daemon.process.wait(10) == 0
        else:
            assert ear.wait_for(lambda: ear.state()["state"] == "offline"), daemon.log
            assert "ended" in ear.state()["why"]
            assert daemon.end() == 0
        assert ear.ids() == list(range(501))


def post(port: int, payload: bytes, path: str = "/sensor/s") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request("POST", path, payload)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_post_is_answered_once_its_results_would_survive_a_kill(
    broker: Mosquitto, configure: Configure, free_port: Callable[[], int]
) -> None:
    port = free_port()
    config = configure("http:", tables={"http": {"listen": f"127.0.0.1:{port}"}})
    with Ear(broker, "edged/box/sensor/#", name="witness") as ear:
        with Daemon("-c", str(config)) as daemon:
            assert ear.is_online(), daemon.log
            assert post(port, csv_row(0) + csv_row(1)) == 200
            assert post(port, csv_row(2), "/sensor/s/fern") == 200
            assert post(port, csv_row(3), "/sensor/other") == 404
            assert ear.hears(range(3)), daemon.log
            assert ear.results()[2]["origin"] == "fern"
            broker.pause()
            for number in range(3, 40):
                assert post(port, csv_row(number)) == 200
            daemon.send(signal.SIGKILL)
            daemon.process.wait(5)
            broker.stop()
        broker.start()
        with Daemon("-c", str(config)) as daemon:
            assert ear.hears(range(40), within_s=30), daemon.log
            assert daemon.end() == 0


def test_a_serial_line_that_is_unplugged_is_read_again_when_it_is_back(
    broker: Mosquitto, configure: Configure, tmp_path: Path
) -> None:
    pytest.importorskip("serial")
    port = Pseudoterminal(tmp_path / "ttyUSB0")
    port.plug_in()
    config = configure(f"serial:{port.link}?baud=9600")
    with Ear(broker) as ear, Daemon("-c", str(config)) as daemon:
        for number in range(2):
            assert ear.is_online(), daemon.log
            write_all(port.master, b"e of a line\n" + csv_row(number))
            assert ear.hears({number}), daemon.log
            port.unplug()
            assert ear.wait_for(lambda: ear.state()["state"] == "offline"), daemon.log
            port.plug_in()
        assert ear.is_online(), daemon.log
        assert ear.state()["rejected"] == 0
        assert ear.ids() == [0, 1]
        assert daemon.end() == 0
        port.unplug()


def test_an_iio_buffer_is_set_up_and_read(broker: Mosquitto, configure: Configure, tmp_path: Path) -> None:
    device = rendered_iio(tmp_path, {"accel_x": (0, "le:s16/16>>0"), "accel_y": (1, "le:s16/16>>0")})
    device.tell("in_accel_scale", 0.5)
    config = configure(device.url, columns=[], fields=["accel_x", "accel_y"], echo=[])
    with Ear(broker) as ear, Daemon("-c", str(config)) as daemon:
        assert until(lambda: device.says("buffer/enable").strip() == "1", 15), daemon.log
        with device.records.open("wb", buffering=0) as out:
            for number in range(50):
                out.write(struct.pack("<hh", number, 20))
            assert ear.wait_for(lambda: len(ear.results()) == 50), daemon.log
        found = ear.results()
        assert [result["sequence"] for result in found] == list(range(50))
        labels = [result["result"]["label"] for result in found]
        assert labels == ["faulty" if number < 20 else "normal" for number in range(50)]
        assert daemon.end() == 0
    assert device.says("buffer/enable").strip() == "0"


def test_a_feature_may_be_echoed(broker: Mosquitto, configure: Configure, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"a,b\n" + b"".join(b"%d,20\n" % number for number in range(50)))
    config = configure(file, columns=[], echo=["a"])
    with Ear(broker) as ear:
        once(config)
        assert ear.wait_for(lambda: b"stopped" in ear.payloads("edged/box/status"))
        assert [result["echo"]["a"] for result in ear.results()] == list(range(50))


def test_one_source_feeds_several_models(broker: Mosquitto, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"".join(map(csv_row, range(100))))
    models = {
        name: {"path": two_classes(tmp_path / f"{name}.onnx", version=n)} for n, name in enumerate("mn")
    }
    config = write_sensors(
        tmp_path / "edged.toml",
        broker.url,
        sensors={"s": {"url": file, **LINES, "models": ["m", "n"]}},
        models=models,
    )
    with Listener(broker) as listener:
        once(config)
        assert listener.wait_for(lambda: b"stopped" in listener.payloads("edged/box/status"))
        found = listener.objects("edged/box/sensor/s/result")
    for name in models:
        mine = [result for result in found if result["model"]["name"] == name]
        assert [result["echo"]["id"] for result in mine] == list(range(100))
        assert [result["sequence"] for result in mine] == list(range(100))
    state = json.loads(listener.payloads("edged/box/sensor/s/state")[-1])
    assert (state["rows"], state["rejected"]) == (100, 0)

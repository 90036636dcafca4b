"""What a service manager, the log and the next start hear of how the daemon does."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from daemons import Daemon
from managers import Datagrams, fields
from mosquitto_broker import Listener, Mosquitto, until
from sensorboxes import two_classes, write_sensors

from edged.service.previous_end import NATIVE

AWAY_S = float(os.environ.get("EDGED_TEST_AWAY", "2"))

Brokers = Callable[..., Mosquitto]


def box(folder: Path, broker: str, **http: str) -> Path:
    """A device with one sensor and its model."""
    (folder / "rows.csv").write_text("a,b\n")
    return write_sensors(
        folder / "edged.toml",
        broker,
        sensors={"s": {"url": folder / "rows.csv", "models": ["m"], "format": "csv"}},
        models={"m": {"path": two_classes(folder / "m.onnx")}},
        http={"listen": http.get("listen", "")},
    )


def healthz(port: int) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def info_of(broker: Mosquitto, config: Path) -> dict[str, Any]:
    """What a start says of itself; it ends by SIGKILL, so that nothing of it is clean."""
    now = datetime.now(UTC).isoformat()
    with Listener(broker, "edged/box/info") as listener, Daemon("-c", str(config)) as daemon:

        def fresh() -> list[dict[str, Any]]:
            """Not what the broker kept of another run."""
            return [one for one in listener.objects("edged/box/info") if one["started_at"] > now]

        assert listener.wait_for(lambda: bool(fresh()), 20), daemon.log
        return fresh()[-1]


def test_a_daemon_is_ready_and_feeds_the_watchdog_with_neither_broker_nor_camera(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    config = box(tmp_path, f"mqtt://127.0.0.1:{free_port()}")
    away = f'\n[cameras.gone]\nurl = "rtsp://127.0.0.1:{free_port()}/x"\nmodels = ["parcel-codes"]\n'
    away += '[models.parcel-codes]\nproviders = ["cpu"]\n'
    config.write_text(config.read_text() + away)
    with (
        Datagrams() as manager,
        Daemon("-c", str(config), NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="1500000") as daemon,
    ):
        assert manager.hears(b"READY=1", 30), daemon.log
        assert manager.hears(b"STATUS=0/1 camera, 1/1 sensor"), (manager.heard, daemon.log)
        ready_s = time.monotonic()
        assert manager.wait_for(lambda heard: heard.count(b"WATCHDOG=1") > 6), manager.heard
        manager.wait_for(lambda _: daemon.process.poll() is not None, ready_s + AWAY_S - time.monotonic())
        daemon.send(signal.SIGHUP)
        assert manager.wait_for(lambda heard: heard.count(b"READY=1") == 2), (manager.heard, daemon.log)
        reloads = [one for one in manager.heard if one.startswith(b"RELOADING=1\nMONOTONIC_USEC=")]
        assert len(reloads) == 1
        assert manager.heard.index(reloads[0]) > manager.heard.index(b"READY=1")
        assert daemon.end() == 0
        assert manager.hears(b"STOPPING=1")
        fed = manager.times(b"WATCHDOG=1")
        assert max(b - a for a, b in pairwise(fed)) < 1.5


HANGING = (
    "outbox",
    "mqtt-link",
    "caller-m-0",
    "worker-m-1",
    "model-m",
    "store-watch",
    "sensor-s",
    "MainThread",
)


def test_threads_that_hang_are_named_with_their_stacks_and_the_watchdog_hears_no_more(
    mosquitto: Brokers, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    broker, port = mosquitto(), free_port()
    config = box(tmp_path, broker.url, listen=f"127.0.0.1:{port}")
    hang = {"EDGED_TEST_HANG": f"{','.join(HANGING)}:5:1", "WATCHDOG_USEC": "1200000"}
    with (
        Datagrams() as manager,
        Daemon("-c", str(config), NOTIFY_SOCKET=manager.path, **hang) as daemon,
    ):
        assert manager.hears(b"READY=1", 20), daemon.log
        assert daemon.says("a thread hangs", 20, times=len(HANGING) - 1), daemon.log
        # The keeper of a process waits for its end, and hangs when that has come.
        os.kill(daemon.worker(), signal.SIGKILL)
        assert daemon.says("a thread hangs", 20, times=len(HANGING)), daemon.log
        code, answer = healthz(port)
        assert code == 503
        for thread in HANGING:  # a busy machine may have had one wait longer than this second before
            lines = [line for line in daemon.log if f"a thread hangs thread={thread} " in line]
            assert any("edged/heartbeat.py" in line.partition("stack=")[2] for line in lines), lines
            assert any(thread in reason for reason in answer["reasons"]), (thread, answer)
        fed, since_s = len(manager.times(b"WATCHDOG=1")), time.monotonic()
        assert fed > 3
        assert until(lambda: time.monotonic() - since_s > 2, 3)
        assert len(manager.times(b"WATCHDOG=1")) == fed
        daemon.send(signal.SIGABRT)  # as the service manager does
        assert daemon.process.wait(10) == -signal.SIGABRT
    before = info_of(broker, config)["previous_end"]
    assert before["how"] == "watchdog"
    assert "has not gone on" in before["why"]
    assert "edged/heartbeat.py" in before["why"]


def test_the_next_start_says_how_the_one_before_ended(mosquitto: Brokers, tmp_path: Path) -> None:
    broker = mosquitto()
    config = box(tmp_path, broker.url)
    assert "previous_end" not in info_of(broker, config)
    assert info_of(broker, config)["previous_end"]["how"] in {"killed", "out of memory"}  # others' processes
    with Daemon("-c", str(config)) as daemon:
        assert daemon.says("sensor online"), daemon.log
        crashed = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()  # file times are coarse
        daemon.send(signal.SIGSEGV)
        assert daemon.process.wait(10) == -signal.SIGSEGV
    before = info_of(broker, config)["previous_end"]
    assert (before["how"], before["why"]) == ("crash", "SIGSEGV")
    fatal, where = before["trace"].splitlines()[:2]
    assert fatal == "Fatal Python error: Segmentation fault"
    assert where.startswith(("Current thread", NATIVE))  # the kernel chooses the thread that a signal goes to
    assert before["at"] > crashed
    with Daemon("-c", str(config)) as daemon:
        assert daemon.says("sensor online"), daemon.log
        assert daemon.end() == 0
    before = info_of(broker, config)["previous_end"]
    assert (before["how"], before["why"]) == ("clean", "SIGTERM")


def test_journald_is_told_what_a_line_is_about(mosquitto: Brokers, tmp_path: Path) -> None:
    broker = mosquitto()
    config = box(tmp_path, broker.url)
    out = tmp_path / "stderr"
    with Datagrams() as journal, out.open("wb") as stderr:
        status = os.fstat(stderr.fileno())
        with Daemon(
            "-c",
            str(config),
            stderr=stderr,
            JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}",
            EDGED_TEST_JOURNAL=journal.path,
        ) as daemon:
            assert journal.hears(b"sensor online"), out.read_text()
            assert daemon.end() == 0
        lines = [fields(datagram) for datagram in journal.heard]
        online = next(line for line in lines if line["MESSAGE"].startswith("sensor online"))
        assert (online["PRIORITY"], online["EDGED_SENSOR"]) == ("6", "s")
        ready = next(line for line in lines if line["MESSAGE"].startswith("model ready"))
        assert (ready["EDGED_MODEL"], ready["SYSLOG_IDENTIFIER"]) == ("m", "edged")
    assert out.read_text() == ""

"""The short form of `make soak`: some faults of each kind, and the books balance afterwards."""

import random
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mosquitto_broker import require_mosquitto
from soak import faults, program
from soak.account import Sample, disorder, frames_astray, ids_astray, leaks, slope
from soak.day import more_memory
from soak.proxy import Proxy
from soak.rates import PROMISED, kept

SHORT = ["worker_killed", "broker_away", "bad_version", "bad_reload", "bad_rows", "daemon_frozen"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and stops processes")


def test_a_box_under_faults_adds_up(capfd: pytest.CaptureFixture[str]) -> None:
    require_mosquitto()
    options = ["--seconds", "12", "--every", "2", "--longest", "1.5", "--seed", "1", "--only", *SHORT]
    code = program.main(options)
    said = capfd.readouterr().out
    assert code == 0, said
    assert all(name in said for name in SHORT)
    assert "all of it adds up" in said


def series(**figures: float) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    camera = frozenset({("camera", "left")})
    return {(f"edged_camera_frames_{name}_total", camera): value for name, value in figures.items()}


def test_a_frame_without_an_end_is_found() -> None:
    ends = {"captured": 10, "skipped": 2, "delivered": 8, "inferred": 7, "dropped": 1}
    assert frames_astray(series(**ends), "left") == []
    assert len(frames_astray(series(**ends | {"inferred": 6}), "left")) == 1
    assert len(frames_astray(series(**ends | {"captured": 11}), "left")) == 1
    assert frames_astray({}, "left") != []


def test_a_message_that_neither_came_nor_was_told_of_is_found() -> None:
    assert ids_astray("left", 3, ["a", "b", "b", "c"], 0) == []
    assert ids_astray("left", 3, ["a", "b"], 1) == []
    assert ids_astray("left", 3, ["a", "b"], 0) != []
    assert ids_astray("left", 2, ["a", "b", "c"], 0) != []
    assert ids_astray("left", 0, [], 0) != []


def test_disorder_is_found_among_first_arrivals_only_and_each_lane_has_its_order() -> None:
    assert disorder("left", [("1", False), ("4", False), ("2", True), ("1", False), ("3", True)]) == []
    assert disorder("left", [("2", False), ("1", False)]) != []


def test_what_a_camera_keeps_of_its_rate_is_a_share_of_what_it_had() -> None:
    assert kept({"left": 10.0, "right": 4.0}, {"left": 9.5, "right": 4.4}) == {"left": 0.95, "right": 1.1}
    assert kept({"left": 0.0}, {"left": 0.0}) == {"left": 0.0}, "nothing kept of nothing is no pass"


def samples(*, hours: float, mb_per_h: float, threads: int = 0, descriptors: int = 0) -> list[Sample]:
    count = 50
    return [
        Sample(
            at_s=hours * 3600 * n / count,
            resident_mb=100 + mb_per_h * hours * n / count,
            threads=20 + threads * n // (count - 1),
            descriptors=30 + descriptors * n // (count - 1),
        )
        for n in range(count)
    ]


def test_what_grows_is_found() -> None:
    assert slope(samples(hours=1, mb_per_h=7)).mb_per_h == pytest.approx(7)
    assert slope(samples(hours=1, mb_per_h=7)).error == pytest.approx(0, abs=1e-6)
    assert leaks(samples(hours=1, mb_per_h=0.5)) == []
    assert "memory" in leaks(samples(hours=1, mb_per_h=3))[0]
    assert leaks(samples(hours=0.1, mb_per_h=300)) == [], "over six minutes nothing is said of memory"
    grown = [replace(one, resident_mb=min(one.resident_mb, 110.0)) for one in samples(hours=1, mb_per_h=90)]
    assert leaks(grown) == [], "what grows at first and then no more is no leak"
    assert "threads" in leaks(samples(hours=0.1, mb_per_h=0, threads=5))[0]
    assert "descriptors" in leaks(samples(hours=0.1, mb_per_h=0, descriptors=9))[0]


def test_what_memory_varies_by_is_no_leak_and_hides_none_that_matters() -> None:
    def varied(mb_per_h: float) -> list[Sample]:
        rolls = random.Random(1)
        return [
            replace(one, resident_mb=one.resident_mb + rolls.gauss(0, 2))
            for one in samples(hours=1, mb_per_h=mb_per_h)
        ]

    assert 0.5 < slope(varied(0)).error < 3
    assert leaks(varied(2)) == []
    assert "memory" in leaks(varied(8))[0]


def test_what_a_short_run_needs_more_is_found_once_its_caches_are_filled() -> None:
    assert more_memory(samples(hours=0.1, mb_per_h=10)) == []
    assert "grew by" in more_memory(samples(hours=0.1, mb_per_h=200))[0]
    filled = [Sample(at_s=n, resident_mb=min(100 + n, 120), threads=1, descriptors=1) for n in range(100)]
    assert more_memory(filled) == [], "the first quarter fills caches"


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    door = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while block := connection.recv(1000):
                connection.sendall(block)

    def accept() -> None:
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield door.getsockname()[1]
    door.shutdown(socket.SHUT_RDWR)
    door.close()


def test_the_proxy_passes_stalls_corrupts_and_cuts(echo: int) -> None:
    with (
        Proxy(echo, random.Random(1)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client,
    ):
        client.sendall(b"there")
        assert client.recv(100) == b"there"
        proxy.stall()
        client.settimeout(0.7)
        client.sendall(b"late!")
        with pytest.raises(TimeoutError):
            client.recv(100)
        proxy.heal()
        client.settimeout(5)
        assert client.recv(100) == b"late!"
        proxy.corrupt()
        came = []
        for _ in range(40):
            client.sendall(bytes(50))
            came.append(client.recv(100))
        assert any(block != bytes(50) for block in came)
        proxy.cut()
        assert client.recv(100) == b""


def test_every_fault_has_a_name_that_can_be_asked_for(tmp_path: Path) -> None:
    class Bare:
        disk = rtsp = None

    class Whole:
        disk, rtsp = tmp_path, object()

    bare, whole = faults.possible(Bare()), faults.possible(Whole())  # type: ignore[arg-type]
    assert set(SHORT) <= set(bare) < set(whole)
    assert set(whole) - set(bare) >= {"disk_full", "camera_stalled"}
    assert set(PROMISED) <= set(faults.lasting(Whole()))  # type: ignore[arg-type]

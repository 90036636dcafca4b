"""``edged status``: whom it asks, and what it shows of the answer."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosquitto_broker import free_port
from rich.console import Console

from edged.cli.standing import standing
from edged.web import LocalEndpoint

SINCE = "2026-11-22T15:00:00.000000Z"
ANSWER: dict[str, Any] = {
    "schema": "edged.status/1",
    "device": "gate-7",
    "version": "1.2.3",
    "pid": 4242,
    "unhealthy": [],
    "unready": [],
    "rates_over_s": 60.0,
    "mqtt": {"broker": "mqtts://edge@broker:8883", "connected": True, "protocol": "5", "reconnects": 2},
    "cameras": [
        {"camera": "front", "state": "online", "since": SINCE},
        {"camera": "back", "state": "offline", "why": "no route to host", "since": SINCE},
    ],
    "sensors": [{"sensor": "front", "state": "online", "rejected": 7, "alarm": True, "since": SINCE}],
    "models": [
        {
            "model": "vehicles",
            "active": {"version": 3, "digest": "sha256:0"},
            "candidate": {"version": 5, "step": "warm-up"},
            "rejected": [{"version": 4, "reason": "not readable", "at": SINCE}],
            "provider": "openvino:CPU",
        },
        {"model": "pump", "why": "has not arrived"},
    ],
    "health": {
        "uptime_s": 7322.0,
        "cpu_percent": 51.6,
        "memory_bytes": 3 << 28,
        "bottleneck": "inference:vehicles",
        "spool": {"entries": 12, "bytes": 5000, "dropped": 3, "set_aside": 1},
        "sources": [
            {"name": "front", "captured_per_s": 25.0, "published_per_s": 4.96, "queue_ms": 1.25,
             "dropped": {"full": 60, "stale": 2}, "reconnects": 1},
            {"name": "back", "captured_per_s": 0.0, "published_per_s": 0.0},
            {"name": "front", "captured_per_s": 800.0, "published_per_s": 3.1, "dropped": {"unreadable": 7, "gap": 9}},
        ],
        "models": [{"name": "vehicles", "inference_ms": 11.34, "utilisation_percent": 28.4, "restarts": 1}],
        "errors": ["cameras.back: no route to host"],
    },
}  # fmt: skip


def shown(answer: dict[str, Any], width: int = 80) -> list[str]:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    for part in standing(answer):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def row(name: str, lines: list[str], number: int = 0) -> str:
    return " ".join([line for line in lines if line.startswith(name)][number].split())


def test_it_is_one_screen_of_80_columns():
    lines = shown(ANSWER)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_it_says_how_everything_stands():
    lines = shown(ANSWER, width=200)
    assert lines[0] == "gate-7  edged 1.2.3, pid 4242, up 2 h 2 min, ready"
    assert lines[1] == "broker  connected to mqtts://edge@broker:8883, MQTT 5, 2 reconnects"
    assert lines[2] == "outbox  12 wait (4.9 KiB), 3 dropped (1 refused by the broker)"
    assert lines[3] == "load    52 % CPU, 768.0 MiB, bottleneck inference:vehicles  (all of the last 1 min)"
    assert row("front", lines) == "front online 25.0 5.0 1.2 60 full, 2 stale; 1 reconnect"
    assert row("back", lines).startswith("back offline 0.0 0.0 no route to host; since ")
    assert row("front", lines, 1) == "front online alarm 800.0 3.1 7 9 gap"
    assert row("vehicles", lines).startswith(
        "vehicles 3 openvino:CPU 11.3 28 % trying 5 (warm-up); 4 rejected: not rea"
    )
    assert row("vehicles", lines).endswith("; 1 restart")
    assert row("pump", lines) == "pump none 0 % has not arrived"
    assert lines[-2:] == ["last errors", "  cameras.back: no route to host"]


@pytest.mark.parametrize(
    ("update", "shown_as"),
    [
        ({"state": "checked", "reason": ""}, ""),
        ({"state": "active", "version": 3, "reason": ""}, ""),
        ({"state": "active", "version": 3, "reason": "4 goes to 10 %"}, "update active: 4 goes to 10 %"),
        ({"state": "downloading", "version": 4, "bytes": 512, "of": 2048}, "update to 4 downloading 25% of 2.0 KiB"),
        ({"state": "offered", "version": 4, "reason": "waits"}, "update to 4 offered: waits"),
        ({"state": "unreachable", "reason": "too slow: x"}, "update unreachable: too slow: x"),
        ({"state": 7, "version": [], "bytes": "x", "of": None}, "update to [] 7"),
        ("odd", ""),
    ],
)  # fmt: skip
def test_how_far_an_update_is_stands_with_its_model(update: Any, shown_as: str):
    model = {"model": "cars", "active": {"version": 3}, "update": update}
    assert row("cars", shown(ANSWER | {"models": [model]}, width=200)) == f"cars 3 0 % {shown_as}".strip()


def test_why_it_does_not_work_stands_at_the_head():
    lines = shown(ANSWER | {"unhealthy": ["caller-cars-0 hangs"], "unready": ["starting"]})
    assert lines[0].endswith(", not healthy")
    assert lines[1:3] == ["  caller-cars-0 hangs", "  starting"]


def test_what_a_device_says_is_no_markup():
    assert "[red]gate[/]" in shown(ANSWER | {"device": "[red]gate[/]"})[0]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.dictionaries(st.sampled_from([*ANSWER, *ANSWER["health"]]), anything), st.sampled_from(["", "health"])
)
@settings(max_examples=60, deadline=None)
def test_whatever_another_version_says_something_is_shown(odd, within):
    answer = ANSWER | odd
    if within:
        answer = ANSWER | {within: ANSWER["health"] | odd}
    for kind in ("cameras", "sensors", "models"):
        answer[kind] = [*ANSWER[kind], odd] if within else answer[kind]
    assert shown(answer)


def written(folder: Path, listen: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "edged.toml"
    path.write_text(f'[http]\nlisten = "{listen}"\n[cameras.c]\nurl = "rtsp://c/1"\nmodels = ["m"]\n')
    return path


def answering(answer: Any) -> LocalEndpoint:
    return LocalEndpoint("127.0.0.1:0", healthy=list, ready=list, status=lambda: answer)


def test_the_address_is_that_of_the_configuration_and_two_are_shown_one_after_the_other(edged, tmp_path):
    with answering(ANSWER) as one, answering(ANSWER | {"device": "gate-8"}) as two:
        files = [written(tmp_path / str(n), f"0.0.0.0:{place.port}") for n, place in enumerate((one, two))]
        done = edged("status", "--json", "-c", str(files[0]), "-c", str(files[1]))
        assert [json.loads(line)["device"] for line in done.stdout.splitlines()] == ["gate-7", "gate-8"]
        done = edged("status", "-c", str(files[0]))
    assert done.returncode == 0
    assert done.stdout.startswith("gate-7  edged 1.2.3")


def test_one_that_does_not_answer_is_an_error_and_the_others_are_shown(edged, tmp_path):
    with answering(ANSWER) as one:
        there = written(tmp_path / "a", f"127.0.0.1:{one.port}")
        away = written(tmp_path / "b", f"127.0.0.1:{(port := free_port())}")
        done = edged("status", "-c", str(away), "-c", str(there))
    assert done.returncode == 69
    assert done.stdout.startswith("gate-7")
    assert f"no answer from 127.0.0.1:{port}: connection refused ({away})" in done.stderr
    assert 'start it with "edged run"' in done.stderr


@pytest.mark.parametrize("answer", [[], {"schema": "edged.health/1"}, "text"])
def test_something_else_that_answers_is_told_apart(edged, answer):
    with answering(answer) as other:
        done = edged("status", "--url", f"127.0.0.1:{other.port}")
    assert done.returncode == 69
    assert "no edged that knows /status (HTTP 200)" in done.stderr


def test_an_older_daemon_without_it_is_told_apart(edged):
    with LocalEndpoint("127.0.0.1:0", healthy=list, ready=list) as old:
        done = edged("status", "--url", f"http://127.0.0.1:{old.port}/")
    assert (done.returncode, "(HTTP 404)" in done.stderr) == (69, True)


def test_a_daemon_that_listens_nowhere_cannot_be_asked_and_the_line_says_what_to_do(edged, tmp_path):
    done = edged("status", "-c", str(written(tmp_path, "")))
    assert done.returncode == 78
    assert 'http.listen is empty, so the daemon cannot be asked; set it to "127.0.0.1:9110"' in done.stderr


def test_without_any_configuration_the_default_is_asked(edged, tmp_path, monkeypatch):
    with answering(ANSWER) as running:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("EDGED_CONFIG", raising=False)
        monkeypatch.setattr("edged.settings.CONFIG_LOCATIONS", (tmp_path / "none.toml",))
        monkeypatch.setattr("edged.cli.status.DEFAULT", f"127.0.0.1:{running.port}")
        assert edged("status", "--json").returncode == 0


def test_without_any_configuration_the_environment_says_where_to_ask(edged, tmp_path, monkeypatch):
    with answering(ANSWER) as running:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("EDGED_CONFIG", raising=False)
        monkeypatch.setenv("EDGED_HTTP__LISTEN", f"127.0.0.1:{running.port}")
        monkeypatch.setattr("edged.settings.CONFIG_LOCATIONS", (tmp_path / "none.toml",))
        assert edged("status", "--json").returncode == 0


@pytest.mark.parametrize("url", ["https://x:1", "http://", "http://x:99999", "http://u@x:1", "ftp://x"])
def test_an_address_that_is_none_is_a_wrong_usage(edged, url):
    done = edged("status", "--url", url)
    assert (done.returncode, "write it like http://127.0.0.1:9110" in done.stderr) == (2, True)

"""`edged fleet` at a real mosquitto that queues 300 messages for a client, and drops the others without a word."""

import json
import subprocess
import sys
from collections.abc import Iterator

import paho.mqtt.client as paho
import pytest
from mosquitto_broker import Mosquitto
from paho.mqtt.enums import CallbackAPIVersion

BOXES = 1_200
AT = "2026-11-22T15:00:00.123456Z"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", "fleet", *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path_factory.mktemp("broker"), "log_type warning", "max_queued_messages 300")
    try:
        _tell(mosquitto.port)
        yield mosquitto
    finally:
        mosquitto.stop()


def _tell(port: int) -> None:
    """What the boxes of a fleet leave with their broker."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("localhost", port)
    client.loop_start()
    for number in range(BOXES):
        device = f"box-{number:04d}"
        client.publish(f"edged/{device}/status", "offline" if number == 7 else "online", 1, retain=True)
        client.publish(f"edged/{device}/info", json.dumps(_info(device)), 1, retain=True)
        state = json.dumps(_state(device, number))
        last = client.publish(f"edged/{device}/model/vehicles/state", state, 1, retain=True)
        if number % 200 == 0 or number == BOXES - 1:
            last.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def _info(device: str) -> dict[str, object]:
    running = {
        "version": 3,
        "digest": f"sha256:{3:064x}",
        "family": "yolox",
        "provider": "cpu",
        "provider_asked": ["auto"],
        "choice": "c" * 12_000,  # more than sockets hold: a broker that reads no further has to drop
    }
    return {
        "schema": "edged.info/1",
        "device": device,
        "version": "0.1.0",
        "machine": {"architecture": "x86_64", "cores": 4, "cpu": "", "memory_bytes": 0},
        "providers": ["cpu"],
        "cameras": ["front"],
        "models": {"vehicles": running},
        "started_at": AT,
    }


def _state(device: str, number: int) -> dict[str, object]:
    refused = (
        [{"version": 4, "reason": "bus not found", "step": "golden", "at": AT}] if number % 100 == 0 else []
    )
    version = 4 if number % 3 == 1 else 3
    return {
        "schema": "edged.model_state/1",
        "device": device,
        "model": "vehicles",
        "active": {"version": version, "digest": f"sha256:{version:064x}"},
        "rejected": refused,
        "labels": ["l" * 6_000],
        "provider_asked": ["auto"],
        "provider": "cpu",
        "since": AT,
    }


def test_every_box_is_shown_with_all_that_it_said(broker: Mosquitto) -> None:
    done = run("--mqtt", broker.url, "--json", "--sort", "device")
    assert done.returncode == 0, done.stderr
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert [box["device"] for box in shown] == [f"box-{number:04d}" for number in range(BOXES)]
    assert all(box["edged"] == "0.1.0" and box["models"]["vehicles"]["provider"] == "cpu" for box in shown)
    assert [box["device"] for box in shown if box["status"] == "offline"] == ["box-0007"]


def test_a_rollout_is_counted(broker: Mosquitto) -> None:
    done = run("--mqtt", broker.url, "--json", "--watch-rollout", "vehicles", "4")
    assert done.returncode == 0, done.stderr
    count = json.loads(done.stdout)
    assert (count["boxes"], count["offline"], count["share"]) == (BOXES, 1, round(400 / BOXES, 4))
    assert count["stages"] == {"active": 400, "refused": 8, "waiting": BOXES - 408}
    assert count["reasons"] == {"golden: bus not found": 8}


def test_the_table_for_people_names_those_in_trouble_first(broker: Mosquitto) -> None:
    done = run("--mqtt", broker.url, "--filter", "device=box-00*")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("100 of 1,200 boxes: 99 online, 1 offline; 1 want a look")
    assert next(line for line in lines if "box-" in line).split()[:2] == ["box-0007", "offline"]


def test_a_filter_that_is_none_and_a_broker_that_is_not_there() -> None:
    assert run("--filter", "colour=red").returncode == 2
    done = run("--mqtt", "mqtt://127.0.0.1:9", "--json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (69, "", 1)

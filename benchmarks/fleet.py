"""How long `edged fleet` takes until the table of a large fleet is whole, and what memory.

    python benchmarks/fleet.py [--boxes 10000] [--rounds 3] [--models 2]

Each simulated box has its retained state (`status`, `info`, `model/<name>/state`) at a real mosquitto, configured as it
comes: it queues 1,000 messages for a client at most. One box in 100 is offline, one in 50 refused an update. While the
fleet is looked at, boxes say `health` at the rate of one a minute each. Then `edged fleet --json` is run as a user
would, start of the program included, and its answer compared with what was published. Needs mosquitto. Writes
``benchmarks/results/fleet.json``.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from daemon import broker
from paho.mqtt.enums import CallbackAPIVersion

ROOT = Path(__file__).parent.parent
AT = "2026-11-22T15:00:00.123456Z"
DIGESTS = [f"sha256:{number:064x}" for number in range(4)]


def info(device: str, models: list[str]) -> dict[str, Any]:
    """What a box says of itself."""
    running = {
        "version": 3,
        "digest": DIGESTS[3],
        "family": "yolox",
        "provider": "openvino:CPU",
        "provider_asked": ["auto"],
        "choice": "openvino:CPU in f32, 1.5 times cpu",
        "callers": 2,
        "batch": 1,
    }
    return {
        "schema": "edged.info/1",
        "device": device,
        "version": "0.1.0",
        "machine": {"architecture": "x86_64", "cores": 4, "cpu": "Intel N100", "memory_bytes": 8 << 30},
        "providers": ["openvino:CPU", "cpu"],
        "cameras": ["front", "back"],
        "models": dict.fromkeys(models, running),
        "sensors": [],
        "started_at": AT,
    }


def model_state(device: str, model: str, *, refused: bool) -> dict[str, Any]:
    """What a box says of a model."""
    update = {"state": "active", "version": 3, "reason": "", "at": AT}
    if refused:
        update = {
            "state": "refused",
            "version": 4,
            "reason": "mismatch: the package is longer than signed",
            "at": AT,
        }
    return {
        "schema": "edged.model_state/1",
        "device": device,
        "model": model,
        "active": {"version": 3, "digest": DIGESTS[3]},
        "previous": {"version": 2, "digest": DIGESTS[2]},
        "labels": ["person", "bicycle", "car", "motorcycle", "bus", "truck"],
        "provider_asked": ["auto"],
        "provider": "openvino:CPU",
        "update": update,
        "since": AT,
    }


def health(device: str) -> dict[str, Any]:
    """What a box says once a minute."""
    source = {"captured_per_s": 25.0, "published_per_s": 5.0, "dropped": {"full": 3}}
    return {
        "schema": "edged.health/1",
        "device": device,
        "at": AT,
        "uptime_s": 1000.0,
        "cpu_percent": 80.0,
        "memory_bytes": 200 << 20,
        "sources": [{"name": "front", **source}, {"name": "back", **source}],
        "spool": {"entries": 0, "bytes": 0, "dropped": 0},
    }


class Boxes:
    """Simulated boxes on a broker."""

    def __init__(self, port: int, count: int, models: int) -> None:
        self.devices = [f"box-{number:05d}" for number in range(count)]
        self.models = [f"model-{number}" for number in range(models)]
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._ending = threading.Event()
        self._talking = threading.Thread(target=self._talk)

    def __enter__(self) -> "Boxes":
        """Publish what the broker keeps, then go on with `health`."""
        last = None
        for number, device in enumerate(self.devices):
            said: dict[str, bytes] = {
                "status": b"offline" if number % 100 == 99 else b"online",
                "info": json.dumps(info(device, self.models)).encode(),
            }
            for model in self.models:
                state = model_state(device, model, refused=number % 50 == 49)
                said[f"model/{model}/state"] = json.dumps(state).encode()
            for leaf, payload in said.items():
                last = self._client.publish(f"edged/{device}/{leaf}", payload, 1, retain=True)
            if last and number % 200 == 199:
                last.wait_for_publish(60)
        if last:
            last.wait_for_publish(60)
        self._talking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._talking.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _talk(self) -> None:
        pause_s, number = 60.0 / len(self.devices), 0
        while not self._ending.wait(pause_s * 20):
            for _ in range(20):
                device = self.devices[number % len(self.devices)]
                self._client.publish(f"edged/{device}/health", json.dumps(health(device)), 0)
                number += 1


def look(port: int) -> tuple[float, float, list[dict[str, Any]]]:
    """One look of a user: seconds, and the boxes that were shown; processor seconds between."""
    program = [sys.executable, "-m", "edged", "fleet", "--mqtt", f"mqtt://127.0.0.1:{port}", "--json"]
    before, begun_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
    took_s, after = time.monotonic() - begun_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took_s, cpu_s, [json.loads(line) for line in done.stdout.splitlines()]


def require_whole(shown: list[dict[str, Any]], boxes: Boxes) -> None:
    """Every box, with what it said."""
    assert {box["device"] for box in shown} == set(boxes.devices), len(shown)
    assert all(box["edged"] == "0.1.0" and set(box["models"]) == set(boxes.models) for box in shown)
    assert sum(box["status"] == "offline" for box in shown) == len(boxes.devices) // 100
    refused = [box for box in shown if any(model["update"] == "refused" for model in box["models"].values())]
    assert len(refused) == len(boxes.devices) // 50


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boxes", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    looks = []
    with tempfile.TemporaryDirectory() as folder:
        process, port = broker(Path(folder))
        try:
            with Boxes(port, wanted.boxes, wanted.models) as boxes:
                for _ in range(wanted.rounds):
                    took_s, cpu_s, shown = look(port)
                    require_whole(shown, boxes)
                    looks.append((took_s, cpu_s))
                    print(f"{took_s:.2f} s until the table is whole, {cpu_s:.2f} s of CPU")
        finally:
            process.terminate()
            process.wait()
    most_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    result = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "boxes": wanted.boxes,
        "models": wanted.models,
        "rounds": wanted.rounds,
        "whole_s": [round(took_s, 2) for took_s, _ in looks],
        "whole_median_s": round(statistics.median(took_s for took_s, _ in looks), 2),
        "cpu_median_s": round(statistics.median(cpu_s for _, cpu_s in looks), 2),
        "most_memory_mib": round(most_mib, 1),
    }
    print(json.dumps(result, indent=2))
    (ROOT / "benchmarks/results/fleet.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Nothing lost, counted from outside: broker and edged are killed at random, and what was accepted arrives.

Accepted is what stands in the outbox's file when edged was killed, and what arrived. `make soak` is the long form.
"""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clips
import toy_models
from daemons import Daemon, write_config
from mosquitto_broker import free_port

SOAK_S = float(os.environ.get("EDGED_SOAK_S", "60"))
FRAMES_A_SECOND = int(os.environ.get("EDGED_SOAK_FPS", "25"))
LOST_ACKNOWLEDGEMENTS = 0.0005


class Recorder:
    """The recording broker, killed and started again on its port."""

    def __init__(self, folder: Path) -> None:
        self.port, self._file = free_port(), folder / "recorded.jsonl"
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = [sys.executable, str(Path(__file__).parent / "recording_broker.py")]
        self._process = subprocess.Popen(
            [*program, str(self.port), str(self._file), str(LOST_ACKNOWLEDGEMENTS)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def results(self) -> list[dict[str, Any]]:
        found = []
        for line in self._file.read_bytes().split(b"\n")[:-1]:
            message = json.loads(line)
            if message["topic"].endswith("/detections"):
                found.append(json.loads(message["payload"]))
        return found


@contextmanager
def recorder(folder: Path) -> Iterator[Recorder]:
    broker = Recorder(folder)
    try:
        yield broker
    finally:
        broker.kill()


def waiting(state: Path) -> set[str]:
    """Ids of the results in the file of an outbox that nobody has open."""
    file = state / "outbox" / "outbox.db"
    if not file.exists():
        return set()
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT CAST(payload AS TEXT) FROM message WHERE topic LIKE '%/detections'")
        return {json.loads(payload)["id"] for (payload,) in rows}


def two_cameras(folder: Path, url: str) -> Path:
    """A configuration of two cameras that make `FRAMES_A_SECOND` results each."""
    model = toy_models.toy_detector(folder / "toy.onnx")
    clip = clips.counting_clip(folder / "clip.mkv", 10 * FRAMES_A_SECOND, fps=FRAMES_A_SECOND)
    cameras = {name: {"url": clip, "models": ["m"]} for name in ("left", "right")}
    return write_config(folder / "edged.toml", url, cameras=cameras, models={"m": model})


def test_nothing_that_was_accepted_is_lost_whoever_is_killed(tmp_path: Path) -> None:
    rolls = random.Random(7)
    accepted: set[str] = set()
    kills: Counter[str] = Counter()
    with recorder(tmp_path) as broker:
        config = two_cameras(tmp_path, broker.url)
        daemon = Daemon("-c", str(config))
        try:
            assert daemon.says("camera online", 30), daemon.log
            ends_s = time.monotonic() + SOAK_S
            while time.monotonic() < ends_s:
                time.sleep(rolls.uniform(0.5, 2.5) * max(1.0, SOAK_S / 60))
                if rolls.random() < 2 / 3:
                    broker.kill()
                    kills["broker"] += 1
                    time.sleep(rolls.uniform(0.0, 2.0))
                    broker.start()
                else:
                    daemon.kill()
                    kills["edged"] += 1
                    accepted |= waiting(tmp_path / "state")
                    daemon = Daemon("-c", str(config))
            for _ in range(3):  # an acknowledgement that was left out may outlast the end
                time.sleep(2)
                assert daemon.end(10) == 0
                if not (left := waiting(tmp_path / "state")):
                    break
                accepted |= left
                daemon.kill()
                daemon = Daemon("-c", str(config))
                assert daemon.says("camera online", 30), daemon.log
        finally:
            daemon.kill()
        arrived = broker.results()
    ids = [result["id"] for result in arrived]
    lost = accepted - set(ids)
    assert not lost, f"{len(lost)} of {len(accepted)}"
    assert kills["broker"] >= 5
    assert kills["edged"] >= 2
    assert len(accepted) > 0
    first: dict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for result in arrived:
        if result["id"] not in seen:
            seen.add(result["id"])
            first[result["source"]].append(result["id"])
    for source, order in first.items():
        assert order == sorted(order), f"{source}: first arrivals out of order"
    print(
        f"{kills}, {len(seen)} results, {len(ids) - len(seen)} duplicates, {len(accepted)} waited at a kill"
    )

"""Hostile and damaged models as candidates, while a camera runs: does the daemon live, and does service go on.

    python benchmarks/hostile.py [--mutants 2000] [--lanes 4] [--seed 1]

One camera at ten frames a second on a real model is watched. Beside it, other models of the same daemon get one
candidate after the other: crafted ones (endless loops, 100 GB, weights outside their folder, graphs in graphs …) and
mutants of real models (bytes flipped, cut out, doubled, cut short). Each must be served or rejected by name within a
minute and a half. Printed: verdicts by step, the slowest one, the watched camera's rate beside its rate before, deaths
of the daemon. Needs mosquitto and ``onnx``. Writes ``benchmarks/results/hostile.json``.
"""

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from daemon import broker
from paho.mqtt.enums import CallbackAPIVersion

ROOT = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGED_ASSETS", ROOT.parent / "shared" / "assets"))
sys.path.insert(0, str(ROOT / "tests"))

import toy_models  # noqa: E402  # the tests' own makers of odd models

VERDICT_S = 90.0
MUTATED = ("yunet_n_320", "ultraface_rfb_320", "fastestdet_352", "yolo_fastestv2_352")
Make = Callable[[Path], Any]


def crafted() -> dict[str, Make]:
    """Models that mean harm, or look like it."""
    toy = toy_models
    makers: dict[str, Make] = {
        "endless loop": lambda path: toy.slow_detector(path, rounds=2**60),
        "100 GB": lambda path: toy.hungry_detector(path, mebibytes=100_000),
        "20 GB": lambda path: toy.hungry_detector(path, mebibytes=20_000),
        "always NaN": lambda path: toy.nan_detector(path, always=True),
        "weights in /etc/passwd": lambda path: toy.with_external_data(path, "/etc/passwd"),
        "weights in ../..": lambda path: toy.with_external_data(path, "../../../etc/hostname"),
        "weights that are missing": lambda path: toy.with_external_data(path, "weights.bin"),
        "compiled for a provider": toy.with_context_node,
        "12 graphs in graphs": lambda path: toy.nested(path, 12),
        "7 graphs in graphs": lambda path: toy.nested(path, 7),
        "no detector": toy.classifier,
        "empty file": lambda path: path.write_bytes(b""),
        "zeros": lambda path: path.write_bytes(b"\0" * 1_000_000),
        "ones": lambda path: path.write_bytes(b"\xff" * 1_000_000),
        "text": lambda path: path.write_text("this is not a model\n" * 1000),
    }
    for name in ("lfs_pointer", "two_bytes", "custom_op_superres", "string_io", "segmentation_not_detector",
                 "two_inputs_int", "mnist_classifier"):  # fmt: skip
        source = ASSETS / "hostile" / f"{name}.onnx"
        makers[name] = lambda path, source=source: path.write_bytes(source.read_bytes())
    return makers


def mutant(content: bytes, rolls: random.Random) -> bytes:
    """Damaged somewhere, a little or much."""
    data = bytearray(content)
    kind = rolls.randrange(5)
    if kind == 0:
        for _ in range(rolls.choice([1, 1, 2, 5, 50])):
            data[rolls.randrange(len(data))] = rolls.randrange(256)
    elif kind == 1:  # where the graph is described, not its weights
        for _ in range(rolls.choice([1, 3, 10])):
            data[rolls.randrange(min(len(data), 4000))] = rolls.randrange(256)
    elif kind == 2:
        del data[rolls.randrange(len(data)) :]
    elif kind == 3:
        start = rolls.randrange(len(data))
        del data[start : start + rolls.randrange(1, 200)]
    else:
        start = rolls.randrange(len(data))
        data[start:start] = data[start : start + rolls.randrange(1, 200)]
    return bytes(data)


class Lane:
    """One model whose versions are candidates, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.active = 0

    def put(self, make: Make) -> int:
        """The next version, renamed into place."""
        self.number += 1
        staged = self.folder / f".staged-{self.number}"
        staged.mkdir(parents=True)
        make(staged / "model.onnx")
        staged.rename(self.folder / str(self.number))
        return self.number

    def verdict(self) -> str | None:
        """Of the newest version: ``served``, or the step and the reason."""
        if self.active == self.number:
            return "served"
        path = self.folder / f"{self.number}.rejected.json"
        if not path.exists():
            return None
        record = json.loads(path.read_text())
        return f"{record['step']}: {record['reason']}"


class Watch:
    """What the daemon says."""

    def __init__(self, port: int, lanes: dict[str, Lane]) -> None:
        self.count, self._lanes = 0, lanes
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("edged/bench/camera/watched/detections", 1), ("edged/bench/model/+/state", 1)]
        )
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _hear(self, _client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/detections"):
            self.count += 1
        elif (name := message.topic.split("/")[3]) in self._lanes and message.payload:
            self._lanes[name].active = (json.loads(message.payload).get("active") or {}).get("version", 0)

    def rate(self, seconds: float) -> float:
        """Messages of the watched camera a second."""
        before, began = self.count, time.monotonic()
        threading.Event().wait(seconds)
        return (self.count - before) / (time.monotonic() - began)


def feed(
    lane: Lane, candidates: Iterator[tuple[str, Make]], lock: threading.Lock, verdicts: list[Any]
) -> None:
    while True:
        with lock:
            candidate = next(candidates, None)
        if candidate is None:
            return
        name, make = candidate
        lane.put(make)
        began = time.monotonic()
        while (verdict := lane.verdict()) is None and time.monotonic() - began < VERDICT_S:
            threading.Event().wait(0.02)
        verdicts.append((name, verdict or "no verdict", round(time.monotonic() - began, 1)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rolls = random.Random(options.seed)
    sources = [(name, (ASSETS / "models" / f"{name}.onnx").read_bytes()) for name in MUTATED]

    def candidates() -> Iterator[tuple[str, Make]]:
        yield from crafted().items()
        for _ in range(options.mutants):
            name, content = rolls.choice(sources)
            damaged = mutant(content, rolls)
            yield f"mutant of {name}", lambda path, damaged=damaged: path.write_bytes(damaged)

    with tempfile.TemporaryDirectory() as name:
        result = _run(Path(name), candidates(), options)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "hostile.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def _run(folder: Path, candidates: Iterator[tuple[str, Make]], options: argparse.Namespace) -> dict[str, Any]:
    process, port = broker(folder)
    names = [f"lane{n}" for n in range(options.lanes)]
    lanes = {name: Lane(folder / "store" / name) for name in names}
    for lane in lanes.values():
        lane.put(toy_models.toy_detector)
    text = (
        f'device = "bench"\n[http]\nlisten = ""\n[state]\npath = "state"\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n'
        f'[store]\npath = "{folder / "store"}"\nkeep_versions = 2\n'
        f'[models.good]\npath = "{ASSETS / "models" / "yolo_fastestv2_352.onnx"}"\nproviders = ["cpu"]\n'
        f'[cameras.watched]\nurl = "{ASSETS / "videos" / "one_by_one_person.mp4"}"\nmodels = ["good"]\nfps = 10\n'
    )
    for name in names:
        text += f'[models.{name}]\nproviders = ["cpu"]\nprobation = "1h"\n'
        text += (
            f'[cameras.{name}]\nurl = "{ASSETS / "videos" / "bottles.mp4"}"\nmodels = ["{name}"]\nfps = 1\n'
        )
    (folder / "edged.toml").write_text(text)
    log = (folder / "log").open("w")
    daemon = subprocess.Popen(
        [sys.executable, "-m", "edged", "run", "-c", str(folder / "edged.toml")], stderr=log
    )
    verdicts: list[Any] = []
    try:
        watch = Watch(port, lanes)
        while watch.count < 20:
            threading.Event().wait(0.1)
        before = watch.rate(20)
        lock = threading.Lock()
        feeders = [
            threading.Thread(target=feed, args=(lane, candidates, lock, verdicts)) for lane in lanes.values()
        ]
        begun, counted = time.monotonic(), watch.count
        for feeder in feeders:
            feeder.start()
        while any(feeder.is_alive() for feeder in feeders):
            threading.Event().wait(10)
            print(f"{len(verdicts)} verdicts, {watch.count} messages", file=sys.stderr, flush=True)
        during = (watch.count - counted) / (time.monotonic() - begun)
        alive = daemon.poll() is None
    finally:
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(15)
        process.terminate()
        process.wait()
        log.close()
    text = (folder / "log").read_text()
    steps = Counter(verdict.partition(":")[0] for _, verdict, _ in verdicts)
    return {
        "machine": {"platform": platform.platform(), "cores": len(os.sched_getaffinity(0))},
        "candidates": len(verdicts),
        "verdicts": dict(steps.most_common()),
        "slowest_s": max(verdicts, key=lambda one: one[2])[0::2],
        "crafted": {
            name: verdict.replace(f"{folder}/", "")
            for name, verdict, _ in verdicts
            if not name.startswith("mutant")
        },
        "rate_before": round(before, 2),
        "rate_during": round(during, 2),
        "rate_kept": round(during / before, 4),
        "daemon_alive_at_the_end": alive,
        "exit_code": code,
        "bugs_in_the_log": sum("a bug" in line or "Traceback" in line for line in text.splitlines()),
    }


if __name__ == "__main__":
    main()

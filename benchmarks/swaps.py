"""What a swap costs the frames, and what is left of it in memory.

    python benchmarks/swaps.py [--seconds 60] [--rounds 3] [--swaps 200] [--provider P] [--model M] [--video V]

**Frames.** A camera at its own pace and a daemon with one model: phases without swaps and phases with a new version
every two seconds (good ones, and bad ones: cut short, of another kind, refused for its time) take turns. Printed: p99
of the age of a frame at its message in both, frames without a message, and messages whose version has another digest.

**Memory.** One swap after the other on the same daemon: the anonymous and shared memory of daemon and workers together
(``Pss_Anon`` and ``Pss_Shmem``: programs and libraries in files do not count, other processes share those) after each,
once the old process has ended. The level after the fifth is the yardstick.

Needs mosquitto, and the packages ``onnx`` and ``paho-mqtt``. Writes ``benchmarks/results/swaps.json``.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import signal
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
from onnx import TensorProto, helper
from paho.mqtt.enums import CallbackAPIVersion

ROOT = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGED_ASSETS", ROOT.parent / "shared" / "assets"))
EVERY_S = 2.0


class Subscriber:
    """Keeps what the daemon says."""

    def __init__(self, port: int) -> None:
        self.results: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("edged/#", qos=1)
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _hear(self, _client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/detections"):
            self.results.append(json.loads(message.payload))
        elif message.topic == "edged/bench/model/m/state" and message.payload:
            self.state = json.loads(message.payload)

    def version(self) -> int:
        """That serves."""
        return (self.state.get("active") or {}).get("version", 0)

    def close(self) -> None:
        """Hear no more."""
        self._client.loop_stop()


class Store:
    """Versions made of one model: the same network under other thresholds, so that each is another version."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self._model, self.number = folder, model, 0
        self.digests: dict[int, str] = {}
        self.bad: dict[int, str] = {}

    def put(self, kind: str) -> int:
        """The next version, renamed into place."""
        self.number += 1
        staged = self.folder / f".staged-{self.number}"
        staged.mkdir(parents=True)
        onnx = staged / "model.onnx"
        if kind == "other kind":
            self._map(onnx)
        else:
            shutil.copyfile(self._model, onnx)
            (staged / "model.toml").write_text(f"[output]\nmin_score = {0.25 + self.number % 50 / 1000}\n")
        if kind == "cut short":
            os.truncate(onnx, onnx.stat().st_size // 2)
        if kind == "wrong golden":
            with (staged / "model.toml").open("a") as file:
                file.write('[[golden]]\ninput = "golden/none.png"\nexpect = []\n')
        self.digests[self.number] = f"sha256:{hashlib.sha256(onnx.read_bytes()).hexdigest()}"
        if kind != "good":
            self.bad[self.number] = kind
        staged.rename(self.folder / str(self.number))
        return self.number

    @staticmethod
    def _map(path: Path) -> None:
        picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
        output = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, 64, 64])
        graph = helper.make_graph([helper.make_node("Relu", ["images"], ["out"])], "map", [picture], [output])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.write_bytes(model.SerializeToString())


def memory_mib(pid: int) -> float:
    """Anonymous and shared memory of a process and its children."""
    pids, total = [pid], 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                pids.append(int(entry.name))
    for one in pids:
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(
            int(line.split()[1]) for line in text.splitlines() if line.startswith(("Pss_Anon:", "Pss_Shmem:"))
        )
    return total / 1024


def wait(true: Any, within_s: float, what: str) -> None:
    deadline_s = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"{what}: not within {within_s:.0f} s")
        time.sleep(0.01)


def p99(values: list[float]) -> float:
    """The 99th of a hundred."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def swap_for(seconds: float, store: Store, swapping: bool) -> None:
    kinds = ["good", "cut short", "good", "other kind", "good", "wrong golden"]
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        if swapping:
            store.put(kinds[store.number % len(kinds)])
        threading.Event().wait(min(EVERY_S, max(0.0, end_s - time.monotonic())))


def frames(options: argparse.Namespace, store: Store, heard: Subscriber) -> dict[str, Any]:
    """Phases without and with swaps in turn."""
    phases: dict[str, list[dict[str, Any]]] = {"still": [], "swapping": []}
    for _ in range(options.rounds):
        for name, swapping in (("still", False), ("swapping", True)):
            begun = len(heard.results)
            swap_for(options.seconds / options.rounds, store, swapping)
            found = heard.results[begun:]
            ages = [one["timing_ms"]["age"] for one in found]
            sequences = [one["sequence"] for one in found]
            phases[name].append(
                {
                    "messages": len(found),
                    "missing": sequences[-1] - sequences[0] + 1 - len(found),
                    "median_ms": round(statistics.median(ages), 1),
                    "p99_ms": round(p99(ages), 1),
                }
            )
            wait(
                lambda: "candidate" not in heard.state or heard.state["candidate"] is None,
                30,
                "the last trial",
            )
    wrong = [one for one in heard.results if store.digests[one["model"]["version"]] != one["model"]["digest"]]
    served_bad = [one for one in heard.results if one["model"]["version"] in store.bad]
    ratio = statistics.median(p["p99_ms"] for p in phases["swapping"]) / statistics.median(
        p["p99_ms"] for p in phases["still"]
    )
    return {
        "phases": phases,
        "p99_ratio": round(ratio, 2),
        "versions": store.number,
        "rejected": {str(n): r["step"] for n, r in sorted(_rejected(store.folder).items())},
        "bad": {str(number): kind for number, kind in store.bad.items()},
        "messages_with_a_wrong_digest": len(wrong),
        "messages_of_bad_versions": len(served_bad),
    }


def _rejected(folder: Path) -> dict[int, dict[str, Any]]:
    found = (json.loads(path.read_text()) for path in folder.glob("*.rejected.json"))
    return {one["version"]: one for one in found}


def memory(options: argparse.Namespace, store: Store, heard: Subscriber, pid: int) -> dict[str, Any]:
    """One swap after the other."""
    levels = []
    for number in range(options.swaps):
        version = store.put("good")
        wait(lambda v=version: heard.version() == v, 60, f"swap {number}")
        wait(lambda: heard.state.get("probation") == "", 60, "the probation")
        wait(lambda: len(_workers(pid)) == 1, 20, "the end of the old process")
        levels.append(round(memory_mib(pid), 1))
        if number % 20 == 4:
            print(f"  after {number + 1:3} swaps {levels[-1]:7.1f} MiB", flush=True)
    last = statistics.median(levels[-5:])
    return {
        "swaps": options.swaps,
        "mib": levels,
        "after_fifth": levels[4],
        "at_the_end": last,
        "drift": round(last / levels[4] - 1, 4),
    }


def _workers(pid: int) -> list[int]:
    text = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(one) for one in text.split()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of each kind of phase, together")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--model", type=Path, default=ASSETS / "models" / "yolox_nano_416.onnx")
    parser.add_argument("--video", type=Path, default=ASSETS / "videos" / "one_by_one_person.mp4")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "machine": {"platform": platform.platform(), "cores": len(os.sched_getaffinity(0))},
        "provider": options.provider,
        "model": options.model.name,
    }
    for part in ("frames", "memory"):
        if (part == "frames" and not options.seconds) or (part == "memory" and not options.swaps):
            continue
        with tempfile.TemporaryDirectory() as name:
            result[part] = _run(part, options, Path(name))
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    target = results / f"swaps-{options.provider}.json"
    before = json.loads(target.read_text()) if target.exists() else {}
    target.write_text(json.dumps(before | result, indent=1) + "\n")
    print(
        json.dumps(
            {**result, "memory": {k: v for k, v in result.get("memory", {}).items() if k != "mib"}}, indent=1
        )
    )


def _run(part: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    process, port = broker(folder)
    store = Store(folder / "store" / "m", options.model)
    store.put("good")
    config = folder / "edged.toml"
    probation = "1h" if part == "frames" else "100ms"
    config.write_text(
        f'device = "bench"\n[http]\nlisten = ""\n[state]\npath = "state"\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n'
        f'[store]\npath = "{store.folder.parent}"\nkeep_versions = 3\n'
        f'[models.m]\nproviders = ["{options.provider}"]\nprobation = "{probation}"\n'
        f'[cameras.c]\nurl = "{options.video.resolve()}"\nmodels = ["m"]\nfps = {10 if part == "frames" else 0}\n'
        + ("" if part == "frames" else "realtime = false\n")
    )
    heard = Subscriber(port)
    daemon = subprocess.Popen(
        [sys.executable, "-m", "edged", "run", "-c", str(config)], stderr=(folder / "log").open("w")
    )
    try:
        wait(lambda: len(heard.results) > 20, 60, "the first results")
        if part == "frames":
            return frames(options, store, heard)
        return memory(options, store, heard, daemon.pid)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(10)
        heard.close()
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()

"""The broker away for an hour, at 50 results a second: memory and disk meanwhile, and the way back.

    python benchmarks/outage.py [--hours 1] [--rate 50] [--size 600] [--bound 256] [--rounds 3]

The hour is simulated by its number of results, appended as fast as the disk takes them. Then mosquitto is started, and
results go on coming at the live rate while the backlog is delivered. Measured in the process of outbox and link:
memory before, at the end of the hour, and after the way back; the files of the outbox; results of the backlog a
second; how late live results are at a subscriber. Needs mosquitto. Writes ``benchmarks/results/outage.json``.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from daemon import broker
from paho.mqtt.enums import CallbackAPIVersion

from edged.mqtt.link import Link, LinkOptions
from edged.mqtt.topics import Topics
from edged.outbox import DiskOutbox
from edged.urls import broker_address

ROOT = Path(__file__).parent.parent
TOPICS = Topics("edged", "bench")


def memory_mib() -> float:
    """Anonymous memory of this process."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no smaps_rollup")


def files_mib(folder: Path) -> float:
    """What the outbox takes on disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir()) / 2**20


class Subscriber:
    """Another process that counts what arrives, and how late."""

    def __init__(self, port: int) -> None:
        program = [sys.executable, __file__, "--listen", str(port)]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def close(self) -> dict[str, Any]:
        """Hear no more; what was heard."""
        heard: dict[str, Any] = json.loads(self._process.communicate("end")[0])
        return heard


def listen(port: int) -> None:
    """The other process."""
    heard: dict[str, Any] = {"count": 0, "late_s": []}

    def hear(_client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        heard["count"] += 1
        _, _, made = message.payload.partition(b'"made":')
        if made and b'"replayed":true' not in made:  # one from before the connection belongs to the backlog
            heard["late_s"].append(time.monotonic() - float(made.partition(b",")[0]))

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe("edged/+/camera/#", qos=1)
    client.on_subscribe = lambda *_: print("listening", flush=True)
    client.on_message = hear
    client.connect("127.0.0.1", port)
    client.loop_start()
    sys.stdin.read()
    client.loop_stop()
    print(json.dumps(heard))


def outage(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """One hour and the way back."""
    topic = TOPICS.detections("front")
    pad = "x" * (options.size - 60)
    box = DiskOutbox(folder / "outbox", options.bound << 20, 7 * 86400.0)
    box.start()
    process, port = broker(folder)  # its port; it is away until the hour is over
    process.terminate()
    process.wait()
    before = memory_mib()
    count = int(options.hours * 3600 * options.rate)
    began_s = time.monotonic()
    for number in range(count):
        box.append(topic, f'{{"id":"{number:026d}","pad":"{pad}"}}'.encode(), qos=1)
        while number % 100 == 0 and box.last_key < number - 2000:
            time.sleep(0.001)
    while box.last_key < count:
        time.sleep(0.01)
    filled_s, away, disk = time.monotonic() - began_s, memory_mib(), files_mib(folder / "outbox")
    waiting = len(box)
    process, port = broker(folder)
    subscriber = Subscriber(port)
    link = Link(LinkOptions(broker_address(f"mqtt://127.0.0.1:{port}"), "bench"), topics=TOPICS, outbox=box)
    began_s, live = time.monotonic(), 0
    link.start()
    drained_s = 0.0
    while not drained_s or time.monotonic() < began_s + drained_s + 2:
        made = f'{{"id":"{count + live:026d}","made":{time.monotonic()},"pad":"{pad}"}}'.encode()
        box.append(topic, made, qos=1)
        live += 1
        if not drained_s and len(box) < options.rate:
            drained_s = time.monotonic() - began_s
        time.sleep(max(0.0, began_s + live / options.rate - time.monotonic()))
    link.drain(10)
    link.stop(5)
    time.sleep(1)
    after = memory_mib()
    heard = subscriber.close()
    late_s = sorted(heard["late_s"])
    result = {
        "results_in_the_hour": count,
        "waiting_at_its_end": waiting,
        "dropped": box.dropped,
        "appended_per_s": count / filled_s,
        "memory_before_mib": before,
        "memory_at_its_end_mib": away,
        "memory_after_mib": after,
        "disk_mib": disk,
        "drained_per_s": waiting / drained_s,
        "times_the_live_rate": waiting / drained_s / options.rate,
        "live_late_p50_ms": statistics.median(late_s) * 1000,
        "live_late_p95_ms": late_s[int(len(late_s) * 0.95)] * 1000,
        "live_late_max_ms": late_s[-1] * 1000,
        "arrived": heard["count"],
        "missing": waiting + live - heard["count"],
    }
    box.close(10)
    process.terminate()
    process.wait()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--size", type=int, default=600)
    parser.add_argument("--bound", type=int, default=256, help="of the outbox, MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--listen", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.listen:
        listen(options.listen)
        return
    rounds = []
    for _ in range(options.rounds):
        folder = Path(tempfile.mkdtemp(prefix="outage-"))
        try:
            rounds.append(outage(options, folder))
        finally:
            shutil.rmtree(folder)
    results: dict[str, Any] = {
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "rate": options.rate,
        "bytes": options.size,
        "bound_mib": options.bound,
        "rounds": len(rounds),
        "medians": {key: round(statistics.median(one[key] for one in rounds), 2) for key in rounds[0]},
        "worst_live_late_ms": round(max(one["live_late_max_ms"] for one in rounds), 1),
        "missing": sum(one["missing"] for one in rounds),
    }
    text = json.dumps(results, indent=1)
    print(text)
    (ROOT / "benchmarks" / "results" / "outage.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

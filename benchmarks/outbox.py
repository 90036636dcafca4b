"""What the outbox on disk costs: messages a second, and CPU a message, by fsync policy.

    python benchmarks/outbox.py [--messages 20000] [--rounds 5] [--size 600] [--folder F]

**Saturated.** One thread appends as fast as it can, another takes and removes, as the link does. Measured from the
first append until the last message was seen (committed) and removed. ``FULL`` is what edged runs; ``NORMAL`` and
``OFF`` leave fsyncs out, and are measured beside it, in turns, only to show what they would save.

**Steady.** 50 messages a second for some seconds: CPU a message, and how long a message waits until it may be sent.

Writes ``benchmarks/results/outbox.json``.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from edged.outbox import DiskOutbox, database

ROOT = Path(__file__).parent.parent
POLICIES = ("FULL", "NORMAL", "OFF")


def filled(outbox: DiskOutbox, done: threading.Event, count: int) -> None:
    """Take and remove ``count`` messages, as the link does."""
    news, taken, key = threading.Event(), 0, 0
    outbox.subscribe(news.set)
    while taken < count:
        news.wait(0.1)
        news.clear()
        while entries := outbox.after(key, 128):
            for entry in entries:
                outbox.remove(entry.key)
            key = entries[-1].key
            taken += len(entries)
    done.set()


def saturated(folder: Path, messages: int, payload: bytes) -> dict[str, float]:
    """Messages a second, and CPU milliseconds a message."""
    outbox = DiskOutbox(folder, 256 << 20, 3600.0)
    outbox.start()
    done = threading.Event()
    link = threading.Thread(target=filled, args=(outbox, done, messages))
    link.start()
    cpu_s, began_s = time.process_time(), time.perf_counter()
    for number in range(messages):
        outbox.append("edged/box/camera/front/detections", payload, qos=1)
        while number % 64 == 0 and outbox.depth_bytes > 2 << 20:
            time.sleep(0.0005)
    done.wait(120)
    wall_s, used_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    link.join()
    dropped = outbox.dropped
    outbox.close(30)
    if dropped:
        raise SystemExit(f"{dropped} messages were dropped: the appending side was not held back")
    return {"per_s": messages / wall_s, "cpu_ms": used_s / messages * 1000}


def steady(folder: Path, seconds: float, payload: bytes) -> dict[str, float]:
    """CPU a message at 50 a second, and the time until a message may be sent."""
    outbox = DiskOutbox(folder, 256 << 20, 3600.0)
    outbox.start()
    waited: list[float] = []
    appended_s = 0.0
    seen = threading.Event()

    def wake() -> None:
        if outbox.last_key > wake.key:  # type: ignore[attr-defined]
            wake.key = outbox.last_key  # type: ignore[attr-defined]
            waited.append(time.perf_counter() - appended_s)
            seen.set()

    wake.key = 0  # type: ignore[attr-defined]
    outbox.subscribe(wake)
    cpu_s = time.process_time()
    for number in range(int(seconds * 50)):
        seen.clear()
        appended_s = time.perf_counter()
        outbox.append("edged/box/camera/front/detections", payload, qos=1)
        seen.wait(5)
        outbox.after(number, 1)
        outbox.remove(number + 1)
        time.sleep(max(0.0, appended_s + 0.02 - time.perf_counter()))
    used_s = time.process_time() - cpu_s
    outbox.close(30)
    return {
        "cpu_ms": used_s / len(waited) * 1000,
        "wait_ms": statistics.median(waited) * 1000,
        "wait_p99_ms": sorted(waited)[int(len(waited) * 0.99)] * 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=10.0, help="of the steady part")
    parser.add_argument(
        "--folder", type=Path, help="on the disk that is meant; default: the temporary folder"
    )
    options = parser.parse_args()
    payload = (b'{"id":"01M828D3H278EQA6TS5WPV8E67","x":"' + b"x" * options.size)[: options.size - 2] + b'"}'
    base = Path(tempfile.mkdtemp(prefix="outbox-", dir=options.folder))
    found: dict[str, list[dict[str, float]]] = {policy: [] for policy in POLICIES}
    try:
        for number in range(options.rounds):
            for policy in POLICIES:
                database.SYNCHRONOUS = policy
                found[policy].append(saturated(base / f"{policy}-{number}", options.messages, payload))
        database.SYNCHRONOUS = "FULL"
        at_ease = steady(base / "steady", options.seconds, payload)
    finally:
        shutil.rmtree(base)
    results: dict[str, Any] = {
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "bytes": options.size,
        "messages": options.messages,
        "rounds": options.rounds,
        "saturated": {
            policy: {
                key: round(statistics.median(one[key] for one in rounds), 4) for key in ("per_s", "cpu_ms")
            }
            for policy, rounds in found.items()
        },
        "steady_50_a_second": {key: round(value, 3) for key, value in at_ease.items()},
    }
    text = json.dumps(results, indent=1)
    print(text)
    (ROOT / "benchmarks" / "results" / "outbox.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

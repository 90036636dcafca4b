"""Cameras at four times what the box can look at with half its processors: how old the news is, and what it costs.

    PYTHONPATH=tests:tests/e2e python -m soak.overload [--seconds 120] [--times 4] [--cpus N]

First the daemon, held to half of the processors, says what it can do: one clip without pauses. Then eight cameras in
real time together bring so many times that. At the end:

* of what arrives at a subscriber, 95 of 100 are younger than `max_age`;
* captured = skipped + delivered, delivered = inferred + dropped, for each camera; much was dropped;
* all cameras had their turns: none less than half of what the luckiest had;
* the daemon and its workers need no more memory than at the first quarter, 5 MB apart; no more threads or descriptors.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import clips
import toy_models
from daemons import Daemon, write_config
from mosquitto_broker import Listener, Mosquitto, free_port, until
from operators import Operator

from soak import account
from soak.account import Sample, Series, total
from soak.day import more_memory
from soak.process import sample, scrape

CAMERAS = 8
MAX_AGE_S = 1.0  # the default
WORK_ROUNDS = 500  # some milliseconds of an inference
WARM_S = 5.0
MORE_THAN_IT_CAN = 1.5  # dropped frames to inferred ones, at least


def main(arguments: Sequence[str]) -> int:
    """See the module."""
    allowed = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        prog="soak.overload", description="Cameras at four times what the box can do."
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="(120)")
    parser.add_argument("--times", type=float, default=4.0, help="what the box can do (4)")
    parser.add_argument("--cpus", type=int, default=max(1, len(allowed) // 2), help="(half of them)")
    options = parser.parse_args(arguments)
    held = ("taskset", "-c", ",".join(map(str, allowed[: options.cpus])))
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        toy_models.slow_detector(folder / "m.onnx", rounds=WORK_ROUNDS)
        broker = Mosquitto(folder, "max_queued_messages 0")
        try:
            can = _capacity(folder, broker, held)
            print(
                f"{options.cpus} of {os.cpu_count()} processors can look at {can:.0f} frames a second",
                flush=True,
            )
            wrong = _overloaded(folder, broker, held, can * options.times, options.seconds)
        finally:
            broker.stop()
    for line in wrong:
        print(f"WRONG: {line}")
    print("bounded, flat and counted" if not wrong else f"{len(wrong)} things are wrong", flush=True)
    return 1 if wrong else 0


def _run(
    folder: Path, broker: Mosquitto, held: tuple[str, ...], cameras: dict[str, dict[str, Any]]
) -> tuple[Daemon, int]:
    """A daemon held to some processors, and the port of its metrics."""
    port = free_port()
    models = {"m": folder / "m.onnx"}
    config = write_config(folder / "edged.toml", broker.url, cameras=cameras, models=models)
    return Daemon("-c", str(config), wrapper=held, EDGED_HTTP__LISTEN=f"127.0.0.1:{port}"), port


def _clip(folder: Path, fps: int) -> Path:
    frames = [clips.solid_frame(64, 64, (60 + n % 120, 128, 128)) for n in range(30 * fps)]
    return clips.write_clip(folder / f"{fps}.mkv", frames, fps=fps)


def _capacity(folder: Path, broker: Mosquitto, held: tuple[str, ...]) -> float:
    """Frames a second."""
    clip = {"url": _clip(folder, 25), "models": ["m"], "realtime": False}
    daemon, port = _run(folder, broker, held, {"all": clip})
    with daemon:
        assert daemon.says("camera online", 60), daemon.log
        time.sleep(WARM_S)
        begin_s, before = time.monotonic(), total(scrape(port), "edged_camera_frames_inferred_total")
        time.sleep(3 * WARM_S)
        done = total(scrape(port), "edged_camera_frames_inferred_total") - before
        return done / (time.monotonic() - begin_s)


def _overloaded(
    folder: Path, broker: Mosquitto, held: tuple[str, ...], per_s: float, seconds: float
) -> list[str]:
    names, fps = [f"c{n}" for n in range(CAMERAS)], max(1, round(per_s / CAMERAS))
    clip = {"url": _clip(folder, fps), "models": ["m"]}
    daemon, port = _run(folder, broker, held, dict.fromkeys(names, clip))
    with Listener(broker, "edged/box/camera/+/detections") as listener, daemon:
        assert daemon.says("camera online", 60, times=CAMERAS), daemon.log
        begin_s, samples = time.monotonic(), []
        while (at_s := time.monotonic() - begin_s) < seconds:
            samples.append(_family(daemon, at_s))
            time.sleep(1)
        ages, replayed = _ages_s(listener)
        with Operator(broker) as operator:
            for name in names:
                assert operator.ask("camera/enable", name=name, enabled=False)["ok"]
        until(lambda: not any(account.frames_astray(scrape(port), name) for name in names), 15)
        series = scrape(port)
        code = daemon.end(10)
    wrong = [line for name in names for line in account.frames_astray(series, name)]
    wrong += _judged(series, names, ages, replayed) + account.leaks(samples) + more_memory(samples)
    return [*wrong, f"it ended with {code}"] if code else wrong


def _judged(series: Series, names: Sequence[str], ages: Sequence[float], replayed: int) -> list[str]:
    delivered, dropped = (
        total(series, f"edged_camera_frames_{what}_total") for what in ("delivered", "dropped")
    )
    turns = [total(series, "edged_camera_frames_inferred_total", camera=name) for name in names]
    p95_s = quantiles(ages, n=20)[-1]
    print(
        f"{delivered:.0f} frames, {sum(turns):.0f} looked at ({min(turns):.0f} to {max(turns):.0f} of each camera), "
        f"{dropped:.0f} dropped; age at a subscriber: median {median(ages):.3f} s, p95 {p95_s:.3f} s, "
        f"oldest {max(ages):.3f} s; {replayed} from before the link was up, and marked so",
        flush=True,
    )
    wrong = []
    if p95_s > MAX_AGE_S:
        wrong.append(f"p95 of the age is {p95_s:.2f} s, over max_age")
    if min(turns) < max(turns) / 2:
        wrong.append("cameras had their turns unevenly")
    if dropped < MORE_THAN_IT_CAN * sum(turns):
        wrong.append("that was no overload")
    return wrong


def _ages_s(listener: Listener) -> tuple[list[float], int]:
    """From the capture of a frame to its arrival here, both clocks are of this machine; and how many had waited."""
    ahead_s = time.time() - time.monotonic()
    ages_s, replayed = [], 0
    for message in list(listener.messages):
        content = json.loads(message.payload)
        if content.get("replayed"):
            replayed += 1  # made while the link was not up: it says itself that it is no news
            continue
        captured_s = datetime.fromisoformat(content["captured_at"]).timestamp()
        ages_s.append(message.timestamp + ahead_s - captured_s)
    return ages_s, replayed


def _family(daemon: Daemon, at_s: float) -> Sample:
    """The memory of the daemon and its workers; threads and descriptors of the daemon."""
    own = sample(daemon.process.pid, at_s)
    workers = [sample(pid, at_s).resident_mb for pid in daemon.workers()]
    return replace(own, resident_mb=own.resident_mb + sum(workers))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A day's worth of frames and rows, as fast as the box takes them, and whether its books balance afterwards.

    PYTHONPATH=tests:tests/e2e python -m soak.day [--hours 24] [--fps 1] [--rows 10]

A clip without pauses (`realtime = false`) and a followed file of rows, each with a tiny model, and a real mosquitto.
Only the numbers are a day's: no clock runs faster. At the end:

* captured = skipped + delivered, delivered = inferred + dropped; rows read = rows written, windows scored = rows;
* messages published = different ids at a subscriber, and first arrivals are in order;
* no more threads or descriptors; memory of the last quarter beyond that of the second: 5 MB at most.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean

import clips
import toy_models
from daemons import Daemon
from mosquitto_broker import Listener, Mosquitto, free_port, until
from operators import Operator
from sensorboxes import LINES, csv_row, two_classes, write_sensors

from soak import account
from soak.account import Sample, Series, total
from soak.process import sample, scrape

LOOK_S = 1.0
LOOP_FRAMES = 3600
ALTERNATES = 10  # rows of one class, then as many of the other: a message at each change
MORE_MB = 5.0
AT_LEAST_A_SECOND = 50.0  # frames, and rows: slower is no result but a bound on the wait


def main(arguments: Sequence[str]) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="soak.day", description="A day's worth of frames and rows.")
    parser.add_argument("--hours", type=float, default=24.0, help="(24)")
    parser.add_argument("--fps", type=float, default=1.0, help="frames a second of the day (1)")
    parser.add_argument("--rows", type=float, default=10.0, help="rows a second of the day (10)")
    options = parser.parse_args(arguments)
    frames, rows = (int(options.hours * 3600 * per_s) for per_s in (options.fps, options.rows))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        wrong = _lived(Path(folder), frames, rows)
    for line in wrong:
        print(f"WRONG: {line}")
    print("all of it adds up" if not wrong else f"{len(wrong)} things are wrong", flush=True)
    return 1 if wrong else 0


def _lived(folder: Path, frames: int, rows: int) -> list[str]:
    broker, port = Mosquitto(folder, "max_queued_messages 0"), free_port()
    config = _written(folder, broker, port, rows)
    try:
        with Listener(broker, "edged/box/#", name="day") as listener, Daemon("-c", str(config)) as daemon:
            samples = _watched(daemon, port, frames, rows)
            with Operator(broker) as operator:
                assert operator.ask("camera/enable", name="fast", enabled=False)["ok"]
            until(lambda: total(scrape(port), "edged_outbox_messages") == 0, 60)
            until(lambda: not account.frames_astray(scrape(port), "fast"), 15)
            series = scrape(port)
            wrong = _books(series, listener, rows) + account.leaks(samples) + more_memory(samples)
            if (code := daemon.end(10)) != 0:
                wrong.append(f"it ended with {code}")
    finally:
        broker.stop()
    return wrong


def _written(folder: Path, broker: Mosquitto, port: int, rows: int) -> Path:
    with (folder / "rows.csv").open("wb") as out:
        for n in range(rows):
            out.write(csv_row(n, a=2.0 * (n // ALTERNATES % 2)))
    frames = [clips.solid_frame(64, 64, (60 + n % 120, 128, 128)) for n in range(LOOP_FRAMES)]
    return write_sensors(
        folder / "edged.toml",
        broker.url,
        http={"listen": f"127.0.0.1:{port}"},
        sensors={"rows": {"url": folder / "rows.csv", **LINES, "models": ["s"], "publish": "changed"}},
        models={
            "m": {"path": toy_models.toy_detector(folder / "m.onnx")},
            "s": {"path": two_classes(folder / "s.onnx")},
        },
        **{
            "cameras.fast": {
                "url": str(clips.write_clip(folder / "clip.mkv", frames, fps=1)),
                "models": ["m"],
                "realtime": False,
            }
        },
    )


def _watched(daemon: Daemon, port: int, frames: int, rows: int) -> list[Sample]:
    """Until so many frames and rows were looked at."""
    assert daemon.says("camera online", 30), daemon.log
    begin_s = time.monotonic()
    wait_s = 60 + max(frames, rows) / AT_LEAST_A_SECOND
    samples: list[Sample] = []
    while True:
        series, at_s = scrape(port), time.monotonic() - begin_s
        samples.append(sample(daemon.process.pid, at_s))
        looked_at = total(series, "edged_camera_frames_inferred_total")
        scored = total(series, "edged_sensor_windows_scored_total")
        if looked_at >= frames and scored >= rows:
            print(f"{at_s:.0f} s: {looked_at:.0f} frames looked at, {scored:.0f} rows scored", flush=True)
            return samples
        assert at_s < wait_s, f"after {at_s:.0f} s only {looked_at:.0f} frames and {scored:.0f} rows"
        time.sleep(LOOK_S)


def more_memory(samples: Sequence[Sample]) -> list[str]:
    """Where the last quarter needs more than the second did; what caches fill in the first says nothing."""
    quarters = [
        fmean(one.resident_mb for one in group)
        for _, group in groupby(samples, key=lambda one: min(3, int(4 * one.at_s / samples[-1].at_s)))
    ]
    print(f"resident, by quarters: {', '.join(f'{mb:.1f}' for mb in quarters)} MB", flush=True)
    grown = quarters[-1] - quarters[1]
    return [f"resident memory grew by {grown:.1f} MB"] if grown > MORE_MB else []


def _books(series: Series, listener: Listener, rows: int) -> list[str]:
    wrong = account.frames_astray(series, "fast")
    read, scored = (total(series, f"edged_sensor_{name}_total") for name in ("rows", "windows_scored"))
    if not read == scored == rows:
        wrong.append(f"{rows} rows written, {read:.0f} read, {scored:.0f} scored")
    for source, topic, name in (
        ("fast", "edged/box/camera/fast/detections", "edged_camera_results_published_total"),
        ("rows", "edged/box/sensor/rows/result", "edged_sensor_results_published_total"),
    ):
        published = total(series, name)
        until(lambda topic=topic, published=published: len(listener.payloads(topic)) >= published, 60)
        results = [(one["id"], False) for one in listener.objects(topic)]
        print(f"{source}: {published:.0f} published, {len(results)} arrived")
        wrong += account.ids_astray(source, published, [one for one, _ in results], 0)
        wrong += account.disorder(source, results)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

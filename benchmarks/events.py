"""What following objects costs: the stage between a model's answer and the message, at one camera.

    python benchmarks/events.py [--frames 1500] [--out benchmarks/results/events.json]

Objects walk about; each frame goes through the stage with tracking, four zones and two lines, and without any of it, in
turn. Measured is processor time of the thread, so that other work on the machine counts little: medians, and the 99th
percentile. Target: 2 ms a frame with ten objects, that is 2 % of a core at 10 frames a second.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from edged.detection import Detections
from edged.frame import Frame, PixelLayout
from edged.mqtt.event_payloads import event_message
from edged.mqtt.payloads import ModelInfo
from edged.pipeline import Result
from edged.sections import CameraSettings
from edged.service.following import Following
from edged.service.outlets import Outlets

INFO = ModelInfo("m", 1, "sha256:" + "0" * 64, "cpu")
WIDTH, HEIGHT, FPS = 1920, 1080, 10
OBJECTS = (0, 1, 10, 50)
WARM_UP = 100


class Model:
    """What the stage asks of one."""

    task = "detect"
    labels = ("person", "car")


def main() -> None:
    """Print a table, and write the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "events.json")
    given = parser.parse_args()
    print(f"{'objects':>7} {'with ms':>8} {'p99 ms':>7} {'plain ms':>8} {'of a core':>9} {'events':>7}")
    rows = []
    for count in OBJECTS:
        row = measured(count, given.frames)
        rows.append(row)
        print(
            f"{count:7} {row['with_ms']:8.3f} {row['with_p99_ms']:7.3f} {row['plain_ms']:8.3f}"
            f" {row['core_percent_at_10_fps']:8.2f}% {row['events']:7}"
        )
    machine = {"python": platform.python_version(), "machine": platform.machine(), "numpy": np.__version__}
    machine["load_average"] = str(
        round(os.getloadavg()[0], 1)
    )  # of other work, which caches and cores are shared with
    report = {"frames": given.frames, "fps": FPS, "zones": 4, "lines": 2, **machine, "rows": rows}
    given.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measured(count: int, frames: int) -> dict[str, Any]:
    """Processor time a frame with so many objects, with the stage at work and without."""
    told: list[bytes] = []
    followed, plain = stage(told, track=True), stage(told, track=False)
    with_ms, plain_ms = [], []
    for sequence, detections in enumerate(walks(count, frames + WARM_UP)):
        result = in_frame(sequence, detections)
        times = [cpu_ms(one, result) for one in (followed, plain)]
        if sequence >= WARM_UP:
            with_ms.append(times[0])
            plain_ms.append(times[1])
    mean_ms = statistics.fmean(with_ms)
    return {
        "objects": count,
        "with_ms": round(statistics.median(with_ms), 4),
        "with_mean_ms": round(mean_ms, 4),
        "with_p99_ms": round(float(np.percentile(with_ms, 99)), 4),
        "plain_ms": round(statistics.median(plain_ms), 4),
        "core_percent_at_10_fps": round(mean_ms * FPS / 10, 3),
        "events": len(told),
    }


def cpu_ms(following: Following, result: Result) -> float:
    """Of one frame."""
    started_s = time.thread_time()
    following.look(result, INFO, None)
    return (time.thread_time() - started_s) * 1000


def stage(told: list[bytes], *, track: bool) -> Following:
    """A camera with what one has, or with nothing."""
    ids = iter(range(10**9))
    given: dict[str, Any] = {"url": "rtsp://camera", "models": ["m"], "track": track}
    if track:
        quarters = [(x, y) for x in (0.0, 0.5) for y in (0.0, 0.5)]
        given["zones"] = {
            f"z{at}": {"points": [[x, y], [x + 0.5, y], [x + 0.5, y + 0.5], [x, y + 0.5]], "loitering": "10s"}
            for at, (x, y) in enumerate(quarters)
        }
        given["lines"] = {
            "across": {"points": [[0, 0.5], [1, 0.5]]},
            "down": {"points": [[0.5, 0], [0.4, 0.5], [0.5, 1]]},
        }
    outlets = Outlets(
        tell=lambda camera, info, event, at_s: told.append(
            event_message(event, message_id="0" * 26, device="d", camera=camera, at_s=at_s or 0.0, model=info)
        ),
        new_id=lambda: f"{next(ids):026}",
        counted=lambda *_: None,
        placed=lambda *_: None,
    )
    return Following("front", "m", CameraSettings.model_validate(given), outlets)


def walks(count: int, frames: int) -> Any:
    """Detections of objects that walk about and turn at the edges; one in twenty is missed."""
    rolls = np.random.default_rng(7)
    place = rolls.uniform((100, 200), (WIDTH - 100, HEIGHT - 50), (count, 2))
    speed = rolls.uniform(-8, 8, (count, 2))
    half = np.array([30.0, 80.0])
    for _ in range(frames):
        place = place + speed
        turned = (place < (60, 170)) | (place > (WIDTH - 60, HEIGHT - 10))
        speed = np.where(turned, -speed, speed)
        seen = rolls.random(count) > 0.05
        middle = (place + rolls.normal(0, 1.5, place.shape))[seen]
        xyxy = np.concatenate([middle - half, middle + half * (1, 0)], axis=1).astype(np.float32)
        score = np.sort(rolls.uniform(0.45, 0.95, len(xyxy)))[::-1].astype(np.float32)
        yield Detections(xyxy, score, np.zeros(len(xyxy), np.int32))


def in_frame(sequence: int, detections: Detections) -> Result:
    """As a pipeline gives it."""
    at_s = sequence / FPS
    frame = Frame("front", sequence, 1.7e9 + at_s, at_s, WIDTH, HEIGHT, PixelLayout.BGR, (), scene_s=at_s)
    return Result(frame, cast(Any, Model()), 1, detections, 0, 0, 0, 0)


if __name__ == "__main__":
    main()

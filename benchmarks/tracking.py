"""How well objects keep their ids, beside a plain tracker by overlap and published ByteTracks, in one run.

    python -m benchmarks.tracking [--seeds 3] [--first-seed 1] [--peer-python PATH ...] [--json FILE]

Rendered scenes with known truth and a simulated detector (`benchmarks.tracks.scenes`), each content at each rate of
frames. ``--peer-python`` names a Python of another environment that has `trackers` or `supervision` (before 0.29).
Figures: IDF1, MOTA, id switches (`benchmarks.tracks.scores`); CPU time of one update at 10, 50 and 100 objects.
"""

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tracks.plain import PlainTracker
from benchmarks.tracks.scenes import CONTENTS, HEIGHT, RATES, WIDTH, Look, looks
from benchmarks.tracks.scores import Scorer, Tally
from edged.detection import Detections
from edged.tracking import Tracker, TrackOptions

PEER_SIDE = Path(__file__).parent / "tracks" / "peer_side.py"
EDGED, PLAIN = "edged", "plain overlap"

Cell = tuple[str, str]
"""Content and rate."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--first-seed", type=int, default=1, help="0: the scenes that constants were chosen on"
    )
    parser.add_argument("--peer-python", action="append", default=[], help="may be given more than once")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cells = [(content, rate) for content in CONTENTS for rate in RATES]
    scenes = {
        cell: [looks(*cell, given.first_seed + number) for number in range(given.seeds)] for cell in cells
    }
    tallies = {EDGED: scored(scenes, by_edged), PLAIN: scored(scenes, by_plain)}
    for python in given.peer_python:
        tallies |= by_peers(python, scenes)
    speed = {str(count): call_ms(count) for count in (10, 50, 100)}
    print_tables(tallies, speed)
    if given.json:
        given.json.write_text(
            json.dumps(as_json(tallies, speed, given.seeds, given.first_seed), indent=1) + "\n"
        )


def scored(
    scenes: dict[Cell, list[list[Look]]], follow: Callable[[list[Look]], list[NDArray[np.int64]]]
) -> dict[Cell, Tally]:
    return {
        cell: sum((tally_of(scene, follow(scene)) for scene in of_cell), Tally())
        for cell, of_cell in scenes.items()
    }


def by_edged(scene: list[Look], options: TrackOptions = TrackOptions()) -> list[NDArray[np.int64]]:  # noqa: B008
    """Ids of each frame's detections."""
    tracker = Tracker(options)
    return [
        tracker.update(detections_of(look), ("person", "car"), look.at_s, width=WIDTH, height=HEIGHT).track_id
        for look in scene
    ]


def by_plain(scene: list[Look]) -> list[NDArray[np.int64]]:
    """Ids of each frame's detections."""
    tracker = PlainTracker()
    return [tracker.update(look) for look in scene]


def by_peers(python: str, scenes: dict[Cell, list[list[Look]]]) -> dict[str, dict[Cell, Tally]]:
    """What each published implementation that ``python`` has makes of the same detections."""
    flat = [(cell, scene) for cell, of_cell in scenes.items() for scene in of_cell]
    asked = {
        "scenes": [
            {
                "frame_rate": round(len(scene) / scene[-1].at_s),
                "frames": [
                    {
                        "at_s": look.at_s,
                        "xyxy": look.xyxy.tolist(),
                        "score": look.score.tolist(),
                        "label": look.label.tolist(),
                    }
                    for look in scene
                ],
            }
            for _, scene in flat
        ]
    }
    done = subprocess.run(
        [python, str(PEER_SIDE)], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    tallies: dict[str, dict[Cell, Tally]] = {}
    for name, answer in json.loads(done.stdout).items():
        print(f"{name}: {answer['cpu_s'] / answer['frames'] * 1000:.2f} ms of CPU a frame")
        of_cells = tallies.setdefault(name, {cell: Tally() for cell in scenes})
        for (cell, scene), ids in zip(flat, answer["ids"], strict=True):
            of_cells[cell] += tally_of(scene, [np.array(of_frame, np.int64) for of_frame in ids])
    return tallies


def tally_of(scene: list[Look], ids: list[NDArray[np.int64]]) -> Tally:
    scorer = Scorer()
    for look, of_frame in zip(scene, ids, strict=True):
        told = np.flatnonzero(of_frame > 0)
        scorer.add(look.truth, look.truth_xyxy, of_frame[told], look.xyxy[told])
    return scorer.close()


def detections_of(look: Look) -> Detections:
    return Detections(
        look.xyxy.astype(np.float32), look.score.astype(np.float32), look.label.astype(np.int32)
    )


def call_ms(objects: int, blocks: int = 20, calls: int = 25) -> dict[str, float]:
    """CPU milliseconds of one update at so many moving objects: the least and the median of blocks of calls."""
    rng = np.random.default_rng(objects)
    columns = int(np.ceil(np.sqrt(objects)))
    corner = np.stack((np.arange(objects) % columns, np.arange(objects) // columns), axis=1)
    corner, speed = corner * [WIDTH / columns, HEIGHT / columns], rng.uniform(-30, 30, (objects, 2))
    wide = np.array([WIDTH / columns * 0.6, HEIGHT / columns * 1.4])

    def found(number: int) -> Detections:
        low = corner + 40 * np.sin(speed * number / 1000) + rng.normal(0, 2, (objects, 2))
        xyxy = np.concatenate((low, low + wide), axis=1).astype(np.float32)
        return Detections(
            xyxy, rng.uniform(0.2, 0.9, objects).astype(np.float32), np.zeros(objects, np.int32)
        )

    tracker, spent = Tracker(), []
    frames = [found(number) for number in range((blocks + 1) * calls)]
    for block in range(blocks + 1):
        begun = time.process_time_ns()
        for number in range(block * calls, (block + 1) * calls):
            tracker.update(frames[number], ("person",), number / 10, width=WIDTH, height=HEIGHT)
        spent.append((time.process_time_ns() - begun) / 1e6 / calls)
    spent = spent[1:]  # the first loads what is loaded late
    return {"least_ms": round(min(spent), 3), "median_ms": round(float(np.median(spent)), 3)}


def print_tables(tallies: dict[str, dict[Cell, Tally]], speed: dict[str, dict[str, float]]) -> None:
    names = list(tallies)
    for number, name in enumerate(names):
        print(f"[{number}] {name}")
    print("IDF1".ljust(24) + "".join(f"[{number}]".rjust(8) for number in range(len(names))))
    for cell in tallies[EDGED]:
        values = [tallies[name][cell].idf1 for name in names]
        mark = (
            "" if values[0] >= max(values) - 1e-9 else "  <" if values[0] < max(values[2:], default=0) else ""
        )
        print(" ".join(cell).ljust(24) + "".join(f"{value:8.3f}" for value in values) + mark)
    for title, measure in (("IDF1", "idf1"), ("MOTA", "mota"), ("switches", "switches")):
        wholes = [getattr(sum(tallies[name].values(), Tally()), measure) for name in names]
        print(
            f"all: {title}".ljust(24)
            + "".join(f"{value:8.3f}" if value < 2 else f"{value:8d}" for value in wholes)
        )
    for objects, figures in speed.items():
        print(f"{objects} objects: {figures['median_ms']} ms of CPU, at least {figures['least_ms']}")


def as_json(
    tallies: dict[str, dict[Cell, Tally]], speed: dict[str, dict[str, float]], seeds: int, first_seed: int
) -> dict[str, Any]:
    def figures(tally: Tally) -> dict[str, float]:
        return {
            "idf1": round(tally.idf1, 4),
            "mota": round(tally.mota, 4),
            "switches": tally.switches,
            "truths": tally.truths,
        }

    return {
        "what": "tracks over rendered scenes: IDF1, MOTA, id switches by content and rate; CPU of one update",
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        },
        "seeds": seeds,
        "first_seed": first_seed,
        "update_ms": speed,
        "sides": {
            name: {"all": figures(sum(of_cells.values(), Tally()))}
            | {f"{content} {rate}": figures(tally) for (content, rate), tally in of_cells.items()}
            for name, of_cells in tallies.items()
        },
    }


if __name__ == "__main__":
    main()

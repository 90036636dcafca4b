"""A real video through a real model: who is there, and from when to when."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from commands import environment

from edged.detection import Detections
from edged.tracking import Tracker

pytestmark = pytest.mark.assets

RATE = 10
"""Frames a second of the video."""
STEP = 2
"""Every second frame is looked at: all of them show nothing more and take twice as long."""
PRESENT = ((65, 190), (230, 445), (505, 695), (745, 865), (925, 1195), (1235, 1355))
"""First and last frames of each person, as the README of the video has them."""


@pytest.fixture(scope="module")
def frames(assets) -> list[dict[str, Any]]:
    """What `edged detect` finds in every second frame, down to the scores that tracks go on with."""
    video, model = assets / "videos" / "one_by_one_person.mp4", assets / "models" / "yolox_nano_416.onnx"
    command = ["detect", video, "-m", model, "--json", "--min-score", "0.1", "--provider", "cpu"]
    command += ["--every", STEP]
    program = "from edged.cli import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=400,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def followed(frames: list[dict[str, Any]], every: int) -> list[dict[str, float]]:
    """Of each person's track: frames at which it was first and last seen, began to be told of, and ended."""
    tracker, tracks = Tracker(), {}
    for number in range(0, STEP * len(frames), every):
        frame = frames[number // STEP]
        people = [found for found in frame["detections"] if found["label"] == "person"]
        found = Detections(
            np.array([person["box"] for person in people], np.float32).reshape(-1, 4),
            np.array([person["score"] for person in people], np.float32),
            np.zeros(len(people), np.int32),
        )
        size = frame["image"]
        told = tracker.update(found, ("person",), number / RATE, width=size["width"], height=size["height"])
        for row, track_id in enumerate(told.tracks.track_id.tolist()):
            track = tracks.setdefault(track_id, {"started": number})
            track["first"] = told.tracks.first_s[row] * RATE
            track["last"] = told.tracks.seen_s[row] * RATE
        for track_id in told.ended:
            tracks[track_id]["ended"] = number
    return list(tracks.values())


@pytest.mark.parametrize("every", [2, 4])
def test_six_people_are_six_tracks_with_their_starts_and_ends(frames, every):
    tracks = followed(frames, every)
    assert STEP * len(frames) > PRESENT[-1][1]
    assert len(tracks) == len(PRESENT)
    for (first, last), track in zip(PRESENT, tracks, strict=True):
        assert track["first"] == pytest.approx(first, abs=1 * RATE)
        assert track["started"] == pytest.approx(first, abs=1 * RATE)
        assert track["last"] == pytest.approx(last, abs=2 * RATE)
        assert track["ended"] == pytest.approx(last, abs=2 * RATE)

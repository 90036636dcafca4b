"""The bench on a real model, and that the loop it is compared with finds the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import environment, failed, process

SIDES = Path(__file__).parents[2] / "benchmarks" / "performance" / "sides"
LOOK = """
import json, sys, cv2, sessions, yolox
session, model = sessions.default(sys.argv[1], "cpu"), yolox.Yolox()
tensor, scale = model.prepare(cv2.imread(sys.argv[2]))
print(json.dumps(model.found(session.run(None, {session.get_inputs()[0].name: tensor})[0], scale)))
"""


@pytest.mark.assets
def test_the_bench_measures_every_stage_of_a_real_model(assets):
    model, video = assets / "models" / "fastestdet_352.onnx", assets / "videos" / "bottles.mp4"
    done = process("bench", video, "-m", model, "--provider", "cpu", "--seconds", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    for name, stage in told["stages"].items():
        assert 0 < stage["p50_ms"] <= stage["p95_ms"], name
        assert stage["cpu_ms"] > 0, name
    inference = told["stages"]["inference"]["cpu_ms"]
    assert inference > told["stages"]["publish"]["cpu_ms"]  # on this model nothing else comes near it
    assert told["alone"]["per_s"] > 0 < told["whole"]["per_s"]
    assert told["model"]["provider"] == "cpu"


@pytest.mark.assets
def test_a_video_of_one_frame_says_too_little(assets):
    video, model = assets / "hostile" / "vid" / "minimal.mp4", assets / "models" / "yunet_n_320.onnx"
    failed(process("bench", video, "-m", model, "--provider", "cpu", "--seconds", "1"), 65, "only 1 frame")


@pytest.mark.assets
def test_the_loop_that_is_compared_finds_the_same_as_edged(assets):
    """A loop that does less would be faster for the wrong reason."""
    model, picture = assets / "models" / "yolox_nano_416.onnx", assets / "images" / "bus.jpg"
    command = [sys.executable, "-c", LOOK, str(model), str(picture)]
    ours = json.loads(process("detect", picture, "-m", model, "--provider", "cpu", "--json").stdout)
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=SIDES, env=environment(PYTHONPATH=str(SIDES))
    )
    theirs = json.loads(done.stdout)
    assert len(theirs) == len(ours["detections"]) > 0
    for mine, other in zip(ours["detections"], sorted(theirs, key=lambda one: -one["score"]), strict=True):
        assert mine["class_id"] == other["class_id"]
        x, y, width, height = other["box"]
        assert mine["box"] == pytest.approx([x, y, x + width, y + height], abs=6)
        assert mine["score"] == pytest.approx(other["score"], abs=0.02)

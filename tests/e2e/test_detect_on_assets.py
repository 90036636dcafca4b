"""`edged detect --json` on real models and pictures, by the fair check of the assets' README, on each provider."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.assets

INT8 = ("dynint8", "qdq")
ONE_CLASS = {"yolo26n_person_256_qdq"}  # its file names its class "item"
MODELS = [
    "yolox_nano_416", "yolov5n_dyn_fp16", "yolov8n_640_dynint8", "yolov10n_640_e2e_dynint8",
    "yolo26n_person_256_qdq", "yolo11n_person_640_qdq_w4w8", "yolo26n_pose_256_qdq",
]  # fmt: skip


def iou(a: list[float], b: list[float]) -> float:
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height)


def provider_runs(provider: str, model: Path) -> bool:
    """Whether this installation really runs a model on a provider."""
    command = [
        sys.executable,
        "-m",
        "edged",
        "model",
        "inspect",
        str(model),
        "--json",
        "--provider",
        provider,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode == 0 and json.loads(done.stdout)["provider"].startswith(provider)


@pytest.mark.parametrize("provider", ["cpu", "openvino"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_finds_what_the_reference_decoders_found(name: str, provider: str, assets: Path) -> None:
    path = assets / "models" / f"{name}.onnx"
    if provider != "cpu" and not provider_runs(provider, path):
        pytest.skip(f"{provider} does not run {name} on this machine")
    pictures: dict[str, list[dict[str, Any]]] = json.loads((assets / "expected.json").read_text())["models"][
        name
    ]["images"]
    command = [
        sys.executable,
        "-m",
        "edged",
        "detect",
        *(str(assets / "images" / picture) for picture in pictures),
    ]
    command += ["-m", str(path), "--json", "--provider", provider]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    messages = {
        Path(message["source"]).name: message for message in map(json.loads, done.stdout.splitlines())
    }
    assert set(messages) == set(pictures)
    tolerance = 0.15 if any(kind in name for kind in INT8) else 0.02
    for picture, expected in pictures.items():
        found = messages[picture]["detections"]
        assert messages[picture]["model"]["provider"].startswith(provider)
        for box in expected:
            if box["must"]:
                same = [d for d in found if name in ONE_CLASS or d["label"] == box["label"]]
                best = max(same, key=lambda d, b=box: iou(d["box"], b["box"]), default=None)
                assert best is not None, (picture, box)
                assert iou(best["box"], box["box"]) >= 0.7, (picture, box, best)
                assert abs(best["score"] - box["score"]) <= tolerance, (picture, box, best)
        for detection in found:
            known = any(iou(detection["box"], box["box"]) > 0.5 for box in expected)
            assert known or detection["score"] <= 0.7, (picture, detection)


def test_of_a_video_that_was_cut_off_what_there_is_is_shown_and_then_told(assets: Path) -> None:
    path = assets / "hostile" / "derived" / "person_bicycle_car_truncated50.mp4"
    model = assets / "models" / "fastestdet_352.onnx"
    command = [
        sys.executable,
        "-m",
        "edged",
        "detect",
        str(path),
        "-m",
        str(model),
        "--json",
        "--every",
        "20",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr.count("\n") == 1
    assert f"{path}: ends early, after 41 of 84 frames" in done.stderr

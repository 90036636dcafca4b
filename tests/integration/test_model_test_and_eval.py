"""`edged model test`, `model eval` and the page of a model that cannot be served, as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import toy_models

STEPS = ["complete", "digest", "readable", "shapes", "provider", "warm-up", "golden"]


def edged(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "edged", "model", *map(str, arguments), "--provider", "cpu"]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def picture(path: Path, value: int = 255) -> Path:
    cv2.imwrite(str(path), np.full((64, 64, 3), value, np.uint8))
    return path


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A detector that finds a cat in bright pictures, and a golden one that says so."""
    folder = tmp_path / "1"
    folder.mkdir()
    toy_models.light_detector(folder / "model.onnx")
    (folder / "golden").mkdir()
    picture(folder / "golden" / "bright.png")
    expect(folder, '{ label = "cat", box = [8, 8, 24, 24] }')
    return folder


def expect(folder: Path, what: str) -> None:
    (folder / "model.toml").write_text(f'[[golden]]\ninput = "golden/bright.png"\nexpect = [{what}]\n')


def steps(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    return {step["name"]: step["verdict"] for step in json.loads(done.stdout)["steps"]}


def test_a_good_model_passes_every_step(version):
    done = edged("test", version, "--json")
    assert done.returncode == 0, done.stderr
    assert steps(done) == dict.fromkeys(STEPS, "passed")
    assert all(step["ms"] is not None for step in json.loads(done.stdout)["steps"])


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ('{ label = "dog", box = [8, 8, 24, 24] }', "dog"),
        ('{ label = "cat", box = [40, 40, 60, 60] }', "cat"),
        ('{ label = "cat" }', "box"),
    ],
    ids=["label", "place", "unclear"],
)
def test_a_golden_picture_that_shows_something_else_fails_its_step(version, what, says):
    expect(version, what)
    done = edged("test", version, "--json")
    assert done.returncode == 65
    assert steps(done) == {**dict.fromkeys(STEPS, "passed"), "golden": "failed"}
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_first_failure_ends_it_and_nothing_behind_it_counts_as_passed(tmp_path):
    done = edged("test", toy_models.nan_detector(tmp_path / "m.onnx", always=True), "--json")
    assert done.returncode == 65
    assert steps(done) == {
        **dict.fromkeys(STEPS, "not run"),
        **dict.fromkeys(["complete", "digest", "readable"], "passed"),
        "shapes": "failed",
    }


def test_what_it_sees_is_shown_and_saved(version, tmp_path):
    done = edged("test", version, picture(tmp_path / "a.png"), "--save", tmp_path / "seen.png")
    assert done.returncode == 0, done.stderr
    assert "cat" in done.stdout
    assert cv2.imread(str(tmp_path / "seen.png")).std() > 0


def test_evaluation_counts_what_is_found(version, tmp_path):
    picture(tmp_path / "bright.png")
    picture(tmp_path / "dark.png", 0)
    coco = {
        "images": [
            {"id": 1, "file_name": "bright.png", "width": 64, "height": 64},
            {"id": 2, "file_name": "dark.png", "width": 64, "height": 64},
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 7, "bbox": [8, 8, 16, 16], "area": 256, "iscrowd": 0}
            for n in (1, 2)
        ],
        "categories": [{"id": 7, "name": "cat"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(coco))
    done = edged("eval", version, tmp_path / "truth.json", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    # One of two is found: precision is 1 up to a recall of a half, which is 51 of the 101 points.
    assert json.loads(done.stdout)["mAP50"] == pytest.approx(51 / 101, abs=1e-3)


def test_a_model_that_cannot_be_served_has_a_page_all_the_same(tmp_path):
    done = edged("inspect", toy_models.nan_detector(tmp_path / "m.onnx", always=True), "--json")
    page = json.loads(done.stdout)
    assert done.returncode == 65
    assert page["servable"] is False
    assert "NaN" in page["missing"]["problem"]
    assert page["digest"].startswith("sha256:")
    assert json.loads(edged("inspect", toy_models.toy_detector(tmp_path / "n.onnx"), "--json").stdout)[
        "servable"
    ]

"""Files that are broken, misleading or harmful: one clear line and the right exit code, or frames; never a crash."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.assets

WITHIN_S = 10.0
SHARED = Path(__file__).parents[3] / "shared" / "assets" / "hostile"
MODELS = sorted(path.relative_to(SHARED) for path in SHARED.rglob("*.onnx"))
MEDIA = sorted(
    path.relative_to(SHARED) for path in SHARED.rglob("*.*") if path.is_file() and path.suffix != ".onnx"
)
READABLE = {  # odd, and readable all the same: whole, or up to where they were cut
    "img/invalid-exif.jpg", "img/invalid_header_length.jp2", "img/sugarshack_bad_mpo_header.jpg",
    "vid/hevc_white_frame.mp4", "vid/minimal.mp4", "vid/no_timescale.mp4", "vid/tiny_av1.mp4",
    "vid/video_rotation_90.mp4", "derived/basic_truncated70.mp4", "derived/person_bicycle_car_truncated50.mp4",
}  # fmt: skip


def edged(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "edged", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S)


@pytest.mark.parametrize("name", MODELS, ids=str)
def test_a_hostile_model_is_refused_in_one_line(name: Path, assets: Path) -> None:
    model = assets / "hostile" / name
    done = edged("detect", assets / "images" / "bus.jpg", "-m", model)
    assert done.returncode == 65
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"edged: {model}: ")


@pytest.mark.parametrize("name", MEDIA, ids=str)
def test_a_hostile_picture_or_video_is_refused_in_one_line_or_gives_frames(name: Path, assets: Path) -> None:
    path = assets / "hostile" / name
    done = edged("detect", path, "-m", assets / "models" / "yolox_nano_416.onnx", "--json", "--every", "20")
    assert "Traceback" not in done.stderr
    if str(name) in READABLE:
        assert done.returncode == 0, done.stderr
        assert done.stdout
        return
    assert done.returncode == 65
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"edged: {path}: ")

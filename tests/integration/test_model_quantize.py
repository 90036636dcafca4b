"""`edged model quantize` as a user calls it, on a detector that is small enough to be quantised in seconds."""

import json
from pathlib import Path

import cv2
import onnx
import pytest
import toy_convolutions
import toy_tabular
from commands import failed

from edged.inference import quantgraph


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Sixteen dark pictures with a bright square each."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(toy_convolutions.squares(16)):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def annotations(folder: Path) -> Path:
    """Where the squares are, in COCO's format; a box of YOLOv8's cell at stride 8 is that cell."""
    images = [{"id": number, "file_name": f"{number}.png", "width": 64, "height": 64} for number in range(16)]
    boxes = []
    for number in range(16):
        row, column = divmod((number * 11) % 64, 8)
        box = {"id": number, "image_id": number, "category_id": 7, "bbox": [column * 8, row * 8, 8, 8]}
        boxes.append({**box, "area": 64, "iscrowd": 0})
    path = folder / "annotations.json"
    content = {"images": images, "annotations": boxes, "categories": [{"id": 7, "name": "cat"}]}
    path.write_text(json.dumps(content))
    return path


def test_the_twin_of_a_stored_model_is_its_next_version(edged, tmp_path, pictures):
    version = tmp_path / "store" / "squares" / "1"
    version.mkdir(parents=True)
    toy_convolutions.square_detector(version / "model.onnx")
    (version / "labels.txt").write_text("tile\nnothing\n")
    (version / "golden").mkdir()
    (version / "golden" / "one.png").write_bytes((pictures / "0.png").read_bytes())
    done = edged(
        "model",
        "quantize",
        "squares",
        "--store",
        tmp_path / "store",
        "--calibrate",
        pictures,
        "--provider",
        "cpu",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
    stored = tmp_path / "store" / "squares" / "2"
    assert Path(said["stored"]) == stored
    assert (said["measure"], said["before"], said["after"], said["loss"]) == ("agreement", 1.0, 1.0, 0.0)
    assert [one["provider"] for one in said["providers"]] == ["cpu"]
    assert said["providers"][0]["ratio"] > 0
    assert said["bytes"]["after"] == (stored / "model.onnx").stat().st_size
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(stored / "model.onnx").graph.node}
    assert (stored / "labels.txt").read_text() == "tile\nnothing\n"
    assert (stored / "golden" / "one.png").is_file()
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["squares"]


def test_what_loses_too_much_is_not_stored(edged, tmp_path, pictures):
    model = toy_convolutions.square_detector(tmp_path / "squares.onnx", fragile=True)
    done = edged(
        *("model", "quantize", model, "--calibrate", pictures, "--provider", "cpu", "--budget", 0),
        *("--annotations", annotations(tmp_path), pictures),
    )
    assert done.returncode == 65
    assert "mAP50" in done.stdout
    assert "more than 0.01; nothing was stored" in done.stderr
    assert not list(tmp_path.glob("*int8*"))
    assert not list(tmp_path.glob(".adding*"))


def refused(edged, code: int, said: str, *arguments: object) -> None:
    failed(edged("model", "quantize", *arguments), code, said)


def test_what_cannot_be_meant_is_said_at_once(edged, tmp_path, pictures):
    model = toy_convolutions.square_detector(tmp_path / "squares.onnx")
    given = ("--calibrate", pictures)
    refused(edged, 2, "--name say two places", model, *given, "--name", "a", "--output", "b")
    refused(edged, 2, "exists", model, *given, "--output", pictures)
    refused(edged, 2, "--name: is", model, *given, "--name", "../out")
    refused(edged, 66, "nothing: no such model", "nothing", *given, "--store", tmp_path / "store")


def test_without_onnx_it_says_what_to_install(edged, tmp_path, pictures, monkeypatch):
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(quantgraph, "import_module", missing)
    model = toy_convolutions.square_detector(tmp_path / "squares.onnx")
    refused(edged, 69, r"pip install 'edged\[quantize\]'", model, "--calibrate", pictures)


def test_a_model_of_rows_is_refused(edged, tmp_path, pictures):
    outputs = [
        toy_tabular.tensor("label", toy_tabular.INT64, [None]),
        toy_tabular.tensor("scores", toy_tabular.FLOAT, [None, 2]),
    ]
    model = toy_tabular.save_rows(tmp_path / "rows.onnx", [toy_tabular.linear([0, 1])], outputs)
    refused(edged, 65, "is no model of pictures .task tabular", model, "--calibrate", pictures)


def test_too_few_pictures_are_refused(edged, tmp_path, pictures):
    for number in range(5, 16):
        (pictures / f"{number}.png").unlink()
    model = toy_convolutions.square_detector(tmp_path / "squares.onnx")
    refused(edged, 65, "gave 5 pictures only", model, "--calibrate", pictures)

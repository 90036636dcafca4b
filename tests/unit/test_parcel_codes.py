"""The bundled detector of codes: what it was drawn from, what its files say, and what it finds."""

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from edged.inference.precheck import precheck
from edged.manifest import read_labels, read_manifest
from edged.preprocess import Preparer
from edged.sources.stream import read_frames
from edged.worker.description import LoadRequest
from edged.worker.model import LoadedModel

MODELS = Path(__file__).parents[2] / "models"
FLOAT, INT8 = MODELS / "parcel-codes" / "1", MODELS / "parcel-codes-int8" / "1"
LABELS = ("qr", "barcode", "marker")

sys.path.insert(0, str(MODELS / "parcel-codes" / "train"))
import accuracy  # noqa: E402
import evaluate  # noqa: E402
import scenes  # noqa: E402
import symbols  # noqa: E402


def on_paper(symbol: symbols.Symbol) -> np.ndarray:
    """As a clean print with a quiet zone: 4 pixels a module, bars 2 pixels wide and 160 high."""
    shape = (160, 2) if symbol.kind == symbols.BARCODE else (4, 4)
    return np.pad(np.kron(symbol.modules, np.ones(shape, np.uint8)), 100, constant_values=255)


def test_opencv_reads_the_retail_barcodes_that_are_drawn():
    reader, texts = cv2.barcode.BarcodeDetector(), []
    for seed in range(60):
        symbol = symbols.barcode(np.random.default_rng(seed))
        if not (symbol.text.isdigit() and symbol.modules.shape[1] in {67, 95}):
            continue
        text = reader.detectAndDecode(cv2.cvtColor(on_paper(symbol), cv2.COLOR_GRAY2BGR))[0]
        assert text in {
            symbol.text,
            symbol.text[1:],
            "",
        }  # UPC-A has no leading zero; some clean ones are missed
        texts.append(text)
    assert sum(map(bool, texts)) >= 10


def test_a_code_128_is_as_long_as_its_standard_says_and_ends_in_the_stop():
    symbol = next(
        found
        for seed in range(100)
        if (found := symbols.barcode(np.random.default_rng(seed))).text
        and not found.text.isdigit()
        and not found.text.startswith("*")
    )
    bits = "".join("1" if value == 0 else "0" for value in symbol.modules[0])
    assert len(bits) == 11 * (len(symbol.text) + 2) + 13  # start, text, check, and a stop of 13
    assert bits.startswith("11010010000")  # start B
    assert bits.endswith("1100011101011")


def test_opencv_reads_the_markers_and_most_qr_codes_that_are_drawn():
    families = (cv2.aruco.DICT_4X4_250, cv2.aruco.DICT_APRILTAG_36h11, cv2.aruco.DICT_6X6_250)
    readers = [cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(family)) for family in families]
    known = sum(
        any(
            reader.detectMarkers(on_paper(symbols.marker(np.random.default_rng(seed))))[1] is not None
            for reader in readers
        )
        for seed in range(20)
    )
    assert known >= 5  # three of the ten dictionaries were asked
    reader = cv2.QRCodeDetector()
    drawn = [on_paper(symbols.qr(np.random.default_rng(seed))) for seed in range(20)]
    assert sum(bool(reader.detectAndDecode(picture)[0]) for picture in drawn) >= 14


def test_a_picture_is_a_function_of_its_seed_and_its_boxes_lie_inside():
    counts = []
    for number in range(40):
        drawn = scenes.render((7, number), 320)
        boxes, classes = drawn.boxes, drawn.classes
        assert drawn.picture.shape == (320, 320, 3)
        assert len(boxes) == len(classes) <= scenes.MOST_CODES
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert boxes.min(initial=0) >= 0
        assert boxes.max(initial=0) <= 320
        counts.append(len(boxes))
    again = scenes.render((7, 39), 320)
    assert (again.picture == drawn.picture).all()
    assert (again.boxes == boxes).all()
    assert (again.contrast == drawn.contrast).all()
    assert min(counts) == 0
    assert max(counts) >= 4


def test_average_precision_of_worked_examples():
    tally = accuracy.Tally()
    true = np.float32([[0, 0, 10, 10], [20, 20, 30, 30]])
    tally.add(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.9, 0.8]), true)
    assert tally.average_precision() == pytest.approx(np.full(10, 51 / 101))  # one of two, first in the list
    assert accuracy.recall_at_precision(tally, 0.85) == (0.5, pytest.approx(0.9))
    assert accuracy.iou(np.float32([[0, 0, 10, 10]]), np.float32([[0, 0, 10, 5]]))[0, 0] == pytest.approx(0.5)
    assert np.isnan(accuracy.Tally().average_precision()).all()


def test_an_ignored_box_counts_neither_when_found_nor_when_missed():
    true = np.float32([[0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]])
    tally = accuracy.Tally()
    tally.add(true[:2], np.float32([0.5, 0.9]), true, np.array([False, True, True]))
    assert tally.wanted == 1
    assert tally.average_precision() == pytest.approx(np.ones(10))


@pytest.fixture(params=[FLOAT, INT8], ids=["float", "int8"])
def folder(request):
    return request.param


def test_the_files_say_what_a_user_of_other_tools_expects(folder):
    file = folder / "model.onnx"
    summary = precheck(file)
    assert summary.size_bytes <= 4_000_000
    assert summary.opsets == {"ai.onnx": 17}
    assert summary.metadata["task"] == "detect"
    assert summary.metadata["imgsz"] == "[416, 416]"
    assert summary.metadata["names"] == str(dict(enumerate(LABELS)))
    assert read_labels(folder / "labels.txt") == LABELS
    model = onnx.load(file)
    assert sum(int(np.prod(t.dims)) for t in model.graph.initializer if len(t.dims) >= 2) <= 1_500_000
    assert [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] == [1, 7, 14365]


def test_golden_pictures_come_out(folder):
    manifest = read_manifest(folder / "model.toml")
    model = LoadedModel(LoadRequest(path=str(folder), providers=("cpu",)))
    assert model.description.family == "yolov8"
    preparer = Preparer(model.description.input)
    seen = set()
    for golden in manifest.golden:
        (frame,) = read_frames(str(folder / golden.input), name="golden")
        tensor = np.empty(model.description.input.shape, np.float32)
        transform = preparer.prepare(frame, tensor)
        found = model.answer(tensor).detections
        assert len(found) == len(golden.expect), golden.input
        boxes = transform.to_frame(found.xyxy)
        for wanted in golden.expect:
            same = found.class_id == LABELS.index(wanted.label)
            assert accuracy.iou(boxes[same], np.float32([wanted.box])).max(initial=0) >= 0.7, golden.input
            seen.add(wanted.label)
    assert seen == set(LABELS)


def test_it_finds_codes_in_pictures_it_was_not_trained_on(folder):
    model = LoadedModel(LoadRequest(path=str(folder), providers=("cpu",), min_score=0.01))
    preparer = Preparer(model.description.input)
    tallies = [accuracy.Tally() for _ in LABELS]
    for number in range(60):
        drawn = scenes.render((31_000_000, number), 416)
        found, scores, kinds = evaluate.found_in(model, preparer, drawn.picture)
        for kind, tally in enumerate(tallies):
            tally.add(found[kinds == kind], scores[kinds == kind], drawn.boxes[drawn.classes == kind])
    precision = np.array([tally.average_precision() for tally in tallies])
    assert precision[:, 0].mean() > 0.88
    assert precision.mean() > 0.62

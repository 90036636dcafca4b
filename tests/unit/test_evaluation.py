"""Average precision against pycocotools, on random cases and on the real annotations; and what is read from a file."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edged.detection import Detections
from edged.errors import BadInput, InputNotFound
from edged.evaluation import (
    Annotations,
    Category,
    average_precision,
    evaluate,
    match_categories,
    read_annotations,
)

TOLERANCE = 1e-6


def reference(truth: dict[str, Any], found: list[dict[str, Any]]) -> tuple[float, float, np.ndarray]:
    """What pycocotools says: mAP50, mAP50:95, and AP of each category and threshold (K, 10), -1 without objects."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    return evaluation.stats[1], evaluation.stats[0], precision.mean(axis=1).T


def compare(truth: dict[str, Any], found: list[dict[str, Any]]) -> None:
    """Give both the same, and hold one to the other."""
    ids = sorted(category["id"] for category in truth["categories"])
    map50, map50_95, precision = reference(truth, found)
    ours = evaluate(Annotations.model_validate(truth), as_detections(found, ids), ids)
    assert (-1 if ours.map50 is None else ours.map50) == pytest.approx(map50, abs=TOLERANCE)
    assert (-1 if ours.map50_95 is None else ours.map50_95) == pytest.approx(map50_95, abs=TOLERANCE)
    for one, row in zip(ours.classes, precision, strict=True):
        if row[0] < 0:
            assert (one.ap50, one.ap50_95) == (None, None)
            continue
        assert one.ap50 == pytest.approx(row[0], abs=TOLERANCE)
        assert one.ap50_95 == pytest.approx(row.mean(), abs=TOLERANCE)


def as_detections(found: list[dict[str, Any]], ids: list[int]) -> dict[int, Detections]:
    """The same as we hold it: classes numbered in the order of ``ids``."""
    by_picture: dict[int, list[dict[str, Any]]] = {}
    for one in found:
        by_picture.setdefault(one["image_id"], []).append(one)
    answer = {}
    for number, ones in by_picture.items():
        boxes = np.array([one["bbox"] for one in ones], np.float64)
        boxes[:, 2:] += boxes[:, :2]
        scores = np.array([one["score"] for one in ones], np.float32)
        answer[number] = Detections(
            boxes.astype(np.float32),
            scores,
            np.array([ids.index(one["category_id"]) for one in ones], np.int32),
        )
    return answer


def random_case(rng: np.random.Generator) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Pictures with objects and crowds, and detections near them, beside them and twice; sides are quarters of pixels,
    so that float32 holds them exactly.
    """
    pictures, categories = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    annotations: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for picture in rng.permutation(pictures * 3)[:pictures] + 1:
        for _ in range(rng.integers(0, 8)):
            x, y, width, height = (float(v) for v in rng.integers([0, 0, 4, 4], [400, 400, 200, 200]) / 4)
            one = {
                "id": len(annotations) + 1,
                "image_id": int(picture),
                "category_id": int(rng.integers(1, categories + 1)) * 7,
                "bbox": [x, y, width, height],
                "area": width * height,
                "iscrowd": int(rng.random() < 0.15),
            }
            annotations.append(one)
            for _ in range(rng.integers(0, 4)):
                moved = [float(v) for v in np.array(one["bbox"]) + rng.integers(-12, 13, 4) / 4]
                moved[2:] = [max(0.25, side) for side in moved[2:]]
                found.append(detection(one["image_id"], int(rng.choice([one["category_id"], 7])), moved, rng))
        for _ in range(rng.integers(0, 3)):
            box = [float(v) for v in rng.integers([0, 0, 4, 4], [400, 400, 200, 200]) / 4]
            found.append(detection(int(picture), int(rng.integers(1, categories + 1)) * 7, box, rng))
    truth = {
        "images": [
            {"id": int(n), "file_name": f"{n}.jpg"} for n in {a["image_id"] for a in annotations} | {1, 99}
        ],
        "annotations": annotations,
        "categories": [{"id": (n + 1) * 7, "name": str(n)} for n in range(categories)],
    }
    known = {picture["id"] for picture in truth["images"]}
    return truth, [one for one in found if one["image_id"] in known]


def detection(picture: int, category: int, box: list[float], rng: np.random.Generator) -> dict[str, Any]:
    """Scores are eighths: many are equal, and the order of equals matters."""
    return {"image_id": picture, "category_id": category, "bbox": box, "score": float(rng.integers(0, 9) / 8)}


def test_nothing_found_among_nothing_is_no_number():
    nothing = (np.zeros((0, 4)), np.zeros(0, bool))
    assert np.isnan(average_precision([nothing], [(np.zeros((0, 4)), np.zeros(0))])).all()
    assert np.isnan(average_precision([], [])).all()


def test_a_found_object_is_1_and_a_missed_one_0():
    box, score = np.array([[10.0, 10, 20, 20]]), np.array([0.9])
    there = [(box, np.zeros(1, bool))]
    assert average_precision(there, [(box, score)]).tolist() == pytest.approx([1.0] * 10)
    assert average_precision(there, [(box + 100, score)]).tolist() == [0.0] * 10
    assert average_precision(there, [(np.zeros((0, 4)), np.zeros(0))]).tolist() == [0.0] * 10
    # Shifted by a fifth of its side it overlaps by two thirds: right up to an IoU of 0.65.
    assert average_precision(there, [(box + np.array([[4, 0, 0, 0]]), score)]).tolist() == pytest.approx(
        [1.0] * 4 + [0.0] * 6
    )


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_cases_are_as_pycocotools_has_them(seed):
    truth, found = random_case(np.random.default_rng(seed))
    if found:  # pycocotools reads no empty list
        compare(truth, found)


def test_more_than_a_hundred_detections_of_a_class_in_a_picture_do_not_count():
    rng = np.random.default_rng(3)
    truth, _ = random_case(rng)
    picture = truth["images"][0]["id"]
    truth["annotations"] = [
        {
            "id": n + 1,
            "image_id": picture,
            "category_id": 7,
            "bbox": [float(n), 0.0, 10.0, 10.0],
            "area": 100.0,
            "iscrowd": 0,
        }
        for n in range(0, 300, 2)
    ]
    found = [
        detection(picture, 7, one["bbox"], rng) | {"score": float(np.float32(0.9 - one["id"] / 1000))}
        for one in truth["annotations"]
    ]
    compare(truth, found)
    ours = evaluate(Annotations.model_validate(truth), as_detections(found, [7]), [7])
    assert ours.map50 is not None
    assert 0.6 < ours.map50 < 0.7


@pytest.mark.assets
@pytest.mark.parametrize("seed", range(5))
def test_the_real_annotations_are_as_pycocotools_has_them(assets, seed):
    truth = json.loads((assets / "images" / "annotations_dev.json").read_text())
    rng = np.random.default_rng(seed)
    found = []
    for one in truth["annotations"]:
        for _ in range(rng.integers(0, 4)):
            box = np.array(one["bbox"]) * (1 + rng.normal(0, 0.08, 4))
            box[:2] = np.round(box[:2] * 8) / 8
            box[2:] = np.maximum(1, np.round(box[2:] * 8) / 8)
            found.append(detection(one["image_id"], one["category_id"], box.tolist(), rng))
    compare(truth, found)


def categories(*names: str, first: int = 0) -> list[Category]:
    return [Category(id=number, name=name) for number, name in enumerate(names, first)]


def test_classes_are_matched_by_name_whatever_their_numbers():
    matching = match_categories(("dog", "cat"), categories("cat", "dog", first=17))
    assert matching.category == (18, 17)
    assert matching.notes == ()


def test_names_that_only_one_of_the_two_has_are_told():
    matching = match_categories(("dog", "N/A", "bus", "N/A"), categories("cat", "dog"))
    assert matching.category == (1, None, None, None)
    assert matching.notes == (
        "classes that the annotations do not have do not count: N/A, bus",
        "categories that the model does not have count as never found: cat",
    )


def test_a_model_without_names_is_matched_by_number_and_says_so():
    matching = match_categories(("0", "1", "2"), categories("cat", "dog", first=1))
    assert matching.category == (None, 1, 2)
    assert "class numbers are taken for category ids" in matching.notes[0]
    assert match_categories(("0", "1"), categories("1", "0", first=5)).category == (6, 5)


def test_a_class_that_does_not_count_is_neither_right_nor_wrong():
    truth = Annotations.model_validate(
        {
            "images": [{"id": 4, "file_name": "a.jpg"}],
            "annotations": [{"image_id": 4, "category_id": 2, "bbox": [0, 0, 10, 10]}],
            "categories": [{"id": 2, "name": "cat"}],
        }
    )
    boxes = np.array([[0, 0, 10, 10]] * 2, np.float32)
    found = {4: Detections(boxes, np.array([0.9, 0.8], np.float32), np.array([1, 0], np.int32))}
    accuracy = evaluate(truth, found, (2, None))
    assert accuracy.map50 == pytest.approx(1.0)
    assert [(one.objects, one.found) for one in accuracy.classes] == [(1, 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "the file: Invalid JSON"),
        ("[]", "is no COCO annotation"),
        ('{"images": [], "annotations": []}', "categories: Field required"),
        (
            '{"images": [], "categories": [], "annotations": [{"image_id": 1, "category_id": 1}]}',
            "annotations.0.bbox: Field required",
        ),
    ],
    ids=["no JSON", "a list", "no categories", "no box"],
)
def test_what_is_no_annotation_says_where(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=said) as caught:
        read_annotations(path)
    assert "\n" not in str(caught.value)


def test_annotations_that_are_not_there_are_not_found(tmp_path):
    with pytest.raises(InputNotFound):
        read_annotations(tmp_path / "a.json")
    with pytest.raises(BadInput, match="cannot be read"):
        read_annotations(Path(tmp_path))

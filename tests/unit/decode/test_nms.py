"""Suppression against a reference that compares every pair, and the bounds around it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.decode import nms
from edged.decode.nms import FEW, MAX_CANDIDATES, best_scores, suppress
from edged.detection import Detections
from edged.errors import InferenceFailed

coordinate = st.integers(0, 40)
side = st.integers(0, 20)
candidate = st.tuples(coordinate, coordinate, side, side, st.integers(0, 8), st.integers(0, 2))


def detections(rows: list[tuple[int, int, int, int, int, int]]) -> Detections:
    """x, y, width, height, eighths of a score, class."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(
        np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1),
        table[:, 4] / 8,
        table[:, 5].astype(np.int32),
    )


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    x1, y1 = np.maximum(first[:2], second[:2])
    x2, y2 = np.minimum(first[2:], second[2:])
    shared = max(0.0, x2 - x1) * max(0.0, y2 - y1)
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (first, second)]
    return shared / (sum(areas) - shared) if shared else 0.0


def reference(found: Detections, iou: float, max_detections: int, class_aware: bool) -> list[int]:
    order = sorted(range(len(found)), key=lambda one: (-found.score[one], one))
    kept: list[int] = []
    for one in order:
        rivals = [other for other in kept if not class_aware or found.class_id[other] == found.class_id[one]]
        if all(overlap(found.xyxy[one], found.xyxy[other]) <= iou for other in rivals):
            kept.append(one)
    return kept[:max_detections]


@pytest.mark.parametrize("class_aware", [True, False])
def test_nothing_stays_nothing(class_aware: bool) -> None:
    left = suppress(Detections.empty(), iou=0.5, max_detections=10, class_aware=class_aware)
    assert left.xyxy.shape == (0, 4)


# Thresholds are binary fractions, so that the reference and float32 agree where an overlap is exactly the threshold.
@given(st.lists(candidate, max_size=FEW + 8), st.integers(1, 63), st.integers(0, 12), st.booleans())
def test_it_keeps_what_comparing_every_pair_keeps(
    rows: list[tuple[int, int, int, int, int, int]], sixtyfourths: int, most: int, class_aware: bool
) -> None:
    found = detections(rows)
    left = suppress(found, iou=sixtyfourths / 64, max_detections=most, class_aware=class_aware)
    expected = found.take(np.array(reference(found, sixtyfourths / 64, most, class_aware), np.intp))
    np.testing.assert_array_equal(left.xyxy, expected.xyxy)
    np.testing.assert_array_equal(left.score, expected.score)
    np.testing.assert_array_equal(left.class_id, expected.class_id)


corner = st.floats(-1e3, 1e3, width=32) | st.sampled_from([0.0, 1e-23, 1.0, 3.0, 10.0, 1e20, 3e38, -3e38])
box = st.tuples(corner, corner, corner, corner)
near = st.integers(-3, 3)


@given(
    st.lists(st.tuples(box, st.integers(0, 3), st.integers(0, 1), near), min_size=2, max_size=8),
    st.floats(0, 1) | st.sampled_from([0.25, 1 / 3, 0.45, 0.5, 0.6]),
    st.integers(0, 8),
    st.booleans(),
)
def test_few_are_suppressed_as_many_are(
    rows: list[tuple[tuple[float, ...], int, int, int]], iou: float, most: int, class_aware: bool
) -> None:
    xyxy = np.array([one[0] for one in rows], np.float32)
    xyxy[1:2] = xyxy[:1]
    with np.errstate(all="ignore"):
        share = np.float32(iou)  # of the first is the second, but for some steps of float32: at the threshold
        xyxy[1, 2] = xyxy[0, 0] + (xyxy[0, 2] - xyxy[0, 0]) * share
        for _ in range(abs(rows[1][3])):
            xyxy[1, 2] = np.nextafter(xyxy[1, 2], np.float32(np.copysign(np.inf, rows[1][3])))
    found = Detections(
        xyxy,
        np.array([one[1] / 4 for one in rows], np.float32),
        np.array([one[2] for one in rows], np.int32),
    )
    with np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        left = suppress(found, iou=iou, max_detections=most, class_aware=class_aware)
        patch.setattr(nms, "FEW", 0)
        expected = suppress(found, iou=iou, max_detections=most, class_aware=class_aware)
    np.testing.assert_array_equal(left.xyxy, expected.xyxy)
    np.testing.assert_array_equal(left.score, expected.score)
    np.testing.assert_array_equal(left.class_id, expected.class_id)


def test_boxes_side_by_side_are_two_objects() -> None:
    # Read as x, y, width, height these two would cover each other: a well-known mistake.
    found = detections([(10, 10, 10, 10, 8, 0), (20, 10, 10, 10, 7, 0)])
    assert len(suppress(found, iou=0.01, max_detections=10)) == 2


def test_a_box_of_another_class_is_another_object_unless_told_otherwise() -> None:
    found = detections([(0, 0, 10, 10, 8, 0), (0, 0, 10, 10, 7, 1)])
    assert len(suppress(found, iou=0.5, max_detections=10)) == 2
    assert suppress(found, iou=0.5, max_detections=10, class_aware=False).class_id.tolist() == [0]


def test_of_more_candidates_than_are_looked_at_the_best_are_taken() -> None:
    count = MAX_CANDIDATES + 500
    x = np.arange(count, dtype=np.float32) * 10
    xyxy = np.column_stack([x, np.zeros(count), x + 5, np.full(count, 5)]).astype(np.float32)
    score = np.linspace(0, 1, count, dtype=np.float32)
    left = suppress(Detections(xyxy, score, np.zeros(count, np.int32)), iou=0.5, max_detections=count)
    assert len(left) == MAX_CANDIDATES
    assert left.score[0] == 1.0
    assert left.score[-1] == score[500]


halves = st.floats(-1, 1, width=16)


@given(
    st.lists(st.lists(halves, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from(["float16", "float32"]),
)
def test_the_greatest_score_is_the_greatest_in_halves_too(rows: list[list[float]], dtype: str) -> None:
    scores = np.abs(np.array(rows, dtype)).T
    np.testing.assert_array_equal(best_scores(scores), scores.max(axis=0).astype(np.float32))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_one_score_that_is_no_number_is_an_error(dtype: str, value: float) -> None:
    scores = np.full((4, 100), 0.1, dtype)
    scores[:, 50] = value
    with pytest.raises(InferenceFailed, match="NaN or infinity"):
        best_scores(scores)


def test_a_negative_zero_is_a_number() -> None:
    scores = np.array([[-0.0, 0.5], [-0.0, -0.0]], np.float16)
    assert best_scores(scores).tolist() == [0.0, 0.5]

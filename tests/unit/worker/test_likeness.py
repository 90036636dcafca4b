import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.detection import Detections
from edged.worker.likeness import classifiers_alike, detectors_alike


def found(*rows: tuple[float, float, int]) -> Detections:
    """Boxes of ten pixels: left edge, score, class."""
    boxes = np.array([(left, 0, left + 10, 10) for left, _, _ in rows], np.float32).reshape(-1, 4)
    return Detections(
        boxes, np.array([row[1] for row in rows], np.float32), np.array([row[2] for row in rows], np.int32)
    )


def alike(a: Detections, b: Detections, **more: float) -> float:
    return detectors_alike([a], [b], min_score=0.4, **more)


NOTHING = found()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (NOTHING, NOTHING, 1.0),
        (found((0, 0.9, 0)), found((0, 0.9, 0)), 1.0),
        (found((0, 0.9, 0)), found((2, 0.9, 0)), 1.0),  # an IoU of 2/3
        (found((0, 0.9, 0)), found((6, 0.9, 0)), 0.0),  # of 1/4
        (found((0, 0.9, 0)), found((0, 0.9, 1)), 0.0),  # another label
        (found((0, 0.9, 0)), NOTHING, 0.0),
        (NOTHING, found((0, 0.9, 0)), 0.0),
        (found((0, 0.9, 0), (50, 0.9, 0)), found((0, 0.9, 0)), 2 / 3),  # half of the one, all of the other
        (found((0, 0.9, 0)), found((0, 0.9, 0), (1, 0.8, 0)), 2 / 3),  # one match takes one
    ],
)
def test_agreement(one, other, expected):
    assert alike(one, other) == pytest.approx(expected)
    assert alike(other, one) == pytest.approx(expected)


def test_what_stands_at_the_threshold_is_not_lost():
    assert alike(found((0, 0.41, 0)), found((0, 0.39, 0))) == 1.0


def test_a_stricter_overlap_counts_less():
    assert alike(found((0, 0.9, 0)), found((2, 0.9, 0)), iou=0.7) == 0.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0, 1), st.integers(0, 2)), max_size=8))
def test_every_answer_agrees_with_itself(rows):
    assert alike(found(*rows), found(*rows)) == 1.0


def test_classifiers_agree_by_their_best_label():
    cat, dog = found((0, 0.9, 0), (0, 0.1, 1)), found((0, 0.6, 1), (0, 0.4, 0))
    assert classifiers_alike([cat, cat, NOTHING, cat], [cat, dog, NOTHING, NOTHING]) == 0.5

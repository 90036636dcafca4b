from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.tracking.association import assign, overlap_within

ONE = np.array([[0.0], [0.0], [10.0], [10.0]])


@pytest.mark.parametrize(
    ("x", "reach", "alike"), [(0, 0, 1.0), (5, 0, 1 / 3), (10, 0, 0.0), (10, 5, 1 / 3), (30, 5, 0.0)]
)
def test_boxes_overlap_within_reach(x, reach, alike):
    other = ONE + np.array([[x], [0], [x], [0]])
    assert overlap_within(ONE, other, np.array([[reach], [0.0]]))[0, 0] == pytest.approx(alike)


def best_by_trying(likeness, least):
    """The greatest sum of likeness above ``least`` over all assignments."""
    short = likeness if likeness.shape[0] <= likeness.shape[1] else likeness.T
    gain = np.maximum(short - least, 0)
    return max(
        sum(gain[row, column] for row, column in enumerate(columns))
        for columns in permutations(range(gain.shape[1]), gain.shape[0])
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_assignment_is_the_best_of_all(data):
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 5)))
    values = data.draw(
        st.lists(
            st.sampled_from([0, 0.1, 0.3, 0.35, 0.5, 0.7, 0.9, 1]),
            min_size=shape[0] * shape[1],
            max_size=shape[0] * shape[1],
        )
    )
    likeness = np.array(values, float).reshape(shape)
    rows, columns = assign(likeness, 0.25)
    assert len(set(rows.tolist())) == len(rows) == len(columns) == len(set(columns.tolist()))
    assert (likeness[rows, columns] > 0.25).all()
    assert (likeness[rows, columns] - 0.25).sum() == pytest.approx(best_by_trying(likeness, 0.25))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nobody_meets_nobody(shape):
    rows, columns = assign(np.zeros(shape), 0.2)
    assert len(rows) == len(columns) == 0

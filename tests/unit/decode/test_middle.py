"""The median without what NumPy's own loads."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.decode.middle import median

FLOATS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30)


@given(FLOATS)
@settings(max_examples=50)
def test_it_is_that_of_numpy(values):
    numbers = np.array(values, np.float32)
    assert math.isclose(median(numbers), float(np.median(numbers)), rel_tol=1e-6, abs_tol=1e-6)


def test_it_is_no_number_where_there_is_none_or_one_is_none():
    assert math.isnan(median(np.zeros(0)))
    assert math.isnan(median(np.array([1.0, np.nan, 2.0])))

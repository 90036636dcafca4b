"""Counts of durations by bucket."""

from bisect import bisect_left

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.metrics.distribution import BOUNDS_S, Distribution

durations = st.lists(st.floats(0, 100, allow_nan=False) | st.sampled_from(BOUNDS_S), max_size=30)


@given(st.lists(durations, max_size=4))
@settings(max_examples=50, deadline=None)
def test_each_duration_is_in_one_bucket_whose_bound_it_does_not_exceed(batches):
    taken = Distribution()
    for batch in batches:
        taken.add(np.array(batch, float))
    expected = [0] * (len(BOUNDS_S) + 1)
    for duration in (one for batch in batches for one in batch):
        expected[bisect_left(BOUNDS_S, duration)] += 1
    assert taken.counts == expected
    assert np.isclose(taken.sum_s, sum(map(sum, batches)))

"""How long something takes, as counts by bucket."""

import numpy as np
from numpy.typing import NDArray

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds, inclusive, in seconds; one bucket more takes what is above."""

_BOUNDS_S = np.array(BOUNDS_S)


class Distribution:
    """Counts of durations. Not synchronised: its owner holds a lock around every call.

    Attributes:
        counts: Durations in each bucket, not cumulative; one more than `BOUNDS_S`.
        sum_s: Of all durations, in seconds.
    """

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, durations_s: NDArray[np.float64]) -> None:
        """Count some.

        Args:
            durations_s: Of any number, in seconds.

        >>> taken = Distribution()
        >>> taken.add(np.array([0.0005, 0.0006, 99.0]))
        >>> taken.counts[:2], taken.counts[-1]
        ([1, 1], 1)
        """
        buckets = np.bincount(np.searchsorted(_BOUNDS_S, durations_s), minlength=len(self.counts))
        self.counts = [before + more for before, more in zip(self.counts, buckets.tolist(), strict=True)]
        self.sum_s += float(durations_s.sum())

"""The middle of some numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def median(values: NDArray[Any]) -> float:
    """The median of all; NaN where one is, or where there are none.

    That of NumPy loads its masked arrays first, which takes a twentieth of a start.

    >>> median(np.array([[3.0, 1.0], [2.0, 8.0]]))
    2.5
    """
    if not values.size or np.isnan(values).any():
        return float("nan")
    ordered = np.sort(values, axis=None)
    half = ordered.size // 2
    return float(ordered[half] if ordered.size % 2 else (ordered[half - 1] + ordered[half]) / 2)

"""A classifier's numbers, a column a class, from the three ways in which exporters write them.

skl2onnx and onnxmltools give one tensor, a map a window (ZipMap), or an output a class (``zipmap="columns"``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edged.decode.activations import sigmoid, softmax
from edged.decode.tabular.family import Array
from edged.decode.tabular.outputs import Output, require_finite
from edged.errors import InferenceFailed

Matrix = NDArray[np.float32]
ScoreSource = Callable[[Sequence[Array], int], Matrix]
"""Outputs and the number of windows to float32 (N, C)."""

Reading = Literal["as given", "softmax", "of the second", "logit of the second", "margin of the second"]
"""What the numbers are; of a single column there are three readings, each of which gives two columns."""

_SUM_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class TensorScores:
    """One tensor (N, C).

    Attributes:
        output: Which.
        reading: What its numbers are.
    """

    output: Output
    reading: Reading = "as given"

    def __call__(self, outputs: Sequence[Array], windows: int) -> Matrix:
        """See `ScoreSource`."""
        entries = self.output.entries(outputs, windows)
        numbers: Matrix = entries.reshape(windows, self.output.size).astype(np.float32)
        return read_as(self.reading, numbers)


@dataclass(frozen=True, slots=True)
class MapScores:
    """A map a window, from class to number.

    Attributes:
        output: Which.
        keys: The classes in order; at least two.
    """

    output: Output
    keys: tuple[Any, ...]

    def __call__(self, outputs: Sequence[Array], windows: int) -> Matrix:
        """See `ScoreSource`; about two million windows a second."""
        maps = self.output.entries(outputs, windows).tolist()
        try:
            flat = np.fromiter(
                chain.from_iterable(map(itemgetter(*self.keys), maps)), np.float32, windows * len(self.keys)
            )
        except KeyError as error:
            raise InferenceFailed("", f"gave a map without {error} in {self.output.name!r}") from error
        require_finite(flat, self.output.name)
        return flat.reshape(windows, len(self.keys))


@dataclass(frozen=True, slots=True)
class ColumnScores:
    """An output a class.

    Attributes:
        outputs: In the order of the classes.
    """

    outputs: tuple[Output, ...]

    def __call__(self, outputs: Sequence[Array], windows: int) -> Matrix:
        """See `ScoreSource`."""
        columns = [one.entries(outputs, windows).reshape(windows) for one in self.outputs]
        return np.stack(columns, axis=1).astype(np.float32)


def read_as(reading: Reading, numbers: Matrix) -> Matrix:
    """(N, C) as they are or through softmax; (N, 1) to (N, 2)."""
    if reading == "as given":
        return numbers
    if reading == "softmax":
        return softmax(numbers)
    if reading == "margin of the second":
        return np.concatenate([-numbers, numbers], axis=1)
    second = sigmoid(numbers) if reading == "logit of the second" else numbers
    return np.concatenate([1 - second, second], axis=1)


def are_probabilities(numbers: Matrix) -> bool:
    """Whether each row is of numbers from 0 that sum to 1."""
    sums = numbers.sum(axis=1)
    return bool((numbers >= 0).all() and (np.abs(sums - 1) < _SUM_TOLERANCE).all())

"""What is known of a model of rows when it is asked how its outputs are read, and the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edged.errors import ModelRejected
from edged.manifest import TensorSpec
from edged.rows import Scores

MAX_OUTPUT_VALUES = 4096
"""A window, in a message."""

Array = NDArray[Any]
RowDecoder = Callable[[Sequence[Array], Array], Scores]
"""Outputs of one inference, as `edged.inference.session.Session.run` gives them, and the (N, W, F) numbers that went
in, to what the model says of these N windows. Pure; called from any thread. Implementations are frozen dataclasses.

Raises:
    InferenceFailed: The outputs are not those of N windows, or are not finite.
"""


@dataclass(frozen=True, slots=True, eq=False)
class RowEvidence:
    """All that is known of a model of rows.

    Attributes:
        inputs: Declared.
        outputs: Declared, in the order of the graph.
        trial: What came out for N windows, an array an output; a sequence (of maps, of tensors) is an array of objects.
        fed: float (N, W, F): the numbers that went in, scaled as the model got them.
        operators: Nodes by ``domain:type``.
        metadata: Custom metadata of the file.
        labels: From ``model.toml``, ``labels.txt`` or the metadata; empty where none says them.
        class_labels: What the graph calls its classes, numbers as text; empty where it does not say.
        family: The family that ``model.toml`` names.
        threshold: From which score on a window is an anomaly.
        error: How a reconstruction is compared with what went in.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    trial: tuple[Array, ...]
    fed: Array
    operators: Mapping[str, int]
    metadata: Mapping[str, str]
    labels: tuple[str, ...] = ()
    class_labels: tuple[str, ...] = ()
    family: str | None = None
    threshold: float | None = None
    error: Literal["mse", "mae"] | None = None

    @property
    def windows(self) -> int:
        """Of the trial."""
        return len(self.fed)


@dataclass(frozen=True, slots=True, eq=False)
class RowRecognition:
    """A model of rows understood.

    Attributes:
        family: ``classifier``, ``regressor``, ``anomaly``, ``autoencoder`` or ``outputs``, as in ``model.toml``.
        why: The evidence in one sentence.
        labels: A name a class, in the order of ``Scores.class_id``; empty where there are no classes, or where they are
            not known beforehand (``Scores.names`` has them then).
        notes: What a user should know.
        decoder: Outputs to scores.
    """

    family: str
    why: str
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    decoder: RowDecoder


def refused(problem: str, remedy: str) -> ModelRejected:
    """An error whose subject the caller knows."""
    return ModelRejected("", problem, remedy)


def require_few(name: str, values: int) -> None:
    """Raise where so many values a window are too many for a message.

    Raises:
        ModelRejected: They are.
    """
    if values > MAX_OUTPUT_VALUES:
        raise refused(
            f"gives {values:,} values a window in {name!r}: too many for a message",
            f"export it with at most {MAX_OUTPUT_VALUES:,}",
        )


def as_matrix(entries: Array) -> NDArray[np.float64]:
    """(N, …) to float64 (N, K); (2, 3, 1) gives (2, 3), (2,) gives (2, 1)."""
    return entries.reshape(len(entries), -1).astype(np.float64)

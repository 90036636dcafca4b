"""Priors, anchors and points that a model leaves to its reader: which outputs belong to them, and where they lie.

Such a model gives one row to each prior, in one output or in one for each scale; an output's columns say what it holds
(1 a score, 4 a box, 10 five keypoints …). Rows are ordered by scale, then by cell (x fastest), then by what shares the
cell.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import as_table
from edged.decode.family import Array, Evidence, centre_to_corners

FACE_SIZES = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))
"""Pixels of the square priors of a cell, a scale each: UltraFace's and YuNet's of 2021."""
FACE_STRIDES = (8, 16, 32, 64)
CENTRE_VARIANCE, SIZE_VARIANCE = np.float32(0.1), np.float32(0.2)

KEYPOINTS_LEFT_OUT = "its keypoints are left out, boxes only"


def by_columns(evidence: Evidence) -> dict[int, list[int]]:
    """Positions of the trial's outputs [1, N, columns] or [N, columns] by their columns, those of most rows first."""
    found: dict[int, list[int]] = {}
    for index, output in enumerate(evidence.trial):
        if output.dtype.kind == "f" and (output.ndim == 2 or (output.ndim == 3 and len(output) == 1)):
            found.setdefault(output.shape[-1], []).append(index)
    for indices in found.values():
        indices.sort(key=lambda index: -evidence.trial[index].shape[-2])
    return found


def rows_of(evidence: Evidence, indices: Iterable[int]) -> list[int]:
    """How many rows each of these outputs has in the trial."""
    return [evidence.trial[index].shape[-2] for index in indices]


def stacked(outputs: Sequence[Array], indices: Sequence[int]) -> Array:
    """The tables of these outputs, one below the other: (N, columns); one alone is not copied."""
    if len(indices) == 1:
        return as_table(outputs[indices[0]])
    return np.concatenate([as_table(outputs[index]) for index in indices])


def listed(evidence: Evidence, indices: Iterable[int]) -> str:
    """Names of outputs: ``cls_8, cls_16, cls_32``."""
    return ", ".join(evidence.outputs[index].name for index in indices)


def points(
    height: int, width: int, levels: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The cells of an input, a row to each that shares them.

    Args:
        height: Pixels of the input.
        width: Pixels of the input.
        levels: Pixels of a cell, and rows to a cell, for each scale.

    Returns:
        float32 (N, 2), the upper left corner of each row's cell in pixels; float32 (N, 1), pixels of its cell.
    """
    corners, strides = [], []
    for stride, shared in levels:
        y, x = np.mgrid[: -(-height // stride), : -(-width // stride)] * stride
        corners.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), shared, axis=0))
        strides.append(np.full((len(corners[-1]), 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)


def face_priors(scales: Sequence[tuple[int, int, float, float]]) -> NDArray[np.float32]:
    """Square priors of `FACE_SIZES` in the middle of each cell.

    Args:
        scales: Rows, columns, and pixels between rows and between columns, for each scale.

    Returns:
        float32 (N, 4): centre x, centre y, width, height in pixels.
    """
    made = []
    for (rows, columns, pitch_y, pitch_x), sizes in zip(scales, FACE_SIZES, strict=True):
        y, x, size = np.meshgrid(
            (np.arange(rows) + 0.5) * pitch_y, (np.arange(columns) + 0.5) * pitch_x, sizes, indexing="ij"
        )
        made.append(np.stack([x, y, size, size], axis=-1).reshape(-1, 4))
    return np.concatenate(made).astype(np.float32)


def from_offsets(offsets: NDArray[np.float32], priors: NDArray[np.float32]) -> NDArray[np.float32]:
    """SSD's boxes, as Caffe's ``PriorBox`` layer encodes them with variances 0.1 and 0.2.

    Args:
        offsets: float32 (N, 4): of the centre in priors, of the logarithm of the size, each by its variance.
        priors: float32 (N, 4): centre x, centre y, width, height in pixels.

    Returns:
        float32 (N, 4): x1, y1, x2, y2 in pixels; infinity where a size is too large.
    """
    centres = priors[:, :2] + offsets[:, :2] * CENTRE_VARIANCE * priors[:, 2:]
    with np.errstate(over="ignore", invalid="ignore"):  # found and named by the caller
        sizes = priors[:, 2:] * np.exp(offsets[:, 2:] * SIZE_VARIANCE)
        return centre_to_corners(np.concatenate([centres, sizes], axis=1))

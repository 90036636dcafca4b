"""YOLOX: ``[1, N, 5 + C]``, a row a cell, as trained (relative to its cell) or decoded in the graph.

Its own demo and export script (``tools/export_onnx.py``, with and without ``--decode_in_inference``) fix
the rest: BGR, 0-255, laid out from the upper left, padded with 114; centre = (xy + cell) * stride, size =
exp(wh) * stride.
"""

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities, count_of, describe, share_columns, tables
from edged.decode.family import Evidence, InputDefaults, Recognition
from edged.decode.grid import Grid, Units, fit_grid, is_grid
from edged.decode.rows import RowDecoder, always_sure, may_have_objectness, pixels_of
from edged.fit import Fit

INPUT = InputDefaults(color="BGR", scale=1.0, fit=Fit.LETTERBOX_TOPLEFT, pad=114)

LEAST_NEGATIVE = -0.1
"""Offsets and logarithms of sizes go below this in any trial; scores, which stay near 0 as offsets do, never."""


class YoloX:
    """See the head of this file."""

    name = "yolox"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = objectness_rows(evidence)
        if found is None or isinstance(found, str):
            return found
        index, table, grid, units = found
        if units is Units.FRACTIONS or always_sure(table):
            return None
        shares = share_columns(evidence, table[:, 5:])
        if isinstance(shares, str):
            return shares
        raw = units is Units.CELLS
        what = describe(evidence, index)
        where = "relative to its cell" if raw else "decoded in the graph, in pixels"
        return Recognition(
            family=self.name,
            why=f"{what} has a row for {grid}, a box {where}, objectness and {count_of(shares.class_count)}",
            class_count=shares.class_count,
            input=INPUT,
            decoder=RowDecoder(index, shares.class_count, pixels_of(units, grid), grid if raw else None),
            overlapping=True,
            notes=shares.notes,
        )


def objectness_rows(evidence: Evidence) -> tuple[int, NDArray[np.float32], Grid, Units] | str | None:
    """The output with a row a cell that may hold objectness; a sentence where its boxes follow no cells."""
    for index, table in tables(evidence):
        rows, columns = table.shape
        if columns < 6 or not is_grid(rows, evidence.height, evidence.width, anchors=1):
            continue
        if not may_have_objectness(evidence, columns):
            continue
        fitted = fit_grid(table[:, :2], evidence.height, evidence.width, anchors=1)
        if fitted is None:
            return (
                f"{describe(evidence, index)} has a row a cell, and its boxes do not lie where the cells are"
            )
        if not are_probabilities(table[:, 4]):
            return None
        if fitted[1] is Units.CELLS and table[:, :4].min() > LEAST_NEGATIVE:
            return f"{describe(evidence, index)} has a row a cell, and no boxes in its first four columns"
        return index, table, *fitted
    return None

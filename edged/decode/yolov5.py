"""YOLOv5, and YOLOv7 which shares it: ``[1, N, 5 + C]``, three anchors a cell, decoded in the graph.

Rows are centre, size (pixels, or fractions of the input), objectness and classes. Exports that leave the
decoding to the caller (YOLOv5-Lite, ``--grid`` forgotten) have the same shape; their trial boxes stay
within their cells, and they are another family's (`edged.decode.yolov5raw`).
"""

from edged.decode.columns import are_probabilities, count_of, describe, share_columns, tables
from edged.decode.family import ULTRALYTICS, Evidence, Recognition
from edged.decode.grid import Units, fit_grid, is_grid
from edged.decode.rows import RowDecoder, pixels_of

ANCHORS = 3


class YoloV5:
    """See the head of this file."""

    name = "yolov5"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        for index, table in tables(evidence):
            rows, columns = table.shape
            if columns < 6 or not is_grid(rows, evidence.height, evidence.width, ANCHORS):
                continue
            what = describe(evidence, index)
            fitted = fit_grid(table[:, :2], evidence.height, evidence.width, ANCHORS)
            if fitted is None:
                return f"{what} has three rows a cell, and its boxes do not lie where the cells are"
            grid, units = fitted
            if units is Units.CELLS:
                return (
                    f"{what} has YOLOv5's shape, but its boxes are still relative to cells and anchors; "
                    "export it with the decoding in the graph (YOLOv5's export.py, YOLOv7's --grid), "
                    'or see whether family = "yolov5raw" serves it'
                )
            if not are_probabilities(table[:, 4]):
                return f"{what} has YOLOv5's shape, but its fifth column is no objectness of 0-1"
            shares = share_columns(evidence, table[:, 5:])
            if isinstance(shares, str):
                return shares
            return Recognition(
                family=self.name,
                why=f"{what} has a row for {grid}, a box in {units.value}, objectness, "
                f"{count_of(shares.class_count)}",
                class_count=shares.class_count,
                input=ULTRALYTICS,
                decoder=RowDecoder(index, shares.class_count, pixels_of(units, grid)),
                overlapping=True,
                notes=shares.notes,
            )
        return None

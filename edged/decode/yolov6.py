"""YOLOv6: ``[1, N, 5 + C]`` as YOLOX decoded in the graph, with 1 where the objectness would be.

Its input is not YOLOX's: RGB, 0-1, letterbox in the middle (``yolov6/core/inferer.py``).
"""

from edged.decode.columns import count_of, describe, share_columns
from edged.decode.family import ULTRALYTICS, Evidence, Recognition
from edged.decode.grid import Units
from edged.decode.rows import RowDecoder, always_sure, pixels_of
from edged.decode.yolox import objectness_rows


class YoloV6:
    """See the head of this file."""

    name = "yolov6"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = objectness_rows(evidence)
        if found is None or isinstance(found, str):
            return None
        index, table, grid, units = found
        if units is not Units.PIXELS or not always_sure(table):
            return None
        shares = share_columns(evidence, table[:, 5:])
        if isinstance(shares, str):
            return shares
        what = describe(evidence, index)
        return Recognition(
            family=self.name,
            why=f"{what} has a row for {grid}, a box in pixels, objectness 1, {count_of(shares.class_count)}",
            class_count=shares.class_count,
            input=ULTRALYTICS,
            decoder=RowDecoder(index, shares.class_count, pixels_of(units, grid)),
            overlapping=True,
            notes=shares.notes,
        )

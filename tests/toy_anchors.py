"""Outputs of families that leave anchors and cells to the reader."""

from toy_outputs import Layout

LAYOUTS: tuple[Layout, ...] = ()

"""Outputs of families that list what they found."""

from toy_outputs import Layout

LAYOUTS: tuple[Layout, ...] = ()

"""Outputs of families that give a head a scale."""

from toy_outputs import Layout

LAYOUTS: tuple[Layout, ...] = ()

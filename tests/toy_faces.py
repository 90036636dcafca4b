"""Outputs of families of faces, and of detectors over priors."""

from toy_outputs import Layout

LAYOUTS: tuple[Layout, ...] = ()

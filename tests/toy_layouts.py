"""The one table of families that find boxes: every row runs through every test of the contract, as arrays and as file.

A new family adds a row to the file of its kind: rows of a grid (``toy_outputs``), anchors and cells that are not
decoded (``toy_anchors``), heads a scale (``toy_heads``), faces and priors (``toy_faces``), lists of what was found
(``toy_lists``).
"""

import toy_anchors
import toy_faces
import toy_heads
import toy_lists
import toy_outputs

LAYOUTS = (
    *toy_outputs.LAYOUTS,
    *toy_anchors.LAYOUTS,
    *toy_heads.LAYOUTS,
    *toy_faces.LAYOUTS,
    *toy_lists.LAYOUTS,
)
PICTURES_WHOLE = {"classify"}
"""Families that name whole pictures, and have tests of their own."""

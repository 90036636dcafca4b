"""What sources give on its way through a model: frames of cameras, windows of rows of sensors.

A pipeline belongs to a model. It has an inbox for each source, serves them in turn, and asks before each turn which
version serves now: a swap happens between two frames, or two batches of windows.
"""

from edged.pipeline.batch import Result
from edged.pipeline.callers import Callers, Observer
from edged.pipeline.frames import Pipeline
from edged.pipeline.rowfeed import RowFeed, RowResult
from edged.pipeline.rows import RowPipeline
from edged.pipeline.turns import Feed

__all__ = ["Callers", "Feed", "Observer", "Pipeline", "Result", "RowFeed", "RowPipeline", "RowResult"]

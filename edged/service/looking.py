"""Where a camera's models look: at the whole frame, or at the parts that its section names. Pure."""

from functools import lru_cache

import numpy as np

from edged.frame import Frame
from edged.geometry import Region
from edged.pipeline.turns import RegionsOf
from edged.regions import regions_of
from edged.sections import CameraSettings
from edged.worker.description import ModelDescription

KNOWN = 64
"""Frame and model sizes whose regions are remembered."""


def regions_for(section: CameraSettings) -> RegionsOf | None:
    """What is asked with each frame of a camera; None where the whole frame is looked at, and nothing else."""
    if section.crop is None and section.tiles == (1, 1) and not section.motion.regions:
        return None

    @lru_cache(KNOWN)
    def still(width: int, height: int, model: tuple[int, int], tiles: tuple[int, int]) -> tuple[Region, ...]:
        return regions_of(
            width, height, model=model, crop=section.crop, tiles=tiles, overlap=section.tile_overlap
        )

    def regions(frame: Frame, model: ModelDescription) -> tuple[Region, ...]:
        size = (model.picture.width, model.picture.height)
        if model.task == "classify":  # of a whole picture: its parts have labels of their own
            return still(frame.width, frame.height, size, (1, 1))
        if not frame.regions:
            return still(frame.width, frame.height, size, section.tiles)
        return regions_of(
            frame.width,
            frame.height,
            model=size,
            crop=section.crop,
            tiles=section.tiles,
            overlap=section.tile_overlap,
            motion=np.array(frame.regions, np.float32),
        )

    return regions

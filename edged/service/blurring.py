"""Which models must have looked at a frame before a picture of it may leave. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from edged.detection import Detections, label_of
from edged.fit import Fit
from edged.pipeline import Result
from edged.privacy import Privacy
from edged.sections import CameraSettings, ModelSettings
from edged.snapshots.looks import Look
from edged.tracking import Tracks

if TYPE_CHECKING:
    from edged.worker.description import ModelDescription


class KnownModel(Protocol):
    """A model as far as it matters here."""

    section: ModelSettings

    @property
    def description(self) -> "ModelDescription | None":
        """Of the version that serves."""


@dataclass(frozen=True, slots=True)
class Lookouts:
    """Who can see what is to be blurred.

    Attributes:
        models: That must have looked at a frame.
        missing: Labels that none of them knows.
    """

    models: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def privacy_of(section: CameraSettings) -> Privacy:
    """What a camera's section asks for."""
    return Privacy(section.privacy.masks, tuple(dict.fromkeys(section.privacy.blur)))


def lookouts(section: CameraSettings, models: Mapping[str, KnownModel]) -> Lookouts:
    """Which of a camera's models can see what is to be blurred.

    Args:
        section: Of the camera.
        models: That are served, by name.
    """
    blur = privacy_of(section).blur
    named = [name for name in dict.fromkeys(section.models) if name in models]
    seen = {name: {label for label in blur if _sees(models[name], label)} for name in named}
    known = set[str]().union(*seen.values())
    return Lookouts(
        tuple(name for name, labels in seen.items() if labels),
        tuple(label for label in blur if label not in known),
    )


def look_of(result: Result, blur: tuple[str, ...], unseen: Tracks | None, kept: tuple[str, ...] = ()) -> Look:
    """What of a frame is to be blurred: also what is found only faintly, and what tracks expect there.

    Args:
        result: What a model found; nothing was left out of it.
        blur: Labels.
        unseen: Tracks of this model after this frame; None = it has none.
        kept: Labels that are kept of it; empty = all.
    """
    labels = result.model.labels
    seen = {label for label in blur if _finds(result.model, kept, label)}
    if len(result.detections) + len(result.low) >= result.model.max_detections:
        seen = set()  # there may be more than are told of
    boxes = [_boxes(found, labels, blur) for found in (result.detections, result.low)]
    if unseen is not None:
        hidden = [
            at
            for at, (label, row) in enumerate(zip(unseen.label, unseen.detection.tolist(), strict=True))
            if row < 0 and label in blur
        ]
        boxes.append(unseen.xyxy[hidden])
    regions = tuple(region.xyxy for region in result.regions)
    return Look(frozenset(blur), frozenset(seen), np.concatenate(boxes), regions)


def _boxes(found: Detections, labels: tuple[str, ...], blur: tuple[str, ...]) -> NDArray[np.float32]:
    rows = [at for at, class_id in enumerate(found.class_id.tolist()) if label_of(labels, class_id) in blur]
    return found.xyxy[rows]


def _sees(model: KnownModel, label: str) -> bool:
    known = model.description
    return known is not None and _finds(known, model.section.labels, label)


def _finds(known: "ModelDescription", kept: tuple[str, ...], label: str) -> bool:
    """Whether a model finds things of a label wherever they are in the frame."""
    if known.task != "detect" or known.picture.fit is Fit.CROP or (kept and label not in kept):
        return False
    return label in known.labels if known.labels else label.isdecimal()

"""What a family of detectors is: how it is recognised, and how its outputs become boxes in model space.

A family is added by one file with one class, one entry in ``decode.detect.FAMILIES`` and one row in the table of tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edged.detection import Detections
from edged.fit import Fit
from edged.manifest import TensorSpec

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a model when its family is asked for.

    Attributes:
        inputs: Declared inputs.
        outputs: Declared outputs, in the order of the graph.
        metadata: Custom metadata of the ONNX file.
        labels: From ``model.toml``, ``labels.txt`` or the metadata, in that order; empty where none says them.
        named: The family that ``model.toml`` names; a family asked by its name need not doubt what only its name tells.
        task: The task that ``model.toml`` names.
        endings: Operator that makes an output's numbers, by the output's name; without those of which it is not known.
        height: Input pixels of the picture.
        width: Input pixels of the picture.
        trial: What a trial run on a textured picture (values 0–1; 0–255 for uint8) gave, an array an output, as
            ``outputs`` orders them. Further inputs were filled as `edged.worker.companions` says: the picture is as
            large as the input.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    labels: tuple[str, ...]
    height: int
    width: int
    trial: tuple[Array, ...]
    named: str | None = None
    task: str | None = None
    endings: Mapping[str, str] = field(default_factory=dict)

    def input(self, name: str) -> TensorSpec | None:
        """The declared input of this name."""
        return next((spec for spec in self.inputs if spec.name == name), None)

    def output(self, *names: str) -> int | None:
        """The position of the first of these outputs that is there."""
        known = [spec.name for spec in self.outputs]
        return next((known.index(name) for name in names if name in known), None)

    def shapes(self) -> list[tuple[int, ...]]:
        """Of the trial's outputs."""
        return [output.shape for output in self.trial]


@dataclass(frozen=True, slots=True)
class InputDefaults:
    """How the family's training code fills the input, where nothing else says it; ``(x * scale - mean) / std``."""

    color: Literal["RGB", "BGR"]
    scale: float
    fit: Fit
    pad: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Decoder(Protocol):
    """Outputs of one inference to candidates. Pure; called from any thread.

    Frozen dataclasses implement it, so that what was settled at load stands in fields: positions of outputs, units,
    grids, anchors.
    """

    def __call__(self, outputs: Sequence[Array], min_score: float) -> Detections:
        """Candidates with a score of at least ``min_score``, boxes in model pixels, not yet sorted or suppressed.

        Raises:
            InferenceFailed: NaN or infinity among scores or chosen boxes (`edged.decode.nms.require_finite`).
        """
        ...


@dataclass(frozen=True, slots=True)
class Recognition:
    """A model understood.

    Attributes:
        family: Its name, as in ``model.toml``.
        why: The evidence in one sentence.
        class_count: How many classes the outputs hold; 0 where they do not say (end-to-end rows without labels).
            A background class is not one: the decoder leaves it out and counts from 0 behind it.
        input: How the input is filled unless something more specific says otherwise.
        decoder: Outputs to candidates.
        overlapping: True where the candidates overlap and need NMS.
        notes: What a user should know: keypoints ignored, classes without names …
        task: ``classify`` gives whole pictures their labels: its "boxes" are the whole input.
        usual_labels: Names of the family's published models, used with a note where nothing else names the classes and
            their number is this one, or is not known.
        min_score: Where the family's own demo asks for another than edged's 0.25.
    """

    family: str
    why: str
    class_count: int
    input: InputDefaults
    decoder: Decoder
    overlapping: bool
    notes: tuple[str, ...] = ()
    task: Literal["detect", "classify"] = "detect"
    usual_labels: tuple[str, ...] = ()
    min_score: float | None = None


class Family(Protocol):
    """One way of laying out detections. Implementations hold no state."""

    name: str

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """Say whether a model is of this family.

        Returns:
            A recognition; or a sentence that says why a model which looks like this family is not (or cannot be told)
            and what settles it; or None if it has nothing to do with it.
        """
        ...


ULTRALYTICS = InputDefaults(color="RGB", scale=1 / 255, fit=Fit.LETTERBOX, pad=114)
IMAGENET = InputDefaults(
    color="RGB",
    scale=1 / 255,
    fit=Fit.STRETCH,
    pad=114,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
"""ImageNet's mean and deviation, on a picture resized without regard to its shape."""


def centre_to_corners(cxcywh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centre, width, height to x1, y1, x2, y2: float32 (N, 4) to float32 (N, 4). (2, 2, 2, 4) is (1, 0, 3, 4)."""
    half = cxcywh[:, 2:] * np.float32(0.5)
    return np.concatenate([cxcywh[:, :2] - half, cxcywh[:, :2] + half], axis=1)

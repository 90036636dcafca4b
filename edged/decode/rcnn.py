"""Boxes [N, 4] in pixels, labels [N] and scores [N] without a batch: torchvision, Azure AutoML, maskrcnn-benchmark.

They look alike, labels count from 1 behind the background in all of them, and NMS is done. They differ in what they
want to be given, which no number of theirs tells:

* torchvision (Faster and Mask R-CNN, Keypoint R-CNN, RetinaNet, FCOS, SSD, SSDlite): RGB, 0-1; the graph normalises and
  resizes by itself. ``boxes``, ``labels``, ``scores`` in that order or with the last two turned, or names of no meaning
  where the export gave none. A picture [3, H, W], or a batch of one. Labels are COCO's own numbers.
* Azure AutoML for images (Faster and Mask R-CNN, RetinaNet): RGB with ImageNet's mean and deviation, resized without
  regard to its shape, a batch of one. ``boxes_0``, ``labels_0``, ``scores_0``, or without the number. The numbers are
  those of ``labels.json``, which begins with ``--bg--``.
* maskrcnn-benchmark (Faster and Mask R-CNN of the ONNX Model Zoo): BGR, 0-255 less its mean, [3, H, W], sides of
  multiples of 32. Outputs ``6379``, ``6381``, ``6383`` or ``6568``, ``6570``, ``6572``, ``6887``; masks are 28 × 28.
  Labels are COCO's 80 classes in a row.

What names, ranks and masks leave open is asked.

Source: pytorch/vision, ``torchvision/models/detection`` and ``test/test_onnx.py``; MicrosoftDocs/azure-docs,
``how-to-inference-onnx-automl-image-models.md``, and the batch model generator it names; onnx/models,
``vision/object_detection_segmentation/faster-rcnn`` and ``mask-rcnn``.
"""

from edged.decode.family import IMAGENET, Evidence, InputDefaults, Recognition
from edged.decode.grid import Units
from edged.decode.labels import COCO, COCO_90
from edged.decode.triples import (
    Triple,
    first_number,
    has_whole_classes,
    left_out,
    listed,
    triple_named,
    triple_unnamed,
)
from edged.fit import Fit

TORCHVISION = InputDefaults(color="RGB", scale=1 / 255, fit=Fit.LETTERBOX_TOPLEFT, pad=114)
BENCHMARK = InputDefaults(
    color="BGR", scale=1.0, fit=Fit.LETTERBOX_TOPLEFT, pad=114, mean=(102.9801, 115.9465, 122.7717)
)
"""Beside the picture both have 0 once the mean is gone, which 114 is near."""
PUBLISHED = ({"6379", "6381", "6383"}, {"6568", "6570", "6572", "6887"})
"""Outputs of the two models in the ONNX Model Zoo."""
MASK = (28, 28)
"""Pixels of a mask in its box; torchvision's masks are as large as the picture."""
BENCHMARK_MIN_SCORE = 0.7
AUTOML_LABEL = "--bg--"


class Torchvision:
    """See the head of this file."""

    name = "torchvision"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = _found(evidence)
        if found is None:
            return None
        automl = _numbered(evidence) is not None or _labels_are_automl(evidence)
        benchmark = _is_published(evidence) or _mask(evidence) == MASK
        if evidence.named != self.name and (automl or benchmark):
            return None
        return _recognised(evidence, found, self.name, TORCHVISION, COCO_90)


class AutoML:
    """See the head of this file."""

    name = "automl"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = _found(evidence)
        if found is None:
            return None
        may_be = _has_batch(evidence) and (_called(evidence) or _labels_are_automl(evidence))
        if evidence.named != self.name and not may_be:
            return None
        return _recognised(evidence, found, self.name, IMAGENET, ())


class MaskRcnnBenchmark:
    """See the head of this file."""

    name = "maskrcnn-benchmark"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        found = _found(evidence)
        if found is None:
            return None
        may_be = not _called(evidence) and not _has_batch(evidence) and _mask(evidence) in {None, MASK}
        if evidence.named != self.name and not (_is_published(evidence) or may_be):
            return None
        return _recognised(evidence, found, self.name, BENCHMARK, COCO, min_score=BENCHMARK_MIN_SCORE)


def _found(evidence: Evidence) -> Triple | None:
    """The three outputs without a batch, of a model that takes a float picture, channels first, and nothing else."""
    if len(evidence.inputs) != 1 or not evidence.inputs[0].dtype.startswith("float"):
        return None
    channels = evidence.inputs[0].shape[-3]
    if isinstance(channels, int) and channels != 3:
        return None
    found = (
        triple_named(evidence, "boxes", "scores", "labels") or _numbered(evidence) or triple_unnamed(evidence)
    )
    if found is None or found.batched or not has_whole_classes(evidence, found):
        return None
    return found


def _numbered(evidence: Evidence) -> Triple | None:
    return triple_named(evidence, "boxes_0", "scores_0", "labels_0")


def _labels_are_automl(evidence: Evidence) -> bool:
    return evidence.labels[:1] == (AUTOML_LABEL,)


def _called(evidence: Evidence) -> bool:
    """Whether the outputs have names that mean something."""
    return evidence.output("boxes", "boxes_0") is not None


def _is_published(evidence: Evidence) -> bool:
    return {spec.name for spec in evidence.outputs} in PUBLISHED


def _has_batch(evidence: Evidence) -> bool:
    return len(evidence.inputs[0].shape) == 4


def _mask(evidence: Evidence) -> tuple[int, ...] | None:
    """Height and width of the masks; None where there are none."""
    return next((output.shape[2:] for output in evidence.trial if output.ndim == 4), None)


def _recognised(
    evidence: Evidence,
    found: Triple,
    family: str,
    filled: InputDefaults,
    usual: tuple[str, ...],
    *,
    min_score: float | None = None,
) -> Recognition | str:
    return listed(
        evidence,
        found,
        family,
        filled,
        units=Units.PIXELS,
        first_class=first_number(evidence.labels),
        usual=usual,
        notes=left_out(evidence, found),
        min_score=min_score,
    )

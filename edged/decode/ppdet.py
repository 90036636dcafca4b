"""PaddleDetection through Paddle2ONNX: PP-YOLOE, PP-YOLOE+ and PicoDet, with NMS in the graph or without.

* With NMS: rows ``[N, 6]`` of class, score, x1, y1, x2, y2, and their number; the picture's ``scale_factor`` is a
  second input, here 1, so that boxes come in pixels of the input.
* Without NMS: boxes ``[1, N, 4]`` and scores ``[1, C, N]``; without any post-processing PP-YOLOE joins them in one
  ``[1, N, 4 + C]``.
* PicoDet without any post-processing: scores ``[1, N, C]`` and distributions ``[1, N, 4 * bins]`` for each of strides
  8, 16, 32, 64, distances beginning in the middle of the cell.

All were trained on RGB, stretched. PP-YOLOE (2022) and PicoDet subtract ImageNet's mean and divide by its deviation,
PP-YOLOE+ does neither; nothing in the outputs tells, so a person says which. PP-YOLO, PP-YOLOv2 and YOLOv3 of
PaddleDetection take pictures as PP-YOLOE does and give the same rows.

Source: PaddlePaddle/PaddleDetection, ``ppdet/modeling/heads/{ppyoloe_head,pico_head}.py``,
``deploy/python/picodet_postprocess.py``, ``configs/{ppyoloe,picodet,ppyolo}/_base_/*reader.yml``.
"""

from dataclasses import replace

from edged.decode.columns import count_of, describe
from edged.decode.corners import Corners, corners_of
from edged.decode.family import IMAGENET, Evidence, InputDefaults, Recognition
from edged.decode.labels import COCO
from edged.decode.levels import STRIDES, pairs_of, recognised_pairs
from edged.decode.listed import ListDecoder

PLAIN = replace(IMAGENET, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

ROW = (2, 3, 4, 5, 1, 0)
"""Columns of x1, y1, x2, y2, score, class."""


def rows_with_nms(evidence: Evidence) -> int | None:
    """The position of the rows ``[N, 6]`` beside which stands nothing but their number; None where there are none."""
    told = evidence.input("scale_factor") is not None or evidence.named in {
        PPYoloE.name,
        PPYoloEPlus.name,
        PicoDet.name,
    }
    rows = [n for n, one in enumerate(evidence.trial) if one.dtype.kind == "f" and one.shape[-1:] == (6,)]
    others = [one for n, one in enumerate(evidence.trial) if n not in rows]
    if not told or len(rows) != 1 or any(one.dtype.kind != "i" or one.size != 1 for one in others):
        return None
    output = evidence.trial[rows[0]]
    flat = output.ndim == 2 or (output.ndim == 3 and len(output) == 1)
    return rows[0] if flat and ListDecoder(rows[0], ROW).may_read(output) else None


def recognised_rows(evidence: Evidence, index: int, family: str, filled: InputDefaults) -> Recognition:
    """A model with its NMS."""
    decoder = ListDecoder(index, ROW)
    usual = COCO if decoder.greatest_class(evidence.trial[index]) < len(COCO) else ()
    return Recognition(
        family=family,
        why=f"{describe(evidence, index)} has rows of class, score, x1, y1, x2, y2, already chosen by the model",
        class_count=len(evidence.labels),
        input=filled,
        decoder=decoder,
        overlapping=False,
        usual_labels=usual,
    )


def recognised_corners(evidence: Evidence, found: Corners, family: str, filled: InputDefaults) -> Recognition:
    """A model without its NMS."""
    what = describe(evidence, found.decoder.boxes)
    scores = describe(evidence, found.decoder.scores)
    return Recognition(
        family=family,
        why=f"{what} has corners for {found.grid}, {scores} their {count_of(found.class_count)}",
        class_count=found.class_count,
        input=filled,
        decoder=found.decoder,
        overlapping=True,
    )


def paddle_corners(evidence: Evidence) -> Corners | None:
    """Corners as PaddleDetection lays them out: scores turned, or behind the boxes."""
    found = corners_of(evidence)
    if found is None:
        return None
    joined = found.decoder.boxes == found.decoder.scores
    return found if joined or found.decoder.turned else None


class PPYoloE:
    """See the head of this file."""

    name = "ppyoloe"
    _input = IMAGENET

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        index = rows_with_nms(evidence)
        if index is not None:
            return recognised_rows(evidence, index, self.name, self._input)
        found = paddle_corners(evidence)
        if found is None or found.grid.strides == STRIDES:
            return None
        return recognised_corners(evidence, found, self.name, self._input)


class PPYoloEPlus(PPYoloE):
    """See the head of this file."""

    name = "ppyoloe-plus"
    _input = PLAIN


class PicoDet:
    """See the head of this file."""

    name = "picodet"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        index = rows_with_nms(evidence)
        if index is not None:
            return recognised_rows(evidence, index, self.name, IMAGENET)
        found = paddle_corners(evidence)
        if found is not None and found.grid.strides == STRIDES and found.decoder.turned:
            return recognised_corners(evidence, found, self.name, IMAGENET)
        return self._heads(evidence)

    def _heads(self, evidence: Evidence) -> Recognition | None:
        pairs = pairs_of(evidence)
        if pairs is None or pairs.strides != STRIDES or evidence.output("cls_pred_stride_8") is not None:
            return None
        return recognised_pairs(evidence, pairs, self.name, IMAGENET, within=0.5)

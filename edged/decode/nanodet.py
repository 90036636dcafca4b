"""NanoDet: class probabilities and a distribution for each side of the box, in two outputs a level or in one for all.

NanoDet-m (2020) gives [1, N, C] and [1, N, 4 * bins] for each of strides 8, 16, 32, in an order and under names that
say little; NanoDet 1.0 and NanoDet-Plus give one ``output`` [1, N, C + 4 * bins]. Distances begin in the middle of the
cell, in NanoDet-Plus (four levels, to stride 64) at its upper left corner, as NanoDet's own heads have it (decoders by
others begin half a pixel earlier, which costs accuracy). NanoDet keeps the picture's shape, with black beside it;
NanoDet-Plus stretches it.

Source: RangiLyu/nanodet, ``nanodet/model/head/{gfl_head,nanodet_head,nanodet_plus_head}.py``, ``tools/export_onnx.py``
and ``config/*.yml`` (``keep_ratio``, ``normalize``; the models on EfficientNet-Lite were given other numbers).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edged.decode.columns import are_probabilities, count_of, describe, tables
from edged.decode.family import Evidence, InputDefaults, Recognition
from edged.decode.levels import (
    MIN_BINS,
    DistributionDecoder,
    make_head,
    pairs_of,
    recognised_pairs,
    strides_of,
)
from edged.fit import Fit

INPUT = InputDefaults(
    color="BGR",
    scale=1.0,
    fit=Fit.LETTERBOX,
    pad=0,
    mean=(103.53, 116.28, 123.675),
    std=(57.375, 57.12, 58.395),
)
PLUS_INPUT = replace(INPUT, fit=Fit.STRETCH)
PLUS_LEVELS = 4
MIDDLE, CORNER = 0.5, 0.0
USUAL_BINS = 8
"""``reg_max`` 7, in every published model."""

_BACKBONE = (
    "filled as the models on ShuffleNet are: one on EfficientNet-Lite needs [input] mean = 127.0 and std = 128.0 in "
    "model.toml"
)


class NanoDet:
    """See the head of this file."""

    name = "nanodet"

    def recognise(self, evidence: Evidence) -> Recognition | str | None:
        """See `edged.decode.family.Family`."""
        return self._in_pairs(evidence) or self._in_one(evidence)

    def _in_pairs(self, evidence: Evidence) -> Recognition | None:
        pairs = pairs_of(evidence)
        named = evidence.named == self.name or evidence.output("cls_pred_stride_8") is not None
        if pairs is None or (len(pairs.strides) == PLUS_LEVELS and not named):
            return None  # two outputs for each of four levels are PicoDet's
        return recognised_pairs(evidence, pairs, self.name, INPUT, within=MIDDLE, notes=(_BACKBONE,))

    def _in_one(self, evidence: Evidence) -> Recognition | None:
        for index, table in tables(evidence):
            strides = strides_of(len(table), evidence)
            classes = _class_count(evidence, table)
            if strides is None or not classes:
                continue
            plus = len(strides) == PLUS_LEVELS
            head = make_head(evidence, index, index, strides, within=CORNER if plus else MIDDLE)
            bins = (table.shape[1] - classes) // 4
            return Recognition(
                family=self.name,
                why=(
                    f"{describe(evidence, index)} has {count_of(classes)} and {bins} bins a side for each cell at "
                    f"strides {'/'.join(map(str, strides))}, as {'NanoDet-Plus' if plus else 'NanoDet 1.0'} gives them"
                ),
                class_count=classes,
                input=PLUS_INPUT if plus else INPUT,
                decoder=DistributionDecoder((head,), classes),
                overlapping=True,
                notes=() if plus else (_BACKBONE,),
            )
        return None


def _class_count(evidence: Evidence, table: NDArray[np.float32]) -> int:
    """How many columns are classes, the rest being distributions of the usual bins or as many as labels leave; or 0."""
    columns = table.shape[1]
    for classes in (len(evidence.labels), columns - 4 * USUAL_BINS):
        whole = (columns - classes) % 4 == 0 and columns - classes >= 4 * MIN_BINS
        if classes > 0 and whole and _are_shared(table, classes):
            return classes
    return 0


def _are_shared(table: NDArray[np.float32], classes: int) -> bool:
    """Scores are probabilities; of each side's numbers some are not."""
    sides = np.split(table[:, classes:], 4, axis=1)
    return are_probabilities(table[:, :classes]) and not any(are_probabilities(side) for side in sides)

"""NanoDet: its three layouts, and what is not taken for one."""

import numpy as np
import pytest
from toy_heads import nanodet_pairs, nanodet_plus, nanodet_v1
from toy_outputs import LAYOUTS, evidence_of, yolox_raw

from edged.decode.detect import recognise
from edged.decode.nanodet import NanoDet
from edged.errors import ModelRejected
from edged.fit import Fit
from edged.manifest import TensorSpec


def made(write, classes: int = 80) -> list[np.ndarray]:  # type: ignore[no-untyped-def]
    return [one.astype(np.float32) for one in write([], 416, 416, classes, np.random.default_rng(0))]


def test_the_older_models_keep_the_shape_of_the_picture_and_plus_does_not() -> None:
    assert recognise(evidence_of(*made(nanodet_pairs))).input.fit is Fit.LETTERBOX
    assert recognise(evidence_of(*made(nanodet_v1))).input.fit is Fit.LETTERBOX
    assert recognise(evidence_of(*made(nanodet_plus))).input.fit is Fit.STRETCH


def test_the_older_models_say_that_their_backbone_decides_the_numbers() -> None:
    assert "EfficientNet-Lite" in recognise(evidence_of(*made(nanodet_pairs))).notes[0]
    assert not recognise(evidence_of(*made(nanodet_plus))).notes


def test_labels_tell_how_many_bins_there_are() -> None:
    rng = np.random.default_rng(0)
    table = np.concatenate([rng.uniform(0, 0.02, (3598, 3)), rng.normal(size=(3598, 68))], axis=1)
    evidence = evidence_of(table[None].astype(np.float32), labels=("a", "b", "c"))
    recognition = recognise(evidence)
    assert recognition.class_count == 3
    assert "17 bins" in recognition.why


def test_labels_that_do_not_fit_are_refused_with_both_numbers() -> None:
    with pytest.raises(ModelRejected, match="has 80 classes, its labels name 3"):
        recognise(evidence_of(*made(nanodet_plus), labels=("a", "b", "c")))


def test_two_outputs_for_each_of_four_levels_are_its_own_only_by_name() -> None:
    rng = np.random.default_rng(0)
    heads = [one.astype(np.float32) for one in nanodet_pairs([], 416, 416, 80, rng, strides=(8, 16, 32, 64))]
    assert recognise(evidence_of(*heads)).family == "picodet"
    names = [f"{kind}_pred_stride_{stride}" for kind in ("cls", "dis") for stride in (8, 16, 32, 64)]
    outputs = tuple(TensorSpec(name, one.shape, "float32") for name, one in zip(names, heads, strict=True))
    assert recognise(evidence_of(*heads, outputs=outputs)).family == "nanodet"


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_rows_of_other_families_are_not_taken(layout) -> None:  # type: ignore[no-untyped-def]
    assert NanoDet().recognise(layout.evidence()) is None


def test_a_row_a_cell_whose_last_columns_are_chances_is_not_taken() -> None:
    table = yolox_raw([], 416, 416, 80, np.random.default_rng(0))[0]
    assert NanoDet().recognise(evidence_of(np.abs(table).clip(0, 1).astype(np.float32))) is None

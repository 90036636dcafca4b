"""What stands beside the picture: filled as if the picture were as large as the input."""

from pathlib import Path

import numpy as np
import pytest

from edged.errors import ModelRejected
from edged.manifest import InputRecipe, TensorSpec
from edged.worker.companions import fill_companions

PATH = Path("m.onnx")
RECIPE = InputRecipe(320, 640)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "values"),
    [
        ("image_shape", ("N", 2), "float32", [[320, 640]]),
        ("im_shape", (1, 2), "float32", [[320, 640]]),
        ("scale_factor", (1, 2), "float32", [[1, 1]]),
        ("orig_target_sizes", ("batch", 2), "int64", [[640, 320]]),
        ("orig_target_sizes", (2,), "int32", [640, 320]),
    ],
)
def test_known_inputs_are_filled(name, shape, dtype, values):
    filled = fill_companions([TensorSpec(name, shape, dtype)], RECIPE, PATH)
    assert filled[name].dtype == dtype
    assert filled[name].tolist() == values


@pytest.mark.parametrize(
    ("shape", "expected"), [(("b", "h", "w"), (1, 320, 640)), (("b", 64, 64), (1, 64, 64))]
)
def test_all_of_the_picture_counts_in_a_mask(shape, expected):
    mask = fill_companions([TensorSpec("pixel_mask", shape, "int64")], RECIPE, PATH)["pixel_mask"]
    assert mask.shape == expected
    assert np.all(mask == 1)


@pytest.mark.parametrize(
    "spec",
    [
        TensorSpec("prompt", (1, 16), "int64"),
        TensorSpec("image_shape", (1, 2), "str"),
        TensorSpec("scale_factor", (1, 2, 1), "float32"),
    ],
)
def test_an_input_that_nobody_can_fill_rejects_the_model_by_name(spec):
    with pytest.raises(ModelRejected, match=rf"m\.onnx.*cannot fill: {spec.name} {spec.dtype}"):
        fill_companions([spec], RECIPE, PATH)


def test_nothing_beside_the_picture_is_nothing():
    assert fill_companions([], RECIPE, PATH) == {}

from pathlib import Path

import numpy as np
import pytest

from edged.decode.family import InputDefaults
from edged.errors import ModelRejected
from edged.fit import Fit
from edged.manifest import InputManifest, InputRecipe, TensorSpec
from edged.worker.picture import LIKELY_SIZES, filled, picture_input, recipes, texture, unused

PATH = Path("m.onnx")


def spec(*shape: int | str | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("images", shape, dtype)


def sizes(given: TensorSpec, manifest: InputManifest | None = None, **metadata: str) -> list[tuple[int, int]]:
    return [(r.height, r.width) for r in recipes(given, manifest or InputManifest(), metadata, PATH)]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([], "none of its inputs takes a picture"),
        ([spec(1, 3, 8, 8), spec(1, 3, 8, 8)], "2 of its inputs may"),
        ([spec(1, 3)], "none of its inputs takes a picture"),
        ([spec(1, 3, 8, 8, dtype="int64")], "int64"),
        ([spec(8, 3, 64, 64)], "batches of 8 pictures"),
    ],
)
def test_a_model_whose_input_is_no_picture_is_rejected_by_name(inputs, said):
    with pytest.raises(ModelRejected, match=rf"m\.onnx.*{said}"):
        picture_input(inputs, PATH)


@pytest.mark.parametrize("shape", [(3, 64, 48), (3, "height", "width"), (64, 48, 3)])
def test_one_picture_without_its_batch_is_taken(shape):
    given = spec(*shape)
    assert picture_input([given], PATH) is given
    recipe = recipes(given, InputManifest(), {}, PATH)[0]
    assert len(recipe.shape) == 4  # frames are prepared with a batch; the worker takes it off again
    assert recipe.layout == ("NHWC" if shape[-1] == 3 else "NCHW")
    assert (recipe.height, recipe.width) == ((64, 48) if 64 in shape else LIKELY_SIZES[:1] * 2)


def test_what_stands_beside_the_picture_is_not_the_picture():
    beside = [spec(1, 2), spec("n", 3), spec(1, 3, 8, 8, dtype="int64")]
    assert picture_input([*beside, spec(1, 3, 8, 8)], PATH).shape == (1, 3, 8, 8)


@pytest.mark.parametrize("batch", [1, "batch", None])
def test_the_only_picture_is_the_input(batch):
    assert picture_input([spec(batch, 3, 64, 64)], PATH).name == "images"


@pytest.mark.parametrize(
    ("shape", "layout", "channels"),
    [
        ((1, 3, 48, 64), "NCHW", 3),
        ((1, 48, 64, 3), "NHWC", 3),
        ((1, 1, 48, 64), "NCHW", 1),
        ((1, 48, 64, 1), "NHWC", 1),
        ((1, "c", 48, 64), "NCHW", 3),
    ],
)
def test_the_layout_is_where_the_channels_stand(shape, layout, channels):
    (recipe,) = recipes(spec(*shape), InputManifest(), {}, PATH)
    assert (recipe.layout, recipe.channels) == (layout, channels)
    assert (recipe.height, recipe.width) == (48, 64)


def test_a_layout_that_cannot_be_told_is_the_one_the_manifest_says():
    (recipe,) = recipes(spec(1, 3, 64, 3), InputManifest(layout="NHWC"), {}, PATH)
    assert (recipe.layout, recipe.height, recipe.width) == ("NHWC", 3, 64)


@pytest.mark.parametrize("shape", [(1, 4, 64, 64), (1, 64, 64, 12)])
def test_pictures_of_other_channels_are_refused(shape):
    with pytest.raises(ModelRejected, match="channels"):
        recipes(spec(*shape), InputManifest(), {}, PATH)


def test_a_layout_that_the_model_cannot_have_is_blamed_on_model_toml():
    with pytest.raises(ModelRejected, match=r'\[input\] layout is "NHWC", which makes 64 channels'):
        recipes(spec(1, 3, 64, 64), InputManifest(layout="NHWC"), {}, PATH)


@pytest.mark.parametrize(("size", "notes"), [(None, 0), ((48, 64), 0), ((64, 48), 1)])
def test_a_size_of_model_toml_that_the_model_does_not_leave_open_is_noted(size, notes):
    assert len(unused(InputRecipe(48, 64), InputManifest(size=size))) == notes


def test_a_declared_size_is_the_only_one_to_try():
    assert sizes(spec(1, 3, 48, 64), InputManifest(size=(8, 8)), imgsz="[320, 320]") == [(48, 64)]


def test_an_open_size_is_the_manifests_where_that_says_one():
    assert sizes(spec(1, 3, "h", "w"), InputManifest(size=(96, 160)), imgsz="[320, 320]") == [(96, 160)]


def test_else_the_size_it_was_traced_at_is_tried_before_the_usual_ones():
    usual = [(size, size) for size in LIKELY_SIZES]
    assert sizes(spec(1, 3, "h", "w"), imgsz="[96, 160]") == [(96, 160), *usual]
    assert sizes(spec(1, 3, "h", "w"), imgsz="96") == [(96, 96), *usual]
    assert sizes(spec(1, 3, "h", 64)) == [(size, 64) for size in LIKELY_SIZES]


@pytest.mark.parametrize(
    "text", ["", "[]", "[1, 2, 3]", "'640'", "[0, 0]", "[99999, 640]", "__import__('os')", "(" * 90]
)
def test_a_traced_size_that_makes_no_sense_is_not_tried(text):
    assert sizes(spec(1, 3, "h", "w"), imgsz=text) == [(size, size) for size in LIKELY_SIZES]


def test_a_picture_too_large_for_any_camera_is_refused():
    with pytest.raises(ModelRejected, match=r"100000 × 100000 pixels"):
        recipes(spec(1, 3, 100000, 100000), InputManifest(), {}, PATH)


USUAL = InputDefaults(color="BGR", scale=1 / 255, mean=(1, 2, 3), std=(4, 5, 6), fit=Fit.STRETCH, pad=0)


def test_the_family_says_how_the_input_is_filled():
    recipe = filled(InputRecipe(32, 32), USUAL, InputManifest(), {})
    assert (recipe.color, recipe.scale, recipe.mean, recipe.std) == ("BGR", 1 / 255, (1, 2, 3), (4, 5, 6))
    assert (recipe.fit, recipe.pad) == (Fit.STRETCH, 0)


def test_the_manifest_overrides_it_key_by_key():
    given = InputManifest(color="RGB", scale=2, mean=9.0, std=(1, 1, 2), fit=Fit.CROP, pad=7)
    recipe = filled(InputRecipe(32, 32), USUAL, given, {})
    assert (recipe.color, recipe.scale, recipe.mean, recipe.std) == ("RGB", 2, (9, 9, 9), (1, 1, 2))
    assert (recipe.fit, recipe.pad) == (Fit.CROP, 7)
    assert filled(InputRecipe(32, 32), USUAL, InputManifest(scale=0.0), {}).scale == 0


def test_whole_numbers_are_passed_as_they_are():
    recipe = filled(InputRecipe(32, 32, dtype="uint8"), USUAL, InputManifest(), {})
    assert (recipe.scale, recipe.mean, recipe.std) == (1, (0, 0, 0), (1, 1, 1))


def test_a_model_of_one_channel_sees_grey():
    assert filled(InputRecipe(32, 32, channels=1), USUAL, InputManifest(color="RGB"), {}).color == "GRAY"


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_the_picture_to_try_fits_and_has_something_in_it(dtype, layout):
    recipe = InputRecipe(48, 64, dtype=dtype, layout=layout)
    picture = texture(recipe)
    assert (picture.shape, picture.dtype) == (recipe.shape, np.dtype(dtype))
    assert picture.flags.c_contiguous
    assert picture.min() >= 0
    assert (1 if dtype != "uint8" else 255) >= picture.max() > picture.mean()
    assert picture.astype(float).std() > (0.1 if dtype != "uint8" else 25)
    assert np.array_equal(picture, texture(recipe))


@pytest.mark.parametrize(
    ("said", "scale", "mean"),
    [("NominalRange_0_255", 1.0, 0.0), ("Normalized_0_1", 1 / 255, 0.0), ("Normalized_1_1", 1 / 127.5, 1.0)],
)
def test_windows_ml_metadata_says_range_and_colour(said, scale, mean):
    metadata = {"Image.NominalPixelRange": said, "Image.BitmapPixelFormat": "Rgb8"}
    recipe = filled(InputRecipe(32, 32), USUAL, InputManifest(), metadata)
    assert (recipe.color, recipe.scale, recipe.mean, recipe.std) == ("RGB", scale, (mean,) * 3, (1,) * 3)


def test_the_manifest_goes_before_the_metadata():
    metadata = {"Image.NominalPixelRange": "Normalized_0_1", "Image.BitmapPixelFormat": "Bgr8"}
    recipe = filled(InputRecipe(32, 32), USUAL, InputManifest(color="RGB", scale=1.0), metadata)
    assert (recipe.color, recipe.scale) == ("RGB", 1.0)


def test_unknown_metadata_changes_nothing():
    metadata = {"Image.NominalPixelRange": "Odd", "Image.BitmapPixelFormat": "Gray8"}
    assert filled(InputRecipe(32, 32), USUAL, InputManifest(), metadata).color == "BGR"

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import BadInput, InputNotFound
from edged.manifest import InputRecipe
from edged.preprocess import Preparer
from edged.worker.gathering import Evenly, gather
from edged.worker.looking import picture_frame


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2000))
def test_an_even_spread_of_a_stream_of_unknown_length(most, length):
    spread, slots = Evenly(most), {}
    for number in range(length):
        slot = spread.slot(number)
        if slot is not None:
            assert 0 <= slot < spread.slots
            slots[slot] = number
    chosen = [slots[slot] for slot in spread.chosen()]
    assert len(chosen) == min(most, length)
    assert chosen == sorted(set(chosen))
    if length > 2 * most > 2:
        gaps = np.diff([*chosen, length])
        assert gaps.max() <= 4 * length / most


RECIPE = InputRecipe(8, 8, scale=1 / 255)


def pictures(folder, count):
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((8, 8, 3), number * 10, np.uint8))
    return str(folder)


def test_inputs_share_the_frames_and_what_one_lacks_another_gives(tmp_path):
    few, many = pictures(tmp_path / "few", 2), pictures(tmp_path / "many", 20)
    tensors = gather([few, many], RECIPE, tmp_path, frames=10)
    assert [tensor.shape for tensor in tensors] == [(1, 3, 8, 8)] * 10
    levels = [round(float(tensor.mean()) * 25.5) for tensor in tensors]
    assert levels[:2] == [0, 1]
    assert levels[2:] == sorted(set(levels[2:]))
    assert levels[-1] >= 16


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        InputRecipe(16, 24, mean=(103.5, 116.3, 123.7), std=(57.4, 57.1, 58.4), color="BGR", pad=0),
        InputRecipe(16, 24, layout="NHWC", scale=1 / 127.5, mean=(1.0, 1.0, 1.0)),
        InputRecipe(16, 16, channels=1, color="GRAY", scale=1 / 255),
        InputRecipe(16, 16, dtype="uint8"),
    ],
)
def test_what_was_kept_in_eight_bits_is_what_the_model_is_shown(tmp_path, recipe):
    picture = np.random.default_rng(3).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "one.png"), picture)
    shown = np.zeros(recipe.shape, recipe.dtype)
    Preparer(recipe).prepare(picture_frame(tmp_path / "one.png"), shown)
    (kept,) = gather([str(tmp_path / "one.png")], recipe, tmp_path, frames=1)
    assert kept.dtype == shown.dtype
    np.testing.assert_allclose(kept, shown, rtol=1e-5, atol=1e-5)


def test_no_file_is_left_however_it_ends(tmp_path):
    folder = pictures(tmp_path / "some", 3)
    gathered = gather([folder], RECIPE, tmp_path, frames=3)
    assert [path.name for path in tmp_path.iterdir()] == ["some"]
    assert len(list(gathered.first(2))) == 2


def test_a_broken_picture_is_told_and_the_others_serve(tmp_path):
    folder = pictures(tmp_path / "some", 3)
    (tmp_path / "some" / "bad.jpg").write_bytes(b"no picture")
    told = []
    assert len(gather([folder], RECIPE, tmp_path, frames=10, on_bad=told.append)) == 3
    assert ["bad.jpg" in str(error) for error in told] == [True]


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises((InputNotFound, BadInput), match="nowhere"):
        gather([str(tmp_path / "nowhere")], RECIPE, tmp_path, frames=10)

"""What the bundled detector is drawn from: codes that can be seen, decoys that can be told from them."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "models" / "parcel-codes" / "train"))
import scenes
import symbols


@pytest.fixture(scope="module")
def drawn() -> list[scenes.Rendered]:
    return [scenes.render((41, number), 320) for number in range(60)]


def test_next_to_every_code_can_be_seen(drawn: list[scenes.Rendered]) -> None:
    contrast = np.concatenate([picture.contrast for picture in drawn])
    assert len(contrast) > 100
    assert np.mean(contrast < scenes.FAINTEST) < 0.03  # glare and shadow may still take one


def test_no_code_is_smaller_than_it_may_be(drawn: list[scenes.Rendered]) -> None:
    for picture in drawn:
        extent = np.sqrt((picture.boxes[:, 2:] - picture.boxes[:, :2]).prod(1))
        # A box may be cut by the frame's edge to six tenths; upright boxes are never smaller than what they hold.
        assert extent.min(initial=99) > scenes.SMALLEST_PX * np.sqrt(0.6) * 0.9


def test_all_three_kinds_are_drawn(drawn: list[scenes.Rendered]) -> None:
    counts = np.bincount(np.concatenate([picture.classes for picture in drawn]), minlength=3)
    assert counts.min() >= 15
    assert len(counts) == len(symbols.LABELS)

"""What ``--crop`` and ``--tiles`` mean, and what they refuse."""

import pytest

from edged.cli.areas import Areas
from edged.errors import UsageError


def test_said_nothing_it_is_the_frame() -> None:
    assert Areas.of(None, None, 0.2) == Areas(None, (1, 1), 0.2)


def test_a_crop_and_tiles_are_read() -> None:
    assert Areas.of("0.25,0,.75,1", "3x2", 0.1) == Areas((0.25, 0.0, 0.75, 1.0), (3, 2), 0.1)


@pytest.mark.parametrize(
    "crop", ["", "1", "0,0,1", "0,0,1,1,1", "0.5,0,0.5,1", "0,0,2,1", "a,b,c,d", "nan,0,1,1"]
)
def test_a_crop_that_is_none_is_refused(crop: str) -> None:
    with pytest.raises(UsageError, match=r"--crop: is .*; write left,top,right,bottom"):
        Areas.of(crop, None, 0.2)


@pytest.mark.parametrize("tiles", ["", "3", "0x2", "9x1", "3x2x1", "ax2", "3,2"])
def test_tiles_that_are_none_are_refused(tiles: str) -> None:
    with pytest.raises(UsageError, match=r"--tiles: is .*; write columns x rows"):
        Areas.of(None, tiles, 0.2)

"""Rows that a model chose: which columns they can be, and what is padding."""

import numpy as np
import pytest

from edged.decode.listed import ListDecoder
from edged.errors import InferenceFailed

PADDLE = ListDecoder(0, (2, 3, 4, 5, 1, 0))


def rows(*said: tuple[float, ...]) -> np.ndarray:
    return np.array(said, np.float32).reshape(-1, 6)


def test_no_rows_are_no_objects_and_may_be_anything() -> None:
    assert len(PADDLE([rows()], 0.25)) == 0
    assert PADDLE.may_read(rows())
    assert PADDLE.greatest_class(rows()) == -1


def test_padding_is_not_found_however_sure_it_is() -> None:
    found = PADDLE([rows((-1, 1, 0, 0, 0, 0), (2, 0.5, 1, 2, 3, 4))], 0.25)
    assert found.class_id.tolist() == [2]
    np.testing.assert_array_equal(found.xyxy, [[1, 2, 3, 4]])


def test_classes_can_begin_with_1() -> None:
    found = ListDecoder(0, (2, 3, 4, 5, 1, 0), first_class=1)([rows((1, 0.5, 1, 2, 3, 4))], 0.25)
    assert found.class_id.tolist() == [0]


@pytest.mark.parametrize(
    "said",
    [
        (0.5, 0.5, 1, 2, 3, 4),  # no class
        (0, 7.0, 1, 2, 3, 4),  # no score
        (0, 0.5, 3, 4, 1, 2),  # no corners
        (-3, 0.5, 1, 2, 3, 4),
    ],
)
def test_rows_that_cannot_be_read_so_are_told(said: tuple[float, ...]) -> None:
    assert not PADDLE.may_read(rows(said))


def test_a_class_that_is_no_number_is_an_error() -> None:
    with pytest.raises(InferenceFailed, match="NaN or infinity"):
        PADDLE([rows((np.nan, 0.5, 1, 2, 3, 4))], 0.25)

"""Many numbers at once are what each is by itself, whoever reads them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.sources import numberlist
from edged.sources.numberlist import listed_numbers

written = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(-1e6, 1e6).map(lambda value: f" {value:.4f}\t"),
    st.sampled_from(["1e400", "-0", "+1.5", "01.5", "1.", ".5", "nan", "-inf", "1E-7"]),
)


def read_by_float(cells: list[str]) -> list[float]:
    return [float(cell) for cell in cells]


@pytest.fixture(params=["simdjson", "others"])
def reader(request, monkeypatch):
    if request.param == "others":
        monkeypatch.setattr(numberlist, "Parser", None)
    elif numberlist.Parser is None:
        pytest.skip("simdjson has no build for this Python")
    return listed_numbers


@settings(max_examples=150, deadline=None)
@given(st.lists(written, min_size=1, max_size=20))
def test_a_list_is_read_as_each_number_is(cells):
    listed = ",".join(cells).encode()
    for parser in (numberlist.Parser, None):
        kept, numberlist.Parser = numberlist.Parser, parser
        try:
            found = listed_numbers(listed, len(cells))
        finally:
            numberlist.Parser = kept
        assert found is not None
        np.testing.assert_array_equal(found, read_by_float(cells))


@pytest.mark.parametrize(
    "listed",
    [b"", b"1,", b",1", b"1,,2", b"[1],2", b'{"a":1},2', b"a,2", b"1_0,2", b"1 2,3", b"1,2]"],
)
def test_what_is_no_number_is_left_to_others(reader, listed):
    assert reader(listed, 2) is None


def test_another_count_is_left_to_others(reader):
    assert reader(b"1,2,3", 2) is None


def test_what_was_read_stays_when_more_is_read(reader):
    first = reader(b"1.5,2.5", 2)
    reader(b"7,8", 2)
    assert first.tolist() == [1.5, 2.5]
    assert math.isclose(first.sum(), 4.0)

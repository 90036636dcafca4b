"""Deltas of whole files."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.offers import MAX_WINDOW_LOG
from edged.repository.deltas import apply_delta, make_delta, window_log


@settings(max_examples=30)
@given(st.binary(min_size=8, max_size=5000), st.binary(max_size=5000))
def test_a_delta_leads_from_the_old_to_the_new(old: bytes, new: bytes) -> None:
    delta = make_delta(old, new, level=3)
    assert delta is not None
    assert apply_delta(old, delta) == new


def test_what_did_not_change_costs_next_to_nothing_wherever_it_moved_to() -> None:
    old = random.Random(7).randbytes(3_000_000)
    new = b"header" * 100 + old[2_000_000:] + old[:2_000_000]
    delta = make_delta(old, new, level=3)
    assert delta is not None
    assert len(delta) < len(new) / 500
    assert apply_delta(old, delta) == new


@pytest.mark.parametrize(
    ("length", "log"), [(0, 17), (2**20, 20), (2**20 + 1, 21), (2**30, 30), (2**30 + 1, None)]
)
def test_a_window_holds_both_files(length: int, log: int | None) -> None:
    assert window_log(length) == log
    assert log is None or log <= MAX_WINDOW_LOG


def test_there_is_no_delta_from_next_to_nothing() -> None:
    assert make_delta(b"old", b"new") is None

import numpy as np
import pytest
import toy_convolutions
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.inference import quantranges
from edged.inference.quantgraph import float_graph
from edged.inference.quantranges import METHODS, Probe, Spread, least_error, observe


def rounding(numbers: np.ndarray, low: float, high: float) -> float:
    """Mean square that eight bits over a range change, the plain way."""
    step = (high - low) / 255 or 1.0
    return float(((np.rint((np.clip(numbers, low, high) - low) / step) * step + low - numbers) ** 2).mean())


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 1000),
    st.sampled_from(["both", "positive", "negative", "zero"]),
)
def test_every_range_holds_zero_and_lies_within_what_was_seen(seed, scale, sign):
    numbers = np.random.default_rng(seed).standard_t(2, 500).astype(np.float32) * np.float32(scale)
    numbers = {"both": numbers, "positive": abs(numbers), "negative": -abs(numbers), "zero": numbers * 0}[
        sign
    ]
    spread = Spread()
    spread.take(numbers, keep=500)
    for method in METHODS:
        low, high = spread.range(method)
        assert min(0.0, float(numbers.min())) <= low <= 0 <= high <= max(0.0, float(numbers.max()))


def test_a_number_rarer_than_the_sample_does_not_take_the_steps_of_all_others():
    numbers = np.random.default_rng(1).normal(0, 1, 20_000).astype(np.float32)
    low, high = least_error(numbers, -60.0, 60.0)  # the ends are those of all numbers, not of the sample
    assert -10 < low < 0 < high < 10
    assert rounding(numbers, low, high) < rounding(numbers, -60.0, 60.0) / 10


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_narrower_range_is_taken_only_where_it_costs_less(seed):
    numbers = np.random.default_rng(seed).standard_t(1.5, 400).astype(np.float32)
    low, high = float(numbers.min()), float(numbers.max())
    assert rounding(numbers, *least_error(numbers, low, high)) <= rounding(numbers, low, high) * 1.001


def test_a_sample_is_bounded_and_the_ends_are_exact():
    spread = Spread()
    for number in range(10):
        numbers = np.linspace(-number, 2 * number, 999, dtype=np.float32)
        spread.take(numbers, keep=50)
    assert sum(len(piece) for piece in spread.samples) <= 10 * 50
    assert spread.range("minmax") == (-9.0, 18.0)
    assert spread.values == 999


@pytest.fixture
def probe(tmp_path) -> Probe:
    return Probe(float_graph(toy_convolutions.square_detector(tmp_path / "squares.onnx")), tmp_path)


def feeds(value: float) -> dict[str, np.ndarray]:
    return {"images": np.full((1, 3, 64, 64), value, np.float32)}


def test_all_float_tensors_of_a_network_are_seen(probe):
    seen = observe(probe, [feeds(0.25), feeds(0.75)], count=2)
    assert seen["images"].range("minmax") == (0.0, 0.75)
    assert seen["active"].range("minmax")[1] == pytest.approx(0.75, abs=1e-5)  # a mean of nine pixels
    assert {"blurred", "sums", "scores", "output0"} <= set(seen)


def test_tensors_that_do_not_fit_into_one_run_come_by_several(tmp_path, probe, monkeypatch):
    whole = dict(probe.tensors(feeds(0.5)))
    monkeypatch.setattr(quantranges, "GROUP_BYTES", 1000)
    (tmp_path / "again").mkdir()
    small = Probe(float_graph(tmp_path / "squares.onnx"), tmp_path / "again")
    assert len(small._groups) > 2
    parts = dict(small.tensors(feeds(0.5)))
    assert parts.keys() == whole.keys()
    assert all(np.array_equal(parts[name], whole[name]) for name in whole)


def test_a_tensor_that_is_not_finite_takes_no_range(probe):
    seen = observe(probe, [feeds(float("nan")), feeds(0.5)], count=2)
    assert seen["active"].range("minmax") == (0.0, pytest.approx(0.5, abs=1e-5))

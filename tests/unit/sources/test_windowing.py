import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.rows import Receipt, Rows, Windows
from edged.sources import windowing
from edged.sources.windowing import Windower


def rows(first: int, count: int, at_s=None, **more) -> Rows:
    """Rows whose two numbers are their position and its negative, a second apart unless said otherwise."""
    position = np.arange(first, first + count, dtype=np.float64)
    times = position if at_s is None else np.array(at_s, np.float64)
    return Rows(np.stack([position, -position], axis=1), more.pop("texts", ()), times, **more)


def pushed(
    windower: Windower, batch: Rows, receipt: Receipt | None = None, origin: str = ""
) -> list[Windows]:
    return windower.push(batch, origin=origin, at_monotonic_s=5.0, receipt=receipt)


def positions(made: list[Windows]) -> list[list[float]]:
    """Of each window the positions of its rows."""
    return [window[:, 0].tolist() for windows in made for window in windows.numbers]


class Watched(Receipt):
    def __init__(self):
        self.settled = False
        super().__init__(self._settle)

    def _settle(self):
        assert not self.settled
        self.settled = True


def let_go(made: list[Windows]) -> None:
    for windows in made:
        for receipt in windows.receipts:
            receipt.let_go()


splits = st.lists(st.integers(1, 30), min_size=1, max_size=12)


@given(window=st.integers(1, 20), stride=st.integers(1, 25), counts=splits)
def test_windows_by_rows_are_those_of_a_simple_loop_however_the_rows_arrive(window, stride, counts):
    windower, made, total = Windower("s", window=window, stride=stride), [], 0
    for count in counts:
        made += pushed(windower, rows(total, count))
        total += count
    expected = [
        list(map(float, range(a, a + window))) for a in range(0, total, stride) if a + window <= total
    ]
    assert positions(made) == expected
    assert [w.sequence for w in made] == np.cumsum([0, *map(len, made)])[:-1].tolist()
    assert [t for w in made for t in w.first_at_s] == [w[0] for w in expected]
    assert [t for w in made for t in w.last_at_s] == [w[-1] for w in expected]


@st.composite
def timed(draw):
    steps = draw(st.lists(st.integers(0, 12) | st.just(500), min_size=1, max_size=60))
    cuts = sorted(draw(st.sets(st.integers(1, len(steps)))))
    return np.cumsum(steps).astype(float), [0, *cuts, len(steps)]


@given(timed=timed(), window=st.integers(1, 30), stride=st.integers(1, 40))
def test_windows_by_time_are_those_of_a_simple_loop_however_the_rows_arrive(timed, window, stride):
    at_s, cuts = timed
    windower, made = Windower("s", window=float(window), stride=float(stride)), []
    for a, b in itertools.pairwise(cuts):
        made += pushed(windower, rows(a, b - a, at_s[a:b]))
    expected, start = [], at_s[0]
    while start + window <= at_s[-1]:
        inside = np.flatnonzero((at_s >= start) & (at_s < start + window))
        expected += [inside.astype(float).tolist()] if len(inside) else []
        start += stride
    assert positions(made) == expected


@given(window=st.integers(2, 9), stride=st.integers(1, 9), counts=splits, gap=st.integers(1, 40))
def test_rows_around_a_gap_never_share_a_window_and_each_row_is_in_one_or_counted(
    window, stride, counts, gap
):
    stride = min(window, stride)
    windower = Windower("s", window=window, stride=stride, gap_s=10)
    seen, total = set(), 0
    for count in counts:
        at_s = [n + 100 * (n >= gap) for n in range(total, total + count)]
        for window_rows in positions(pushed(windower, rows(total, count, at_s))):
            assert (window_rows[0] >= gap) == (window_rows[-1] >= gap)
            seen.update(window_rows)
        total += count
    assert windower.gaps == (gap < total)
    windower.close()
    assert windower.abandoned == total - len(seen)


def test_a_window_of_one_row_is_a_view_of_what_came():
    batch = rows(0, 4, texts=[("a",), ("b",), ("c",), ("d",)], echoes=[{"id": n} for n in range(4)])
    (made,) = pushed(Windower("s", window=1), batch)
    assert np.shares_memory(made.numbers, batch.numbers)
    assert made.numbers.shape == (4, 1, 2)
    assert made.texts[2] == (("c",),)
    assert made.echoes[3] == {"id": 3}
    assert (made.source, made.sequence, made.arrived_monotonic_s) == ("s", 0, 5.0)


def test_no_rows_make_no_windows():
    assert pushed(Windower("s", window=1), rows(0, 0)) == []
    assert pushed(Windower("s", window=3), rows(0, 0)) == []


def test_texts_and_echoes_follow_their_rows_through_the_buffer():
    windower = Windower("s", window=3, stride=2)
    made = []
    for n in range(7):
        made += pushed(windower, rows(n, 1, texts=[(f"t{n}",)], echoes=[{"id": n}]))
    assert [w.texts[0] for w in made] == [tuple((f"t{n}",) for n in range(a, a + 3)) for a in (0, 2, 4)]
    assert [w.echoes[0]["id"] for w in made] == [2, 4, 6]


def test_a_model_of_texts_alone_gets_windows_too():
    windower = Windower("s", window=2)
    batch = Rows(np.empty((4, 0)), [("a",), ("b",), ("c",), ("d",)], np.arange(4.0))
    (made,) = pushed(windower, batch)
    assert made.numbers.shape == (2, 2, 0)
    assert made.texts == [(("a",), ("b",)), (("c",), ("d",))]


def test_windows_made_earlier_do_not_change_when_more_rows_come():
    windower = Windower("s", window=4, stride=1)
    made = []
    for n in range(50):
        made += pushed(windower, rows(n, 1))
    assert positions(made) == [[float(n) for n in range(a, a + 4)] for a in range(47)]


def test_rows_of_different_devices_never_share_a_window_but_a_sequence():
    windower = Windower("s", window=2)
    made = []
    for n in range(4):
        made += pushed(windower, rows(n, 1), origin="ab"[n % 2])
    assert positions(made) == [[0, 2], [1, 3]]
    assert [(w.origin, w.sequence) for w in made] == [("a", 0), ("b", 1)]


def test_the_device_unheard_for_the_longest_time_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(windowing, "MAX_ORIGINS", 2)
    windower, receipt = Windower("s", window=2), Watched()
    pushed(windower, rows(0, 1), receipt, origin="a")
    receipt.let_go()
    pushed(windower, rows(1, 1), origin="b")
    assert not receipt.settled
    pushed(windower, rows(2, 1), origin="c")
    assert receipt.settled
    assert windower.abandoned == 1
    assert positions(pushed(windower, rows(3, 1), origin="b")) == [[1, 3]]


def test_a_row_that_changes_its_number_of_values_begins_a_new_window():
    windower = Windower("s", window=2)
    pushed(windower, rows(0, 1))
    assert pushed(windower, Rows(np.zeros((1, 3)), (), np.zeros(1))) == []
    assert windower.abandoned == 1


def test_windows_by_time_that_are_alike_go_out_together_without_a_copy():
    windower = Windower("s", window=4.0, stride=2.0)
    batch = rows(0, 100)
    (made,) = pushed(windower, batch)
    assert made.numbers.shape == (48, 4, 2)
    assert np.shares_memory(made.numbers, batch.numbers)


def test_a_silence_of_years_makes_no_windows_and_costs_no_time():
    windower = Windower("s", window=0.001)
    made = pushed(windower, rows(0, 3, [0, 1e9, 1e9 + 1]))
    assert positions(made) == [[0], [1]]


def test_time_that_goes_backwards_is_a_gap_for_windows_by_time():
    windower = Windower("s", window=2.0)
    made = pushed(windower, rows(0, 7, [10, 11, 12, 3, 4, 5, 6]))
    assert positions(made) == [[0, 1], [3, 4]]
    assert (windower.gaps, windower.abandoned) == (1, 1)


def test_time_that_goes_backwards_does_not_matter_to_windows_by_rows_without_a_gap():
    windower = Windower("s", window=2)
    assert positions(pushed(windower, rows(0, 4, [9, 3, 8, 1]))) == [[0, 1], [2, 3]]


def test_a_window_by_time_with_too_many_rows_is_abandoned(monkeypatch):
    monkeypatch.setattr(windowing, "MAX_WINDOW_ROWS", 10)
    windower = Windower("s", window=60.0)
    assert pushed(windower, rows(0, 11, [0] * 11)) == []
    assert windower.abandoned == 11
    assert positions(pushed(windower, rows(11, 2, [100, 160]))) == [[11]]


def test_a_small_window_holds_the_receipts_of_all_its_rows_until_it_is_dealt_with():
    windower = Windower("s", window=3, stride=2)
    receipts = [Watched() for _ in range(5)]
    made = []
    for n, receipt in enumerate(receipts):
        made += pushed(windower, rows(n, 1), receipt)
        receipt.let_go()
    assert not any(r.settled for r in receipts)
    let_go(made[:1])
    assert [r.settled for r in receipts] == [True, True, False, False, False]
    let_go(made[1:])
    assert [r.settled for r in receipts] == [True, True, True, True, False]
    windower.close()
    assert receipts[4].settled


def test_one_delivery_of_many_rows_is_settled_after_the_last_of_its_windows():
    windower, receipt = Windower("s", window=3), Watched()
    made = pushed(windower, rows(0, 10), receipt)
    receipt.let_go()
    let_go(made)
    assert not receipt.settled
    let_go(pushed(windower, rows(10, 2)))
    assert receipt.settled


def test_rows_between_windows_hold_nothing():
    windower, receipt = Windower("s", window=1, stride=3), Watched()
    made = pushed(windower, rows(0, 1))
    assert pushed(windower, rows(1, 2), receipt) == []
    receipt.let_go()
    assert receipt.settled
    assert positions(made + pushed(windower, rows(3, 1))) == [[0], [3]]


def test_rows_that_a_gap_abandons_let_go():
    windower, receipt = Windower("s", window=3, gap_s=10), Watched()
    pushed(windower, rows(0, 2), receipt)
    receipt.let_go()
    pushed(windower, rows(2, 1, [100]))
    assert receipt.settled
    assert (windower.gaps, windower.abandoned) == (1, 2)


@pytest.mark.parametrize("window", [20, 20.0])
def test_a_large_window_or_one_by_time_holds_only_the_delivery_that_completed_it(window):
    windower = Windower("s", window=window, hold_rows=16)
    first, last = Watched(), Watched()
    pushed(windower, rows(0, 10), first)
    first.let_go()
    assert first.settled
    made = pushed(windower, rows(10, 11), last)
    last.let_go()
    assert len(made) == 1
    assert not last.settled
    let_go(made)
    assert last.settled


@pytest.mark.parametrize("window", [3, 20, 20.0])
def test_where_the_source_gives_any_number_of_rows_again_windows_hold_those_of_all_their_rows(window):
    windower = Windower("s", window=window, hold_rows=None)
    receipts, made = [Watched() for _ in range(25)], []
    for n, receipt in enumerate(receipts):
        made += pushed(windower, rows(n, 1), receipt)
        receipt.let_go()
    assert not any(receipt.settled for receipt in receipts)
    let_go(made)
    in_windows = int(25 // window * window)
    assert [receipt.settled for receipt in receipts] == [n < in_windows for n in range(25)]


@given(
    window=st.integers(2, 8),
    stride=st.integers(1, 10),
    counts=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=60),
)
def test_no_more_than_the_last_deliveries_wait_for_a_window_whatever_comes(window, stride, counts):
    """A device that falls silent in the middle of a window, and rows that were rejected, are such."""
    windower, receipts, total = Windower("s", window=window, stride=stride, hold_rows=8), [], 0
    for origin, count in counts:
        receipts.append(Watched())
        let_go(pushed(windower, rows(total, count), receipts[-1], origin))
        receipts[-1].let_go()
        total += count
    assert all(receipt.settled for receipt in receipts[:-8])
    windower.close()
    assert all(receipt.settled for receipt in receipts)


def test_rows_whose_receipt_was_let_go_are_in_their_window_all_the_same():
    windower = Windower("s", window=3, hold_rows=4)
    early, late = Watched(), Watched()
    pushed(windower, rows(0, 2), early, "a")
    early.let_go()
    for _ in range(4):
        assert not early.settled
        windower.pass_over(Watched())
    assert early.settled
    assert positions(pushed(windower, rows(2, 1), late, "a")) == [[0, 1, 2]]
    late.let_go()
    assert not late.settled


@given(window=st.integers(1, 6), stride=st.integers(1, 8), counts=splits)
def test_in_the_end_every_receipt_is_settled_exactly_once(window, stride, counts):
    windower, receipts, total, made = Windower("s", window=window, stride=stride, gap_s=25), [], 0, []
    for n, count in enumerate(counts):
        receipts.append(Watched())
        made += pushed(windower, rows(total, count, np.arange(total, total + count) + 7 * n), receipts[-1])
        receipts[-1].let_go()
        total += count
    windower.close()
    let_go(made)
    assert all(receipt.settled for receipt in receipts)


@pytest.mark.parametrize(("window", "stride"), [(2, 1.0), (2.0, 1), (0, 1), (1, 0), (-1.0, 1.0)])
def test_a_window_that_makes_no_sense_is_refused(window, stride):
    with pytest.raises(ValueError, match="window and stride"):
        Windower("s", window=window, stride=stride)

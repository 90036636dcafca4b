from hypothesis import given
from hypothesis import strategies as st

from edged.sources.capture import Capture
from edged.sources.order import MAX_WAITING, CaptureOrder


def capture(pts):
    return Capture(float(pts), 0.0, None)


@given(pts=st.lists(st.integers(0, 50), unique=True), bound=st.integers(0, 50))
def test_what_is_given_out_is_in_order_and_the_rest_stays(pts, bound):
    order = CaptureOrder()
    for number in pts:
        order.add(number, capture(number))
    assert [found.pts_s for found in order.until(bound)] == sorted(
        number for number in pts if number <= bound
    )
    assert [found.pts_s for found in order.rest()] == sorted(number for number in pts if number > bound)
    assert order.rest() == []


def test_what_is_taken_back_is_not_given_out():
    order = CaptureOrder()
    for number in (5, 2, 9):
        order.add(number, capture(number))
    assert order.take_back(2)
    assert not order.take_back(2)
    assert [found.pts_s for found in order.until(9)] == [5.0, 9.0]


def test_it_does_not_wait_for_ever():
    order = CaptureOrder()
    for number in range(MAX_WAITING + 5):
        order.add(number, capture(number))
    assert len(order.until(-1)) == 5

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edged.sources.chooser import FrameChooser

rates = st.floats(1, 120)


@given(rate=rates, part=st.floats(0.01, 1), seconds=st.floats(1, 120))
def test_f_of_r_frames_a_second_are_chosen_within_one_frame_over_any_time(rate, part, seconds):
    chooser = FrameChooser(rate * part)
    count = sum(chooser.choose(n / rate) for n in range(int(seconds * rate)))
    assert abs(count - seconds * rate * part) <= 1.5


@given(rate=st.integers(1, 60), frames=st.integers(1, 400))
def test_time_stamps_rounded_to_milliseconds_lose_no_frame_at_the_full_rate(rate, frames):
    chooser = FrameChooser(rate)
    assert all(chooser.choose(round(n / rate, 3)) for n in range(frames))


@given(rate=rates, frames=st.integers(1, 200))
def test_zero_chooses_every_frame(rate, frames):
    chooser = FrameChooser(0)
    assert all(chooser.choose(n / rate) for n in range(frames))


@given(rate=rates)
def test_a_slower_stream_than_asked_for_gives_every_frame(rate):
    chooser = FrameChooser(rate * 3)
    assert all(chooser.choose(n / rate) for n in range(100))


@given(jump=st.floats(-1e6, 1e6), fps=st.floats(0.5, 30))
def test_a_jump_of_the_time_stamps_does_not_stall_the_choice(jump, fps):
    chooser = FrameChooser(fps)
    for n in range(100):
        chooser.choose(n / 30)
    after = sum(chooser.choose(jump + n / 30) for n in range(300))
    assert (
        after >= int(10 * fps) - 1 - fps
    )  # a jump of less than a second back is caught up with, not followed


def test_a_short_recording_played_in_a_loop_is_chosen_from_at_the_same_rate():
    chooser, chosen = FrameChooser(0.5), 0
    for _ in range(20):
        chooser.restart()
        chosen += sum(chooser.choose(n / 10) for n in range(10))
    assert 9 <= chosen <= 11


def test_the_first_frame_is_always_chosen():
    assert FrameChooser(0.001).choose(12345.0)


def test_frames_out_of_order_are_not_chosen_twice():
    chooser = FrameChooser(10)
    assert list(itertools.starmap(chooser.choose, [(0.0,), (0.1,), (0.05,), (0.09,), (0.2,)])) == [
        True,
        True,
        False,
        False,
        True,
    ]

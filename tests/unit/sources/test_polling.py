from edged.sources.packets import StreamTraits
from edged.sources.polling import Polling

JPEG = StreamTraits(codec="mjpeg", pixels=64 * 48, has_clock=False, intra_only=True)


def polling(*, timeout_s: float = 5.0) -> Polling:
    """Of a server that gave a picture at 100 s."""
    made = Polling(timeout_s)
    made.came(JPEG, 100.0)
    return made


def misses(of: Polling, *times_s: float) -> list[bool]:
    """What is overlooked of requests that failed at once."""
    return [of.overlooks(time_s, time_s) for time_s in times_s]


def test_without_a_picture_before_it_nothing_is_overlooked():
    assert not Polling(5.0).overlooks(1.0, 1.0)


def test_bad_answers_are_overlooked_until_the_time_out_has_passed_since_the_last_picture():
    assert misses(polling(), 101, 102, 103, 104, 105) == [True, True, True, True, False]


def test_a_server_that_is_seldom_asked_is_away_after_three_bad_answers():
    assert misses(polling(), 200, 200.5, 201) == [True, True, False]


def test_a_picture_makes_the_next_bad_answer_the_first_one():
    server = polling()
    misses(server, 200, 200.5)
    server.came(JPEG, 201.0)
    assert misses(server, 300, 300.5, 301) == [True, True, False]


def test_a_server_that_was_silent_for_the_whole_time_out_is_away():
    assert not polling().overlooks(101.0, 106.0)


def test_after_it_was_away_nothing_is_overlooked_before_the_next_picture():
    server = polling()
    server.ended()
    assert server.traits is None
    assert misses(server, 101) == [False]

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from row_sources import settle, text

from edged.sources.posted import Outcome, PostedRows


@pytest.fixture
def posted():
    posted = PostedRows(limit=2)
    posted.open()
    return posted


@pytest.fixture
def http():
    """Threads that post."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def read(posted, count=1):
    deliveries = []
    while len(deliveries) < count:
        some = posted.read(10)
        assert some, "nothing was posted"
        deliveries += some
    return deliveries


def test_a_post_is_answered_when_its_results_are_safe_and_not_before(posted, http):
    answer = http.submit(posted.offer, b"1\n2\n", 10, origin="gate")
    delivery = read(posted)[0]
    assert (delivery.payload, delivery.origin) == (b"1\n2\n", "gate")
    delivery.receipt.hold()
    delivery.receipt.let_go()
    assert not answer.done()
    delivery.receipt.let_go()
    assert answer.result(10) is Outcome.SAFE


def test_posts_of_one_who_waits_for_answers_come_in_order(posted, http):
    def post():
        return [posted.offer(b"%d\n" % number, 10) for number in range(20)]

    answers = http.submit(post)
    taken = []
    while len(taken) < 20:
        some = read(posted)
        settle(some)
        taken += some
    assert text(taken) == b"".join(b"%d\n" % number for number in range(20))
    assert set(answers.result(10)) == {Outcome.SAFE}


def test_who_finds_it_full_or_waits_too_long_is_told_to_come_again(posted, http):
    waiting = [http.submit(posted.offer, b"%d\n" % number, 10) for number in range(2)]
    while len(posted._waiting) < 2:
        pass
    assert posted.offer(b"2\n", 0.05) is Outcome.BUSY
    settle(read(posted, 2))
    assert {answer.result(10) for answer in waiting} == {Outcome.SAFE}


def test_what_was_not_begun_in_time_is_taken_back(posted):
    assert posted.offer(b"1\n", 0.05) is Outcome.BUSY
    assert posted.read(0) == []


def test_what_was_begun_and_takes_too_long_is_busy_and_may_settle_later(posted, http):
    answer = http.submit(posted.offer, b"1\n", 0.2)
    deliveries = read(posted)
    assert answer.result(10) is Outcome.BUSY
    settle(deliveries)


def test_room_that_comes_free_is_taken(posted, http):
    answers = [http.submit(posted.offer, b"x\n", 10) for _ in range(4)]
    settle(read(posted, 4))
    assert {answer.result(10) for answer in answers} == {Outcome.SAFE}


def test_closed_it_takes_nothing_and_gives_back_what_waits(posted, http):
    answer = http.submit(posted.offer, b"1\n", 10)
    while not posted._waiting:
        pass
    posted.close()
    assert answer.result(10) is Outcome.CLOSED
    assert posted.offer(b"1\n", 10) is Outcome.CLOSED
    posted.open()
    assert posted.read(0) == []


def test_who_waits_for_room_learns_that_it_closes(http):
    posted = PostedRows(limit=0)
    posted.open()
    answer = http.submit(posted.offer, b"1\n", 10)
    closer = threading.Timer(0.05, posted.close)
    closer.start()
    assert answer.result(5) is Outcome.CLOSED
    closer.join(5)

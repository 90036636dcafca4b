"""A clock that is wrong.

Real signatures, a web server on the loopback; each test says what the box did, in the word of its state, and that the
store shows nothing new. docs/updates.md has them as a table.
"""

import pytest
from repository_server import RepositoryServer
from signed_repository import DAY_S, MEMBERS, NOW_S, SIGNED, Repository
from update_box import Box


@pytest.mark.parametrize("says_when", [True, False], ids=["signed times", "expiry only"])
@pytest.mark.parametrize("known", ["new box", "known box"])
def test_a_clock_at_1970(tmp_path, says_when, known):
    """Nothing is taken: with this clock a frozen repository would look alive for ever."""
    repository = Repository(says_when=says_when)
    repository.add("parcels", 2, MEMBERS)
    repository.release(days=0)
    with RepositoryServer(repository.files) as server:
        box = Box(tmp_path, server.url, repository.first_root)
        if known == "known box":
            box.client.refresh()
        box.now_s = 3600.0
        error = box.refuses("clock")
        assert "1970-01-01" in error.problem
        box.now_s = NOW_S
        assert len(box.client.refresh()) == 1


@pytest.mark.parametrize("known", ["new box", "known box"])
def test_a_clock_at_2100_and_an_honest_repository(box, server, repository, known):
    if known == "known box":
        box.client.refresh()
    box.now_s = NOW_S + 73 * 365 * DAY_S
    error = box.refuses("clock")
    assert "set the clock" in error.remedy
    box.now_s = NOW_S
    assert len(box.client.refresh()) == 1


@pytest.mark.parametrize("now_s", [-1e18, 1e18, float("inf"), float("nan")])
def test_a_clock_that_says_no_date(box, server, repository, now_s):
    box.now_s = now_s
    box.refuses("clock")


def test_a_clock_a_little_behind_the_publisher_is_believed(box, server, repository):
    box.now_s = SIGNED.timestamp() - 3600
    assert len(box.client.refresh()) == 1


def test_a_wrong_clock_hides_no_alarm(box, server, repository):
    box.client.refresh()
    repository.keys["targets"].pop()
    repository.release()
    box.now_s = 0.0
    box.refuses("signature")

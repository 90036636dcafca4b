import threading
import time

from edged.doctor import kinds
from edged.doctor.deadline import Deadline
from edged.doctor.examination import Check, examine
from edged.errors import Unreachable


def test_findings_come_in_the_order_of_their_checks_whoever_is_done_first() -> None:
    second_is_done = threading.Event()

    def first(_: Deadline):
        assert second_is_done.wait(5)
        yield kinds.MACHINE.found("first", "seen")

    def second(_: Deadline):
        yield kinds.MACHINE.found("second", "seen")
        second_is_done.set()

    found = examine([Check("first", first), Check("second", second)], timeout_s=5)
    assert [one.subject for one in found] == ["first", "second"]


def test_a_check_that_fails_hides_none_of_the_others() -> None:
    def refuses(_: Deadline):
        raise Unreachable("the thing", "is away", "fetch it")

    def is_broken(_: Deadline):
        raise KeyError("x")

    def works(_: Deadline):
        return [kinds.MACHINE.found("works", "seen")]

    checks = [Check("refuses", refuses), Check("is broken", is_broken), Check("works", works)]
    away, broken, fine = examine(checks, timeout_s=5)
    assert (away.kind, away.seen, away.remedy) == ("unexamined", "is away", "fetch it")
    assert (broken.kind, broken.subject) == ("unexamined", "is broken")
    assert "a bug of edged: KeyError" in broken.seen
    assert fine.subject == "works"


def test_a_check_that_does_not_come_back_is_a_finding_and_not_a_wait(monkeypatch) -> None:
    monkeypatch.setattr("edged.doctor.examination.LAST_WORDS_S", 0.1)
    release = threading.Event()

    def hangs(_: Deadline):
        release.wait(20)
        return []

    began_s = time.monotonic()
    (found,) = examine([Check("hangs", hangs)], timeout_s=0.1)
    release.set()
    assert time.monotonic() - began_s < 5
    assert (found.kind, found.subject) == ("unexamined", "hangs")


def test_a_deadline_runs_out() -> None:
    assert Deadline.within(60).left_s(5) == 5
    assert Deadline.within(-1).is_over
    assert Deadline.within(-1).left_s() == 0

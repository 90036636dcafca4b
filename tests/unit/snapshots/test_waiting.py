"""Which picture is made when, and which are not."""

import pytest
from shots import picture, shot

from edged.snapshots import waiting
from edged.snapshots.waiting import BETTER_EVERY_S, LOOK_S, MAX_WAIT_S, Sight, Waiting


class Desk:
    def __init__(self) -> None:
        self.sight, self.allowed = Sight.KNOWN, 10**6
        self.waiting = Waiting(lambda _: self.sight, self._may_go)

    def _may_go(self, _camera: str, _now_s: float) -> bool:
        self.allowed -= 1
        return self.allowed >= 0


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_first_goes_at_once_and_better_ones_now_and_then(desk: Desk) -> None:
    desk.waiting.put(shot())
    assert desk.waiting.take(100.0) is not None
    better = shot(taken_s=101.0)
    desk.waiting.put(shot(taken_s=100.5))
    desk.waiting.put(better)
    assert len(desk.waiting) == 1
    assert desk.waiting.take(102.0) is None
    assert desk.waiting.next_s() == 100.0 + BETTER_EVERY_S
    assert desk.waiting.take(100.0 + BETTER_EVERY_S) is better
    assert desk.waiting.take(200.0) is None
    assert desk.waiting.next_s() is None


def test_at_the_end_nothing_waits_for_its_time(desk: Desk) -> None:
    desk.waiting.put(shot())
    desk.waiting.take(100.0)
    desk.waiting.put(shot(taken_s=101.0))
    assert desk.waiting.take(101.0) is None
    assert desk.waiting.take(101.0, last=True) is not None


def test_a_camera_with_too_many_does_not_hold_up_another_one() -> None:
    waits = Waiting(lambda _: Sight.KNOWN, lambda camera, _: camera == "back")
    for at in range(3):
        waits.put(shot(name=f"e{at}"))
    waits.put(shot(camera="back", name="b"))
    taken = waits.take(100.0)
    assert taken is not None
    assert taken.camera == "back"
    assert waits.take(100.0 + MAX_WAIT_S + 1) is None
    assert waits.dropped == {("front", "rate"): 3}
    assert not len(waits)


def test_one_token_is_taken_for_each_picture(desk: Desk) -> None:
    desk.allowed = 2
    for at in range(5):
        desk.waiting.put(shot(name=f"e{at}"))
    taken = [one for _ in range(5) if (one := desk.waiting.take(100.0))]
    assert [one.event.id for one in taken] == ["e0", "e1"]


def test_a_picture_waits_until_it_is_known_what_is_to_be_blurred_and_not_longer_than_that_takes(
    desk: Desk,
) -> None:
    desk.sight = Sight.NOT_YET
    desk.waiting.put(shot())
    assert desk.waiting.take(100.0 + LOOK_S) is None
    assert len(desk.waiting) == 1
    assert desk.waiting.take(100.1 + LOOK_S) is None
    assert not len(desk.waiting)
    desk.sight = Sight.NEVER
    desk.waiting.put(shot())
    assert desk.waiting.take(100.0) is None
    assert desk.waiting.dropped == {("front", "unseen"): 2}
    assert desk.allowed == 10**6  # none of them cost a token


def test_no_more_than_so_many_bytes_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_BYTES", 3 * shot().size_bytes)
    for at in range(5):
        desk.waiting.put(shot(name=f"e{at}"))
    assert [desk.waiting.take(100.0).event.id for _ in range(3)] == ["e2", "e3", "e4"]
    assert desk.waiting.dropped == {("front", "full"): 2}
    desk.waiting.put(shot(name="huge", frame=picture(640, 480)))
    assert len(desk.waiting) == 1  # a single one always has room
    desk.waiting.put(shot(name="small"))
    assert desk.waiting.take(100.0).event.id == "small"


def test_a_camera_that_is_gone_has_none(desk: Desk) -> None:
    desk.waiting.put(shot())
    desk.waiting.put(shot(camera="back"))
    desk.waiting.forget("front")
    assert desk.waiting.take(100.0).camera == "back"
    assert desk.waiting.take(100.0) is None

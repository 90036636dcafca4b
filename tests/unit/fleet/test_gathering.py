from edged.fleet.boxes import Box, ModelOn
from edged.fleet.gathering import ATTEMPTS, TOGETHER, Gathering, everything_of


def test_all_boxes_are_asked_for_and_no_results() -> None:
    assert everything_of("a/b") == ("a/b/+/status", "a/b/+/info", "a/b/+/model/+/state", "a/b/+/health")


def test_what_is_missing_is_asked_for_in_parts_twice_and_no_more() -> None:
    boxes = [Box(f"box-{number}", status="online") for number in range(TOGETHER + 10)]
    gathering, asked = Gathering("edged"), []
    while topics := gathering.next(boxes):
        assert len(topics) <= TOGETHER
        asked += topics
    assert len(asked) == ATTEMPTS * len(boxes)
    assert set(asked) == {f"edged/{box.device}/info" for box in boxes}


def test_what_has_arrived_is_not_asked_for() -> None:
    whole = Box("whole", status="online", models={"m": ModelOn(version=1)}, _named=("m",))
    lacking = Box("lacking", status="online", _named=("m",))
    assert Gathering("edged").next([whole, lacking]) == ["edged/lacking/model/m/state"]


def test_who_comes_later_is_asked_for_then() -> None:
    gathering = Gathering("edged")
    assert gathering.next([]) == []
    assert gathering.next([Box("late", status="online")]) == ["edged/late/info"]

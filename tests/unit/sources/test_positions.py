import json
import threading
from itertools import permutations

import pytest
import structlog

from edged.sources.positions import Position, Positions, SettledPrefix

HERE = Position(7, 100, "ab")


def at(offset):
    return Position(1, offset, "")


def test_what_was_put_and_saved_is_there_after_a_restart(tmp_path):
    path = tmp_path / "state" / "positions.json"
    positions = Positions(path)
    assert positions.get("pump") is None
    positions.put("pump", HERE)
    assert positions.get("pump") == HERE
    assert not path.exists()
    positions.save()
    assert Positions(path).get("pump") == HERE
    assert [one.name for one in path.parent.iterdir()] == ["positions.json"]


def test_it_is_written_at_most_once_a_second_and_only_when_changed(tmp_path):
    path = tmp_path / "positions.json"
    positions = Positions(path)
    positions.save_if_due()
    positions.save()
    assert not path.exists()
    positions.put("pump", HERE)
    positions.save_if_due()
    positions.put("pump", at(200))
    positions.save_if_due()
    assert Positions(path).get("pump") == HERE
    positions.save()
    assert Positions(path).get("pump") == at(200)


def test_without_a_file_they_last_as_long_as_the_object():
    positions = Positions(None)
    positions.put("pump", HERE)
    positions.save()
    assert positions.get("pump") == HERE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"[]",
        b"{}",
        b'{"positions": [1]}',
        b'{"positions": {"a": {"inode": 1}}}',
        b"\xff{",
        b"9" * 5_000_000,
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_told(tmp_path, content):
    path = tmp_path / "positions.json"
    path.write_bytes(content)
    with structlog.testing.capture_logs() as logs:
        positions = Positions(path)
    assert "read from their start" in logs[0]["event"]
    positions.put("pump", HERE)
    positions.save()
    assert json.loads(path.read_bytes())["schema"] == "edged.positions/1"


def test_a_disk_that_cannot_be_written_is_told_once_and_tried_again(tmp_path):
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    positions = Positions(blocked / "positions.json")
    positions.put("pump", HERE)
    with structlog.testing.capture_logs() as logs:
        positions.save()
        positions.save()
    assert [one["event"] for one in logs] == ["positions cannot be kept"]
    blocked.unlink()
    positions.save()
    assert Positions(blocked / "positions.json").get("pump") == HERE


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_position_is_kept_when_all_before_it_is_settled_in_whatever_order(order):
    kept = []
    prefix = SettledPrefix(kept.append)
    receipts = [prefix.receipt(at(offset)) for offset in (10, 20, 30, 40)]
    settled = set()
    for number in order:
        receipts[number].let_go()
        settled.add(number)
        whole = next(count for count in range(5) if count not in settled)
        assert (kept[-1].offset if kept else 0) == whole * 10
    assert kept == sorted(kept, key=lambda position: position.offset)


def test_a_delivery_is_settled_when_the_last_who_holds_it_lets_go():
    kept = []
    receipt = SettledPrefix(kept.append).receipt(at(10))
    receipt.hold()
    receipt.let_go()
    assert kept == []
    receipt.let_go()
    assert kept == [at(10)]


def test_many_threads_that_let_go_leave_the_last_position():
    kept = []
    prefix = SettledPrefix(kept.append)
    receipts = [prefix.receipt(at(offset)) for offset in range(1, 2001)]
    threads = [
        threading.Thread(target=lambda part=part: [receipt.let_go() for receipt in receipts[part::4]])
        for part in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert kept[-1] == at(2000)
    assert kept == sorted(kept, key=lambda position: position.offset)

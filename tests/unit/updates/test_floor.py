"""What a box has once seen signed, and never goes below again."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.updates.floor import (
    AHEAD_S,
    BEHIND_S,
    ROLES,
    Floor,
    Floors,
    Mark,
    clock_is,
    fallen,
    raised,
    standing,
)

A, B, C = frozenset("a"), frozenset("b"), frozenset("c")
KEYS = {"root": A, "timestamp": B, "snapshot": B, "targets": C}
FLOOR = Floor("anchor", {role: Mark(3, 100.0, KEYS[role]) for role in ROLES})

marks = st.builds(
    Mark, st.integers(1, 9), st.floats(0, 1e9), st.frozensets(st.sampled_from("abc"), min_size=1)
)
floors = st.builds(
    Floor, st.sampled_from(["anchor", "other"]), st.dictionaries(st.sampled_from(ROLES), marks)
)
keys = st.fixed_dictionaries({role: st.frozensets(st.sampled_from("abc"), min_size=1) for role in ROLES})


def test_a_new_box_has_none():
    assert standing([], anchor="anchor", keys=KEYS) == Floor("anchor", {})
    assert Floor().latest_s == 0


def test_of_two_the_higher_holds_role_by_role():
    other = Floor("anchor", {"timestamp": Mark(5, 50.0, B), "snapshot": Mark(1, 200.0, B)})
    held = standing([FLOOR, other], anchor="anchor", keys=KEYS).marks
    assert (held["timestamp"].version, held["timestamp"].signed_at_s) == (5, 100.0)
    assert (held["snapshot"].version, held["snapshot"].signed_at_s) == (3, 200.0)
    assert held["targets"] == FLOOR.marks["targets"]


@given(st.lists(floors, max_size=3), keys, st.dictionaries(st.sampled_from(ROLES), marks))
@settings(max_examples=50)
def test_it_never_sinks_while_the_keys_stay(kept, now, seen):
    held = standing(kept, anchor="anchor", keys=now)
    higher = raised(held, seen)
    for role, mark in held.marks.items():
        assert higher.marks[role].version >= mark.version
    assert higher.latest_s >= held.latest_s
    again = standing([higher], anchor="anchor", keys={role: mark.keys for role, mark in higher.marks.items()})
    assert again == higher
    assert bool(fallen(held, seen)) == any(
        role in held.marks and mark.version < held.marks[role].version for role, mark in seen.items()
    )


@pytest.mark.parametrize(
    ("now", "holds"),
    [(B, True), (B | A, True), (A, False), (frozenset(), False)],
    ids=["same", "one more", "another", "none"],
)
def test_a_mark_falls_with_a_key_that_the_root_took_away(now, holds):
    held = standing([FLOOR], anchor="anchor", keys=KEYS | {"timestamp": now})
    assert ("timestamp" in held.marks) == holds
    assert "snapshot" in held.marks


@pytest.mark.parametrize(
    ("anchor", "now", "holds"),
    [("anchor", B, True), ("other", A | B, True), ("other", B, False)],
    ids=["same file", "newer file of the same", "another publisher"],
)
def test_the_mark_of_the_root_is_of_the_file_that_the_box_starts_from(anchor, now, holds):
    assert ("root" in standing([FLOOR], anchor=anchor, keys=KEYS | {"root": now}).marks) == holds


def test_what_is_below_is_named():
    assert fallen(FLOOR, {role: Mark(3, 0.0, A) for role in ROLES}) == ""
    assert (
        fallen(FLOOR, {"snapshot": Mark(2, 0.0, A)}) == "snapshot is version 2, and version 3 was seen before"
    )


@pytest.mark.parametrize(
    ("now_s", "latest_s", "found"),
    [
        (1e9, 1e9, ""),
        (1e9 - BEHIND_S, 1e9, ""),
        (1e9 - BEHIND_S - 1, 1e9, "behind"),
        (0.0, 1e9, "behind"),
        (1e9 + AHEAD_S, 1e9, ""),
        (1e9 + AHEAD_S + 1, 1e9, "ahead"),
        (4e9, 0.0, ""),
        (0.0, 0.0, ""),
    ],
)
def test_a_clock_is_wrong_only_where_that_can_be_known(now_s, latest_s, found):
    assert clock_is(now_s, latest_s) == found


def test_both_places_hold_it_and_one_that_does_is_left_alone(tmp_path):
    first, second = tmp_path / "a" / "floor.json", tmp_path / "b" / "floor.json"
    two = Floors(first, second)
    assert two.read() == []
    two.write(FLOOR)
    assert two.read() == [FLOOR, FLOOR]
    before = first.stat().st_mtime_ns, second.stat().st_ino
    two.write(FLOOR)
    assert (first.stat().st_mtime_ns, second.stat().st_ino) == before
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["floor.json"]


def _whole(tmp_path: Path) -> tuple[Floors, Path, bytes]:
    path = tmp_path / "floor.json"
    one = Floors(path)
    one.write(FLOOR)
    return one, path, path.read_bytes()


def test_a_file_cut_short_or_flipped_in_a_bit_is_none(tmp_path):
    one, path, content = _whole(tmp_path)
    for position in range(0, len(content), 7):
        path.write_bytes(content[:position])
        assert one.read() == []
        flipped = bytearray(content)
        flipped[position] ^= 1
        path.write_bytes(flipped)
        assert one.read() in ([], [FLOOR])  # a space may be another one


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b'{"floor": {}}', b"\xff", b"[" * 100_000, json.dumps({"edged_floor": 2}).encode()],
)
def test_what_is_no_floor_is_none(tmp_path, content):
    one, path, _ = _whole(tmp_path)
    path.write_bytes(content)
    assert one.read() == []


def test_a_floor_of_a_format_to_come_is_none(tmp_path):
    one, path, content = _whole(tmp_path)
    path.write_bytes(content.replace(b'"edged_floor": 1', b'"edged_floor": 2'))
    assert one.read() == []

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edged.outbox import Gap, Rank, spool
from edged.outbox.choosing import Work
from edged.outbox.database import NAME, Database, Victim
from edged.outbox.records import Entry
from edged.outbox.spool import Known, Spool

Make = Callable[..., Spool]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Spool] = []

    def spool_(*, opened: bool = True) -> Spool:
        one = Spool(tmp_path / "outbox", monotonic=time.monotonic, wall=time.time)
        made.append(one)
        if opened:
            one.open(Known())
        return one

    yield spool_
    for one in made:
        one.close(empty=False)


def entry(key: int, rank: Rank = Rank.RESULT, at_s: float | None = None) -> Entry:
    appended_s = time.monotonic() if at_s is None else at_s
    return Entry(key, "t", b'{"id":"%d"}' % key + b" " * 90, 1, appended_s, rank)


def work(entries: Sequence[Entry] = (), **more: object) -> Work:
    wanted: dict[str, object] = {
        "removals": (),
        "gaps": (),
        "excess": {},
        "oldest_s": None,
        "may_drop": lambda _key: True,
        "made_room": lambda _victims: None,
        "tell": None,
    }
    return Work(entries=entries, **(wanted | more))  # type: ignore[arg-type]


def keys_in(one: Spool) -> list[int]:
    connection = sqlite3.connect(one.folder / NAME)
    found = [key for (key,) in connection.execute("SELECT key FROM message ORDER BY key")]
    connection.close()
    return found


def test_what_was_saved_is_there_the_next_time(make: Make):
    one = make()
    one.save(work([entry(1), entry(2)]))
    one.save(work([entry(3)], removals=[1]))
    one.close(empty=False)
    holding, lost = make(opened=False).open(Known())
    assert (holding.entries[Rank.RESULT], holding.last_key, lost) == (2, 3, 0)


def test_what_is_lent_stays_and_the_next_goes_for_it(make: Make):
    one = make()
    size = entry(1).size_bytes
    one.save(work([entry(key) for key in range(1, 6)]))
    done = one.save(work(excess={Rank.RESULT: 2 * size - 10}, may_drop=lambda key: key != 2))
    assert [victim.key for victim in done.dropped] == [1, 3]
    assert not done.more
    assert keys_in(one) == [2, 4, 5]


def test_a_bound_that_only_lent_ones_are_over_is_looked_into_once(make: Make):
    one, asked = make(), []
    one.save(work([entry(key) for key in range(1, 500)]))

    def may_drop(key: int) -> bool:
        asked.append(key)
        return False

    for _ in range(5):
        assert one.save(work(excess={Rank.RESULT: 100}, may_drop=may_drop)).dropped == []
    assert asked == list(range(1, 500))
    asked.clear()
    one.save(work([entry(500)], excess={Rank.RESULT: 100}, may_drop=may_drop))
    assert asked == [500]


def test_what_was_not_dropped_because_the_commit_failed_is_dropped_the_next_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    one = make()
    one.save(work([entry(key) for key in range(1, 6)]))
    with monkeypatch.context() as failing:
        failing.setattr(Database, "delete", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("x")))
        with pytest.raises(sqlite3.OperationalError):
            one.save(work(excess={Rank.RESULT: 1}))
    assert [victim.key for victim in one.save(work(excess={Rank.RESULT: 1})).dropped] == [1]


def test_too_many_to_drop_at_once_are_said_to_be_more(make: Make):
    one = make()
    one.save(work([entry(key, at_s=0.0) for key in range(1, 8)] + [entry(8)]))
    dropped: list[int] = []
    for more in (True, True, False):
        done = one.save(work(oldest_s=time.monotonic() - 1.0, max_victims=3))
        dropped += [victim.key for victim in done.dropped]
        assert done.more is more
    assert dropped == [1, 2, 3, 4, 5, 6, 7]
    assert one.save(work(excess={Rank.RESULT: 1})).dropped[0].key == 8


def test_a_gap_is_told_once_and_outlives_a_restart_until_then(make: Make):
    one = make()
    one.save(work([entry(1), entry(2)]))
    one.save(work(excess={Rank.RESULT: 2}, gaps=[Gap("u", "refused", 1, "", "")]))
    one.close(empty=True)
    two, told = make(), []

    def tell(gaps: list[Gap]) -> list[Entry]:
        told.append(gaps)
        return [entry(10 + len(told), Rank.EVENT)]

    assert [one_.key for one_ in two.save(work(tell=tell)).told] == [11]
    assert two.save(work(tell=tell)).told == []
    assert told == [[Gap("u", "refused", 1, "", ""), Gap("t", "full", 1, "1", "1")]]


def test_rows_of_a_commit_that_failed_are_gone_when_the_same_file_is_opened_again(make: Make):
    one = make()
    one.save(work([entry(1), entry(2)]))
    one.abandon()
    connection = sqlite3.connect(one.folder / NAME)
    with connection:
        for key in (3, 7):
            connection.execute(
                "INSERT INTO message SELECT ?, rank, topic, qos, at_s, wall_s, crc, payload "
                "FROM message WHERE key = 1",
                (key,),
            )
    connection.close()
    holding, _ = one.open(Known(first_unsaved=3))
    assert (holding.last_key, keys_in(one)) == (2, [1, 2])


def test_a_file_of_another_run_does_not_take_the_place_of_ours(make: Make, tmp_path: Path):
    other = Spool(tmp_path / "other", monotonic=time.monotonic, wall=time.time)
    other.open(Known())
    other.save(work([entry(1), entry(2)]))
    other.close(empty=False)
    one = make()
    one.save(work([entry(1)]))
    one.abandon()
    one.folder.rename(tmp_path / "away")
    (tmp_path / "other").rename(one.folder)
    with pytest.raises(sqlite3.OperationalError, match="restart edged"):
        one.open(Known(first_unsaved=2))
    assert not one.is_open
    assert keys_in(one) == [1, 2]


def test_a_rescue_takes_over_all_but_what_was_delivered_and_prefers_what_is_in_memory(make: Make):
    one = make()
    entries = [entry(key) for key in range(1, 301)]
    one.save(work(entries))
    with (one.folder / NAME).open("r+b") as file:
        file.write(b"rotten")
    holding, _ = one.open(Known(removals=[5, 6], saved=entries[200:]), damaged="it is rotten")
    assert holding.entries[Rank.RESULT] >= 100
    assert {5, 6}.isdisjoint(keys_in(one))
    assert keys_in(one)[-100:] == list(range(201, 301))
    assert one.save(work([entry(301)])).dropped == []


def test_a_rescue_that_failed_goes_on_where_the_damaged_file_is(make: Make, monkeypatch: pytest.MonkeyPatch):
    one = make()
    one.save(work([entry(key) for key in range(1, 301)]))
    with monkeypatch.context() as failing:

        def full(*_: object) -> int:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

        failing.setattr(spool, "_take_over", full)
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError):
                one.open(Known(), damaged="as found by a read")
            assert not one.is_open
    holding, lost = one.open(Known(removals=[1]))
    assert (holding.entries[Rank.RESULT], lost) == (299, 0)
    assert len(list(one.folder.glob("*.damaged-*"))) <= 3


def test_room_that_was_made_is_told_at_once(make: Make, monkeypatch: pytest.MonkeyPatch):
    one, made = make(), list[Victim]()
    one.save(work([entry(key) for key in range(1, 101)]))
    commit = one._commit

    def full(wanted: Work) -> object:
        if wanted.entries:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return commit(wanted)

    monkeypatch.setattr(one, "_commit", full)
    for _ in range(3):  # in vain: nothing more is dropped for it
        with pytest.raises(sqlite3.OperationalError):
            one.save(work([entry(101)], made_room=made.extend))
    assert [victim.key for victim in made] == list(range(1, 12))
    monkeypatch.undo()
    assert not one.save(work([entry(101)])).squeezed
    assert keys_in(one) == list(range(12, 102))


def test_a_folder_that_is_gone_is_noticed(make: Make, tmp_path: Path):
    one = make()
    one.tidy()
    one.folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        one.tidy()


def test_an_empty_one_leaves_nothing_and_one_with_a_gap_to_tell_leaves_its_file(make: Make):
    one = make()
    one.close(empty=True)
    assert not one.folder.exists()
    two = make()
    two.save(work(gaps=[Gap("t", "full", 1, "", "")]))
    two.close(empty=True)
    assert (two.folder / NAME).exists()


def test_a_new_file_in_place_of_one_that_is_gone_takes_what_was_in_memory_and_its_bounds_hold(
    make: Make, tmp_path: Path
):
    one = make()
    entries = [entry(key) for key in range(1, 11)]
    one.save(work(entries))
    one.save(work(excess={Rank.RESULT: 10**6}, may_drop=lambda _key: False))
    one.abandon()
    one.folder.rename(tmp_path / "away")
    holding, _ = one.open(Known(first_unsaved=1))
    assert holding.last_key == 0
    one.save(work(entries))
    assert [victim.key for victim in one.save(work(excess={Rank.RESULT: 1})).dropped] == [1]

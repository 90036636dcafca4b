import _sqlite3
import ctypes
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from edged.outbox import Gap, Rank
from edged.outbox.database import KEPT_PAGES, NAME, Database, Reader, Row, damage, is_damaged, is_full
from edged.outbox.records import Entry


def row(key: int, payload: bytes = b"x", rank: Rank = Rank.RESULT, topic: str = "t") -> Row:
    return Row(Entry(key, topic, payload, 1, float(key), rank), 1.8e9 + key)


def filled(folder: Path, *rows: Row) -> Database:
    database = Database(folder)
    with database.transaction():
        database.insert(rows)
    return database


def spoil(folder: Path, change: str) -> None:
    connection = sqlite3.connect(folder / NAME)
    with connection:
        connection.execute(change)
    connection.close()


def test_a_new_file_holds_nothing(tmp_path: Path):
    database = Database(tmp_path)
    holding = database.holding()
    assert (sum(holding.entries.values()), sum(holding.bytes.values()), holding.last_key) == (0, 0, 0)
    assert database.gaps() == []
    assert list(database.victims(None, 0, 10)) == []
    database.close()


def test_a_file_says_what_it_holds_over_a_restart(tmp_path: Path):
    filled(tmp_path, row(3, b"abc"), row(5, b"", Rank.EVENT), row(9, "ü".encode())).close()
    database = Database(tmp_path)
    holding = database.holding()
    assert holding.entries == {Rank.TELEMETRY: 0, Rank.RESULT: 2, Rank.EVENT: 1}
    assert holding.bytes == {Rank.TELEMETRY: 0, Rank.RESULT: 4 + 3, Rank.EVENT: 1}
    assert (holding.last_key, holding.last_s, holding.last_wall_s) == (9, 9.0, 1.8e9 + 9)
    database.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path):
    database = filled(tmp_path, row(1))
    with suppress(ZeroDivisionError), database.transaction():
        database.delete([1])
        database.insert([row(2)])
        1 / 0  # noqa: B018
    reader = Reader(tmp_path)
    assert [found.entry.key for found in reader.read(0, 10, 10)] == [1]
    reader.close()
    database.close()


def test_a_reader_sees_messages_as_they_were_put_in_within_its_limits(tmp_path: Path):
    rows = [row(key, bytes([key]) * key, topic="ü/\u20ac") for key in range(1, 8)]
    database = filled(tmp_path, *rows)
    reader = Reader(tmp_path)
    assert reader.read(2, 6, 3) == rows[2:5]
    assert reader.read(2, 6, 10) == rows[2:6]
    assert reader.row(4) == rows[3]
    assert reader.row(40) is None
    database.delete([3, 4, 99])
    assert reader.read(2, 6, 3) == rows[4:6]
    reader.close()
    database.close()


def test_a_reader_makes_no_file(tmp_path: Path):
    with pytest.raises(sqlite3.OperationalError) as raised:
        Reader(tmp_path)
    assert not is_damaged(raised.value)
    assert not list(tmp_path.iterdir())


def test_victims_come_oldest_first_of_a_rank_or_of_all_with_the_head_of_their_payload(tmp_path: Path):
    database = filled(tmp_path, row(1), row(2, b"y" * 600, Rank.EVENT), row(3), row(4))
    assert [victim.key for victim in database.victims(None, 1, 2)] == [2, 3]
    assert [victim.key for victim in database.victims(Rank.RESULT, 0, 2)] == [1, 3]
    (event,) = database.victims(Rank.EVENT, 0, 9)
    assert (event.size_bytes, len(event.head), event.rank, event.at_s) == (601, 512, Rank.EVENT, 2.0)
    for _ in database.victims(None, 0, 9):  # left half way, and what is written then is no trouble
        break
    database.delete_beyond(2)
    assert [victim.key for victim in database.victims(None, 0, 9)] == [1, 2]
    database.close()


def test_gaps_are_kept_in_their_order(tmp_path: Path):
    gaps = [Gap("b", "full", 2, "1", "2"), Gap("a", "old", 1, "", ""), Gap("b", "old", 5, "x", "y")]
    database = Database(tmp_path)
    with database.transaction():
        database.replace_gaps(gaps[:1])
    with database.transaction():
        database.replace_gaps(gaps)
    database.close()
    database = Database(tmp_path)
    assert database.gaps() == gaps
    database.close()


def test_a_file_that_was_replaced_is_noticed(tmp_path: Path):
    database = Database(tmp_path)
    assert database.still_there()
    (tmp_path / NAME).rename(tmp_path / "other")
    assert not database.still_there()
    (tmp_path / NAME).write_bytes(b"")
    assert not database.still_there()
    database.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE message SET payload = x'00'",
        "UPDATE message SET payload = 'text'",
        "UPDATE message SET topic = 'u'",
        "UPDATE message SET topic = CAST(x'ff' AS TEXT)",
        "UPDATE message SET rank = 9",
        "UPDATE message SET qos = 3",
        "UPDATE message SET at_s = 'never'",
        "UPDATE message SET wall_s = x'00'",
        "UPDATE message SET crc = 'none'",
    ],
)
def test_a_message_that_is_not_what_was_written_is_not_sound(tmp_path: Path, change: str):
    filled(tmp_path, row(1)).close()
    spoil(tmp_path, change)
    reader = Reader(tmp_path)
    (found,) = reader.read(0, 10, 10)
    assert (found.entry.key, found.sound) == (1, False)
    reader.close()


@pytest.mark.parametrize("change", ["rank = 9", "rank = 'x'", "at_s = 'never'", "wall_s = 'never'"])
def test_what_was_never_written_is_damage_to_whoever_counts(tmp_path: Path, change: str):
    filled(tmp_path, row(1)).close()
    spoil(tmp_path, f"UPDATE message SET {change}")
    database = Database(tmp_path)
    with pytest.raises(sqlite3.DatabaseError) as raised:
        database.holding()
    assert is_damaged(raised.value)
    if "wall" not in change:
        with pytest.raises(sqlite3.DatabaseError) as raised:
            list(database.victims(None, 0, 10))
        assert is_damaged(raised.value)
    database.close()


def test_a_file_that_was_not_closed_cleanly_is_checked_and_one_that_was_is_not(tmp_path: Path):
    database = filled(tmp_path, *(row(key, b"x" * 500) for key in range(1, 400)))
    database.close()
    with (tmp_path / NAME).open("r+b") as file:
        file.seek(4096 * 20)
        file.write(os.urandom(4096))
    database = Database(tmp_path)
    database.close(clean=False)
    with pytest.raises(sqlite3.DatabaseError) as raised:
        Database(tmp_path)
    assert is_damaged(raised.value)


def test_free_pages_are_returned(tmp_path: Path):
    database = filled(tmp_path, *(row(key, b"x" * 3000) for key in range(1, 2001)))
    database.checkpoint()
    big = (tmp_path / NAME).stat().st_size
    with database.transaction():
        database.delete(range(1, 2001))
    for _ in range(5):
        database.give_back()
    database.checkpoint()
    assert (tmp_path / NAME).stat().st_size < big / 2
    assert (tmp_path / NAME).stat().st_size >= KEPT_PAGES * 4096
    database.close()


def failure(code: int, text: str = "", kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    error = kind(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "damaged", "full"),
    [
        (damage("x"), True, False),
        (failure(sqlite3.SQLITE_NOTADB), True, False),
        (failure(sqlite3.SQLITE_CORRUPT_VTAB), True, False),
        (failure(sqlite3.SQLITE_ERROR, "no such table: message"), True, False),
        (failure(sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY), True, False),
        (failure(sqlite3.SQLITE_CONSTRAINT_NOTNULL), False, False),
        (failure(sqlite3.SQLITE_FULL), False, True),
        (failure(sqlite3.SQLITE_IOERR_SHMSIZE), False, True),
        (failure(sqlite3.SQLITE_IOERR_WRITE), False, False),
        (failure(sqlite3.SQLITE_READONLY), False, False),
        (failure(sqlite3.SQLITE_BUSY), False, False),
        (sqlite3.DatabaseError("has format 7"), True, False),
        (sqlite3.OperationalError("is not open"), False, False),
        (sqlite3.ProgrammingError("closed"), False, False),
    ],
)
def test_errors_say_whether_the_file_is_damaged_or_the_disk_full(
    error: sqlite3.Error, damaged: bool, full: bool
):
    assert (is_damaged(error), is_full(error)) == (damaged, full)


def sqlite_bytes() -> int:
    """Of all connections of this process, by the library that Python's module is bound to."""
    try:
        used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    except (AttributeError, OSError) as error:
        pytest.skip(f"this Python's SQLite does not say what it uses: {error}")
    used.restype = ctypes.c_int64
    return int(used())


def test_memory_is_as_before_once_what_waited_is_gone(tmp_path: Path):
    database = filled(tmp_path)
    before = sqlite_bytes()
    keys = range(1, 4001)
    with database.transaction():
        database.insert(row(key, bytes(600)) for key in keys)
    reader = Reader(tmp_path)
    assert len(reader.read(0, 1 << 62, 5000)) == len(keys)
    with database.transaction():
        database.delete(keys)
    assert sqlite_bytes() > before + 1_000_000, "nothing was kept that could be given back"
    database.give_back()
    assert sqlite_bytes() < before + 300_000
    reader.close()
    database.close()


def test_a_file_that_was_cut_short_is_read_as_far_as_it_goes(tmp_path: Path):
    filled(tmp_path, *(row(key, bytes(900)) for key in range(1, 2001))).close()
    aside = tmp_path / "outbox.db.aside"
    whole = (tmp_path / NAME).read_bytes()
    aside.write_bytes(whole[: len(whole) // 2])
    reader = Reader(tmp_path, set_aside=aside.name)
    found, last = 0, 0
    while rows := reader.try_read(last, 50):
        found, last = found + len(rows), rows[-1].entry.key
    reader.close()
    assert found > 900

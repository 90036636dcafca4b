import os
import sqlite3
from pathlib import Path

import pytest

from edged.outbox import salvage
from edged.outbox.database import NAME, Database, Row
from edged.outbox.records import Entry
from edged.outbox.salvage import KEPT, Salvage, clear, set_aside


def row(key: int) -> Row:
    return Row(Entry(key, "t", b"%06d" % key + b" " * 100, 1, 0.0), 1.8e9)


def filled(folder: Path, keys: range) -> None:
    database = Database(folder)
    with database.transaction():
        database.insert(map(row, keys))
    database.close()


def salvaged(folder: Path) -> tuple[list[int], int]:
    source = Salvage(folder, set_aside(folder, "now"))
    found = []
    for one in source.rows():
        assert one == row(one.entry.key)
        found.append(one.entry.key)
    assert found == sorted(set(found))
    return found, source.unreadable


def flip(path: Path, at: int, count: int = 4096) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(count))


def test_a_sound_file_is_read_whole_what_stands_in_its_wal_included(tmp_path: Path):
    database = Database(tmp_path)
    with database.transaction():
        database.insert(map(row, range(1, 1001)))
    assert salvaged(tmp_path) == (list(range(1, 1001)), 0)
    database.close()


@pytest.mark.parametrize("page", [1, 4, 12, 30])
def test_a_page_that_cannot_be_read_costs_its_messages_only(tmp_path: Path, page: int):
    filled(tmp_path, range(1, 2001))
    flip(tmp_path / NAME, page * 4096)
    found, unreadable = salvaged(tmp_path)
    assert len(found) >= 1900 or page == 1
    assert len(found) + unreadable <= 2000 + 60


def test_a_message_that_is_not_what_was_written_is_known_to_be_lost(tmp_path: Path):
    filled(tmp_path, range(1, 101))
    connection = sqlite3.connect(tmp_path / NAME)
    with connection:
        connection.execute("UPDATE message SET payload = x'00' WHERE key = 17")
        connection.execute("UPDATE message SET rank = 9 WHERE key = 18")
    connection.close()
    assert salvaged(tmp_path) == ([*range(1, 17), *range(19, 101)], 2)


def test_keys_far_apart_do_not_take_long(tmp_path: Path):
    filled(tmp_path, range(1, 501))
    database = Database(tmp_path)
    far = range((1 << 50) + 1, (1 << 50) + 501)
    with database.transaction():
        database.insert(map(row, far))
    database.close()
    flip(tmp_path / NAME, 8 * 4096)
    found, _ = salvaged(tmp_path)
    assert found[-1] == far[-1]
    assert len(found) > 900


@pytest.mark.parametrize("content", [b"", b"this is no database" * 500, b"\0" * 8192])
def test_in_a_file_that_is_no_database_there_is_nothing(tmp_path: Path, content: bytes):
    (tmp_path / NAME).write_bytes(content)
    assert salvaged(tmp_path) == ([], 0)


def test_where_there_is_no_file_there_is_nothing_and_none_is_made(tmp_path: Path):
    assert salvaged(tmp_path) == ([], 0)
    assert not list(tmp_path.iterdir())


def test_only_the_newest_stay_set_aside(tmp_path: Path):
    for number in range(KEPT + 3):
        for suffix in salvage.SUFFIXES:
            (tmp_path / (NAME + suffix)).write_text(str(number))
        set_aside(tmp_path, f"2026{number}")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(
        f"{NAME}.damaged-2026{number}{suffix}" for number in (3, 4) for suffix in salvage.SUFFIXES
    )


def test_a_database_that_was_begun_is_cleared_and_what_was_set_aside_stays(tmp_path: Path):
    filled(tmp_path, range(1, 3))
    set_aside(tmp_path, "now")
    filled(tmp_path, range(1, 3))
    clear(tmp_path)
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.damaged-now"]

"""An outbox on disk over restarts, kills, damage, and disks that do not do their part."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from mosquitto_broker import until
from outboxes import holds, message, numbers, put
from structlog.testing import capture_logs

from edged.outbox import DiskOutbox, Rank, disk
from edged.outbox.database import NAME, Database

Open = Callable[..., DiskOutbox]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_what_was_not_delivered_is_there_after_a_restart_in_the_same_order(open_: Open) -> None:
    before = open_()
    put(before, *range(500))
    assert holds(before, 500)
    for entry in before.after(0, 100):
        before.remove(entry.key)
    assert before.close(10)
    after = open_()
    assert holds(after, 400)
    assert numbers(after) == list(range(100, 500))
    put(after, 500)
    assert holds(after, 401)
    assert numbers(after)[-1] == 500
    assert (len(after), after.dropped, after.problem) == (401, 0, "")


def test_a_message_is_settled_once_it_is_on_the_medium_and_not_again_by_its_delivery(
    open_: Open, folder: Path
) -> None:
    outbox, kept = open_(), []

    def settled() -> None:
        with sqlite3.connect(f"file:{folder / NAME}?mode=ro", uri=True) as reader:
            kept.extend(reader.execute("SELECT payload FROM message").fetchall())
        reader.close()

    outbox.append("t", b"x", qos=1, settled=settled)
    assert until(lambda: bool(kept), 10)
    assert kept == [(b"x",)]
    outbox.remove(outbox.after(0, 1)[0].key)
    outbox.append("t", b"y", qos=1)
    assert until(lambda: outbox.last_key == 2, 10)
    assert kept == [(b"x",)]


def test_what_was_appended_before_is_settled_when_the_wait_for_the_disk_is_over(open_: Open) -> None:
    outbox, settled = open_(), []
    for number in range(50):
        outbox.append("t", b"x", qos=1, settled=lambda number=number: settled.append(number))
        outbox.append("t", b"y", qos=1, settled=lambda: settled.append("y"))
        assert outbox.wait_saved(10)
        assert settled == [number, "y"]
        settled.clear()


def test_who_waits_for_a_disk_that_does_nothing_is_told_so(folder: Path) -> None:
    outbox = DiskOutbox(folder, 1 << 20, 3600.0)
    assert outbox.wait_saved(0.0)
    put(outbox, 0)
    assert not outbox.wait_saved(0.05)


def test_closing_saves_and_settles_what_is_pending(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "GATHER_S", 3600.0)
    outbox, settled = open_(), []
    put(outbox, 0)
    assert holds(outbox, 1)
    outbox.append("t", b"x", qos=1, settled=lambda: settled.append("x"))
    assert outbox.close(10)
    assert settled == ["x"]


def test_an_outbox_that_ends_empty_leaves_nothing_behind(open_: Open, folder: Path) -> None:
    outbox = open_()
    put(outbox, 1)
    assert holds(outbox, 1)
    assert {NAME, "ballast"} <= files(folder)
    outbox.remove(outbox.after(0, 1)[0].key)
    assert outbox.close(10)
    assert not folder.exists()


def test_many_more_than_stay_in_memory_are_read_in_order_and_each_once(open_: Open) -> None:
    outbox = open_()
    put(outbox, *range(5000))
    assert until(lambda: outbox.last_key == 5000, 20)
    seen, key = [], 0
    while entries := outbox.after(key, 7):
        seen += [int(entry.payload[7:13]) for entry in entries]
        key = entries[-1].key
    assert seen == list(range(5000))
    for gone in range(1, 5001, 2):
        outbox.remove(gone)
    assert numbers(outbox) == list(range(1, 5000, 2))
    assert len(outbox) == 2500
    put(outbox, 5000)
    assert until(lambda: outbox.last_key == 5001, 10)
    assert numbers(outbox) == [*range(1, 5000, 2), 5000]


def test_what_is_appended_before_the_start_is_kept(folder: Path) -> None:
    outbox = DiskOutbox(folder, 1 << 20, 3600.0)
    put(outbox, 1, 2)
    assert len(outbox) == 2
    outbox.start()
    assert holds(outbox, 2)
    outbox.close(10)


_APPENDER = """
import sys
import time
from pathlib import Path
from edged.outbox import DiskOutbox

outbox = DiskOutbox(Path(sys.argv[1]), 1 << 28, 3600.0)
said = 0
def accepted():
    global said
    if outbox.last_key > said:
        said = outbox.last_key
        print(said, flush=True)
outbox.subscribe(accepted)
outbox.start()
number = 0
while True:
    outbox.append("t", b'{"id":"%06d"}' % number, qos=1)
    number += 1
    if number % 20 == 0:
        time.sleep(0.002)
"""


@pytest.mark.parametrize("moment", range(5))
def test_a_kill_loses_nothing_that_was_accepted(open_: Open, folder: Path, moment: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _APPENDER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3 + 7 * moment)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    accepted = int([line for line in lines if line.endswith("\n")][-1])
    after = open_()
    assert holds(after, accepted)
    found = numbers(after)
    assert found == list(range(len(found)))
    assert len(found) >= accepted


def test_two_processes_never_share_a_folder(open_: Open, folder: Path) -> None:
    first = open_()
    put(first, 1)
    assert until(lambda: not first.problem, 10)
    second = open_()
    assert holds(first, 1)
    assert until(lambda: "another process" in second.problem, 10)
    put(second, 2)
    assert holds(second, 1)
    assert (numbers(first), numbers(second)) == ([1], [2])
    first.remove(first.after(0, 1)[0].key)
    assert first.close(10)
    put(second, 3)
    assert until(lambda: not second.problem, 10)
    assert holds(second, 2)
    assert numbers(second) == [2, 3]
    assert second.close(10)
    assert numbers_in(folder) == [2, 3]


def numbers_in(folder: Path) -> list[int]:
    with sqlite3.connect(folder / NAME) as connection:
        return [
            int(payload[7:13])
            for (payload,) in connection.execute("SELECT payload FROM message ORDER BY key")
        ]


def test_what_cannot_be_kept_on_disk_is_delivered_from_memory_and_said_once(
    open_: Open, folder: Path
) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("in the way")
    with capture_logs() as lines:
        outbox = open_()
        put(outbox, *range(50))
        assert holds(outbox, 50)
        assert outbox.problem
        for entry in outbox.after(0, 20):
            outbox.remove(entry.key)
        assert until(lambda: len(outbox) == 30, 5)
        folder.unlink()
        assert until(lambda: not outbox.problem, 10)
    events = [line["event"] for line in lines]
    assert events.count("results are not kept on disk, only in memory") == 1
    assert events.count("results are kept on disk as usual again") == 1
    put(outbox, 50)
    assert holds(outbox, 31)
    assert outbox.close(10)
    assert numbers_in(folder) == list(range(20, 51))


def test_memory_is_bounded_while_no_disk_takes_anything(
    open_: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "UNSAVED_BYTES", 10_000)
    folder.write_text("in the way")
    outbox = open_()
    put(outbox, *range(1000), size=100)
    assert until(lambda: outbox.last_key > 0 and len(outbox) + outbox.dropped == 1000, 10)
    assert until(lambda: outbox.depth_bytes <= 10_000, 10)
    assert numbers(outbox) == list(range(1000 - len(outbox), 1000))


def test_a_removed_folder_is_made_again_and_what_is_in_memory_kept(open_: Open, folder: Path) -> None:
    outbox = open_()
    put(outbox, *range(10))
    assert holds(outbox, 10)
    folder.rename(folder.with_name("gone"))
    assert until((folder / NAME).exists, 10)
    put(outbox, 10)
    assert holds(outbox, 11)
    assert until(lambda: not outbox.problem, 10)
    assert outbox.close(10)
    assert numbers_in(folder) == list(range(11))


class Full:
    """A disk that stops to give pages to the database."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages: int | None = None
        self._connections: list[sqlite3.Connection] = []
        transaction = Database.transaction

        def limited(database: Database) -> object:
            connection = database._connection
            limit = self.pages if self.pages is not None else 1 << 30
            connection.execute(f"PRAGMA max_page_count = {limit}")
            return transaction(database)

        monkeypatch.setattr(Database, "transaction", limited)


def test_on_a_full_disk_the_oldest_go_for_the_newest_and_it_is_said_once(
    open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Full(monkeypatch)
    full.pages = 40
    with capture_logs() as lines:
        outbox = open_()
        for begin in range(0, 2000, 50):
            put(outbox, *range(begin, begin + 50), size=400)
            assert until(lambda: not outbox._pending, 10)
        assert until(lambda: outbox.last_key >= 2000, 20)
        assert until(lambda: len(outbox) + outbox.dropped == 2000, 10)
    assert outbox.dropped > 1000
    found = numbers(outbox)
    assert found[-1] == 1999
    assert found == list(range(found[0], 2000))
    assert [line["log_level"] for line in lines if line["log_level"] == "error"] == ["error"]
    assert "full" in outbox.problem
    full.pages = None
    monkeypatch.setattr(disk, "FULL_S", 0.0)
    put(outbox, 2000, size=400)
    assert until(lambda: not outbox.problem, 10)


def flip(path: Path, at: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(count))


def fill(open_: Open, folder: Path, count: int = 3000) -> None:
    """A closed outbox with messages, all of them in the file itself."""
    outbox = open_()
    put(outbox, *range(count), size=100)
    assert until(lambda: outbox.last_key == count, 20)
    assert outbox.close(10)
    with sqlite3.connect(folder / NAME) as connection:
        connection.execute("DELETE FROM note")  # as after a power cut


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_damaged_page_costs_its_messages_only(open_: Open, folder: Path, share: float) -> None:
    fill(open_, folder)
    size = (folder / NAME).stat().st_size
    flip(folder / NAME, int(size * share) // 4096 * 4096, 4096)
    with capture_logs() as lines:
        outbox = open_()
        assert holds(outbox, 2800)
    found = numbers(outbox)
    assert found == sorted(set(found))
    assert 0 < outbox.dropped <= 3000 - len(found) + 60
    assert any("outbox damaged" in line["event"] for line in lines)
    assert len([name for name in files(folder) if "damaged" in name and name[-1] not in "lm"]) == 1
    outbox.report_gaps()
    assert until(lambda: any(entry.payload.startswith(b"damaged") for entry in outbox.after(0, 10_000)), 10)


def test_of_a_truncated_file_what_is_readable_is_delivered(open_: Open, folder: Path) -> None:
    fill(open_, folder)
    os.truncate(folder / NAME, (folder / NAME).stat().st_size // 2)
    outbox = open_()
    put(outbox, 5000)
    assert until(lambda: 5000 in numbers(outbox), 10)
    found = numbers(outbox)
    assert len(found) > 1000
    assert found == sorted(set(found))


@pytest.mark.parametrize("content", [b"", b"this is no database" * 500, b"\0" * 8192])
def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(
    open_: Open, folder: Path, content: bytes
) -> None:
    folder.mkdir()
    (folder / NAME).write_bytes(content)
    outbox = open_()
    put(outbox, 1)
    assert holds(outbox, 1)
    assert outbox.problem == ""


def test_a_database_of_somebody_else_is_set_aside(open_: Open, folder: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / NAME) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.execute("PRAGMA user_version = 77")
    outbox = open_()
    put(outbox, 1)
    assert holds(outbox, 1)
    assert [name for name in files(folder) if "damaged" in name]


def test_a_message_that_is_not_what_was_written_is_counted_and_the_others_come(
    open_: Open, folder: Path
) -> None:
    fill(open_, folder, 2000)
    with sqlite3.connect(folder / NAME) as connection:
        connection.execute("UPDATE message SET payload = x'00' WHERE key = 17")
    outbox = open_()
    assert until(lambda: len(numbers(outbox)) == 1999 and outbox.dropped == 1, 10)
    assert 16 not in numbers(outbox)


def test_damage_while_it_runs_costs_nothing_that_is_in_memory(open_: Open, folder: Path) -> None:
    outbox = open_()
    put(outbox, *range(200), size=100)
    assert holds(outbox, 200)
    with outbox._lock:
        outbox._is_damaged("as found by a read")
    flip(folder / NAME, 0, 16)
    put(outbox, 200, size=100)
    assert until(lambda: numbers(outbox) == list(range(201)), 10), (len(outbox), outbox.problem)
    assert outbox.dropped == 0


def test_not_more_than_two_damaged_files_stay(open_: Open, folder: Path) -> None:
    for number in range(5):
        folder.mkdir(exist_ok=True)
        (folder / NAME).write_bytes(b"this is no database" * 500)
        outbox = open_()
        put(outbox, number)
        assert holds(outbox, 1)
        for entry in outbox.after(0, 10):
            outbox.remove(entry.key)
        assert outbox.close(10)
    assert len([name for name in files(folder) if "damaged" in name]) == 2


def test_a_message_that_is_set_aside_can_be_read_by_people(open_: Open, folder: Path) -> None:
    outbox = open_()
    put(outbox, 1)
    assert holds(outbox, 1)
    outbox.set_aside(outbox.after(0, 1)[0], "the broker does not take it (reason 0x87)")
    assert until(lambda: "set-aside.jsonl" in files(folder), 10)
    line = (folder / "set-aside.jsonl").read_text()
    assert "0x87" in line
    assert "000001" in line


def test_an_age_counts_over_a_restart_and_a_clock_that_jumps_does_not(open_: Open) -> None:
    wall_s = [1_800_000_000.0]
    first = open_(max_age_s=1000.0, wall=lambda: wall_s[0])
    put(first, 1)
    assert holds(first, 1)
    assert first.close(10)
    wall_s[0] += 600
    second = open_(max_age_s=1000.0, wall=lambda: wall_s[0])
    assert holds(second, 1)
    (entry,) = second.after(0, 1)
    assert second._monotonic() - entry.appended_monotonic_s == pytest.approx(600, abs=30)
    assert second.close(10)
    wall_s[0] = 100.0  # 1970: the box has no battery
    third = open_(max_age_s=1000.0, wall=lambda: wall_s[0])
    assert holds(third, 1)
    assert third.close(10)
    wall_s[0] = 1_800_000_600.0 + 2000
    fourth = open_(max_age_s=1000.0, wall=lambda: wall_s[0])
    assert until(lambda: fourth.dropped == 1 and len(fourth) == 0, 10)


def test_room_is_given_back_once_a_backlog_was_delivered(open_: Open, folder: Path) -> None:
    outbox = open_()
    for begin in range(0, 40_000, 1000):
        put(outbox, *range(begin, begin + 1000), size=600)
        assert until(lambda: not outbox._pending, 20)
    assert until(lambda: outbox.last_key == 40_000, 20)
    big = (folder / NAME).stat().st_size
    key = 0
    while entries := outbox.after(key, 1000):
        key = entries[-1].key
        for entry in entries:
            outbox.remove(entry.key)
    assert until(lambda: (folder / NAME).stat().st_size < big / 2, 30)


def test_the_file_stays_within_its_bound_while_the_broker_is_away(open_: Open, folder: Path) -> None:
    bound = 4 << 20
    outbox = open_(max_bytes=bound)
    for begin in range(0, 30_000, 1000):
        put(outbox, *range(begin, begin + 1000), size=600)
        assert until(lambda: not outbox._pending, 20)
    assert until(lambda: outbox.last_key == 30_000, 20)
    assert outbox.depth_bytes <= bound
    assert len(outbox) + outbox.dropped == 30_000
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size <= 1.25 * bound + (6 << 20)


def test_readers_and_writers_at_once_see_each_message_once(open_: Open) -> None:
    outbox, seen, news = open_(), [], threading.Event()
    outbox.subscribe(news.set)

    def deliver() -> None:
        key = 0
        while len(seen) < 8000 and news.wait(10):
            news.clear()
            while entries := outbox.after(key, 50):
                key = entries[-1].key
                for entry in entries:
                    seen.append(int(entry.payload[7:13]))
                    outbox.remove(entry.key)

    consumer = threading.Thread(target=deliver)
    consumer.start()
    put(outbox, *range(8000))
    consumer.join(30)
    assert seen == list(range(8000))
    assert len(outbox) == 0


def test_the_newest_event_of_each_topic_is_known_after_a_restart(open_: Open) -> None:
    before = open_()
    for topic, rank in (("a/events", Rank.EVENT), ("a/events", Rank.EVENT), ("b", Rank.RESULT)):
        before.append(topic, message(1), qos=1, rank=rank)
    assert holds(before, 3)
    assert before.close(10)
    after = open_()
    assert holds(after, 3)
    assert after.event_keys() == {"a/events": 2}
    after.append("c/events", message(2), qos=1, rank=Rank.EVENT)
    assert holds(after, 4)
    assert after.event_keys() == {"a/events": 2, "c/events": 4}

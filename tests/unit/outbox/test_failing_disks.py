"""An outbox whose disk is full, errs, comes late, or gives back what was not written: every message is counted."""

import os
import random
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import outboxes
import pytest
from mosquitto_broker import until
from outboxes import holds, numbers
from structlog.testing import capture_logs

from edged.outbox import DiskOutbox, Rank, disk, spool, view
from edged.outbox.database import NAME, Database

Open = Callable[..., DiskOutbox]


put = partial(outboxes.put, size=100)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "RETRY_S", 0.1)


def settled(outbox: DiskOutbox) -> bool:
    """Nothing is on its way to the disk or to memory."""
    return until(lambda: not outbox._pending and not outbox._fresh, 10)


def deliver(outbox: DiskOutbox, limit: int = 1_000_000) -> list[int]:
    found = numbers_and_keys(outbox, limit)
    for key, _ in found:
        outbox.remove(key)
    return [number for _, number in found]


def put_and_note(outbox: DiskOutbox, told: list[int], *numbers: int, size: int = 100) -> None:
    """Append, and have the numbers of those that are settled noted."""
    for number in numbers:
        outbox.append("t", outboxes.message(number, size), qos=1, settled=partial(told.append, number))


def numbers_and_keys(outbox: DiskOutbox, limit: int) -> list[tuple[int, int]]:
    return [(entry.key, int(entry.payload[7:13])) for entry in outbox.after(0, limit) if entry.topic == "t"]


def error(text: str, code: int) -> sqlite3.OperationalError:
    failure = sqlite3.OperationalError(text)
    failure.sqlite_errorcode = code
    return failure


class Faults:
    """What the database does instead of a transaction, while `wrong` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wrong: sqlite3.Error | None = None
        self.lands = False
        self.pages = 1 << 30
        transaction = Database.transaction

        @contextmanager
        def faulty(database: Database) -> Iterator[None]:
            database._connection.execute(f"PRAGMA max_page_count = {self.pages}")
            wrong, lands = self.wrong, self.lands
            if wrong is not None and not lands:
                raise wrong
            with transaction(database):
                yield
            if wrong is not None:
                raise wrong

        monkeypatch.setattr(Database, "transaction", faulty)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(monkeypatch)


IOERR = error("disk I/O error", sqlite3.SQLITE_IOERR_WRITE)
FSYNC = error("disk I/O error", sqlite3.SQLITE_IOERR_FSYNC)


def test_what_a_disk_holds_that_comes_late_is_delivered_before_what_came_since(
    open_: Open, folder: Path
) -> None:
    before = open_()
    put(before, *range(100))
    assert holds(before, 100)
    assert before.close(10)
    folder.rename(folder.with_name("unmounted"))
    folder.write_text("in the way")
    outbox = open_()
    put(outbox, *range(100, 110))
    assert holds(outbox, 10)
    folder.unlink()
    folder.with_name("unmounted").rename(folder)
    assert until(lambda: not outbox.problem, 10)
    assert len(outbox) == 110
    assert deliver(outbox) == list(range(110))
    assert len(outbox) == 0


def test_a_disk_that_errs_for_a_while_costs_nothing_and_is_said_once(open_: Open, faults: Faults) -> None:
    with capture_logs() as lines:
        outbox = open_()
        put(outbox, *range(50))
        assert holds(outbox, 50)
        faults.wrong = IOERR
        put(outbox, *range(50, 100))
        assert until(lambda: outbox.problem == "disk I/O error", 10)
        delivered = deliver(outbox, 30)
        put(outbox, *range(100, 150))
        assert settled(outbox)
        faults.wrong = None
        assert until(lambda: not outbox.problem, 10)
        put(outbox, 150)
        assert holds(outbox, 121)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "results are not kept on disk, only in memory"
    ]
    assert delivered + deliver(outbox) == list(range(151))
    assert (len(outbox), outbox.depth_bytes, outbox.dropped) == (0, 0, 0)


def test_a_commit_that_failed_and_landed_all_the_same_is_neither_lost_nor_doubled(
    open_: Open, faults: Faults
) -> None:
    outbox = open_()
    put(outbox, *range(20))
    assert holds(outbox, 20)
    faults.wrong, faults.lands = FSYNC, True
    put(outbox, *range(20, 40))
    assert until(lambda: bool(outbox.problem), 10)
    delivered = deliver(outbox, 25)
    faults.wrong = None
    assert until(lambda: not outbox.problem, 5), outbox.problem
    put(outbox, 40)
    assert settled(outbox)
    assert len(outbox) == 16
    assert delivered + deliver(outbox) == list(range(41))
    assert (len(outbox), outbox.depth_bytes, outbox.dropped) == (0, 0, 0)


def test_what_no_disk_takes_is_settled_by_its_delivery_and_the_rest_once_a_disk_takes_it(
    open_: Open, faults: Faults
) -> None:
    outbox, told = open_(), []
    put_and_note(outbox, told, *range(10))
    assert until(lambda: sorted(told) == list(range(10)), 10)
    faults.wrong = IOERR
    put_and_note(outbox, told, *range(10, 50))
    assert holds(outbox, 50)
    assert until(lambda: bool(outbox.problem), 10)
    assert sorted(told) == list(range(10))
    assert deliver(outbox, 30) == list(range(30))
    assert sorted(told) == list(range(30))
    outbox.set_aside(outbox.after(0, 1)[0], "refused")
    assert sorted(told) == list(range(31))
    faults.wrong = None
    assert until(lambda: len(told) >= 50, 10)
    deliver(outbox)
    assert sorted(told) == list(range(50))


def test_a_commit_that_failed_and_landed_all_the_same_settles_once_it_is_certain(
    open_: Open, faults: Faults
) -> None:
    outbox, told = open_(), []
    faults.wrong, faults.lands = FSYNC, True
    put_and_note(outbox, told, *range(20))
    assert until(lambda: bool(outbox.problem), 10)
    assert told == []
    faults.wrong = None
    assert until(lambda: len(told) >= 20, 10)
    deliver(outbox)
    assert sorted(told) == list(range(20))


def test_what_a_bounded_memory_drops_is_settled_and_the_rest_is_not(
    open_: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "UNSAVED_BYTES", 10_000)
    folder.write_text("in the way")
    outbox, told = open_(), []
    put_and_note(outbox, told, *range(1000))
    assert settled(outbox)
    assert until(lambda: len(told) == outbox.dropped > 0, 10)
    assert sorted(told) == list(range(outbox.dropped))
    before = list(told)
    assert outbox.close(10) is False
    assert told == before


def test_what_a_slow_disk_has_no_room_for_is_settled_as_it_goes(
    open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "PENDING_BYTES", 1000)
    outbox, told = DiskOutbox(Path("never-opened"), 1 << 20, 3600.0), []
    put_and_note(outbox, told, *range(100))
    assert told == list(range(outbox.dropped))
    assert outbox.dropped > 80


def test_a_full_disk_settles_what_has_to_make_room(
    open_: Open, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "UNSAVED_BYTES", 20_000)
    outbox, told = open_(), []
    faults.pages = 10
    put_and_note(outbox, told, *range(500), size=400)
    assert settled(outbox)
    faults.pages = 1 << 30
    assert until(lambda: not outbox._view.unsaved and len(told) == 500, 10)
    deliver(outbox)
    assert sorted(told) == list(range(500))


def test_what_was_dropped_for_room_counts_also_if_the_disk_errs_right_after(
    open_: Open, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_()
    put(outbox, *range(500), size=400)
    assert settled(outbox)
    faults.pages = 10
    checkpoint, calls = Database.checkpoint, []

    def erring(database: Database) -> None:
        calls.append(1)
        if len(calls) == 2:  # the first is to use the WAL's own room, the second follows the dropping
            raise IOERR
        checkpoint(database)

    monkeypatch.setattr(Database, "checkpoint", erring)
    put(outbox, *range(500, 600), size=400)
    assert until(lambda: len(calls) >= 2, 10)
    faults.pages = 1 << 30
    assert until(lambda: not outbox._view.unsaved and settled(outbox), 10)
    found = deliver(outbox)
    assert len(found) + outbox.dropped == 600
    assert len(outbox) == 0


@pytest.mark.parametrize(("pages", "lossy"), [(60, False), (400, True)])
def test_damage_on_a_full_disk_costs_at_most_what_there_is_no_room_for_and_all_of_it_is_counted(
    open_: Open, faults: Faults, monkeypatch: pytest.MonkeyPatch, pages: int, lossy: bool
) -> None:
    monkeypatch.setattr(disk, "FULL_S", 0.0)
    outbox = open_()
    put(outbox, *range(4000), size=400)
    assert until(lambda: outbox.last_key == 4000, 10)
    lent = numbers(outbox, 0, 50)
    faults.pages = pages
    with outbox._lock:
        outbox._is_damaged("as found by a read")
    assert until(lambda: outbox.dropped > 0 if lossy else "full" in outbox.problem, 10)
    put(outbox, 4000, size=400)
    assert settled(outbox)
    faults.pages = 1 << 30
    assert until(lambda: not outbox._view.unsaved and not outbox.problem, 10), outbox.problem
    waiting = len(outbox)
    assert waiting + outbox.dropped == 4001
    assert (outbox.dropped > 0) == lossy
    found = deliver(outbox)
    assert len(found) == waiting
    assert found == sorted(set(found))
    assert found[: len(lent)] == lent
    assert found[-1] == 4000
    assert (len(outbox), outbox.depth_bytes) == (0, 0)


def test_a_removed_folder_does_not_take_what_is_in_flight(open_: Open, folder: Path) -> None:
    outbox = open_()
    put(outbox, *range(3000))
    assert until(lambda: outbox.last_key == 3000, 10)
    in_flight = outbox.after(0, 40)
    shutil.rmtree(folder)
    assert until(lambda: outbox.dropped > 0 and not outbox.problem, 10)
    for entry in in_flight[:20]:
        outbox.remove(entry.key)
    assert len(outbox) + outbox.dropped + 20 == 3000
    found = deliver(outbox)
    assert found[:20] == list(range(20, 40))
    assert found == sorted(set(found))
    assert found[-1000:] == list(range(2000, 3000))
    assert len(outbox) == 0
    assert 20 + len(found) + outbox.dropped == 3000


def test_damage_that_cannot_be_seen_to_at_once_does_not_burn_the_processor(
    open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, rounds = open_(), []
    put(outbox, 1)
    assert holds(outbox, 1)
    monkeypatch.setattr(outbox, "_round", lambda: rounds.append(1))
    with outbox._lock:
        outbox._retry_at_s = outbox._monotonic() + 3600.0
        outbox._is_damaged("as found by a read")
    assert not until(lambda: len(rounds) > 20, 0.3)


@pytest.mark.parametrize(
    "rot",
    [
        "topic = CAST(x'74ff' AS TEXT)",
        "rank = 9",
        "rank = 'x'",
        "at_s = 'never'",
        "payload = NULL",
        "qos = 77",
    ],
)
def test_a_rotten_row_costs_itself_only(open_: Open, folder: Path, rot: str) -> None:
    outbox = open_()
    put(outbox, *range(2000))
    assert settled(outbox)
    assert until(lambda: outbox.last_key == 2000, 10)
    assert outbox.close(10)
    with sqlite3.connect(folder / NAME) as connection:
        if "NULL" in rot:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(
                "UPDATE sqlite_schema SET sql = replace(sql, 'payload BLOB NOT NULL', 'payload BLOB')"
            )
    with sqlite3.connect(folder / NAME) as connection:
        connection.execute(f"UPDATE message SET {rot} WHERE key = 17")
    connection.close()
    outbox = open_(max_age_s=1800.0)
    put(outbox, 2000)
    assert until(lambda: numbers(outbox) == [*range(16), *range(17, 2001)], 10), (
        outbox.problem,
        len(outbox),
        outbox.dropped,
    )
    assert until(lambda: outbox.dropped == 1, 10)  # it is hidden at once, and counted once it is off the disk
    assert outbox.problem == ""


def test_a_memory_without_a_disk_keeps_events_before_results(
    open_: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "UNSAVED_BYTES", 10_000)
    folder.write_text("in the way")
    outbox = open_()
    put(outbox, *range(30), rank=Rank.EVENT)
    put(outbox, *range(30, 1000))
    assert settled(outbox)
    assert until(lambda: outbox.depth_bytes <= 10_000, 10)
    found = numbers(outbox)
    assert found[:30] == list(range(30))
    assert found[-1] == 999
    assert len(found) + outbox.dropped == 1000


def test_what_is_delivered_from_a_disk_that_cannot_be_written_is_not_kept_in_memory(
    open_: Open, faults: Faults
) -> None:
    outbox = open_()
    put(outbox, *range(3000), size=1000)
    assert until(lambda: outbox.last_key == 3000, 10)
    faults.wrong = error("database or disk is full", sqlite3.SQLITE_FULL)
    key = 0
    while entries := outbox.after(key, 100):
        for entry in entries:
            outbox.remove(entry.key)
        key = entries[-1].key
    view = outbox._view
    held = [*view._lent.values(), *view.unsaved, *view.cached()]
    assert sum(len(entry.payload) for entry in held) < 100_000
    faults.wrong = None
    assert until(lambda: not outbox._removals, 10)
    assert (len(outbox), outbox.depth_bytes) == (0, 0)


def test_messages_that_are_far_too_old_go_at_once_and_not_some_a_second(open_: Open) -> None:
    clock = [1000.0]
    outbox = open_(max_age_s=100.0, monotonic=lambda: clock[0], wall=lambda: 1.8e9 + clock[0])
    put(outbox, *range(20_000), size=30)
    assert until(lambda: outbox.last_key == 20_000, 20)
    clock[0] += 200.0
    put(outbox, 20_000)
    assert until(lambda: outbox.dropped == 20_000, 3)
    assert numbers(outbox) == [20_000]


def test_a_bound_that_is_lowered_far_is_kept_at_once(open_: Open) -> None:
    outbox = open_()
    put(outbox, *range(20_000), size=30)
    assert until(lambda: outbox.last_key == 20_000, 20)
    outbox.rebound(1000, 3600.0)
    assert until(lambda: outbox.depth_bytes <= 1000, 4)
    assert len(outbox) + outbox.dropped == 20_000
    assert numbers(outbox)[-1] == 19_999


def test_dropping_does_not_look_through_all_events_for_each_message(
    open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_(max_bytes=4_000_000)
    put(outbox, *range(10_000), size=200, rank=Rank.EVENT)
    put(outbox, *range(10_000, 20_000), size=200)
    assert until(lambda: outbox.last_key == 20_000, 20)
    steps: list[int] = []
    outbox._spool._database._connection.set_progress_handler(lambda: steps.append(1), 1000)  # type: ignore[union-attr]
    dropped = outbox.dropped
    for number in range(20_000, 20_100):
        put(outbox, number, size=200)
        assert settled(outbox)
    assert until(lambda: outbox.dropped >= dropped + 95, 10)
    assert (
        len(steps) < 300
    )  # a thousand steps of SQLite's each; one pass over the events is a hundred of these


def test_one_message_that_is_larger_than_the_bound_costs_nobody_else(open_: Open) -> None:
    outbox = open_(max_bytes=10_000)
    put(outbox, *range(50))
    put(outbox, 50, size=20_000)
    put(outbox, 51)
    assert settled(outbox)
    assert numbers(outbox) == [*range(50), 51]
    assert outbox.dropped == 1


def test_closing_tries_the_disk_once_more(open_: Open, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "RETRY_S", 3600.0)
    folder.write_text("in the way")
    outbox = open_()
    put(outbox, *range(10))
    assert holds(outbox, 10)
    folder.unlink()
    assert outbox.close(10)
    again = open_()
    assert holds(again, 10)


def test_closing_while_the_file_cannot_be_opened_ends_and_says_that_messages_are_lost(
    open_: Open, folder: Path
) -> None:
    folder.write_text("in the way")
    outbox = open_()
    put(outbox, *range(10))
    assert holds(outbox, 10)
    assert outbox.close(10) is False
    assert len(outbox) == 10


def test_a_bug_while_a_round_is_under_way_costs_no_message(
    open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_()
    put(outbox, 0)
    assert holds(outbox, 1)
    keep_aside = spool.Spool.keep_aside
    monkeypatch.setattr(spool.Spool, "keep_aside", lambda *_: 1 / 0)
    outbox.set_aside(outbox.after(0, 1)[0], "refused")
    with capture_logs():
        put(outbox, 1, 2)
        assert until(lambda: not outbox._asides, 10)
        monkeypatch.setattr(spool.Spool, "keep_aside", keep_aside)
        put(outbox, 3)
        assert holds(outbox, 3)
    assert numbers(outbox) == [1, 2, 3]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a file system")
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", place], capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill_up(place: Path) -> Path:
    """A foreign file that leaves no byte."""
    foreign = place / "foreign"
    with foreign.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass
    assert os.statvfs(place).f_bavail == 0
    return foreign


def test_a_full_disk_is_survived_said_once_and_used_again_once_there_is_room(
    open_: Open, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "FULL_S", 0.5)
    monkeypatch.setattr(disk, "UNSAVED_BYTES", 400_000)
    delivered: list[int] = []
    with capture_logs() as lines:
        outbox = open_(folder=small_disk / "outbox")
        appended = 0

        def more(rounds: int) -> None:
            nonlocal appended
            for _ in range(rounds):
                put(outbox, *range(appended, appended + 50), size=400)
                appended += 50
                assert settled(outbox)

        more(60)
        foreign = fill_up(small_disk)
        more(100)
        assert outbox.problem
        delivered += deliver(outbox, 200)
        more(20)
        fill_up(small_disk)
        more(20)
        assert outbox._thread.is_alive()
        assert numbers(outbox, outbox.last_key - 1) == [appended - 1]
        foreign.unlink()
        since = appended
        assert until(lambda: not outbox._view.unsaved, 10)
        more(4)
        assert until(lambda: not outbox.problem, 10)
        assert until(lambda: not outbox._view.unsaved, 10)
    assert [line["log_level"] for line in lines if line["log_level"] in {"error", "warning"}] == ["error"]
    assert len(delivered) + len(outbox) + outbox.dropped == appended
    assert outbox.close(10)
    again = open_(folder=small_disk / "outbox")
    assert until(lambda: len(again) + len(delivered) + outbox.dropped == appended, 10)
    rest = deliver(again)
    assert rest[-(appended - since) :] == list(range(since, appended))
    assert not set(rest) & set(delivered)
    assert len(delivered) + len(rest) + outbox.dropped == appended


def test_on_a_disk_that_stays_full_messages_are_saved_again_soon_and_delivered_ones_make_room(
    open_: Open, small_disk: Path
) -> None:
    outbox = open_(folder=small_disk / "outbox")
    put(outbox, *range(3000), size=400)
    assert settled(outbox)
    fill_up(small_disk)
    for begin in range(3000, 9000, 100):
        put(outbox, *range(begin, begin + 100), size=400)
        assert settled(outbox)
    assert until(lambda: not outbox._view.unsaved, 5), len(outbox._view.unsaved)
    assert "full" in outbox.problem
    dropped = outbox.dropped
    assert dropped + len(outbox) == 9000
    assert 1000 < dropped < 8000
    found = deliver(outbox)
    assert found == list(range(dropped, 9000))
    assert until(lambda: not outbox._removals, 5), len(outbox._removals)
    put(outbox, *range(9000, 9500), size=400)
    assert settled(outbox)
    assert until(lambda: not outbox._view.unsaved, 5)
    assert (outbox.dropped, len(outbox)) == (dropped, 500)


def test_a_disk_that_is_full_at_the_start_gives_what_it_holds(
    open_: Open, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "FULL_S", 0.0)
    outbox = open_(folder=small_disk / "outbox")
    put(outbox, *range(3000), size=400)
    assert until(lambda: outbox.last_key == 3000, 10)
    assert outbox.close(10)
    foreign = fill_up(small_disk)
    outbox = open_(folder=small_disk / "outbox")
    put(outbox, *range(3000, 3020), size=400)
    assert holds(outbox, 3020), (outbox.problem, len(outbox), outbox.dropped)
    assert numbers(outbox) == list(range(3020))
    foreign.unlink()
    assert until(lambda: not outbox.problem and not outbox._view.unsaved, 10)
    assert outbox.close(10)


def test_whatever_the_disk_does_while_messages_come_and_go_each_is_delivered_or_dropped_and_once(
    open_: Open, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "RETRY_S", 0.02)
    monkeypatch.setattr(disk, "TICK_S", 0.05)
    monkeypatch.setattr(view, "MEMORY_ENTRIES", 50)
    outbox, delivered, over = open_(max_bytes=300_000), [], threading.Event()
    told: list[int] = []

    def append(name: int) -> None:
        for each in range(4000):
            number = name * 10_000 + each
            outbox.append(
                "t",
                outboxes.message(number, 100),
                qos=1,
                rank=Rank(each % 3),
                settled=partial(told.append, number),
            )
            if each % 10 == 0:
                over.wait(0.002)

    def link() -> None:
        rolls, key = random.Random(5), 0
        while not over.is_set():
            entries = outbox.after(key, rolls.randint(1, 64))
            for entry in entries:
                if rolls.random() < 0.8:
                    outbox.remove(entry.key)
                    delivered.append(int(entry.payload[7:13]))
            key = entries[-1].key if entries and rolls.random() < 0.7 else 0
            over.wait(0.001)

    threads = [threading.Thread(target=append, args=(name,)) for name in range(2)]
    linked = threading.Thread(target=link)
    with capture_logs():
        for thread in (*threads, linked):
            thread.start()
        rolls = random.Random(7)
        while any(thread.is_alive() for thread in threads):
            wrong = rolls.choice([None, IOERR, FSYNC, error("full", sqlite3.SQLITE_FULL)])
            faults.wrong, faults.lands = None, wrong is FSYNC
            faults.wrong = wrong
            over.wait(0.03)
            faults.wrong = None
            if rolls.random() < 0.3:
                with outbox._lock:
                    outbox._is_damaged("as found by a read")
            over.wait(0.05)
        assert settled(outbox)
        assert until(lambda: not outbox._view.unsaved and not outbox._damaged and outbox._spool.is_open, 10)
        over.set()
        linked.join()
    assert len(delivered) == len(set(delivered))
    assert len(delivered) + len(outbox) + outbox.dropped == 8000
    rest = deliver(outbox)
    assert set(rest).isdisjoint(delivered)
    assert len(delivered) + len(rest) + outbox.dropped == 8000
    assert (len(outbox), outbox.depth_bytes) == (0, 0)
    assert until(lambda: len(told) >= 8000, 10)
    assert len(told) == len(set(told)) == 8000

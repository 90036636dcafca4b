import os
import threading
import time

import pytest
import structlog
from row_sources import collected, settle, text, to_the_end

from edged.errors import BadInput, InputNotFound
from edged.sources.positions import Positions
from edged.sources.tailfile import FIRST_LINES_BYTES, HEAD_BYTES, LONGEST_PAUSE_S, TailFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.csv"


@pytest.fixture
def kept(tmp_path):
    """Where positions are kept; `Positions(kept)` is what a new process sees."""
    return tmp_path / "state" / "positions.json"


@pytest.fixture
def following(path):
    """Opens a tail of ``path``, and closes it at the end."""
    opened = []

    def follow(positions=None, **options):
        tail = TailFile(path, positions=positions, **options)
        tail.open()
        opened.append(tail)
        return tail

    yield follow
    for tail in opened:
        tail.close()


def append(path, content):
    with path.open("ab") as file:
        file.write(content)


def numbered(begin, end):
    return b"".join(b"%d\n" % number for number in range(begin, end))


def test_it_begins_at_the_start_and_goes_on_with_what_is_written(path, following):
    path.write_bytes(b"1\n2\n")
    tail = following()
    assert text(collected(tail, 2)) == b"1\n2\n"
    append(path, b"3\n")
    began_s = time.monotonic()
    assert text(collected(tail, 1)) == b"3\n"
    assert time.monotonic() - began_s < 4 * LONGEST_PAUSE_S
    assert not tail.ended


def test_once_it_ends_at_the_end_and_takes_a_last_line_without_line_feed(path, following):
    path.write_bytes(b"1\n2")
    deliveries = to_the_end(following(once=True))
    assert text(deliveries) == b"1\n2"
    assert [delivery.receipt for delivery in deliveries] == [None, None]


def test_once_it_reads_everything_whatever_was_kept_and_keeps_nothing(path, kept, following):
    path.write_bytes(b"1\n2\n")
    positions = Positions(kept)
    tail = following(positions, key="k")
    settle(collected(tail, 2))
    before = positions.get("k")
    assert text(to_the_end(following(positions, key="k", once=True))) == b"1\n2\n"
    assert positions.get("k") == before


def test_an_empty_file_ends_at_once(path, following):
    path.touch()
    assert to_the_end(following(once=True)) == []


def test_a_large_file_comes_in_blocks(path, following):
    content = numbered(0, 200_000)
    path.write_bytes(content)
    deliveries = to_the_end(following(once=True))
    assert text(deliveries) == content
    assert max(len(delivery.payload) for delivery in deliveries) < 300_000


@pytest.mark.parametrize("how", ["create", "later"])
def test_a_renamed_file_is_read_to_its_end_before_the_new_one_is_begun(path, following, how):
    path.write_bytes(b"1\n")
    tail = following()
    assert text(collected(tail, 1)) == b"1\n"
    old = path.rename(path.with_suffix(".csv.1"))
    if how == "later":
        assert tail.read(0.1) == []
    path.write_bytes(b"4\n")
    append(old, b"2\n3")  # by one who has not noticed
    assert text(collected(tail, 2)) == b"2\n34\n"


def test_a_file_that_was_deleted_and_came_back_is_read_from_its_start(path, following):
    path.write_bytes(b"1\n")
    tail = following()
    collected(tail, 1)
    path.unlink()
    assert tail.read(0.1) == []
    path.write_bytes(b"2\n")
    assert text(collected(tail, 1)) == b"2\n"


@pytest.mark.parametrize("now", [b"", b"5\n", b"5\n6\n7\n8\n9\n"], ids=["emptied", "shorter", "longer"])
def test_a_file_that_was_cut_or_written_anew_is_read_from_its_start(path, following, now):
    path.write_bytes(b"1\n2\n3\nhalf")
    tail = following()
    assert text(collected(tail, 3)) == b"1\n2\n3\n"
    path.write_bytes(now)
    if not now:
        assert tail.read(0.1) == []
        now = b"again\n"
        append(path, now)
    assert text(collected(tail, now.count(b"\n"))) == now


def test_a_restart_goes_on_behind_what_is_settled_and_repeats_only_the_rest(path, kept, following):
    path.write_bytes(b"1\n2\n")
    tail = following(Positions(kept))
    first = collected(tail, 2)
    append(path, b"3\n")
    second = collected(tail, 1)
    append(path, b"4\n5")
    third = collected(tail, 1)
    settle(third)
    settle(first)
    tail.close()
    tail = following(Positions(kept))
    assert text(collected(tail, 2)) == b"3\n4\n"
    settle(second)
    append(path, b"\n")
    assert text(collected(tail, 1)) == b"5\n"


def test_what_is_read_behind_the_first_lines_brings_them_along(path, kept, following):
    """They may name the columns."""
    path.write_bytes(b"x,y\n1,2\n")
    tail = following(Positions(kept))
    first = collected(tail, 2)
    assert [one.head for one in first] == [b""]
    settle(first)
    tail.close()
    append(path, b"3,4\n")
    (delivery,) = collected(following(Positions(kept)), 1)
    assert (delivery.payload, delivery.head) == (b"3,4\n", b"x,y\n1,2\n")


def test_the_first_lines_are_few_and_whole(path, kept, following):
    path.write_bytes(b"x,y\n" + b"1,2\n" * 30_000)
    tail = following(Positions(kept))
    settle(collected(tail, 30_001))
    tail.close()
    append(path, b"3,4\n")
    (delivery,) = collected(following(Positions(kept)), 1)
    assert len(delivery.head) <= FIRST_LINES_BYTES
    assert delivery.head.startswith(b"x,y\n")
    assert delivery.head.endswith(b"1,2\n")


def test_what_settles_after_it_was_closed_counts(path, kept, following):
    path.write_bytes(b"1\n2\n")
    positions = Positions(kept)
    tail = following(positions)
    deliveries = collected(tail, 2)
    tail.close()
    settle(deliveries)
    positions.save()
    assert following(Positions(kept)).read(0.1) == []


def test_closed_and_opened_again_it_goes_on_where_it_was_though_nothing_is_settled(path, following):
    path.write_bytes(b"1\n2")
    tail = following()
    assert text(collected(tail, 1)) == b"1\n"
    tail.close()
    append(path, b"2\n")
    tail.open()
    assert text(collected(tail, 1)) == b"22\n"


def test_a_file_that_was_renamed_while_we_were_away_is_read_to_its_end_first(path, kept, following):
    path.write_bytes(numbered(0, 3))
    tail = following(Positions(kept))
    settle(collected(tail, 3))
    tail.close()
    append(path, b"3\n")
    path.rename(path.with_name("rows-20260101.csv"))
    path.write_bytes(b"4\n")
    assert text(collected(following(Positions(kept)), 2)) == b"3\n4\n"


@pytest.mark.parametrize("length", [3, 2 * HEAD_BYTES])
def test_another_file_of_the_same_name_and_inode_is_read_from_its_start_and_told(
    path, kept, following, length
):
    path.write_bytes(b"1" * length + b"\n")
    tail = following(Positions(kept))
    settle(collected(tail, 1))
    tail.close()
    path.write_bytes(b"2" * length + b"\n3\n")
    with structlog.testing.capture_logs() as logs:
        tail = following(Positions(kept))
    assert [one["event"] for one in logs] == ["another file than before, read from its start"]
    assert text(collected(tail, 2)) == b"2" * length + b"\n3\n"


def test_kills_at_any_moment_lose_no_line_and_repeat_only_what_was_not_settled(path, kept):
    """Ten lives; each reads some, settles some, and is gone without a word. Meanwhile the file grows and is rotated."""
    path.touch()
    seen, settled = [], set()
    for life in range(10):
        append(path, numbered(life * 100, life * 100 + 50))
        positions = Positions(kept)
        tail = TailFile(path, positions=positions)
        tail.open()
        deliveries = collected(tail, 1)
        append(path, numbered(life * 100 + 50, life * 100 + 100))
        deliveries += collected(tail, 1)
        for delivery in deliveries[: life % 3]:
            settle([delivery])
        lines = [int(line) for line in text(deliveries).split()]
        assert not settled & set(lines)
        settled |= {int(line) for line in text(deliveries[: life % 3]).split()}
        seen += lines
        positions.save()
        os.close(tail._file)  # as the kernel does; nothing else of a killed process happens
        if life % 4 == 3:
            path.rename(path.with_name(f"rows.csv.{life}"))
            path.touch()
    tail = TailFile(path, positions=Positions(kept))
    tail.open()
    end_s = time.monotonic() + 3
    while set(seen) != set(range(1000)) and time.monotonic() < end_s:
        seen += [int(line) for line in text(tail.read(0.5)).split()]
    tail.close()
    assert set(seen) == set(range(1000))


def test_rotation_under_a_writer_in_a_hurry_loses_nothing(path, following):
    path.touch()
    tail = following()

    def write():
        for part in range(3):
            for number in range(part * 100, part * 100 + 100):
                append(path, b"%d\n" % number)
            if part < 2:
                rotated.wait(10)
                rotated.clear()
                path.rename(path.with_name(f"rows.csv.{part}"))

    rotated = threading.Event()
    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while len(seen) < 300:
        seen += [int(line) for line in text(collected(tail, 1)).split()]
        if len(seen) in {100, 200}:
            rotated.set()
    writer.join(5)
    assert seen == list(range(300))


def test_a_line_too_long_is_read_again_after_a_restart_and_the_next_is_not_lost(path, kept, following):
    path.write_bytes(b"1\n" + b"x" * 2_000_000)
    tail = following(Positions(kept))
    settle(collected(tail, 2))
    tail.close()
    append(path, b"\n2\n")
    assert text(collected(following(Positions(kept)), 2)).endswith(b"xx\n2\n")


def test_a_file_that_is_not_there_or_is_none_is_told(path, tmp_path):
    with pytest.raises(InputNotFound, match=r"rows\.csv: no such file"):
        TailFile(path).open()
    with pytest.raises(BadInput, match="is no file"):
        TailFile(tmp_path).open()

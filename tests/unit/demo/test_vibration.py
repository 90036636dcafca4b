"""The signal of the demo: what is played, how fast, and what happens where nobody reads."""

import os
import select
import threading
import time
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged import bundle
from edged.demo import vibration
from edged.demo.vibration import FAULT_TIMES, FAULTS, NORMAL, NORMAL_TIMES, ROWS_PER_S, Pace, Player, story

RECORDINGS = {label: [f"{label} {row}\n".encode() for row in range(10)] for label in (NORMAL, *FAULTS)}


class Clock:
    """Time that passes when a test says so."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "motor.fifo"
    os.mkfifo(path)
    return path


def reader(fifo: Path) -> int:
    return os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)


def read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 1 << 20)
    except BlockingIOError:
        return b""


def numbered() -> list[bytes]:
    return [b"%d,0,0\n" % number for number in range(ROWS_PER_S * 60)]


def test_faults_take_turns_and_a_sound_bearing_is_heard_between_them() -> None:
    rows = len(RECORDINGS[NORMAL])
    part = list(islice(story(RECORDINGS), 4 * rows * (NORMAL_TIMES + FAULT_TIMES)))
    windows = [{row.split()[0].decode() for row in part[at : at + rows]} for at in range(0, len(part), rows)]
    expected = [
        {label} for fault in (*FAULTS, FAULTS[0]) for label in [NORMAL] * NORMAL_TIMES + [fault] * FAULT_TIMES
    ]
    assert windows == expected


def test_a_recording_is_played_whole_and_begins_elsewhere_each_time() -> None:
    first, second = (list(islice(story(RECORDINGS), at, at + 10)) for at in (0, 10))
    assert first == RECORDINGS[NORMAL]
    assert second != first
    assert sorted(second) == sorted(first)


def test_the_bundled_recordings_are_windows_of_three_axes() -> None:
    for label in (NORMAL, *FAULTS):
        rows = vibration.recording(bundle.golden("bearing-vibration", label))
        assert len(rows) == 8192
        assert {row.count(b",") for row in rows} == {2}
        assert all(row.endswith(b"\n") for row in rows)


@given(st.lists(st.floats(0.0, 0.2), max_size=50))
def test_rows_are_due_as_the_clock_says_however_often_it_is_asked(steps: list[float]) -> None:
    pace, now_s, given_rows = Pace(ROWS_PER_S, began_s=5.0), 5.0, 0
    for step in steps:
        now_s += step
        given_rows += pace.due(now_s)
        assert given_rows == pytest.approx((now_s - 5.0) * ROWS_PER_S, abs=1.01)


def test_time_that_was_missed_is_not_made_up_for() -> None:
    pace = Pace(ROWS_PER_S, began_s=0.0, max_late_s=0.25)
    assert pace.due(3600.0) == pytest.approx(0.25 * ROWS_PER_S, abs=1)
    assert pace.due(3600.0) == 0
    assert pace.due(3600.1) == pytest.approx(0.1 * ROWS_PER_S, abs=1)


def test_nothing_is_taken_from_the_story_before_somebody_reads(fifo: Path) -> None:
    clock, rows = Clock(), iter(numbered())
    player = Player(fifo, rows, monotonic=clock)
    for _ in range(5):
        clock.now_s += 1.0
        player.beat()
    assert next(rows) == b"0,0,0\n"
    pipe = reader(fifo)
    player.beat()
    assert read(pipe) == b""
    clock.now_s += 0.01
    player.beat()
    assert read(pipe).count(b"\n") == pytest.approx(0.01 * ROWS_PER_S, abs=1)
    player.close()
    os.close(pipe)


def test_who_does_not_read_makes_the_signal_late_and_loses_no_row(fifo: Path) -> None:
    clock, rows = Clock(), numbered()
    taken = iter(rows)
    player, pipe = Player(fifo, taken, monotonic=clock), reader(fifo)
    for _ in range(600):
        player.beat()
        clock.now_s += 0.05
    heard = read(pipe)
    assert len(heard) <= 1 << 20, "a pipe holds a second or two"
    for _ in range(5):
        clock.now_s += 0.05
        player.beat()
        heard += read(pipe)
    assert 0 < heard.count(b"\n") < 5 * ROWS_PER_S
    assert b"".join(rows).startswith(heard)
    player.close()
    os.close(pipe)


def test_the_next_reader_begins_with_a_whole_row(fifo: Path) -> None:
    clock = Clock()
    player, pipe = Player(fifo, iter(numbered()), monotonic=clock), reader(fifo)
    for _ in range(200):  # until the pipe is full
        player.beat()
        clock.now_s += 0.05
    os.close(pipe)
    player.beat()
    pipe = reader(fifo)
    for _ in range(2):
        clock.now_s += 0.05
        player.beat()
    first, _, _ = read(pipe).partition(b"\n")
    assert first.endswith(b",0,0")
    player.close()
    os.close(pipe)


def test_a_fifo_that_is_gone_is_no_reader(tmp_path: Path) -> None:
    player = Player(tmp_path / "none", iter(numbered()))
    player.beat()
    player.close()


@pytest.mark.parametrize("reads", [True, False], ids=["read", "unread"])
def test_playing_ends_with_its_context_at_once(fifo: Path, reads: bool) -> None:
    pipe = reader(fifo) if reads else None
    with vibration.played(Player(fifo, story(RECORDINGS))):
        assert "demo-vibration" in {thread.name for thread in threading.enumerate()}
        if pipe is not None:
            assert select.select([pipe], [], [], 5.0)[0]
            assert os.read(pipe, 10)
            os.set_blocking(pipe, True)
        ends_s = time.monotonic()
    assert time.monotonic() - ends_s < 0.9
    assert "demo-vibration" not in {thread.name for thread in threading.enumerate()}
    if pipe is not None:
        while os.read(pipe, 1 << 20):  # ends: nobody writes any more
            pass
        os.close(pipe)

import faulthandler
import json
import os
import sys
import time
from pathlib import Path

import pytest
import structlog
from mosquitto_broker import until

from edged.service.runfile import CRASH, RUN, RunFile


@pytest.fixture(autouse=True)
def crashes_go_where_they_went():
    yield
    faulthandler.enable(sys.__stderr__)


@pytest.fixture
def logged():
    with structlog.testing.capture_logs() as lines:
        yield lines


def written(folder) -> dict:
    return json.loads((folder / RUN).read_text())


def finished(folder, code: int = 0, why: str = "") -> RunFile:
    run = RunFile(folder)
    run.begin()
    run.ended(code, why)
    return run


def test_the_first_run_knows_of_none_before(tmp_path, logged):
    run = finished(tmp_path / "state")
    assert run.previous is None
    assert logged == []
    assert written(tmp_path / "state")["code"] == 0


def test_the_next_run_knows_how_it_ended(tmp_path, logged):
    finished(tmp_path, 74, "disk: full")
    run = RunFile(tmp_path)
    run.begin()
    assert (run.previous.how, run.previous.why) == ("error", "disk: full")
    assert [line["how"] for line in logged] == ["error"]
    run.ended(0)
    assert RunFile(tmp_path).previous.how == "clean"


def test_a_run_that_could_not_end_was_killed_and_what_was_written_of_a_crash_is_read_once(tmp_path):
    run = RunFile(tmp_path)
    run.begin()
    assert until((tmp_path / RUN).exists, 5)
    (tmp_path / CRASH).write_text(
        "Fatal Python error: Bus error\n\nCurrent thread 0x1 (most recent call first):\n"
    )
    later_s = time.time() + 3600
    os.utime(tmp_path / CRASH, (later_s, later_s))
    second = RunFile(tmp_path)
    assert (second.previous.how, second.previous.why) == ("crash", "SIGBUS")
    assert second.previous.at_s == pytest.approx(later_s, abs=0.1)
    second.begin()
    assert until(lambda: (tmp_path / CRASH).read_text() == "", 5)
    assert RunFile(tmp_path).previous.how == "killed"


def test_a_hang_and_an_end_that_has_begun_are_written_down_at_once(tmp_path):
    run = RunFile(tmp_path)
    run.begin()
    run.hangs("thread outbox")
    assert until(lambda: (tmp_path / RUN).exists() and written(tmp_path)["hung"] == "thread outbox", 5)
    assert RunFile(tmp_path).previous.how == "watchdog"
    run.hangs("")
    run.ending("SIGTERM")
    assert until(lambda: written(tmp_path)["ending"] == "SIGTERM", 5)
    assert RunFile(tmp_path).previous.how == "signal"


def test_a_living_run_touches_its_file(tmp_path):
    run = RunFile(tmp_path)
    run.begin()
    assert until((tmp_path / RUN).exists, 5)
    os.utime(tmp_path / RUN, (1.0, 1.0))
    run.touch()
    assert until(lambda: (tmp_path / RUN).stat().st_mtime > time.time() - 60, 5)
    os.utime(tmp_path / RUN, (1.0, 1.0))
    run.touch()  # once a minute is enough
    run.ended(0)
    assert RunFile(tmp_path).previous.at_s > 1.0


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100, b"x" * 100_000])
def test_a_damaged_file_is_said_and_written_anew(tmp_path, logged, content):
    (tmp_path / RUN).write_bytes(content)
    run = RunFile(tmp_path)
    assert run.previous is None
    assert len(logged) == 1
    run.begin()
    run.ended(0)
    assert RunFile(tmp_path).previous.how == "clean"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")
def test_the_file_of_a_process_that_lives_is_left_alone(tmp_path, logged):
    run = RunFile(tmp_path)
    run.begin()
    assert until((tmp_path / RUN).exists, 5)
    values = written(tmp_path)
    begun = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
    content = json.dumps(values | {"pid": 1, "begun_ticks": begun})
    run.ended(0)
    (tmp_path / RUN).write_text(content)
    other = RunFile(tmp_path)
    assert other.previous is None
    assert any("another edged" in line["event"] for line in logged)
    other.begin()
    other.touch()
    other.ended(0)
    assert (tmp_path / RUN).read_text() == content


def test_without_a_folder_nothing_is_kept_and_nothing_fails():
    run = RunFile(None)
    run.begin()
    run.touch()
    run.hangs("x")
    run.ended(0)
    assert run.previous is None


def test_a_folder_that_cannot_be_made_costs_only_the_knowledge(tmp_path, logged):
    (tmp_path / "file").write_text("")
    run = RunFile(tmp_path / "file" / "state")
    run.begin()
    run.ended(0)
    assert any("will not be known" in line["event"] for line in logged)

"""One publisher at a time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edged.errors import CannotWrite, InputNotFound
from edged.repository.lock import locked


def test_a_second_publisher_is_told_that_there_is_a_first(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(CannotWrite, match="another process"),
        locked(tmp_path, timeout_s=0.1),
    ):
        pytest.fail("both hold it")


def test_a_lock_is_let_go(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path, timeout_s=0):
            pass


def test_the_lock_of_a_killed_process_is_nobodys(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\nfrom edged.repository.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CannotWrite), locked(tmp_path, timeout_s=0):
            pytest.fail("both hold it")
        holder.kill()
        holder.wait(10)
    before = time.monotonic()
    with locked(tmp_path):
        assert time.monotonic() - before < 5


def test_no_folder_no_lock(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="edged publish init"), locked(tmp_path / "nothing"):
        pytest.fail("held")

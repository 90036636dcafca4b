"""Whether a service could start a program."""

import sysconfig
from pathlib import Path

import pytest

from edged.errors import InputNotFound, UsageError
from edged.installation import checks


def a_program(folder: Path, name: str = "edged", mode: int = 0o755) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    (folder / name).chmod(mode)
    return folder / name


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder that counts as none of those which the service runs nothing, and that everyone may enter."""
    monkeypatch.setattr(checks, "BARRED", ("/home", "/root"))
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == tmp_path.stat().st_uid and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o001)
    return tmp_path


@pytest.mark.parametrize(
    "folder",
    [
        "/home/me/venv/bin",
        "/root",
        "/tmp/venv/bin",
        "/run/user/1000/bin",
        "/var/lib/edged/env/bin",
    ],
)
def test_where_the_service_runs_nothing_is_refused(folder):
    with pytest.raises(
        UsageError, match=r"the service runs nothing that is in /\w+.*; make an environment in /opt/edged"
    ):
        checks.check_path(Path(folder) / "edged")


@pytest.mark.parametrize(
    "path", ["/opt/edged/bin/edged", "/usr/local/bin/edged", "/homes/edged", "/srv/a b/edged"]
)
def test_other_places_are_fine(path):
    checks.check_path(Path(path))


@pytest.mark.parametrize("sign", ['"', "'", "\\", "$", "\n", ";"])
def test_what_a_unit_would_read_as_something_else_is_refused(sign):
    with pytest.raises(UsageError, match="a unit of systemd cannot name such a path"):
        checks.check_path(Path(f"/opt/a{sign}b/edged"))


def test_an_environment_that_everyone_may_enter_is_fine(outside):
    program = a_program(outside / "env" / "bin")
    python = a_program(outside / "python" / "bin", "python3")
    (outside / "env" / "bin" / "python").symlink_to(python)
    checks.check_program(program, outside / "env" / "bin" / "python")


def test_an_interpreter_behind_a_closed_folder_is_named_with_what_opens_it(outside):
    program = a_program(outside / "env" / "bin")
    python = a_program(outside / "mine" / "bin", "python3")
    (outside / "env" / "bin" / "python").symlink_to(python)
    (outside / "mine").chmod(0o750)
    with pytest.raises(
        UsageError, match=rf"{outside}/mine: .*may not go there.*; chmod o\+rx {outside}/mine"
    ):
        checks.check_program(program, outside / "env" / "bin" / "python")


def test_an_interpreter_in_a_home_is_refused_although_the_environment_is_not(outside, monkeypatch):
    program = a_program(outside / "env" / "bin")
    python = a_program(outside / "home" / "me" / "bin", "python3")
    (outside / "env" / "bin" / "python").symlink_to(python)
    monkeypatch.setattr(checks, "BARRED", (str(outside / "home"),))
    with pytest.raises(UsageError, match=r"bin/python3: the service runs nothing"):
        checks.check_program(program, outside / "env" / "bin" / "python")


def test_the_program_of_this_environment_is_found_and_missed(tmp_path, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(InputNotFound, match="not installed as a command"):
        checks.this_program()
    program = a_program(tmp_path)
    assert checks.this_program() == program

"""Whether the service, which runs as a user of its own and sees no homes, could start this edged."""

import stat
import sys
import sysconfig
from pathlib import Path

from edged.errors import InputNotFound, UsageError

BARRED = ("/home", "/root", "/run/user", "/tmp", "/var/tmp", "/var/lib/edged", "/var/cache/edged")  # noqa: S108
"""ProtectHome and PrivateTmp of the units hide the first ones, NoExecPaths runs nothing in the others."""
_UNFIT = frozenset("\"'\\$\n\t\r;")
_REMEDY = "make an environment in /opt/edged with the system's Python, install edged there, and run this command of it"


def this_program() -> Path:
    """The command `edged` of the environment that runs this.

    Raises:
        InputNotFound: There is none, as in a checkout that was not installed.
    """
    program = Path(sysconfig.get_path("scripts")) / "edged"
    if not program.is_file():
        raise InputNotFound(str(program), "this edged is not installed as a command", "pip install it first")
    return program


def check_program(program: Path, interpreter: Path) -> None:
    """See that the user of the service can start this edged.

    Args:
        program: The command `edged`.
        interpreter: The Python that runs it, links not followed.

    Raises:
        UsageError: It lies where the service runs nothing, or may not go, or its path cannot stand in a unit.
    """
    for path in (program, interpreter, interpreter.resolve()):
        check_path(path)
        if closed := next((one for one in (path, *path.parents) if not _open_to_all(one)), None):
            problem = f"the user of the service may not go there, so it cannot start {program}"
            raise UsageError(str(closed), problem, f"chmod o+rx {closed}")


def check_path(path: Path) -> None:
    """See that a unit can name a path and the service may run what is there.

    Raises:
        UsageError: Not so.
    """
    if _UNFIT & set(str(path)):
        raise UsageError(str(path), "a unit of systemd cannot name such a path", _REMEDY)
    if barred := next((folder for folder in BARRED if path.is_relative_to(folder)), None):
        problem = f"the service runs nothing that is in {barred}, so it cannot start this edged"
        raise UsageError(str(path), problem, _REMEDY)


def this_interpreter() -> Path:
    """The Python that runs this."""
    return Path(sys.executable)


def _open_to_all(path: Path) -> bool:
    """Whether everyone may enter a folder, or run a file."""
    try:
        return bool(path.stat().st_mode & stat.S_IXOTH)
    except OSError:
        return False

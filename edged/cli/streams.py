"""The standard streams of a command: open, fit for every sign, and said to be full when they are."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence

from edged.errors import CannotWrite

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def prepare(arguments: Sequence[str]) -> None:
    """Make them fit, before anything is opened or written.

    One that was closed (``2>&-``) leads nowhere, or the next file that is opened would take its place. What is for
    people has an escape for each sign that its encoding lacks; JSON is UTF-8 whatever the locale says.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            _lead_nowhere(number)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if "--json" in arguments and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def drop_output() -> None:
    """Whoever reads standard output has gone, or its disk is full: what is still to be written goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        _lead_nowhere(sys.stdout.fileno())


def output_refused(error: Exception) -> CannotWrite | None:
    """What went wrong, where it is that standard output takes nothing more.

    Files that a command writes say so themselves: what reaches this names no file.
    """
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in _FULL:
        return None
    drop_output()
    problem = f"cannot be written ({(error.strerror or str(error)).lower()})"
    return CannotWrite("standard output", problem, "check the disk that it goes to")


def _lead_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == number:
        os.set_inheritable(number, True)  # as the standard streams are
        return
    os.dup2(nowhere, number)
    os.close(nowhere)

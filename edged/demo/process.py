"""A process of the demo: ended when nobody needs it, and whatever becomes of who started it.

`started` is the starter's side, `main` what runs in the process: PARENT MODULE ARGUMENT...
"""

import contextlib
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from edged.worker import limits

PROGRAM = (
    f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); "
    "from edged.demo.process import main; main(sys.argv[1:])"
)
"""With -P nothing is imported from the working directory; edged itself is found where this one was."""
END_S = 6.0
"""For a clean end; the daemon takes four seconds at most."""


@contextlib.contextmanager
def started(
    module: str, *arguments: str, log: Path, stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[str]]:
    """A module run as a program, ended with the context.

    Args:
        module: As after ``python -m``.
        arguments: Of the program.
        log: Takes its standard error.
        stdout: As for `subprocess.Popen`.
    """
    # The settings of a real daemon on this machine are not those of the demo's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EDGED_")}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, str(os.getpid()), module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            text=True,
            start_new_session=True,  # Ctrl-C is the demo's to handle: what is left ends in order
        )
    with process:
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()


def main(arguments: list[str]) -> None:
    """Run a module until its end or the parent's."""
    parent, module, *rest = arguments
    limits.end_with(int(parent))
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

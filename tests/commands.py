"""Runs commands of edged as a user would, and looks at what comes out."""

import os
import re
import subprocess
import sys
from typing import Any

Done = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would change what a command does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("EDGED_") and "proxy" not in name.lower()
    }
    return kept | more


def process(*arguments: object, before: str = "", **options: Any) -> Done:
    """Runs a command as a process of its own; ``before`` is executed in it first."""
    program = f"{before}\nfrom edged.cli import main\nmain()"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(), **options)


def failed(done: Done, code: int, said: str) -> str:
    """A command ended with this code and one line that says this; the line."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("edged: ")
    assert re.search(said, done.stderr), done.stderr
    return done.stderr

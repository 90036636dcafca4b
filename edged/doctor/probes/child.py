"""A question answered by a process of its own, because what it asks is native code that may hang or crash."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAM = (
    "import sys, json; early = 'onnxruntime' in sys.modules; "
    f"sys.path.append({str(Path(__file__).parents[3])!r}); "
    "from {module} import answer; "
    "print(chr(10) + json.dumps(answer(json.loads(sys.argv[1]), early)))"
)
"""With -P nothing is imported from the working directory; edged itself is found where this one was."""


class NoAnswerError(Exception):
    """It gave none; the text says how it ended."""


class NotAskedError(NoAnswerError):
    """It could not be started, or was given too little time: that says nothing of what it asks."""


def ask(module: str, question: object, *, timeout_s: float) -> Mapping[str, Any]:
    """What the function ``answer`` of a module says.

    Args:
        module: Imported in the process.
        question: JSON value, for the function.
        timeout_s: For all of it.

    Raises:
        NoAnswerError: The process ended without one.
        NotAskedError: It could not be started, or was killed because the time was up.
    """
    program = PROGRAM.replace("{module}", module)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, json.dumps(question)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise NotAskedError(f"the process that asked gave no answer within {timeout_s:.0f} s") from error
    except OSError as error:
        raise NotAskedError(f"no process can be started ({error.strerror})") from error
    if done.returncode:
        raise NoAnswerError(f"the process that asked ended with {_ending(done)}")
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _ending(done: "subprocess.CompletedProcess[bytes]") -> str:
    """``SIGSEGV``, or the last line that an exception left."""
    if done.returncode < 0:
        return signal.Signals(-done.returncode).name
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else f"exit {done.returncode}"

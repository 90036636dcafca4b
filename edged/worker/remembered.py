"""What was chosen at an earlier start, so that the next one makes only that session.

A file an entry, in `folder`. What cannot be read, or was written for something else, is as if it were not there.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.files import write_whole
from edged.inference.tuning import Tuning
from edged.worker.agreement import MAX_DIFFERENCE, difference
from edged.worker.choice import Choice

MAX_ENTRIES = 200
MAX_ENTRY_BYTES = 512 * 1024
HAMPERED_S = 3600.0
"""What was measured while cores or memory were short is measured again after so long."""
MAX_OUTPUTS, MAX_VALUES = 32, 256
"""Of an answer that is kept, to know it again."""
_PRECISIONS = frozenset({"f32", "f16", "bf16"})
_MAX_THREADS = 1024


@dataclass(frozen=True, slots=True)
class Remembered:
    """What serves, and what it answered when it was chosen.

    Attributes:
        tuning: How its session is made.
        choice: For the description.
        answer: See `sketch`.
        available: Providers that this installation offered.
        hampered: Whether cores or memory were short when it was measured.
    """

    tuning: Tuning
    choice: Choice
    answer: Sequence[Mapping[str, Any]]
    available: tuple[str, ...]
    hampered: bool = False

    def agrees(self, outputs: Sequence[NDArray[Any]]) -> bool:
        """Whether the answer to the same input is what it was."""
        now = sketch(outputs)
        if [one["shape"] for one in now] != [one["shape"] for one in self.answer]:
            return False
        return difference(_values(self.answer), _values(now)) <= MAX_DIFFERENCE


def sketch(outputs: Sequence[NDArray[Any]]) -> list[Mapping[str, Any]]:
    """Shape and a few evenly picked values of each numeric output."""
    floats = [output for output in outputs if np.issubdtype(output.dtype, np.floating)][:MAX_OUTPUTS]
    return [{"shape": list(output.shape), "values": _picked(output)} for output in floats]


def _picked(output: NDArray[Any]) -> list[float]:
    count = min(output.size, MAX_VALUES)
    places = np.linspace(0, max(0, output.size - 1), count).round().astype(np.intp)
    return [float(value) for value in output.reshape(-1)[places]]


def _values(answer: Sequence[Mapping[str, Any]]) -> list[NDArray[Any]]:
    return [np.array(one["values"], np.float64) for one in answer]


def folder() -> Path:
    """Where entries are: of systemd's ``CacheDirectory=``, else of the user's cache.

    Raises:
        RuntimeError: This user has no home.
    """
    given = os.environ.get("CACHE_DIRECTORY", "").split(":")[0]  # systemd lists several so
    if given:
        return Path(given) / "choices"
    user = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(user) if os.path.isabs(user) else Path.home() / ".cache") / "edged" / "choices"  # noqa: PTH117


def recall(key: Mapping[str, Any]) -> Remembered | None:
    """What was chosen for this; None where nothing readable is kept.

    Args:
        key: JSON values of all that the choice depends on.
    """
    try:
        with _path(key).open("rb") as file:
            age_s = time.time() - os.fstat(file.fileno()).st_mtime
            entry = json.loads(file.read(MAX_ENTRY_BYTES))
        is_old = bool(entry["hampered"]) and not 0 <= age_s <= HAMPERED_S
        return None if is_old or entry["key"] != dict(key) else _read(entry)
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError):
        return None


def _read(entry: Mapping[str, Any]) -> Remembered:
    answer = [{"shape": list(one["shape"]), "values": list(one["values"])} for one in entry["answer"]]
    choice = Choice.from_dict({**entry["choice"], "recalled": True})
    found = Remembered(_tuning(entry["tuning"]), choice, answer, tuple(map(str, entry["available"])))
    for each in (choice.text, *choice.lines, *_values(answer)):  # whatever cannot be used fails here
        del each
    return found


def remember(key: Mapping[str, Any], found: Remembered) -> str:
    """Keep it; why it could not be kept, else empty."""
    entry = {
        "key": dict(key),
        "tuning": asdict(found.tuning),
        "choice": asdict(found.choice),
        "answer": list(found.answer),
        "available": list(found.available),
        "hampered": found.hampered,
    }
    try:
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(entry).encode())
    except OSError as error:
        return f"{path.parent} cannot be written ({error.strerror or error})"
    except RuntimeError:
        return "this user has no home folder, and XDG_CACHE_HOME is not set"
    _prune(path.parent)
    return ""


def _path(key: Mapping[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return folder() / f"{digest[:32]}.json"


def _tuning(values: Mapping[str, Any]) -> Tuning:
    """Checked: native code is told these values.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    tuning = Tuning(**values)
    numbers = (tuning.threads, tuning.callers)
    if not isinstance(tuning.provider, str) or tuning.precision not in _PRECISIONS:
        raise ValueError(tuning)
    if not all(isinstance(number, int) and 0 <= number <= _MAX_THREADS for number in numbers):
        raise ValueError(tuning)
    return tuning


def _prune(where: Path) -> None:
    """Leave the newest only, and nothing that a power cut left half written."""
    with contextlib.suppress(OSError):
        found = sorted(where.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for path in found[: max(0, len(found) - MAX_ENTRIES)]:
            path.unlink(missing_ok=True)

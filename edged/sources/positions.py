"""Up to where files were read and all that came of it is safe, kept over a restart.

Deliveries of a file settle in any order; what counts is how far they are settled without a hole. What a crash leaves
unsettled is read again, so its results may come twice, and none is missing.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from edged.files import write_whole
from edged.rows import Receipt

SAVE_S = 1.0
"""Between two writings; after a power cut as much may be read a second time."""
MAX_BYTES = 4 * 1024 * 1024
"""Of the file; one that is larger was not written by us."""
SCHEMA = "edged.positions/1"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file, and what tells that file from another of the same name.

    Attributes:
        inode: Of the file.
        offset: In bytes, where a line begins.
        head_digest: Of the first bytes of the file, as many as were read and `edged.sources.tailfile` compares.
    """

    inode: int
    offset: int
    head_digest: str


class Positions:
    """Every sensor's position, in one JSON file. Any thread may call.

    `put` costs nothing; `save_if_due` is called by the threads that read, `save` when everything is settled that
    will be.
    """

    def __init__(self, path: Path | None) -> None:
        """Read what was kept; a file that cannot be read counts as empty, with a warning.

        Args:
            path: Of the file; None keeps nothing over a restart.
        """
        self._path = path
        self._positions = _read(path) if path else {}
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._changed, self._warned = False, False
        self._saved_s = float("-inf")

    def get(self, key: str) -> Position | None:
        """What was put last; None where nothing was."""
        with self._lock:
            return self._positions.get(key)

    def put(self, key: str, position: Position) -> None:
        """Remember it; it is written later."""
        with self._lock:
            self._positions[key] = position
            self._changed = True

    def save_if_due(self) -> None:
        """Write the file, if it changed and the last writing is a second ago."""
        if self._changed and time.monotonic() - self._saved_s >= SAVE_S:
            self.save()

    def save(self) -> None:
        """Write the file, if it changed. A disk that cannot be written is logged, and tried again later."""
        with self._writing:
            with self._lock:
                if self._path is None or not self._changed:
                    return
                content = _rendered(self._positions)
                self._changed = False
            self._saved_s = time.monotonic()
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._path, content)
                self._warned = False
            except OSError as error:
                self._changed = True
                if not self._warned:
                    log.warning("positions cannot be kept", path=str(self._path), problem=error.strerror)
                self._warned = True


class SettledPrefix:
    """Of the deliveries of one file, how far they are settled without a hole. Any thread may let go of a receipt."""

    def __init__(self, keep: Callable[[Position], None]) -> None:
        """Nothing is on its way.

        Args:
            keep: Told of each position up to which all is settled; must not block.
        """
        self._keep = keep
        self._lock = threading.Lock()
        self._on_their_way: deque[_Entry] = deque()

    def receipt(self, position: Position) -> Receipt:
        """For a delivery that ends at ``position``; to be asked for in the order of the file."""
        entry = _Entry(position)
        with self._lock:
            self._on_their_way.append(entry)
        return Receipt(lambda: self._settle(entry))

    def _settle(self, entry: "_Entry") -> None:
        with self._lock:
            entry.settled = True
            last: Position | None = None
            while self._on_their_way and self._on_their_way[0].settled:
                last = self._on_their_way.popleft().position
            if last is not None:
                self._keep(last)


@dataclass(slots=True, eq=False)
class _Entry:
    position: Position
    settled: bool = False


def _rendered(positions: dict[str, Position]) -> bytes:
    entries = {
        key: {"inode": position.inode, "offset": position.offset, "head": position.head_digest}
        for key, position in positions.items()
    }
    return json.dumps({"schema": SCHEMA, "positions": entries}, indent=1).encode()


def _read(path: Path) -> dict[str, Position]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        return _parsed(content)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("positions are lost: files are read from their start", path=str(path), problem=str(error))
        return {}


def _parsed(content: bytes) -> dict[str, Position]:
    if len(content) > MAX_BYTES:
        raise ValueError("too large")
    entries: Any = json.loads(content)["positions"]
    return {
        str(key): Position(int(entry["inode"]), max(0, int(entry["offset"])), str(entry["head"]))
        for key, entry in entries.items()
    }

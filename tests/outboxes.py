"""Outboxes on disk for tests, filled with messages that carry a number. The fixtures that close them: `conftest.py`."""

import tempfile
from pathlib import Path
from typing import Any

from mosquitto_broker import until

from edged.outbox import DiskOutbox, Gap, Rank

OPEN: list[DiskOutbox] = []
"""To be closed when the test is over."""


def outbox(
    folder: Path | None = None, max_bytes: int = 64 << 20, max_age_s: float = 3600.0, **options: Any
) -> DiskOutbox:
    """One that has begun; without a folder, in one of its own."""
    box = DiskOutbox(folder or Path(tempfile.mkdtemp()) / "outbox", max_bytes, max_age_s, **options)
    OPEN.append(box)
    box.start()
    return box


def close_all() -> None:
    for box in OPEN:
        box.close(10)
    OPEN.clear()


def told(gap: Gap) -> tuple[str, bytes]:
    return "gap", f"{gap.reason} {gap.count}".encode()


def message(number: int, size: int = 20) -> bytes:
    return b'{"id":"%06d"}' % number + b" " * (size - 15)


def put(box: DiskOutbox, *numbers: int, size: int = 20, rank: Rank = Rank.RESULT) -> None:
    for number in numbers:
        box.append("t", message(number, size), qos=1, rank=rank)


def numbers(box: DiskOutbox, key: int = 0, limit: int = 100_000) -> list[int]:
    return [int(entry.payload[7:13]) for entry in box.after(key, limit) if entry.topic == "t"]


def holds(box: DiskOutbox, count: int) -> bool:
    """It is open, and so many wait, all of them seen."""
    return until(lambda: len(box.after(0, 1_000_000)) >= count, 10)

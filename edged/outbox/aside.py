"""Messages that no broker takes, kept for people: ``set-aside.jsonl``, a line each, bounded."""

import json
import os
from pathlib import Path

from edged.outbox.records import Entry

MAX_BYTES = 1 << 20
"""Of the file; the one before it is kept as well."""

MAX_PAYLOAD = 4096
"""Characters of a payload that are kept."""


def keep(folder: Path, entry: Entry, why: str, at: str) -> None:
    """Write an entry down.

    Args:
        folder: Of the outbox.
        entry: What was refused.
        why: By whom, and why.
        at: When, as text.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / "set-aside.jsonl"
    payload = entry.payload.decode(errors="replace")
    line = {
        "at": at,
        "why": why,
        "topic": entry.topic,
        "bytes": len(entry.payload),
        "payload": payload[:MAX_PAYLOAD],
    }
    if path.exists() and path.stat().st_size > MAX_BYTES:
        os.replace(path, path.with_suffix(".1.jsonl"))  # noqa: PTH105  # atomic, and over an older one
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")

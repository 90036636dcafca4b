"""Where messages wait until the broker has acknowledged them.

    pipeline ── append ──→ outbox ── after(key) ──→ link ──→ broker
                             ↑                        │
                             └──────── remove(key) ←──┘ PUBACK

The pipeline appends and forgets; the link takes entries in order and removes each one only when it is delivered. What
is over the bound goes by rank, then oldest first, and is counted: subscribers are told of each gap.
"""

from edged.outbox.disk import DiskOutbox
from edged.outbox.memory import MemoryOutbox
from edged.outbox.records import Entry, Gap, Outbox, Rank

__all__ = ["DiskOutbox", "Entry", "Gap", "MemoryOutbox", "Outbox", "Rank"]

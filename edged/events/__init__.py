"""From tracks to what subscribers want to know: that an object came, where it is, what it does, and that it went.

    TrackedFrame ─┐
    zones, lines ─┴→ `EventBook` ─→ `Event`: start, update …, end   and counts by label, zone and line

Pure: no clock, no file, no thread.
"""

from edged.events.book import BookUpdate, EventBook
from edged.events.followed import BookOptions
from edged.events.lines import Line, LineMap

__all__ = ["BookOptions", "BookUpdate", "EventBook", "Line", "LineMap"]

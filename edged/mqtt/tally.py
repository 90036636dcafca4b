"""What a subscriber can tell of the devices on a broker from their messages alone.

Pure: messages and times in, rows out. Nothing of a payload is trusted: it may come from anybody who may publish.
"""

import json
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from edged.mqtt import topics
from edged.mqtt.records import Received

RATE_OVER_S = 10.0
MAX_IDS = 4096
"""Ids remembered of each source, to tell a duplicate."""

MAX_SOURCES = 2000
"""Sources listed; more are ignored, so that a stranger cannot fill the memory."""

MAX_TEXT = 200

_RESULTS = {("camera", "detections"), ("sensor", "result")}


@dataclass(slots=True)
class Row:
    """One source of one device, or the device itself.

    Attributes:
        device: The box.
        source: ``camera/front``, ``sensor/pump``, ``model/vehicles``; empty for the device itself.
        state: As it says.
        why: As it says.
        messages: Results, duplicates left out.
        gaps: Sequence numbers that never came, between the first and the last that did.
        duplicates: Results with an id that was seen before.
        replayed: Results that had waited for the broker.
        latest: The newest result in words.
        rate: Results a second over the last ten.
    """

    device: str
    source: str
    state: str = ""
    why: str = ""
    messages: int = 0
    gaps: int = 0
    duplicates: int = 0
    replayed: int = 0
    latest: str = ""
    rate: float = 0.0


@dataclass(slots=True)
class _Seen:
    row: Row
    ids: OrderedDict[str, None] = field(default_factory=OrderedDict)
    arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))
    sequence: int | None = None


class Tally:
    """Counts what came.

    Args:
        base: Under which devices publish.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._seen: dict[tuple[str, str], _Seen] = {}

    def feed(self, message: Received, now_s: float) -> None:
        """Take a message that came at ``now_s``."""
        place = topics.place(self._base, message.topic)
        if place is None:
            return
        source = f"{place.kind}/{place.name}" if place.kind else ""
        if (place.kind, place.leaf) in _RESULTS:
            payload = _object(message.payload)
            if payload and (seen := self._at(place.device, source)):
                _count(seen, payload, now_s)
        elif not place.kind and place.leaf == "status":
            if seen := self._at(place.device, ""):
                seen.row.state = one_line(message.payload.decode("utf-8", "replace"))
        elif place.leaf == "state" and (seen := self._at(place.device, source)):
            _note_state(seen.row, _object(message.payload))

    def rows(self, now_s: float) -> list[Row]:
        """All sources by device; the device itself first."""
        for seen in self._seen.values():
            while seen.arrivals and seen.arrivals[0] < now_s - RATE_OVER_S:
                seen.arrivals.popleft()
            # Until ten seconds have passed, over the time since the first arrival.
            span_s = min(now_s - seen.arrivals[0], RATE_OVER_S) if seen.arrivals else 0.0
            seen.row.rate = len(seen.arrivals) / max(span_s, 1.0)
        return [self._seen[key].row for key in sorted(self._seen)]

    def _at(self, device: str, source: str) -> _Seen | None:
        key = (device, source)
        if key not in self._seen:
            if len(self._seen) >= MAX_SOURCES:
                return None
            self._seen[key] = _Seen(Row(one_line(device), one_line(source)))
        return self._seen[key]


def one_line(value: object) -> str:
    """For a terminal: one short line without control characters."""
    line = "".join(character if character.isprintable() else " " for character in str(value)[:MAX_TEXT])
    return line.strip()


def _count(seen: _Seen, payload: dict[str, Any], now_s: float) -> None:
    row, identity = seen.row, payload.get("id")
    if isinstance(identity, str):
        if identity in seen.ids:
            row.duplicates += 1
            return
        seen.ids[identity] = None
        if len(seen.ids) > MAX_IDS:
            seen.ids.popitem(last=False)
    row.messages += 1
    row.replayed += payload.get("replayed") is True
    seen.arrivals.append(now_s)
    sequence = payload.get("sequence")
    if isinstance(sequence, int):
        # A smaller number is a source that began anew, not a gap.
        if seen.sequence is not None and sequence > seen.sequence:
            row.gaps += sequence - seen.sequence - 1
        seen.sequence = sequence
    row.latest = _latest(payload)


def _note_state(row: Row, payload: dict[str, Any]) -> None:
    if row.source.startswith("model/"):
        active = payload.get("active")
        version = active.get("version", "?") if isinstance(active, dict) else None
        row.state = one_line(f"version {version}" if version is not None else "not served")
        row.latest = one_line(payload.get("provider", ""))
    else:
        row.state = one_line(payload.get("state", ""))
    row.why = one_line(payload.get("why", ""))


def _latest(payload: dict[str, Any]) -> str:
    """``2 person, 1 dog``; ``nothing`` where nothing was found; the result itself for a sensor."""
    found = payload.get("detections")
    if not isinstance(found, list):
        return one_line(json.dumps(payload.get("result", {}), ensure_ascii=False))
    labels: dict[str, int] = {}
    for detection in found:
        label = str(detection.get("label", "?")) if isinstance(detection, dict) else "?"
        labels[label] = labels.get(label, 0) + 1
    return one_line(", ".join(f"{count} {label}" for label, count in labels.items()) or "nothing")


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

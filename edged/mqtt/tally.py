"""What a subscriber can tell of the devices on a broker from their messages alone.

Pure: messages and times in, rows out. Nothing of a payload is trusted: it may come from anybody who may publish.
"""

import json
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edged.mqtt import topics
from edged.mqtt.records import Received
from edged.mqtt.sequences import Sequences

RATE_OVER_S = 10.0
MAX_IDS = 4096
"""Ids remembered of each source, to tell a duplicate."""

MAX_SOURCES = 2000
"""Sources listed; more are ignored, so that a stranger cannot fill the memory."""

MAX_ID, MAX_MODELS, MAX_REASONS = 64, 16, 8
"""Characters of an id; models of a source whose sequences are followed; reasons that are listed."""

MAX_NUMBER = 2**53
"""Of what is counted; a greater one is no number of ours."""

MAX_TEXT = 200
MAX_TOGETHER = 10_000
"""Results in one message that are counted."""

_RESULTS = {("camera", "detections"), ("sensor", "result")}


@dataclass(slots=True)
class Row:
    """One source of one device, or the device itself.

    Attributes:
        device: The box.
        source: ``camera/front``, ``sensor/pump``, ``model/vehicles``; empty for the device itself.
        state: As it says.
        why: As it says.
        messages: Results, duplicates left out; a message may hold many of them.
        gaps: Sequence numbers that never came, between the first and the last that did; for each model, if there are
            several. Those that a backlog has not reached yet are not among them while it comes.
        duplicates: Messages with an id that was seen before.
        replayed: Results that had waited for the broker.
        dropped: Results that will never come, as the device says; of the device itself where it does not know of
            which source they were.
        reasons: Why they were dropped; each once, the first one first.
        alarm: Of a sensor: whether its alarm is up, as its state says; None where it does not say.
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
    dropped: int = 0
    reasons: tuple[str, ...] = ()
    alarm: bool | None = None
    latest: str = ""
    rate: float = 0.0


@dataclass(slots=True)
class _Seen:
    row: Row
    ids: OrderedDict[str, None] = field(default_factory=OrderedDict)
    arrivals: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=10_000))  # and how many
    sequences: dict[str, Sequences] = field(default_factory=dict)
    replayed_at_s: float = -RATE_OVER_S
    is_live: bool = False
    started_at: str = ""

    def gaps(self, now_s: float) -> int:
        """A backlog that has not gone on for a while is taken to have ended."""
        lanes = self.sequences.values()
        goes_on = now_s - self.replayed_at_s < RATE_OVER_S
        return sum(lane.missing - (lane.coming if goes_on else 0) for lane in lanes)


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
        source = _source(place)
        if (place.kind, place.leaf) in _RESULTS:
            payload = _object(message.payload)
            if payload and (seen := self._at(place.device, source)):
                _count(seen, payload, now_s, connected=self._is_online(place.device))
        elif place.leaf == "state":
            if seen := self._at(place.device, source):
                _note_state(seen.row, _object(message.payload))
        elif not place.kind:
            self._feed_device(place, message.payload)

    def rows(self, now_s: float) -> list[Row]:
        """All sources by device; the device itself first."""
        for seen in self._seen.values():
            while seen.arrivals and seen.arrivals[0][0] < now_s - RATE_OVER_S:
                seen.arrivals.popleft()
            # Until ten seconds have passed, over the time since the first arrival.
            span_s = min(now_s - seen.arrivals[0][0], RATE_OVER_S) if seen.arrivals else 0.0
            seen.row.rate = sum(count for _, count in seen.arrivals) / max(span_s, 1.0)
            seen.row.gaps = seen.gaps(now_s)
        return [self._seen[key].row for key in sorted(self._seen)]

    def _feed_device(self, place: topics.Place, payload: bytes) -> None:
        """What a device says of itself."""
        if place.leaf == "status":
            if seen := self._at(place.device, ""):
                seen.row.state = one_line(payload.decode("utf-8", "replace"))
            if payload == topics.ONLINE:
                for source in self._sources(place.device):
                    source.is_live = False
                    for lanes in source.sequences.values():
                        lanes.connected()
        elif place.leaf == "info":
            self._note_start(place.device, _object(payload).get("started_at"))
        elif place.leaf == "gap":
            self._note_gap(place.device, _object(payload))

    def _note_start(self, device: str, started_at: object) -> None:
        seen = self._at(device, "")
        if seen is None or not isinstance(started_at, str):
            return
        before, seen.started_at = seen.started_at, started_at[:MAX_TEXT]
        if before and before != seen.started_at:
            for source in self._sources(device):
                for lanes in source.sequences.values():
                    lanes.restarted()

    def _note_gap(self, device: str, payload: dict[str, Any]) -> None:
        """To the source whose results were dropped, if it is one of this device."""
        count, topic = _number(payload.get("count")), payload.get("topic")
        place = topics.place(self._base, topic) if isinstance(topic, str) else None
        ours = place is not None and place.device == device
        seen = self._at(device, _source(place) if place and ours else "")
        if seen is None or not count or _is_known(seen, payload.get("id")):
            return
        row, reason = seen.row, one_line(payload.get("reason", ""))
        row.dropped += count
        if reason and reason not in row.reasons and len(row.reasons) < MAX_REASONS:
            row.reasons = (*row.reasons, reason)

    def _is_online(self, device: str) -> bool:
        seen = self._seen.get((device, ""))
        return seen is not None and seen.row.state == topics.ONLINE.decode()

    def _sources(self, device: str) -> list[_Seen]:
        return [seen for (of, _), seen in self._seen.items() if of == device]

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


def _source(place: topics.Place) -> str:
    return f"{place.kind}/{place.name}" if place.kind else ""


def _is_known(seen: _Seen, identity: object) -> bool:
    """Whether a message with this id came before; from now on it did."""
    if not isinstance(identity, str) or len(identity) > MAX_ID:
        return False
    if identity in seen.ids:
        return True
    seen.ids[identity] = None
    if len(seen.ids) > MAX_IDS:
        seen.ids.popitem(last=False)
    return False


def _count(seen: _Seen, payload: dict[str, Any], now_s: float, *, connected: bool) -> None:
    row, replayed = seen.row, payload.get("replayed") is True
    if _is_known(seen, payload.get("id")):
        row.duplicates += 1
        return
    numbers = _numbers(payload)
    count = max(1, len(numbers))
    row.messages += count
    row.replayed += count if replayed else 0
    seen.arrivals.append((now_s, count))
    if replayed:
        seen.replayed_at_s = now_s
    lanes = _lanes(seen, payload.get("model"), connected)
    if lanes:
        take = lanes.replayed if replayed else lanes.live
        for number in numbers:
            take(number)
    seen.is_live = seen.is_live or not replayed
    if not (replayed and seen.is_live):  # else something newer is shown
        row.latest = _latest(payload)


def _lanes(seen: _Seen, model: object, connected: bool) -> Sequences | None:
    """Those of the model that answered; None where there are too many."""
    name = one_line(model.get("name", "")) if isinstance(model, dict) else ""
    if name not in seen.sequences:
        if len(seen.sequences) >= MAX_MODELS:
            return None
        seen.sequences[name] = Sequences(connected=connected)
    return seen.sequences[name]


def _numbers(payload: dict[str, Any]) -> Sequence[int]:
    """Of the results in a message; empty where it does not say."""
    number, results = _number(payload.get("sequence")), payload.get("results")
    if number is None:
        return ()
    if not isinstance(results, dict):
        return (number,)
    listed = results.get("sequence")
    if isinstance(listed, list):
        return [one for one in map(_number, listed[:MAX_TOGETHER]) if one is not None]
    return range(number, number + min(_number(results.get("count")) or 1, MAX_TOGETHER))


def _number(value: object) -> int | None:
    """A whole number from 0 that one can count with."""
    return value if type(value) is int and 0 <= value < MAX_NUMBER else None


def _note_state(row: Row, payload: dict[str, Any]) -> None:
    if row.source.startswith("model/"):
        active = payload.get("active")
        version = active.get("version", "?") if isinstance(active, dict) else None
        row.state = one_line(f"version {version}" if version is not None else "not served")
        row.latest = one_line(payload.get("provider", ""))
    else:
        row.state = one_line(payload.get("state", ""))
        alarm = payload.get("alarm")
        row.alarm = alarm if isinstance(alarm, bool) else None
    row.why = one_line(payload.get("why", ""))


def outcome_in_words(result: object) -> str:
    """What a model said of a window of rows; as it is where it is none of ours.

    >>> outcome_in_words({"label": "inner", "class_id": 1, "scores": {"normal": 0.04, "inner": 0.96}, "alarm": True})
    'inner 0.96'
    >>> outcome_in_words({"anomaly": False, "score": 0.0123})
    'no anomaly 0.0123'
    """
    if isinstance(result, dict):
        if "label" in result:
            scores = result.get("scores")
            score = scores.get(str(result["label"])) if isinstance(scores, dict) else None
            figure = f" {score:.2f}" if isinstance(score, float | int) else ""
            return one_line(result["label"]) + figure
        if isinstance(anomaly := result.get("anomaly"), bool):
            return one_line(f"{'anomaly' if anomaly else 'no anomaly'} {result.get('score', '')}")
        for key in ("value", "values", "outputs"):
            if key in result:
                return one_line(json.dumps(result[key], ensure_ascii=False))
    return one_line(json.dumps(result, ensure_ascii=False))


def _latest(payload: dict[str, Any]) -> str:
    """``2 person, 1 dog``; ``nothing`` where nothing was found; ``inner 0.96`` of a sensor."""
    found = payload.get("detections")
    if not isinstance(found, list):
        many = payload.get("results")
        said = outcome_in_words(_last(many) if isinstance(many, dict) else payload.get("result", {}))
        origin = one_line(payload.get("origin", ""))
        return f"{origin}: {said}" if origin else said
    labels: dict[str, int] = {}
    for detection in found:
        label = str(detection.get("label", "?")) if isinstance(detection, dict) else "?"
        labels[label] = labels.get(label, 0) + 1
    return one_line(", ".join(f"{count} {label}" for label, count in labels.items()) or "nothing")


def _last(results: dict[str, Any]) -> dict[str, Any]:
    """``result`` of the last window of several."""
    last = {name: column[-1] for name, column in results.items() if isinstance(column, list) and column}
    scores = results.get("scores")
    return last | ({"scores": _last(scores)} if isinstance(scores, dict) else {})


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

"""``edged.event/1`` as it is sent: from the event of a book, and the end of one whose book is gone. Pure.

Built from plain dicts, as `edged.mqtt.payloads` does it and for its reasons; the shape is `edged.mqtt.shapes.event`.
"""

import json
from typing import Any

from edged.event import Change, Event, Reason
from edged.mqtt.payloads import ModelInfo, timestamp
from edged.mqtt.topics import EVENT

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def event_message(
    event: Event, *, message_id: str, device: str, camera: str, at_s: float, model: ModelInfo
) -> bytes:
    """The message about an event.

    Args:
        event: What happened.
        message_id: Unique for ever.
        device: Of this box.
        camera: Its name.
        at_s: When it happened or became known, in seconds since 1970.
        model: What has found the object.
    """
    seen, best, first = event.seen, event.best, event.first
    message: dict[str, Any] = {
        "schema": EVENT,
        "id": event.id,
        "message_id": message_id,
        "type": event.kind,
        "device": device,
        "source": camera,
        "at": timestamp(at_s),
        "label": event.label,
        "track_id": event.track_id,
        "score": round(seen.score, 4),
        "best_score": round(event.best_score, 4),
        "box": _rounded(seen.box),
        "stationary": event.stationary,
        "zones": event.zones,
        "zones_ever": event.zones_ever,
        "loitering": event.loitering,
        "first_seen": timestamp(first.captured_at_s),
        "first_sequence": first.sequence,
        "last_seen": timestamp(seen.moment.captured_at_s),
        "sequence": seen.moment.sequence,
        "image": {"width": seen.moment.width, "height": seen.moment.height},
        "best": {
            "captured_at": timestamp(best.moment.captured_at_s),
            "sequence": best.moment.sequence,
            "box": _rounded(best.box),
            "score": round(best.score, 4),
        },
        "path": [_rounded(point) for point in event.path],
        "changes": [_change(change) for change in event.changes],
    }
    if event.reason:
        message["reason"] = event.reason
    message["model"] = {
        "name": model.name,
        "version": model.version,
        "digest": model.digest,
        "provider": model.provider,
    }
    return _ENCODER.encode(message).encode()


def ended(payload: bytes, reason: Reason, *, message_id: str, at_s: float) -> bytes:
    """The end of an object of which only its last message is known.

    Args:
        payload: That message.
        reason: Of its end.
        message_id: Unique for ever.
        at_s: When the end became known, in seconds since 1970.

    Raises:
        ValueError: It is no such message.
    """
    message = json.loads(payload)
    if not isinstance(message, dict) or message.get("schema") != EVENT:
        raise ValueError(f"no {EVENT}")
    message |= {
        "message_id": message_id,
        "type": "end",
        "at": timestamp(at_s),
        "changes": [],
        "reason": reason,
    }
    return _ENCODER.encode(message).encode()


def _change(change: Change) -> dict[str, str]:
    if change.what == "crossed":
        return {"what": change.what, "line": change.where, "direction": change.direction}
    return {"what": change.what, "zone": change.where} if change.where else {"what": change.what}


def _rounded(numbers: tuple[float, ...]) -> list[float]:
    return [round(number, 2) for number in numbers]

"""What is said of a model's update: on ``model/<name>/state``, in ``edged status``, and to who asked for it. Pure.

Whether what was put into the store serves, or was taken back, is the lifecycle's to say. So two of the states are read
off the message that it wrote.
"""

from typing import Any

from edged.mqtt.payloads import timestamp
from edged.mqtt.shapes.model_state import ModelStateMessage, UpdateShape
from edged.updates.choosing import rejected
from edged.updates.progress import Progress
from edged.urls import redacted

MAX_REASON = 1000
"""Characters: what a model says of itself may be in it."""


def with_update(message: ModelStateMessage, progress: Progress | None) -> ModelStateMessage:
    """The message with what is known of the model's update.

    Args:
        message: As the lifecycle wrote it.
        progress: None where it is not updated from afar, or was not asked for yet.
    """
    return message.model_copy(update={"update": shape_of(message, progress)}) if progress else message


def shape_of(message: ModelStateMessage, progress: Progress) -> UpdateShape:
    """The object ``update`` of the message."""
    state, reason, at = progress.state, progress.reason, timestamp(progress.at_s)
    taken_back = next((one for one in message.rejected if one.version == progress.version), None)
    if state == "staged" and message.active and message.active.version == progress.version:
        state, at = "active", message.since
    elif taken_back and (state == "staged" or reason.startswith("rejected:")):
        reason = rejected(taken_back.version, (taken_back.step or "gate", taken_back.reason))
        state, at = "refused", taken_back.at
    elif state == "staged":
        reason = message.waiting.get(str(progress.version)) or reason
    return UpdateShape(
        state=state,
        version=progress.version,
        bytes=progress.done_bytes,
        of=progress.of_bytes,
        reason=redacted(reason)[:MAX_REASON],
        at=at,
    )


def answer_of(message: ModelStateMessage, progress: Progress | None) -> dict[str, Any]:
    """The same, for an answer."""
    return shape_of(message, progress).model_dump(mode="json", exclude_none=True) if progress else {}

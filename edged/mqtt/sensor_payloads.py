"""What is said about windows of rows: ``edged.sensor/1`` and the state of a sensor.

A message is about one window (``result``), or about many in columns (``results``, see `edged.mqtt.sensor_columns`). As
in `edged.mqtt.payloads`: the shapes are pydantic models, the messages are built from plain dicts, and tests hold the
two together.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic_core import PydanticSerializationError, to_json

from edged.detection import label_of
from edged.mqtt.payloads import ModelInfo, timestamp
from edged.mqtt.sensor_columns import ResultsShape, figure
from edged.mqtt.shapes.fields import Count, MessageId, Milliseconds, ModelShape, Moment, Shape, SourceState
from edged.mqtt.topics import SENSOR, SENSOR_STATE
from edged.rows import Scores

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_UTC = "UTC, like `2026-11-22T15:00:00.123456Z`."


@dataclass(frozen=True, slots=True)
class RowTiming:
    """Where the time of a window went, in milliseconds.

    Attributes:
        queue: Waiting for its turn.
        inference: In the runtime, of the whole batch that it was part of.
        age: From the arrival of its last row to publishing.
    """

    queue: float
    inference: float
    age: float


def outcome(scores: Scores, n: int, labels: Sequence[str]) -> dict[str, Any]:
    """``result`` of the message about window ``n``.

    Args:
        scores: Of some windows.
        n: Position of one.
        labels: Of the model; a class beyond them is named by its number.
    """
    if scores.kind == "class":
        return _of_class(scores, n, labels)
    if scores.kind == "anomaly":
        return {"anomaly": bool(scores.anomaly[n]), "score": figure(scores.values[n, 0])}
    if scores.kind == "value":
        values = [figure(value) for value in scores.values[n].tolist()]
        return {"value": values[0]} if len(values) == 1 else {"values": values}
    return {"outputs": dict(scores.outputs[n])}


def _of_class(scores: Scores, n: int, labels: Sequence[str]) -> dict[str, Any]:
    class_id = int(scores.class_id[n])
    label = scores.names[n] if len(scores.names) else label_of(labels, class_id)
    says: dict[str, Any] = {"label": label}
    if class_id >= 0:
        says["class_id"] = class_id
    row = scores.scores[n].tolist() if scores.scores.size else []
    if row:
        names = labels if len(labels) >= len(row) else [*labels, *map(str, range(len(labels), len(row)))]
        says["scores"] = {name: round(score, 4) for name, score in zip(names, row, strict=False)}
    return says


class SensorMessages:
    """The messages about some windows that were scored at once: what they share is written once."""

    def __init__(
        self, *, device: str, source: str, origin: str, rows: int, model: ModelInfo, timing: RowTiming
    ) -> None:
        """See `SensorMessage` for what these are."""
        self._head = f'{{"schema":"{SENSOR}","id":"'
        named = {"device": device, "source": source} | ({"origin": origin} if origin else {})
        self._named = '","'.join(("", _ENCODER.encode(named)[2:-1]))
        about = {
            "rows": rows,
            "model": {
                "name": model.name,
                "version": model.version,
                "digest": model.digest,
                "provider": model.provider,
            },
            "timing_ms": {
                "queue": round(timing.queue, 3),
                "inference": round(timing.inference, 3),
                "age": round(timing.age, 3),
            },
        }
        self._about = _ENCODER.encode(about)[1:-1]

    def one(
        self,
        message_id: str,
        *,
        sequence: int,
        first_at_s: float,
        captured_at_s: float,
        echo: Mapping[str, Any],
        result: Mapping[str, Any],
    ) -> bytes:
        """The message about one window.

        Args:
            message_id: Unique for ever.
            sequence: Of the window in its sensor.
            first_at_s: Of its first row, in seconds since 1970.
            captured_at_s: Of its last row.
            echo: Fields of its last row to be repeated.
            result: As `outcome` gives it.
        """
        head = self._beginning(message_id, sequence, first_at_s, captured_at_s)
        echoed = b'"echo":' + _json(echo) + b"," if echo else b""
        return head + echoed + b'"result":' + _json(result) + b"}"

    def many(
        self,
        message_id: str,
        *,
        sequence: int,
        first_at_s: float,
        captured_at_s: float,
        results: Mapping[str, Any],
    ) -> bytes:
        """One message about several windows.

        Args:
            message_id: Unique for ever.
            sequence: Of the first of them in its sensor.
            first_at_s: Of the first row of the first, in seconds since 1970.
            captured_at_s: Of the last row of the last.
            results: As `Columns.part` gives them.
        """
        head = self._beginning(message_id, sequence, first_at_s, captured_at_s)
        return head + b'"results":' + _json(results) + b"}"

    def _beginning(self, message_id: str, sequence: int, first_at_s: float, captured_at_s: float) -> bytes:
        last = timestamp(captured_at_s)
        first = last if first_at_s == captured_at_s else timestamp(first_at_s)
        head = (
            f'{self._head}{message_id}{self._named},"sequence":{sequence},"first_at":"{first}",'
            f'"captured_at":"{last}",{self._about},'
        )
        return head.encode(errors="replace")


def _json(table: Mapping[str, Any]) -> bytes:
    """In UTF-8. JSON may hold half a letter (one of two surrogates), UTF-8 may not: it becomes a question mark."""
    try:
        return to_json(table, inf_nan_mode="null")
    except PydanticSerializationError:
        return _ENCODER.encode(dict(table)).encode(errors="replace")


class RowTimingShape(Shape):
    """Where the time of a window went, in milliseconds."""

    queue: Milliseconds = Field(description="Waiting for its turn.")
    inference: Milliseconds = Field(
        description="In the runtime, of the whole batch of windows that it was part of."
    )
    age: Milliseconds = Field(description="From the arrival of its last row to publishing.")


class OutcomeShape(Shape):
    """What the model said. Which of these are there depends on its task."""

    label: str | None = Field(
        None, description="Of a classifier: the class; its number as text where it has no name."
    )
    class_id: Count | None = Field(
        None, description="Of a classifier: number of the class in the model, from 0."
    )
    scores: dict[str, float] | None = Field(
        None,
        description="Of a classifier: a number for each class, four digits; probabilities where it gives those.",
    )
    value: float | None = Field(None, description="Of a regression.")
    values: tuple[float, ...] | None = Field(None, description="Of a regression with several values.")
    anomaly: bool | None = Field(None, description="Whether the window is one.")
    score: float | None = Field(
        None, description="Of an anomaly: the model's own score, or the reconstruction error."
    )
    outputs: dict[str, Any] | None = Field(
        None, description="Of any other model: name of the output to nested lists."
    )
    alarm: bool | None = Field(
        None,
        description="Whether the alarm is up after this window (`raise_after`, `clear_after`); absent where nothing "
        "says what an anomaly is.",
    )


def _one_of_two(schema: dict[str, Any]) -> None:
    """There is ``result`` or ``results``, as an object."""
    schema["oneOf"] = [
        {"required": [name], "properties": {name: {"type": "object"}}} for name in ("result", "results")
    ]


class SensorMessage(Shape):
    """What a model said about a window of rows of a sensor, or about several windows."""

    model_config = ConfigDict(json_schema_extra=_one_of_two)

    schema_: Literal["edged.sensor/1"] = Field(
        SENSOR, alias="schema", description="Name and version of this shape."
    )
    id: MessageId
    device: str = Field(description="The device that says so.")
    source: str = Field(description="Name of the sensor.")
    origin: str | None = Field(
        None,
        description="Which of several devices behind the sensor: what the wildcards of its topic stood for. Otherwise "
        "absent.",
    )
    sequence: Count = Field(
        description="Number of the window since the start, of several that of the first. A gap is a window that was "
        "not scored, or not worth a message."
    )
    first_at: Moment = Field(description=f"When its first row was measured: {_UTC}")
    captured_at: Moment = Field(
        description=f"When its last row was measured, or came where it does not say: {_UTC}"
    )
    rows: Annotated[int, Field(ge=1)] = Field(description="Of the window.")
    model: ModelShape
    timing_ms: RowTimingShape
    echo: dict[str, str | float | bool] | None = Field(
        None,
        description="Fields of its last row, as `echo` of the sensor asks for; of several windows see `results`.",
    )
    result: OutcomeShape | None = Field(None, description="Of one window; there is either this or `results`.")
    results: ResultsShape | None = Field(
        None, description="Of several windows, where the sensor has `per_message` greater than 1."
    )
    replayed: bool | None = Field(
        None, description="`true` where the message waited for the broker; otherwise absent."
    )


class WindowMessage(SensorMessage):
    """What a model said about one window: as long as no sensor has ``per_message``, all messages are such."""

    result: OutcomeShape


class RejectedRowShape(Shape):
    """A row that could not be read."""

    line: Count = Field(description="Its number in the stream, from 1; a header counts.")
    reason: str = Field(description="What is wrong with it, for people.")
    text: str = Field("", description="Its beginning.")
    at: Moment = Field(description=f"When: {_UTC}")


class SensorStateMessage(Shape):
    """Whether a sensor delivers, and why not."""

    schema_: Literal["edged.sensor_state/1"] = Field(
        SENSOR_STATE, alias="schema", description="Name and version of this shape."
    )
    device: str = Field(description="The device that says so.")
    sensor: str = Field(description="Its name.")
    state: SourceState = Field(description="Whether it can be read.")
    why: str = Field("", description="What is wrong, for people, without passwords; empty while online.")
    since: Moment = Field(description=f"When it came into this state: {_UTC}")
    rows: Count = Field(description="Read since the start.")
    rejected: Count = Field(0, description="Rows since the start that could not be read.")
    last_rejected: RejectedRowShape | None = Field(None, description="The newest of those.")
    dropped: dict[str, Count] = Field(
        {},
        description="Windows that were not scored since the start, by reason; later versions may add reasons.",
    )
    alarm: bool | None = Field(
        None, description="Whether an alarm is up; absent where nothing says what an anomaly is."
    )

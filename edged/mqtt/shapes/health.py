"""``edged.health/1``: how a device is doing."""

from typing import Annotated, Literal

from pydantic import Field

from edged.mqtt.shapes.fields import DEVICE, REPLAYED, SCHEMA, UTC, Count, Milliseconds, Moment, Shape
from edged.mqtt.topics import HEALTH


class SourceHealthShape(Shape):
    """One source since the last message."""

    name: str = Field(description="Name of the camera or sensor.")
    captured_per_s: Annotated[float, Field(ge=0)] = Field(
        description="Frames captured, or rows read, a second since the last message."
    )
    published_per_s: Annotated[float, Field(ge=0)] = Field(
        description="Messages made a second since the last one; what `publish` keeps back is not among them."
    )
    dropped: dict[str, Count] = Field(
        description="Frames or windows that were not looked at since the start, by reason; later versions may add "
        "reasons."
    )
    still_per_s: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Frames a second that the motion gate passed over; absent without one."
    )
    late_per_s: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="Frames a second that were dropped because a model had no time for them; of cameras.",
    )
    decode_cpu_percent: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Reading, decoding and the motion gate: 100 is one core; of cameras."
    )
    prepare_cpu_percent: Annotated[float, Field(ge=0)] | None = Field(
        None, description="From frames to the inputs of models: 100 is one core; of cameras."
    )
    inference_percent: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="Share of the time that its frames were in the runtime, 100 is one caller; of cameras.",
    )
    queue_ms: Milliseconds | None = Field(
        None,
        description="That its frames waited for their turns, on average; absent where none was looked at.",
    )
    reconnects: Count = Field(0, description="Times it came back after it was away, since the start.")


class ModelHealthShape(Shape):
    """One model since the last message."""

    name: str = Field(description="As configured.")
    utilisation_percent: Annotated[float, Field(ge=0)] = Field(
        description="Share of the time that its callers were in the runtime; 100 is all of them, always."
    )
    callers: Annotated[int, Field(ge=1)] = Field(description="Inferences at once.")
    inferences_per_s: Annotated[float, Field(ge=0)] = Field(
        description="Pictures, or windows of rows, a second that it was shown."
    )
    inference_ms: Milliseconds | None = Field(
        None, description="Of one of them, on average; absent where there was none."
    )
    cpu_percent: Annotated[float, Field(ge=0)] = Field(description="Of its processes; 100 is one core.")
    late_per_s: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Frames a second that were dropped because it had no time for them."
    )
    restarts: Count = Field(
        0,
        description="Times a process of it ended by itself, or hung and was ended, since the start; another is started "
        "then.",
    )


class SpoolShape(Shape):
    """What waits for the broker."""

    entries: Count = Field(description="Messages that wait.")
    bytes: Count = Field(description="Of the topics and payloads of those.")
    dropped: Count = Field(
        description="Messages given up since the start; each is told of on the topic `gap`."
    )
    set_aside: Count = Field(0, description="Of those, messages that the broker does not take.")
    why: str = Field("", description="Why messages are not kept on disk; empty while they are.")


class HealthMessage(Shape):
    """How a device is doing."""

    schema_: Literal["edged.health/1"] = Field(HEALTH, alias="schema", description=SCHEMA)
    device: str = Field(description=DEVICE)
    at: Moment = Field(description=f"When this was measured: {UTC}")
    uptime_s: Annotated[float, Field(ge=0)] = Field(description="Seconds since the start.")
    cpu_percent: Annotated[float, Field(ge=0)] = Field(description="100 is one core; the workers included.")
    memory_bytes: Count = Field(description="Resident memory, the workers included.")
    sources: tuple[SourceHealthShape, ...] = Field(description="The cameras, then the sensors.")
    models: tuple[ModelHealthShape, ...] = Field((), description="Those that are served.")
    bottleneck: str = Field(
        "none",
        description="What keeps it from looking at more frames: `none`, `inference:MODEL`, `decode`, `decode:CAMERA`, "
        "`cpu` or `broker`; later versions may add others.",
    )
    spool: SpoolShape
    reconnects: Count = Field(0, description="Connections to a broker after the first, since the start.")
    errors: tuple[str, ...] = Field((), description="The last ones in words, newest first.")
    replayed: bool | None = Field(None, description=REPLAYED)

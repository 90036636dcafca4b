"""What the shapes have in common. They are imported by who needs one: that costs a start time."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """A JSON object; what is not set is not sent."""

    model_config = ConfigDict(
        frozen=True,
        populate_by_name=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
        defer_build=True,  # the one that is never sent costs nothing
    )

    def payload(self) -> bytes:
        """As sent."""
        return self.model_dump_json(exclude_none=True).encode()


Digest = Annotated[
    str,
    Field(
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="SHA-256 of the model's file: `sha256:` and 64 hexadecimal digits.",
    ),
]
UTC = "UTC, like `2026-11-22T15:00:00.123456Z`."
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", description=UTC)]
MessageId = Annotated[
    str,
    Field(
        pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$",
        description="A ULID: unique for ever, sortable by time, the same on every delivery of one message.",
    ),
]
Count = Annotated[int, Field(ge=0)]
Version = Annotated[int, Field(ge=1, description="Its number in the store, from 1.")]
Milliseconds = Annotated[float, Field(ge=0)]
SourceState = Literal["online", "offline", "disabled"]

SCHEMA = "Name and version of this shape."
DEVICE = "The device that says so."
REPLAYED = "`true` where the message waited for the broker; otherwise absent."


class ModelShape(Shape):
    """The model that answered."""

    name: str = Field(description="As configured.")
    version: Version
    digest: Digest
    provider: str = Field(description="What really ran it, such as `openvino:CPU`.")

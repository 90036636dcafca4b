"""``edged.model_state/1``: which version of a model is served, and on what."""

from typing import Literal

from pydantic import Field

from edged.mqtt.shapes.fields import DEVICE, SCHEMA, UTC, Count, Digest, Moment, Shape, Version
from edged.mqtt.topics import MODEL_STATE


class VersionShape(Shape):
    """A version of a model."""

    version: Version
    digest: Digest


class CandidateShape(VersionShape):
    """A version that is being tried."""

    step: str = Field(description="Of the gate, at which it is, or `shadow`.")


class RejectedShape(Shape):
    """A version that will not be served."""

    version: Version
    reason: str = Field(description="What was wrong, for people.")
    step: str = Field("", description="Of the gate, or `probation`; empty where it is not known.")
    at: Moment = Field(description=f"When: {UTC}")


class UpdateShape(Shape):
    """How far the update from afar is."""

    state: str = Field(
        description="`checked`: nothing newer for this device; `offered`: there is a version, and `reason` says what "
        "it waits for; `downloading`; `staged`: it is in the store and goes through the gate; `active`: it is served; "
        "`refused`: it did not stand a check, or is not for this device: a person must look; `unreachable`: the "
        "server, the network or the disk: tried again by itself. Later versions may add others."
    )
    version: Version | None = Field(None, description="The one that this is about; absent where none is.")
    bytes: Count | None = Field(None, description="That are here; of a download.")
    of: Count | None = Field(None, description="In all; of a download.")
    reason: str = Field(
        "",
        description="Why, for people; of `refused` and `unreachable` the words before the colon are fixed.",
    )
    at: Moment = Field(description=f"When it came into this state: {UTC}")


class ModelStateMessage(Shape):
    """Which version of a model is served, and on what."""

    schema_: Literal["edged.model_state/1"] = Field(MODEL_STATE, alias="schema", description=SCHEMA)
    device: str = Field(description=DEVICE)
    model: str = Field(description="Its name.")
    active: VersionShape | None = Field(
        None, description="The version that is served; absent where nothing is."
    )
    previous: VersionShape | None = Field(None, description="The version that was served before.")
    candidate: CandidateShape | None = Field(None, description="A version that is being tried.")
    rejected: tuple[RejectedShape, ...] = Field((), description="Versions that are not tried again.")
    waiting: dict[str, str] = Field(
        {}, description="Versions that have not arrived yet: number to what is waited for."
    )
    pinned: int | None = Field(None, description="The version that a person asked for.")
    probation: str = Field("", description="How far the serving version's probation is; empty = over.")
    shadow: str = Field("", description="How far the last candidate agreed with what served.")
    labels: tuple[str, ...] = Field((), description="Of the serving version.")
    provider_asked: tuple[str, ...] = Field(description="As configured, in order.")
    provider: str = Field("", description="In use; empty while nothing is served.")
    choice: str = Field(
        "", description="What `auto` chose, measured against what; empty where nothing was chosen."
    )
    why: str = Field(
        "",
        description="Why nothing is served, or not on the provider or in the version that was asked for, or that a "
        "process ended and a new one is being started.",
    )
    update: UpdateShape | None = Field(
        None,
        description="Of this model from afar; absent without `[updates]`, before the first answer, and for a model "
        "with a `path`.",
    )
    since: Moment = Field(description=f"When it came into this state: {UTC}")

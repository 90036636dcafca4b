"""``edged.info/1``: what a device is and what it runs."""

from typing import Annotated, Literal

from pydantic import Field

from edged.mqtt.shapes.fields import DEVICE, SCHEMA, UTC, Count, Digest, Moment, Shape, Version
from edged.mqtt.topics import INFO


class MachineShape(Shape):
    """The hardware."""

    architecture: str = Field(description="Of the processor, such as `x86_64` or `aarch64`.")
    cores: Annotated[int, Field(ge=1)] = Field(description="Those that edged may use.")
    cpu: str = Field(description="Name of the processor.")
    memory_bytes: Count = Field(description="Of the machine; 0 where the system does not tell.")


class RunningShape(Shape):
    """A served model and what really runs it."""

    version: Version
    digest: Digest
    family: str = Field(description="How its outputs are read, such as `yolox`.")
    provider: str = Field(description="What really runs most of it, such as `openvino:CPU`.")
    provider_asked: tuple[str, ...] = Field(description="As configured, in order.")
    choice: str = Field(
        "", description="What `auto` chose, measured against what; empty where nothing was chosen."
    )
    callers: Annotated[int, Field(ge=1)] = Field(1, description="Inferences at once.")
    batch: Annotated[int, Field(ge=1)] = Field(1, description="Pictures to one inference at most.")


class PreviousEndShape(Shape):
    """How the run of edged before this one ended."""

    how: str = Field(
        description="`clean`: told to end, or done; `error`: with an error that it reported; `signal`: at once, by a "
        "second signal while it was ending; `watchdog`: a thread hung; `crash`: in native code, or aborted; "
        "`out of memory`: killed while the kernel ran out of it; `killed`: by SIGKILL, or without a trace; `power`: "
        "with the machine. Later versions may add others."
    )
    at: Moment = Field(
        description=f"When; of a run that could not say so itself, when it was last seen alive, to a minute: {UTC}"
    )
    after_s: Annotated[float, Field(ge=0)] = Field(description="How long it ran, by the clock on the wall.")
    why: str = Field("", description="In words; empty where nothing is known.")
    trace: str | None = Field(
        None,
        description="Of a crash: what the interpreter wrote of the thread that crashed; absent without one.",
    )


class UpdatesShape(Shape):
    """From where models come."""

    url: str = Field(description="The repository's address, without a password.")
    channel: str = Field(description="That models follow, unless `channels` says otherwise.")
    channels: dict[str, str] = Field({}, description="That single models follow.")
    window: str = Field("", description="Local time in which may be downloaded; empty = always.")


class InfoMessage(Shape):
    """What a device is and what it runs."""

    schema_: Literal["edged.info/1"] = Field(INFO, alias="schema", description=SCHEMA)
    device: str = Field(description=DEVICE)
    version: str = Field(description="Of edged.")
    machine: MachineShape
    providers: tuple[str, ...] = Field(description="Execution providers of this installation.")
    cameras: tuple[str, ...] = Field(description="Names of the configured cameras.")
    models: dict[str, RunningShape] = Field(description="Those that are served, by name.")
    sensors: tuple[str, ...] = Field((), description="Names of the configured sensors.")
    started_at: Moment = Field(description=f"When edged was started: {UTC}")
    previous_end: PreviousEndShape | None = Field(
        None, description="How the run before ended; absent at the first start, and where it is not known."
    )
    updates: UpdatesShape | None = Field(
        None, description="From where models come; absent where `[updates]` is off."
    )

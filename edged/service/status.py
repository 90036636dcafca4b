"""What ``GET /status`` says, for ``edged status``: the device with everything that is at work, at one moment."""

import os
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field

from edged import __version__
from edged.mqtt.payloads import timestamp
from edged.mqtt.sensor_payloads import SensorStateMessage
from edged.mqtt.shapes.camera_state import CameraStateMessage
from edged.mqtt.shapes.fields import Count, Moment, Shape
from edged.mqtt.shapes.health import HealthMessage
from edged.mqtt.shapes.model_state import ModelStateMessage
from edged.outbox import Outbox
from edged.service.device import Device
from edged.service.report import Health, sample
from edged.urls import redacted

SCHEMA: Literal["edged.status/1"] = "edged.status/1"


class LinkShape(Shape):
    """How the link to the broker stands."""

    broker: str = Field(description="Its address, without a password.")
    connected: bool = Field(description="Whether it has accepted us and answers.")
    protocol: str = Field("", description="`5` or `3.1.1`; empty while not connected.")
    why: str = Field("", description="Why not, and what to do; empty while connected.")
    refused: bool = Field(False, description="It does not want us: a person must act.")
    since: Moment = Field(description="When that began, in UTC.")
    reconnects: Count = Field(0, description="Connections after the first, since the start.")


class StatusMessage(Shape):
    """A running daemon."""

    schema_: Literal["edged.status/1"] = Field(
        SCHEMA, alias="schema", description="Name and version of this shape."
    )
    device: str = Field(description="Its name.")
    version: str = Field(description="Of edged.")
    pid: Annotated[int, Field(ge=1)] = Field(description="Of the process.")
    at: Moment = Field(description="Now, in UTC.")
    started_at: Moment = Field(description="When it was started, in UTC.")
    unhealthy: tuple[str, ...] = Field(description="Why it does not work; empty where it does.")
    unready: tuple[str, ...] = Field(description="Why it is not ready yet; empty where it is.")
    mqtt: LinkShape = Field(description="The link to the broker.")
    health: HealthMessage = Field(
        description="As on the topic `health`, with the rates of the last `rates_over_s` seconds; names of sources and "
        "models are those of the lists below."
    )
    rates_over_s: Annotated[float, Field(ge=0)] = Field(
        description="Seconds that the rates in `health` are of."
    )
    cameras: tuple[CameraStateMessage, ...] = Field(description="As on `camera/<name>/state`.")
    sensors: tuple[SensorStateMessage, ...] = Field(description="As on `sensor/<name>/state`.")
    models: tuple[ModelStateMessage, ...] = Field(
        description="As on `model/<name>/state`; without its labels."
    )


def status(
    device: Device,
    outbox: Outbox,
    reports: Health,
    *,
    healthy: Callable[[], list[str]],
    ready: Callable[[], list[str]],
) -> dict[str, Any]:
    """As JSON, without a password. Any thread may call.

    Args:
        device: What is spoken of.
        outbox: Where messages wait.
        reports: With what the figures are compared with.
        healthy: Why the process does not work.
        ready: Why it is not ready yet.
    """
    settings, link = device.settings(), device.link().state
    health, seconds = reports.look(settings.device, sample(device, outbox))
    message = StatusMessage(
        device=settings.device,
        version=__version__,
        pid=os.getpid(),
        at=timestamp(time.time()),
        started_at=timestamp(device.started_at_s),
        unhealthy=tuple(healthy()),
        unready=tuple(ready()),
        mqtt=LinkShape(
            broker=settings.mqtt.url,
            connected=link.connected,
            protocol=link.protocol,
            why=link.why,
            refused=link.refused,
            since=timestamp(link.since_s),
            reconnects=device.reconnects,
        ),
        health=health,
        rates_over_s=round(seconds, 1),
        cameras=tuple(post.state(settings.device) for post in device.cameras()),
        sensors=tuple(post.state(settings.device) for post in device.sensors()),
        models=tuple(
            device.model_state(model).model_copy(update={"labels": ()})
            for model in list(device.models().values())
        ),
    )
    found = _without_passwords(message.model_dump(mode="json", exclude_none=True))
    return found if isinstance(found, dict) else {}


def _without_passwords(value: Any) -> Any:
    """A text at a time: in JSON a password is not seen to end."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: _without_passwords(inner) for key, inner in value.items()}
    return [_without_passwords(inner) for inner in value] if isinstance(value, list) else value

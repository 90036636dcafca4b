"""What each box said last, cut to what a fleet's table shows.

Pure: messages and times in, records out. Nothing of a payload is trusted: it may come from anybody who may publish.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError

from edged.mqtt import topics
from edged.mqtt.records import Received
from edged.mqtt.shapes.health import HealthMessage
from edged.mqtt.shapes.info import InfoMessage
from edged.mqtt.shapes.model_state import ModelStateMessage

MAX_BOXES = 200_000
MAX_MODELS, MAX_REJECTED = 32, 16
"""Of a box, and of a model; more are not kept."""
MAX_TEXT = 200
"""Characters of a reason that are kept."""
MAX_PAYLOAD_BYTES = 256 * 1024

Status = Literal["online", "offline", "stopped", "unknown"]
_STATUS: dict[bytes, Status] = {b"online": "online", b"offline": "offline", b"stopped": "stopped"}


@dataclass(slots=True)
class ModelOn:
    """A model on a box.

    Attributes:
        version: That is served; None where nothing is.
        digest: Of it; empty where nothing is served.
        provider: What really runs it.
        why: Why nothing is served, or not as asked for.
        rejected: Versions that the box refused or took back, and why.
        probation: How far the probation of the serving version is; empty = over.
        update: Word for the update from afar; empty without one.
        offered: The version that the update is about.
        reason: Why the update waits or was refused.
        update_at: When the update came into this state.
    """

    version: int | None = None
    digest: str = ""
    provider: str = ""
    why: str = ""
    rejected: dict[int, str] = field(default_factory=dict)
    probation: str = ""
    update: str = ""
    offered: int | None = None
    reason: str = ""
    update_at: str = ""


@dataclass(slots=True)
class Box:
    """One box.

    Attributes:
        device: Its name.
        status: As the broker keeps it.
        version: Of edged; empty while not known.
        cameras: How many are configured.
        sensors: How many are configured.
        models: By name.
        published_per_s: Results, over the last minute; None until it tells, which it does once a minute.
        captured_per_s: Frames and rows, likewise.
        bottleneck: As it says itself; empty until it tells.
        started_at: When edged was started there.
        heard_s: When it last said something that the broker had not kept, on the monotonic clock; None = not yet.
        unreadable: What it said that is not as its schema says; empty for nothing.
    """

    device: str
    status: Status = "unknown"
    version: str = ""
    cameras: int = 0
    sensors: int = 0
    models: dict[str, ModelOn] = field(default_factory=dict)
    published_per_s: float | None = None
    captured_per_s: float | None = None
    bottleneck: str = ""
    started_at: str = ""
    heard_s: float | None = None
    unreadable: str = ""
    _named: tuple[str, ...] | None = None

    @property
    def trouble(self) -> str:
        """What a person should look at, in words; empty for nothing."""
        found: list[str] = [] if self.status in {"online", "stopped"} else [self.status]
        for name, model in self.models.items():
            if model.update == "refused":
                found.append(f"{name}: {model.offered or 'update'} refused: {model.reason}")
            elif model.update == "unreachable":
                found.append(f"{name}: update: {model.reason}")
            if model.why:
                found.append(f"{name}: {model.why}")
        if self.unreadable:
            found.append(f"{self.unreadable} cannot be read")
        return "; ".join(found)

    @property
    def missing(self) -> list[str]:
        """What it surely said once and has not arrived: topics below the device, for the broker to be asked again."""
        found = [] if self._named is not None or self.unreadable == "info" else ["info"]
        if self.status == "unknown":
            found.append("status")
        found += [f"model/{name}/state" for name in self._named or () if name not in self.models]
        return found


class Fleet:
    """Every box that was heard of.

    Attributes:
        left_out: Messages of boxes beyond `MAX_BOXES`, which are not kept.
    """

    def __init__(self, base: str) -> None:
        """None was yet.

        Args:
            base: Under which devices publish.
        """
        self._base = base
        self._boxes: dict[str, Box] = {}
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._boxes)

    def __iter__(self) -> Iterator[Box]:
        return iter(list(self._boxes.values()))

    def feed(self, message: Received, now_s: float) -> None:
        """Take a message; what is none of a box's is passed over.

        Args:
            message: As it came.
            now_s: When, on the monotonic clock.
        """
        place = topics.place(self._base, message.topic)
        if place is None or len(message.payload) > MAX_PAYLOAD_BYTES:
            return
        what = f"{place.kind}/{place.leaf}" if place.kind else place.leaf
        if what not in {"status", "info", "health", "model/state"}:
            return
        if not message.payload:
            self._forget(place.device, what, place.name)
            return
        box = self._box(place.device)
        if box is None:
            return
        if not message.retained:
            box.heard_s = now_s
        if what == "status":
            box.status = _STATUS.get(message.payload, "unknown")
            return
        try:
            self._read(box, what, place.name, message.payload)
        except ValidationError:
            box.unreadable = what

    def _box(self, device: str) -> Box | None:
        box = self._boxes.get(device)
        if box is None:
            if len(self._boxes) >= MAX_BOXES:
                self.left_out += 1
                return None
            box = self._boxes[device] = Box(device)
        return box

    def _forget(self, device: str, what: str, name: str) -> None:
        """A topic was cleared: so was what it said. A box that has neither status nor info is none any more."""
        box = self._boxes.get(device)
        if box is None:
            return
        if what == "model/state":
            box.models.pop(name, None)
        elif what == "status":
            box.status = "unknown"
        elif what == "info":
            box._named, box.version = None, ""
        if box.status == "unknown" and box._named is None:
            del self._boxes[device]

    def _read(self, box: Box, what: str, name: str, payload: bytes) -> None:
        if what == "info":
            info = InfoMessage.model_validate_json(payload)
            box.version, box.started_at = sys.intern(_short(info.version)), info.started_at
            box.cameras, box.sensors = len(info.cameras), len(info.sensors)
            box._named = tuple(sys.intern(_short(one)) for one in list(info.models)[:MAX_MODELS])
        elif what == "health":
            health = HealthMessage.model_validate_json(payload)
            box.published_per_s = sum(source.published_per_s for source in health.sources)
            box.captured_per_s = sum(source.captured_per_s for source in health.sources)
            box.bottleneck = sys.intern(_short(health.bottleneck))
        elif name in box.models or len(box.models) < MAX_MODELS:
            state = ModelStateMessage.model_validate_json(payload)
            box.models[sys.intern(name)] = _model(state)
        if box.unreadable == what:
            box.unreadable = ""


def _model(state: ModelStateMessage) -> ModelOn:
    update = state.update
    rejected = sorted(state.rejected, key=lambda one: -one.version)[:MAX_REJECTED]
    return ModelOn(
        version=state.active.version if state.active else None,
        digest=sys.intern(state.active.digest) if state.active else "",
        provider=sys.intern(_short(state.provider)),
        why=_short(state.why),
        rejected={one.version: _short(f"{one.step}: {one.reason}".removeprefix(": ")) for one in rejected},
        probation=_short(state.probation),
        update=sys.intern(_short(update.state)) if update else "",
        offered=update.version if update else None,
        reason=_short(update.reason) if update else "",
        update_at=update.at if update else "",
    )


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"

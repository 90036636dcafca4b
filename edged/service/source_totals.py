"""What a source did since the start, and what that is for ``health``. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.mqtt.shapes.health import SourceHealthShape


@dataclass(frozen=True, slots=True)
class CameraWork:
    """What only a camera has.

    Attributes:
        still: Frames that its motion gate passed over; None without one.
        late: Frames that were dropped because a model had no time for them.
        looked_at: Frames that were looked at.
        queue_s: That those waited for their turns.
        decode_cpu_s: Processor time of its thread.
        prepare_cpu_s: Processor time to prepare tensors.
        inference_s: In the runtime.
    """

    still: float | None = None
    late: float = 0
    looked_at: float = 0
    queue_s: float = 0.0
    decode_cpu_s: float = 0.0
    prepare_cpu_s: float = 0.0
    inference_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """A camera or a sensor, since the start.

    Attributes:
        name: As configured.
        captured: Frames, or rows.
        published: Results that were published.
        dropped: Frames, or rows and windows, by reason.
        reconnects: Times it came back.
        work: Of a camera.
    """

    name: str
    captured: float = 0
    published: float = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    reconnects: int = 0
    work: CameraWork | None = None

    @property
    def key(self) -> tuple[bool, str]:
        """Of no other source: a camera and a sensor may have the same name."""
        return self.work is not None, self.name

    def health(self, before: "SourceTotals | None", seconds: float) -> "SourceHealthShape":
        """Rates and shares of the last ``seconds``, before which it stood as ``before``, and drops since the start."""
        from edged.mqtt.shapes.health import SourceHealthShape  # noqa: PLC0415  # a start has no time for it

        before = before or SourceTotals(self.name)
        shape = SourceHealthShape(
            name=self.name,
            captured_per_s=round(max(0.0, self.captured - before.captured) / seconds, 2),
            published_per_s=round(max(0.0, self.published - before.published) / seconds, 2),
            dropped={reason: count for reason, count in sorted(self.dropped.items()) if count},
            reconnects=self.reconnects,
        )
        if self.work is None:
            return shape
        return shape.model_copy(update=_camera(self.work, before.work or CameraWork(), seconds))


def _camera(now: CameraWork, then: CameraWork, seconds: float) -> dict[str, float | None]:
    def share(done: float, before: float) -> float:
        return round(100 * max(0.0, done - before) / seconds, 1)

    looked_at, late = now.looked_at - then.looked_at, max(0.0, now.late - then.late)
    still = None if now.still is None else max(0.0, now.still - (then.still or 0))
    queue_ms = 1000 * (now.queue_s - then.queue_s) / looked_at if looked_at > 0 else None
    return {
        "still_per_s": None if still is None else round(still / seconds, 2),
        "late_per_s": round(late / seconds, 2),
        "decode_cpu_percent": share(now.decode_cpu_s, then.decode_cpu_s),
        "prepare_cpu_percent": share(now.prepare_cpu_s, then.prepare_cpu_s),
        "inference_percent": share(now.inference_s, then.inference_s),
        "queue_ms": None if queue_ms is None else round(max(0.0, queue_ms), 3),
    }

"""The line of ``systemctl status``: what works, in a few words."""

import time
from collections.abc import Callable, Iterable

from edged.lifecycle import ServedModel
from edged.mqtt.link import LinkState
from edged.sources.switch import SourceStatus
from edged.systemd import Notifier

EVERY_S = 5.0
"""Between two lines, at least."""
MAX_MODELS = 4
"""Named in it; of more, how many."""


def status_line(
    *,
    cameras: Iterable[SourceStatus],
    sensors: Iterable[SourceStatus],
    models: Iterable[tuple[str, int | None]],
    per_s: float,
    broker: str,
) -> str:
    """Say it. Pure.

    Args:
        cameras: How each stands.
        sensors: Likewise.
        models: Name and the version that serves; None where none does.
        per_s: Inferences a second.
        broker: How the link stands.
    """
    counted = [_of(list(cameras), "camera"), _of(list(sensors), "sensor")]
    named = [f"{name} v{version}" if version else f"{name} not served" for name, version in models]
    if len(named) > MAX_MODELS:
        named = [*named[:MAX_MODELS], f"{len(named) - MAX_MODELS} more models"]
    return ", ".join([*filter(None, counted), f"{per_s:.1f} inferences/s", *named, f"broker {broker}"])


def _of(states: list[SourceStatus], what: str) -> str:
    if not states:
        return ""
    online = sum(state is SourceStatus.ONLINE for state in states)
    return f"{online}/{len(states)} {what}{'s' if len(states) > 1 else ''}"


class StatusLine:
    """Has the service manager show it. Owned by the main thread."""

    def __init__(self, notifier: Notifier) -> None:
        """Nothing is said yet."""
        self._notifier = notifier
        self._next_s, self._told_s, self._inferences = 0.0, time.monotonic(), 0

    def tell(
        self,
        cameras: Callable[[], Iterable[SourceStatus]],
        sensors: Callable[[], Iterable[SourceStatus]],
        models: Iterable[ServedModel],
        link: LinkState,
    ) -> None:
        """Say how things stand, unless that was just done or nobody asks."""
        now_s = time.monotonic()
        if not self._notifier.heard or now_s < self._next_s:
            return
        self._next_s = now_s + EVERY_S
        models = list(models)
        inferences = sum(model.pipeline.inferences for model in models if model.pipeline)
        per_s = max(0, inferences - self._inferences) / max(1e-3, now_s - self._told_s)
        self._inferences, self._told_s = inferences, now_s
        running = [
            (model.name, running.version if (running := model.running()) else None) for model in models
        ]
        broker = "connected" if link.connected else f"away ({link.why})"
        line = status_line(cameras=cameras(), sensors=sensors(), models=running, per_s=per_s, broker=broker)
        self._notifier.status(line)

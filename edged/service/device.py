"""What is spoken of: everything that is at work, as it is at the moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edged.lifecycle import ServedModel
from edged.mqtt.link import Link
from edged.service.cameras import Cameras
from edged.service.lasting import Counts, Lasting
from edged.service.previous_end import PreviousEnd
from edged.service.sensors import Sensors
from edged.settings import Settings

if TYPE_CHECKING:
    from edged.mqtt.shapes.model_state import ModelStateMessage
    from edged.service.pictures import Pictures
    from edged.service.updates import Totals
    from edged.updates.progress import Progress


@dataclass(frozen=True, slots=True)
class Device:
    """Asked anew each time, because a reload puts others in their place.

    Attributes:
        settings: In force.
        link: What takes the words.
        cameras: At work.
        sensors: At work.
        models: That are used, by name.
        model_totals: What models of a name did since the start.
        links: What all links did since the start (`deeds_of`).
        started_at_s: Of the daemon, in seconds since 1970.
        previous_end: How the run before ended; None where that is not known.
        update: How far the update of a model is; None where it is not updated from afar.
        update_totals: What updates did since the start; None while they are off.
        pictures: Those of objects; None = none was wanted yet.
    """

    settings: Callable[[], Settings]
    link: Callable[[], Link]
    cameras: Callable[[], Cameras]
    sensors: Callable[[], Sensors]
    models: Callable[[], Mapping[str, ServedModel]]
    model_totals: Callable[[], Mapping[str, Lasting]]
    links: Lasting
    started_at_s: float
    previous_end: PreviousEnd | None = None
    update: Callable[[str], "Progress | None"] = lambda _: None
    update_totals: Callable[[], "Totals | None"] = lambda: None
    pictures: "Callable[[], Pictures | None]" = lambda: None

    def model_state(self, model: ServedModel) -> "ModelStateMessage":
        """What is said of a model on ``model/<name>/state``."""
        message, progress = model.state(self.settings().device), self.update(model.name)
        if progress is None:
            return message
        from edged.service.update_words import with_update  # noqa: PLC0415  # for who wants updates

        return with_update(message, progress)

    @property
    def reconnects(self) -> int:
        """Connections to a broker after the first."""
        return max(0, int(self.links.totals().get("connections", 0)) - 1)

    @property
    def set_aside(self) -> int:
        """Messages that a broker did not take."""
        return int(self.links.totals().get("set aside", 0))


def deeds_of(link: Link) -> Counts:
    """What is counted of a link: ``connections`` and ``set aside``."""
    return {"connections": link.connections, "set aside": link.set_aside}

"""What commands do with a camera: switch it off and on, choose by score, take a picture. Called from one thread."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edged.drawing import jpeg
from edged.errors import NotAllowed, SourceLost
from edged.frame import Frame
from edged.mqtt.payloads import timestamp
from edged.service.cameras import Cameras
from edged.service.posts import CameraPost
from edged.sources.camera import SourceStatus

if TYPE_CHECKING:
    from edged.service.pictures import Pictures

QUALITY = 85

Answer = Mapping[str, Any]


class CameraOrders:
    """Each method takes checked arguments, answers, and raises `edged.errors.EdgedError` where it cannot be done."""

    def __init__(
        self, cameras: Cameras, pictures: Callable[[], "Pictures"], publish: Callable[[str, bytes], None]
    ) -> None:
        """Keep what is needed.

        Args:
            cameras: Those at work.
            pictures: Make frames such that they may be shown.
            publish: Sends the picture of a camera, by its name.
        """
        self._cameras, self._pictures, self._publish = cameras, pictures, publish

    def enable(self, arguments: Answer) -> Answer:
        """Switch a camera on or off: ``name``, ``enabled``. Its state follows when its connection is closed."""
        post, problem = self._cameras.switch(arguments["name"], {"enabled": arguments["enabled"]})
        return {"ok": True, "name": post.name, "enabled": post.override.enabled, **_kept(problem)}

    def choose(self, arguments: Answer) -> Answer:
        """Keep only detections of a score: ``name``, ``min_score``; null = the configured one.

        A score below what a model keeps at all is taken, since another model or version may keep more; the answer
        says that it has no effect now.
        """
        post, problem = self._cameras.switch(arguments["name"], {"min_score": arguments["min_score"]})
        floors, score = self._cameras.floors(post), post.min_score
        notes = [
            f"model {name} itself keeps nothing below {floor:g}; lower models.{name}.min_score to get more"
            for name, floor in floors.items()
            if score is not None and score < floor
        ]
        answer = {"ok": True, "name": post.name, "min_score": score, "floors": floors}
        return answer | _kept(problem, *notes)

    def snapshot(self, arguments: Answer) -> Answer:
        """Publish the next frame of a camera: ``name``, and if wanted ``max_width`` and ``quality``."""
        post = self._cameras.find(arguments["name"])
        shown, frame = self._pictures().next(post.name, partial(_next_frame, post))
        picture, width, height = jpeg(
            shown,
            quality=arguments.get("quality", QUALITY),
            max_width=arguments.get("max_width"),
        )
        self._publish(post.name, picture)
        return {
            "ok": True,
            "name": post.name,
            "width": width,
            "height": height,
            "bytes": len(picture),
            "captured_at": timestamp(frame.captured_at_s),
        }


def _next_frame(post: CameraPost, timeout_s: float) -> Frame | None:
    _require_online(post)
    frame = post.camera.next_frame(timeout_s, deliver=bool(post.section.privacy.blur))
    if frame is None:
        _require_online(post)
    return frame


def _require_online(post: CameraPost) -> None:
    subject, state = f"cameras.{post.name}", post.camera.state
    if not post.override.enabled:
        raise NotAllowed(subject, "is switched off", "switch it on with camera/enable")
    if post.camera.stopped:
        raise SourceLost(subject, "is just being ended", "try again in a moment")
    if state.status is not SourceStatus.ONLINE:
        raise SourceLost(subject, f"is offline ({state.why})", "try again when it is online")


def _kept(problem: str, *notes: str) -> dict[str, Any]:
    """Whether what was switched survives a restart, and what else is to be said."""
    if problem:
        notes = (f"this will not survive a restart: {problem}", *notes)
    return {"kept": not problem} | ({"note": "; ".join(notes)} if notes else {})

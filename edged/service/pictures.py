"""Pictures that leave the box: the best of each object, and the next frame when a command asks for it.

caller's thread: watch (copies pixels), looked (what is to be blurred) ─→ waits ─→ thread: covered, encoded ─→ link
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from edged.detection import Detections
from edged.drawing import Picture
from edged.errors import EdgedError, NotAllowed, SourceLost
from edged.events import BookUpdate
from edged.frame import Frame
from edged.heartbeat import Heartbeat
from edged.pipeline import Result
from edged.preprocess import to_bgr
from edged.sections import CameraSettings
from edged.service.blurring import KnownModel, look_of, lookouts, privacy_of
from edged.service.bucket import TokenBucket
from edged.snapshots.looks import Look, Looks
from edged.snapshots.picture import Develop, Style, cover
from edged.snapshots.shot import Shot, around, copied
from edged.snapshots.waiting import Sight, Waiting
from edged.tracking import Tracks

NEXT_S = 5.0
"""Longest wait for a picture that a command asks for."""
POLL_S = 0.1
"""Between two looks at pictures that cannot be made yet."""
BURST_S = 10.0
"""A camera's pictures of so many seconds may be made at once."""
WARN_EVERY_S = 60.0
STUCK_S = 30.0

log = structlog.get_logger()

SectionOf = Callable[[str], CameraSettings | None]
NextFrame = Callable[[float], Frame | None]


class Pictures:
    """Of all cameras. Any thread may call."""

    def __init__(
        self,
        section: SectionOf,
        models: Callable[[], Mapping[str, KnownModel]],
        *,
        show: Callable[[str, bytes], None],
        keep: Callable[[str, str, bytes, CameraSettings], None],
    ) -> None:
        """None is made yet.

        Args:
            section: Of a camera as it is in force; None = it is not at work.
            models: That are served, by name.
            show: Takes a camera and its newest picture.
            keep: Takes a camera, a label and the best picture of its newest object, to be kept by the broker; and the
                section under which it was made.
        """
        self._section, self._models, self._show, self._keep = section, models, show, keep
        self._looks = Looks()
        self._news = threading.Condition()  # around everything below
        self._buckets: dict[str, tuple[float, TokenBucket]] = {}
        self._waiting = Waiting(self._sight, self._may_go)
        self._closing = False
        self._warned_s: dict[str, float] = {}
        self._made: Counter[str] = Counter()
        self._heart = Heartbeat(STUCK_S)
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def start(self) -> None:
        """Begin to make them."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Make what waits, and end the thread; nothing is taken any more."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def made(self, camera: str) -> int:
        """How many objects got a picture, a better one counted again."""
        return self._made[camera]

    def dropped(self, camera: str) -> dict[str, int]:
        """How many did not, by reason."""
        with self._news:
            return {why: count for (name, why), count in self._waiting.dropped.items() if name == camera}

    def forget(self, camera: str) -> None:
        """There is no such camera any more, or it is another one."""
        self._looks.forget(camera)
        with self._news:
            self._waiting.forget(camera)

    def watch(self, camera: str, update: BookUpdate, frame: Frame, _found: Detections) -> None:
        """Copy what there is a better picture of now; called while the frame is at hand."""
        section = self._section(camera)
        if section is None or not section.snapshots.enabled:
            return
        wanted = section.snapshots.labels
        whole: tuple[Frame, tuple[int, int]] | None = None
        for event in update.better:
            if event.best.moment.sequence != frame.sequence or (wanted and event.label not in wanted):
                continue
            if section.snapshots.view == "crop":
                margin = section.snapshots.margin
                part = copied(frame, around(event.best.box, margin, frame.width, frame.height))
            else:
                part = whole = whole or copied(frame)
            shot = Shot(camera, event, *part, frame.captured_monotonic_s, time.monotonic())
            with self._news:
                if not self._closing and _is_same(section, self._section(camera)):
                    self._waiting.put(shot)
                    self._news.notify_all()

    def looked(self, camera: str, model: str, result: Result, tracks: Tracks | None) -> None:
        """A model has looked at a frame.

        Args:
            camera: Its name.
            model: Its name.
            result: What it found; nothing is left out.
            tracks: After this frame; None = nothing is followed.
        """
        section = self._section(camera)
        if section is not None and section.privacy.blur:
            frame, blur = result.frame, privacy_of(section).blur
            key = (frame.sequence, frame.captured_monotonic_s)
            served = self._models().get(model)
            kept = served.section.labels if served else ()
            self._looks.add(camera, model, key, look_of(result, blur, tracks, kept))

    def next(self, camera: str, next_frame: NextFrame) -> tuple[Picture, Frame]:
        """The next frame as it may be shown.

        Args:
            camera: Its name.
            next_frame: Waits for the next frame, so many seconds at most; where something is to be blurred the camera's
                models must be given it.

        Raises:
            NotAllowed: None of its models sees what is to be blurred.
            SourceLost: No frame came, or none that they have looked at.
        """
        subject, deadline_s = f"cameras.{camera}", time.monotonic() + NEXT_S
        frame, asked = None, self._section(camera)
        while (left_s := deadline_s - time.monotonic()) > 0 and (frame := next_frame(left_s)):
            section = self._section(camera)
            if section is None or not _is_same(asked, section):
                raise SourceLost(subject, "is just being changed", "try again in a moment")
            privacy, look = privacy_of(section), None
            if privacy.blur:
                key = (frame.sequence, frame.captured_monotonic_s)
                left_s = max(0.0, deadline_s - time.monotonic())
                models = self._lookouts(camera, section)
                look = self._looks.wait_for(camera, models, key, privacy.blur, left_s)
                if look is None:
                    continue
            picture = to_bgr(frame)
            cover(picture, privacy, look, size=(frame.width, frame.height))
            if (now := self._section(camera)) and privacy_of(now) == privacy:
                return picture, frame
        if frame is None:
            raise SourceLost(subject, f"no frame came within {NEXT_S:g} s", "try again later")
        raise SourceLost(
            subject,
            f"no frame was looked at within {NEXT_S:g} s, so it is not known what is to be blurred",
            "try again later",
        )

    # The thread

    def _run(self) -> None:
        with self._heart:
            while True:
                with self._news:
                    shot = self._next()
                    # Now: once it is forgotten there may be another camera of its name, with other rules.
                    section = self._section(shot.camera) if shot else None
                if shot is None:
                    return
                try:
                    self._make(shot, section)
                except Exception as error:  # noqa: BLE001  # one picture must not cost the others
                    self._warn(shot.camera, error)

    def _next(self) -> Shot | None:
        """Wait for the next that is to be made; None = there will be none."""
        while True:
            self._heart.mark()
            now_s = time.monotonic()
            if shot := self._waiting.take(now_s, last=self._closing):
                return shot
            if self._closing:
                return None
            due_s = self._waiting.next_s()
            self._heart.rest()
            self._news.wait(None if due_s is None else max(POLL_S, due_s - now_s))

    def _make(self, shot: Shot, section: CameraSettings | None) -> None:
        if section is None or not section.snapshots.enabled:
            return
        wanted, privacy = section.snapshots, privacy_of(section)
        look = self._look(shot, section) if privacy.blur else None
        if privacy.blur and look is None:
            return  # it was forgotten meanwhile
        style = Style(wanted.draw, wanted.quality, wanted.max_width, wanted.margin)
        pictures = Develop(shot, privacy, look, style)
        full = b"" if wanted.view == "crop" else pictures.jpeg("full")
        crop = b"" if wanted.view == "full" else pictures.jpeg("crop")
        now = self._section(shot.camera)
        if (
            now is None
            or not now.snapshots.enabled
            or privacy_of(now) != privacy
            or not _is_same(section, now)
        ):
            return  # another configuration came meanwhile
        self._made[shot.camera] += 1
        self._show(shot.camera, full or crop)
        self._keep(shot.camera, shot.event.label, crop or full, section)

    def _look(self, shot: Shot, section: CameraSettings) -> Look | None:
        models = self._lookouts(shot.camera, section)
        return self._looks.of(shot.camera, models, shot.key, section.privacy.blur)

    def _lookouts(self, camera: str, section: CameraSettings) -> tuple[str, ...]:
        found = lookouts(section, self._models())
        if found.missing:
            raise NotAllowed(
                f"cameras.{camera}.privacy.blur",
                f"none of its models that are served sees {', '.join(map(repr, found.missing))}, so no picture leaves",
                "serve a detector that keeps this label, or take the label out of blur",
            )
        return found.models

    def _sight(self, shot: Shot) -> Sight:
        section = self._section(shot.camera)
        if section is None:
            return Sight.NEVER
        if not section.privacy.blur:
            return Sight.KNOWN
        try:
            models = self._lookouts(shot.camera, section)
        except NotAllowed as error:
            self._warn(shot.camera, error)
            return Sight.NEVER
        if self._looks.of(shot.camera, models, shot.key, section.privacy.blur):
            return Sight.KNOWN
        return Sight.NEVER if self._looks.passed(shot.camera, models, shot.key) else Sight.NOT_YET

    def _may_go(self, camera: str, now_s: float) -> bool:
        section = self._section(camera)
        per_s = section.snapshots.max_rate if section else 0.0
        known = self._buckets.get(camera)
        if known is None or known[0] != per_s:
            known = (per_s, TokenBucket(burst=max(1, round(per_s * BURST_S)), per_s=per_s))
            self._buckets[camera] = known
        return known[1].take(now_s)

    def _warn(self, camera: str, error: Exception) -> None:
        """Say it once a while."""
        now_s = time.monotonic()
        if now_s - self._warned_s.get(camera, -WARN_EVERY_S) < WARN_EVERY_S:
            return
        self._warned_s[camera] = now_s
        if isinstance(error, EdgedError):
            log.warning("no picture", camera=camera, reason=str(error))
        else:
            log.error("no picture", camera=camera, exc_info=error)


def _is_same(one: CameraSettings | None, other: CameraSettings | None) -> bool:
    """Whether both are of one source, so that the rules of one are made for pictures of the other."""
    return one is not None and other is not None and one.url == other.url

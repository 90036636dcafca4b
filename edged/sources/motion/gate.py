"""The motion gate of a camera: which packets need no decoding, and which frames no looking at.

        gate      packets are judged by      frames are judged by
        off       –                          –
        pixels    –                          `PixelMotion`
        stream    `PacketMotion`             –
        auto      `PacketMotion`             `PixelMotion`, while it is awake, and at each recheck

``auto`` opens for either. While packets sleep, each recheck compares the scene with what it was: where it has
changed twice and no packet said so, packets do not serve, and pixels take over. Where packets cannot serve at all,
pixels do so from the start, in ``stream`` as well.
"""

from collections import deque
from dataclasses import dataclass, field

import cv2
import structlog

from edged.frame import PixelLayout, Plane
from edged.sections import MotionSettings
from edged.sources.motion.packets import PacketMotion, Verdict
from edged.sources.motion.pixels import PixelMotion
from edged.sources.motion.watch import Timeline, Watch
from edged.sources.packets import SINGLE_PICTURE_CODECS, PacketFacts, StreamTraits
from edged.sources.pixels import Pixels

MISSES = 2
"""Rechecks that find the scene changed though no packet said so, among `JUDGED_RECHECKS`."""
JUDGED_RECHECKS = 5
OVERDUE = 1.5
"""A recheck waits for a key frame until it is so many times as late as it may be."""
INTRA_PACKETS = 50
"""So many key frames and nothing else: the stream has no inter frames."""

Region = tuple[float, float, float, float]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Look:
    """What the gate says of a frame.

    Attributes:
        opens: Whether it is delivered.
        still: Whether it is not delivered only because nothing moves.
        regions: Where something moves, x1, y1, x2, y2 in pixels of the frame; where regions are asked for.
    """

    opens: bool
    still: bool = False
    regions: tuple[Region, ...] = ()


SHUT = Look(opens=False)
"""What is said of a frame that is not delivered for another reason than stillness."""
_OPEN = Look(opens=True)


@dataclass(slots=True)
class _Known:
    """What was learned of one stream."""

    watch: Watch
    packets: PacketMotion | None = None
    pixels: PixelMotion | None = None
    missed: deque[bool] = field(default_factory=lambda: deque(maxlen=JUDGED_RECHECKS))
    key_frames: int = 0


class Gate:
    """One camera's gate. It belongs to the camera's thread, apart from `text` and `moving`.

    Attributes:
        text: For people: what motion is seen by, and why not by what was asked for. Empty without a gate.
        moving: Whether something moves.
    """

    def __init__(self, camera: str, settings: MotionSettings) -> None:
        """Args: camera: Its name, for the log; settings: its ``motion`` section."""
        self._camera, self._settings = camera, settings
        self.text: str = "" if settings.gate == "off" else settings.gate
        self.moving = False
        self._off = settings.gate == "off"
        self._timeline = Timeline()
        self._traits: StreamTraits | None = None
        self._known = _known(settings)

    def begin(self, traits: StreamTraits, *, again: bool, step_s: float = 0.0) -> None:
        """A stream was opened.

        Args:
            traits: Of the stream.
            again: Whether it is the recording that was read before: what was learned of it holds.
            step_s: From the last frame of the recording to its first one.
        """
        self._timeline.restart(step_s)
        if again and self._traits == traits:
            return
        self._traits, self._known, self.moving = traits, _known(self._settings), False
        self._off = self._settings.gate == "off" or not traits.codec
        if self._off:
            self._say("off (pictures have nothing to do with one another)" if self.text else "")
            return
        if self._settings.gate in {"stream", "auto"}:
            self._begin_packets(traits)
        if self._settings.gate == "pixels" or (self._settings.gate == "auto" and not self._known.pixels):
            self._known.pixels = PixelMotion(self._settings)

    @property
    def judges_packets(self) -> bool:
        """Whether `packet` sees motion; once False it stays so until the next `begin`."""
        return self._known.packets is not None

    def packet(self, packet: PacketFacts) -> None:
        """Judge a packet; called for each, in the order they are read."""
        if self._known.packets is None:
            return
        time_s = self._timeline.at(packet.time_s)
        verdict = self._known.packets.look(
            PacketFacts(time_s, packet.size, key=packet.key, disposable=packet.disposable)
        )
        if verdict is not Verdict.STILL:
            self._known.watch.moved(time_s)
        self._known.key_frames = self._known.key_frames + 1 if packet.key else 0
        if self._known.key_frames >= INTRA_PACKETS:
            self._fall_back("the stream has no inter frames")
        elif self._known.packets.padded:
            self._fall_back("its packets are filled up to a constant rate")
        elif self._known.packets.learned:
            self._say("stream (masks do not apply)" if self._settings.masks else "stream")

    def sleeps(self, time_s: float) -> bool:
        """Whether the packet of this time needs no decoding as far as motion goes."""
        if self._known.packets is None or not self._known.packets.learned:
            return False
        return not self._known.watch.is_awake(self._timeline.at(time_s))

    def recheck_is_due(self, packet: PacketFacts) -> bool:
        """Whether the frame of a packet is to be looked at though nothing moves."""
        grace = 1.0 if packet.key else OVERDUE
        return self._known.watch.is_due(self._timeline.at(packet.time_s), grace=grace)

    def look(self, time_s: float, pixels: Pixels) -> Look:
        """Judge a decoded frame that ``fps`` chose, or that a recheck asked for."""
        if self._off:
            return _OPEN
        time_s = self._timeline.at(time_s)
        due = self._known.watch.is_due(time_s)
        regions = self._look_at_pixels(time_s, pixels, recheck=due)
        awake = self._known.watch.is_awake(time_s)
        self.moving = awake
        if not (awake or due):
            return Look(opens=False, still=True)
        self._known.watch.looked(time_s)
        return Look(opens=True, regions=regions)

    def passed(self, time_s: float, *, chosen: bool) -> Look:
        """What is said of a frame that was not decoded; ``chosen``: whether ``fps`` would have chosen it."""
        if self._off:
            return SHUT
        self.moving = self._known.watch.is_awake(self._timeline.at(time_s))
        return Look(opens=False, still=chosen)

    def _look_at_pixels(self, time_s: float, pixels: Pixels, *, recheck: bool) -> tuple[Region, ...]:
        if self._known.pixels is None:
            return ()
        motion = self._known.pixels.look(_luma(pixels), time_s)
        if recheck and not self._known.watch.is_awake(time_s):
            self._judge_packets(missed=motion.moving and len(motion.boxes) > 0)  # no boxes: it learns
        if motion.moving:
            self._known.watch.moved(time_s)
        if not self._settings.regions:
            return ()
        return tuple((float(x1), float(y1), float(x2), float(y2)) for x1, y1, x2, y2 in motion.boxes)

    def _judge_packets(self, *, missed: bool) -> None:
        """Whether what pixels see at a recheck agrees with the packets that slept until then."""
        self._known.missed.append(missed)
        if self._known.packets is not None and sum(self._known.missed) >= MISSES:
            self._fall_back("packets missed what changed")

    def _begin_packets(self, traits: StreamTraits) -> None:
        if self._settings.gate == "auto" and self._settings.masks:
            self._fall_back("packets know no masks")
        elif traits.intra_only:
            self._fall_back("the stream has no inter frames")
        elif traits.codec not in SINGLE_PICTURE_CODECS:
            self._fall_back(f"packets of {traits.codec} are not understood")
        elif not traits.has_clock:
            self._fall_back("the stream has no clock")
        else:
            self._known.packets = PacketMotion(pixels=traits.pixels)
            self._say(f"{self._settings.gate} (learning)")

    def _fall_back(self, why: str) -> None:
        self._known.packets = None
        self._known.pixels = self._known.pixels or PixelMotion(self._settings)
        self._say(f"pixels ({why})")

    def _say(self, text: str) -> None:
        """Once for each change."""
        if text != self.text:
            self.text = text
            log.info("motion gate", camera=self._camera, gate=text)


def _known(settings: MotionSettings) -> _Known:
    """Nothing yet."""
    return _Known(Watch(hold_s=settings.hold, recheck_s=settings.recheck))


def _luma(pixels: Pixels) -> Plane:
    if pixels.layout is PixelLayout.BGR:
        grey: Plane = cv2.cvtColor(pixels.planes[0], cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
        return grey
    return pixels.planes[0]

"""What every kind of source gives: captures, frames as they arrived and not yet converted."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from edged.sources.packets import PacketFacts, StreamTraits, Treatment
from edged.sources.pixels import Pixels


@dataclass(slots=True)
class SourceStatistics:
    """Counts since the source was made. One thread writes, others may read.

    ``captured`` is ``chosen + still + skipped + damaged + ended + failed``, and one that is in hand.

    Attributes:
        captured: Frames that came.
        chosen: Frames that were delivered.
        still: Frames that ``fps`` chose, or would have, and the motion gate passed over.
        skipped: Frames that ``fps`` did not choose.
        damaged: Captured frames whose pixels could not be made.
        ended: Frames that were not due yet when the camera was switched off or taken away.
        failed: Frames that were in hand when reading was broken off by an error.
        unreadable: Packets and pictures that could not be decoded, captured ones among them, and answers without a
            picture of a server that is asked for each.
        reconnects: Times it came back after it was away.
        stalls: Times it fell silent, or sent nothing that could be decoded.
    """

    captured: int = 0
    chosen: int = 0
    still: int = 0
    skipped: int = 0
    damaged: int = 0
    ended: int = 0
    failed: int = 0
    unreadable: int = 0
    reconnects: int = 0
    stalls: int = 0

    def settle(self) -> None:
        """Reading has ended: a frame that was in hand comes to nothing."""
        known = self.chosen + self.still + self.skipped + self.damaged + self.ended + self.failed
        self.failed += self.captured - known


@dataclass(frozen=True, slots=True)
class Capture:
    """A frame as it arrived.

    Attributes:
        pts_s: Its time stamp on the stream's own clock; None where the stream has no clock.
        arrival_s: When it was read, on the monotonic clock.
        pixels: Makes the upright planes; costly, so only for chosen frames. Raises an `EdgedError` for a
            picture that cannot be read. None where the frame was counted and not decoded.
        path: Of the picture; empty for frames of a video.
    """

    pts_s: float | None
    arrival_s: float
    pixels: Callable[[], Pixels] | None
    path: str = ""


class Source(Protocol):
    """An open source. It belongs to the thread that opened it; no other may call it.

    Attributes:
        fps: As the source declares it; None where it does not.
        live: Whether it goes on by itself: its frames are news, and its end is a loss.
        stills: Whether it is made of pictures that have nothing to do with one another, at the rate asked for.
        traits: What can be foreseen of its frames.
        polled: Whether it was one picture of a server, so that the next one must be asked for; known at the end of
            `captures`.
        warning: What was wrong though it could be read; known at the end of `captures`.
    """

    fps: float | None
    live: bool
    stills: bool
    traits: StreamTraits
    polled: bool
    warning: str

    @property
    def decoder(self) -> str:
        """For people: what decodes it, and why not what was asked for; empty for pictures."""

    def captures(
        self, treatment: Callable[[PacketFacts], Treatment] | None = None, /
    ) -> Generator[Capture, None, None]:
        """Each frame, in order, once. Ends with the source, or when the stop event given at opening is set.

        Args:
            treatment: Asked for each packet of a stream, in the order they are read, what it is worth; None = all
                are decoded.

        Raises:
            SourceLost: A live source fell silent or broke off.
            BadInput: Nothing in a recording can be decoded.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

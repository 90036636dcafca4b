"""The decoder of one stream: packets in, frames out, how to begin anew in the middle, and what it is."""

from typing import TypeAlias

import av
from av.codec.context import CodecContext
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

Packet: TypeAlias = "av.Packet[Stream]"

PATIENCE_PACKETS = 30
"""So many packets without a frame, and hardware that opened does not take the stream after all."""
_SOFTWARE_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv420p10le"})
"""What FFmpeg's own decoders give where hardware gives NV12 or P010."""


class Decoder:
    """Decodes with a context that nobody else uses.

    Attributes:
        text: For people: the codec, the hardware that decodes it, and why not what was asked for.
        unreadable: Packets that could not be decoded.
    """

    def __init__(
        self,
        context: CodecContext,
        text: str,
        *,
        accelerated: bool = False,
        spare: CodecContext | None = None,
    ) -> None:
        """Take a context.

        Args:
            context: Set up, open or not.
            text: What it is.
            accelerated: Whether it falls back to software by itself, without a word.
            spare: Takes its place where it gives no frame at all.
        """
        self.text, self.unreadable = text, 0
        self._context, self._spare, self._accelerated = _of_video(context), spare, accelerated
        self._fruitless = 0

    def decode(self, packet: Packet) -> list[av.VideoFrame]:
        """Frames that are complete by now, in the order they are shown; an empty packet gives the last ones."""
        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            self.unreadable += 1
            frames = []
        if frames:
            if self._accelerated or self._spare is not None:
                self._prove(frames[0])
        elif self._spare is not None:
            self._fruitless += 1
            if self._fruitless >= PATIENCE_PACKETS:
                self._context, self._spare = _of_video(self._spare), None
                self._fall_back()
        return frames

    def drain(self) -> list[av.VideoFrame]:
        """The frames it still holds back. The next packet must be a key frame."""
        try:
            return list(self._context.decode(None))
        except (av.FFmpegError, ValueError):
            return []
        finally:
            self._context.flush_buffers()

    def _prove(self, frame: av.VideoFrame) -> None:
        """By the first frame, whether the hardware works."""
        self._spare = None
        if self._accelerated and frame.format.name in _SOFTWARE_FORMATS:
            self._fall_back()
        self._accelerated = False

    def _fall_back(self) -> None:
        codec, _, kind = self.text.partition(" ")
        self.text = f"{codec} ({kind}: does not take this stream)"


def _of_video(context: CodecContext) -> VideoCodecContext:
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{context.name} is no decoder of video")
    return context

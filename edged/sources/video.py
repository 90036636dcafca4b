"""Video as a source: RTSP, HTTP, a USB camera, a file, all through PyAV.

Measured habits of the library that this file is built around: a read without a time-out never ends; closing a
container from another thread than its owner's crashes the process; after a time-out the parser gives out one
last packet, so that a silence shows first as a gap between packets; a stream can go on sending what nobody can
decode.
"""

import errno
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext

from edged.errors import EdgedError
from edged.sources import MAX_PIXELS, faults
from edged.sources.address import Address, Kind
from edged.sources.capture import Capture, SourceStatistics
from edged.sources.decoder import Packet
from edged.sources.hardware import DecoderChoice
from edged.sources.interrupt import interruptible
from edged.sources.packets import (
    SINGLE_PICTURE_CODECS,
    Disposability,
    PacketFacts,
    StreamTraits,
    Treatment,
)
from edged.sources.unpacking import Unpacker

KEY_FRAME_WAIT_S = 5.0
KEY_FRAME_WAIT_PACKETS = 300
"""Without a key frame for so long a stream may never send one: then what comes is taken."""
POLL_S = 0.005
"""Between two looks at a device that has no frame yet."""
ANALYZE_S = 0.5
"""Of a stream, before its first frame: FFmpeg's own 5 s would be added to every reconnect."""
PLAUSIBLE_FPS = 1000.0
ONE_THREAD_PIXELS = 1280 * 720
"""A frame of at most so many is decoded by one thread: sharing its slices costs more than it saves. Larger ones come
in several slices more often, and then more threads have them ready earlier."""
WHOLE = 0.9
"""A file of which this part of the declared frames, or of the declared time, came counts as whole."""

WAITED_S = 0.002
"""A packet that took so long to come was waited for: no other one lay ready."""

_TIMED_FORMATS = frozenset({"matroska,webm", "flv", "mov,mp4,m4a,3gp,3g2,mj2"})
"""They declare how long they are; of others FFmpeg gives what it guesses from their size."""
_FILE_OF_A_PICTURE, _FLOW_OF_PICTURES = "image2", "image2pipe"
_PICTURE_FORMATS = frozenset({_FILE_OF_A_PICTURE, _FLOW_OF_PICTURES})
"""And those of one kind of picture, such as jpeg_pipe."""
_CLOCKLESS_FORMATS = frozenset({"mpjpeg", "mjpeg", "jpeg_pipe"})  # FFmpeg numbers their frames by 25 a second


class VideoSource:
    """An open stream or file. See `Source` for the contract."""

    stills = False

    def __init__(
        self,
        address: Address,
        *,
        transport: str,
        read_timeout_s: float,
        rest_s: float,
        stop: threading.Event,
        statistics: SourceStatistics,
        choice: DecoderChoice,
        measured: bool = True,
    ) -> None:
        """Connect, and look at the stream until its format is known.

        Args:
            address: Of any kind but pictures.
            transport: Of RTSP: ``auto``, ``tcp`` or ``udp``.
            read_timeout_s: Longest silence; opening may take as long.
            rest_s: While nothing moves, packets of a live source are left to gather for so long: to be woken for each
                costs several times what reading it does.
            stop: Ends every wait and every iteration.
            statistics: Where unreadable packets and stalls are counted.
            choice: Of the decoder.
            measured: False where the same server's last picture came without its length: the first request that only
                finds this out is spared.

        Raises:
            EdgedError: It cannot be opened; the leaf says who can change that.
        """
        self.warning, self.polled = "", False
        self._address = address
        self._timeout_s = read_timeout_s
        self._stop = stop
        self._statistics = statistics
        self._rest_s = 0.0 if address.kind is Kind.DEVICE or transport == "udp" else rest_s
        self._last: Packet | None = None  # of any stream: sound may go on after the last frame
        self._measured = measured
        self._container = self._opened(transport, choice)
        if not self._container.streams.video:
            self._container.close()
            raise faults.nothing_decodable(address, "it has no video in it")
        self._stream = self._container.streams.video[0]
        context: VideoCodecContext | None = self._stream.codec_context
        if context is None:  # FFmpeg has no decoder for it
            self._container.close()
            raise faults.nothing_decodable(address, "its codec is not known here")
        self._set_up_decoder()
        form = self._container.format.name
        self._gives_pictures = address.kind is Kind.HTTP and (
            form in _PICTURE_FORMATS or form.endswith("_pipe")
        )
        rate = None if self._gives_pictures else self._stream.guessed_rate or self._stream.average_rate
        self.fps: float | None = float(rate) if rate and 0 < rate <= PLAUSIBLE_FPS else None
        is_recording = address.kind is Kind.HTTP and self._container.duration and not self._gives_pictures
        self.live = address.live and not is_recording
        self._has_clock = form not in _CLOCKLESS_FORMATS and not self._gives_pictures
        base = self._stream.time_base
        self._time_base = (base.numerator, base.denominator) if base else None
        self._decoder = choice.decoder(self._stream, live=self.live)
        context = self._stream.codec_context
        self.traits = StreamTraits(
            codec=context.name,
            pixels=max(1, context.width * context.height),
            has_clock=self._has_clock,
            intra_only=context.codec.intra_only,
            measured=self._measured,
        )

    @property
    def decoder(self) -> str:
        """See `Source`."""
        return self._decoder.text

    def captures(
        self, treatment: Callable[[PacketFacts], Treatment] | None = None, /
    ) -> Generator[Capture, None, None]:
        """Each frame. See `Source`."""
        self._captured, self._progress_s, self._pts_s = 0, time.monotonic(), -1 / (self.fps or 25.0)
        unpacker, decoder = self._unpacker(treatment), self._decoder
        packets = self._packets()
        rest_s, free_s = self._rest_s if self.live else 0.0, 0.0
        for packet, arrival_s in self._from_key_frame(packets) if self.live else packets:
            unreadable = decoder.unreadable
            for capture in unpacker.unpack(packet, arrival_s):
                self._captured += 1
                yield capture
                if not unpacker.failing:
                    self._progress_s = time.monotonic()
            if decoder.unreadable != unreadable:
                self._statistics.unreadable += decoder.unreadable - unreadable
            if rest_s:
                if unpacker.at_rest and arrival_s - free_s > WAITED_S:
                    self._stop.wait(rest_s)
                free_s = time.monotonic()
        if self._stop.is_set():
            return
        if not self.live:
            self._look_back()
        elif not self._captured:
            raise faults.ended_before_a_picture(self._address)
        self.polled = self._gives_pictures and self._captured == 1

    def _opened(self, transport: str, choice: DecoderChoice) -> InputContainer:
        began_s = time.monotonic()
        try:
            with interruptible(self._stop, self._timeout_s):
                return self._by_any_transport(choice) if transport == "auto" else self._by(transport, choice)
        except (av.FFmpegError, ValueError, OSError) as error:
            waited_s = time.monotonic() - began_s
            raise faults.cannot_open(
                self._address, error, waited_s=waited_s, limit_s=self._timeout_s
            ) from error

    def _by_any_transport(self, choice: DecoderChoice) -> InputContainer:
        """TCP first, UDP where the server refuses it; then nothing may gather, as what does not fit is lost."""
        try:
            return self._by("tcp", choice)
        except av.FFmpegError as error:
            if self._address.kind is not Kind.RTSP or error.errno != errno.EPROTONOSUPPORT:
                raise
        self._rest_s = 0.0
        return self._by("udp", choice)

    def _by(self, transport: str, choice: DecoderChoice) -> InputContainer:
        """What answers to a name such as snap.jpg FFmpeg takes for a file, and cannot read it without its length."""
        container = self._in_format(self._format(), transport, choice)
        if container.format.name == _FILE_OF_A_PICTURE and container.size < 0:
            container.close()
            self._measured = False
            return self._in_format(self._format(), transport, choice)
        return container

    def _format(self) -> str | None:
        """For FFmpeg; None = it looks at what comes."""
        if self._address.kind is Kind.DEVICE:
            return "v4l2"
        return None if self._measured else _FLOW_OF_PICTURES

    def _in_format(self, form: str | None, transport: str, choice: DecoderChoice) -> InputContainer:
        return av.open(
            self._address.target,
            format=form,
            options=_options(self._address, transport),
            # It counts twice, for connecting and for looking at the stream.
            timeout=(self._timeout_s, self._timeout_s),
            metadata_errors="replace",
            hwaccel=choice.accelerator,
        )

    def _set_up_decoder(self) -> None:
        """Slices only: decoding by frames would hold back one frame for each core.

        Of a JPEG that was cut off FFmpeg would show the upper part and make up the rest, unless it is told not to. It
        still takes one without its end marker, or with padding after it, as some cameras send them.
        """
        context = self._stream.codec_context
        context.thread_type = "SLICE"
        if context.width * context.height <= ONE_THREAD_PIXELS:
            context.thread_count = 1
        context.options = {"max_pixels": str(MAX_PIXELS)}
        if context.name == "mjpeg":
            context.options |= {"err_detect": "explode"}

    def _packets(self) -> Iterator[tuple[Packet, float]]:
        """Packets of the video with their arrival; the last one is empty and flushes the decoder."""
        last_s, index, live, stop = time.monotonic(), self._stream.index, self.live, self._stop
        while not self._stop.is_set():
            try:
                with interruptible(self._stop):
                    for packet in self._container.demux():
                        now_s = time.monotonic()
                        if live and now_s - last_s >= self._timeout_s * 0.95:
                            raise self._stalled()
                        if stop.is_set():
                            return
                        if packet.size:
                            self._last = packet
                        if packet.stream_index == index:
                            yield packet, now_s
                            now_s = time.monotonic()
                        if now_s - self._progress_s > self._timeout_s:
                            self._check_progress()
                        last_s = now_s
            except av.error.BlockingIOError:
                self._stop.wait(POLL_S)
                self._check_progress()
            except (av.FFmpegError, OSError) as error:
                self._broke_off(error)
                return
            else:
                return

    def _broke_off(self, error: Exception) -> None:
        """A read failed: the end of a recording, the loss of a live source, or nothing when we are to stop.

        A server that does not say how long its picture is ends it by closing the connection, which is no loss.
        """
        if self._stop.is_set() or (self._gives_pictures and self._captured == 1):
            return
        if isinstance(error, av.error.ExitError | av.error.TimeoutError):
            raise self._stalled() from error
        if self.live:
            raise faults.cannot_read(self._address, error) from error
        self.warning = f"is damaged after frame {self._captured}"

    def _from_key_frame(self, packets: Iterator[tuple[Packet, float]]) -> Iterator[tuple[Packet, float]]:
        """All but what a decoder that begins in the middle would make grey pictures of."""
        began_s, skipped, waiting = time.monotonic(), 0, True
        for packet, arrival_s in packets:
            if waiting and packet.size and not packet.is_keyframe:
                skipped += 1
                waiting = skipped < KEY_FRAME_WAIT_PACKETS and arrival_s - began_s < KEY_FRAME_WAIT_S
                self._progress_s = arrival_s
                continue
            waiting = False
            yield packet, arrival_s

    def _unpacker(self, treatment: Callable[[PacketFacts], Treatment] | None) -> Unpacker:
        """Where packets are not one frame each, or say too little of it, every one is decoded."""
        context, codec = self._stream.codec_context, self.traits.codec
        foreseen = treatment is not None and (codec in SINGLE_PICTURE_CODECS or self.traits.intra_only)
        return Unpacker(
            self._decoder,
            reorders=context.has_b_frames,
            disposability=Disposability(codec, context.extradata) if foreseen else None,
            treatment=treatment or _decode,
            time_of=self._time_of,
            stop=self._stop,
        )

    def _time_of(self, pts: int | None) -> float | None:
        """Seconds of a time stamp; where a frame of a recording has none, the one after the last by its rate."""
        if not self._has_clock and self.live:
            return None
        if pts is not None and self._time_base is not None:
            numerator, denominator = self._time_base
            self._pts_s = pts * numerator / denominator  # in whole numbers, and so rounded once
        elif self.live:
            return None
        else:
            self._pts_s += 1 / (self.fps or 25.0)
        return self._pts_s

    def _check_progress(self) -> None:
        """Packets alone are no picture."""
        if time.monotonic() - self._progress_s <= self._timeout_s or self._stop.is_set():
            return
        if self.live:
            self._statistics.stalls += 1
            raise faults.stalled(self._address, self._timeout_s, "picture that can be decoded")
        if not self._captured:
            raise faults.nothing_decodable(self._address, f"none within {self._timeout_s:g} s")

    def _stalled(self) -> EdgedError:
        self._statistics.stalls += 1
        return faults.stalled(self._address, self._timeout_s)

    def _look_back(self) -> None:
        """After the end of a recording: whether it was one, and whether all of it came."""
        if not self._captured:
            raise faults.nothing_decodable(self._address)
        if self.warning:
            return
        declared, length_s = self._stream.frames, self._declared_s()
        if self._captured < declared * WHOLE and self._is_short():
            self.warning = f"ends early, after {self._captured} of {declared} frames"
        elif not declared and self._reached_s() < length_s * WHOLE:
            self.warning = f"ends early, after {self._reached_s():.1f} of {length_s:.1f} s"

    def _declared_s(self) -> float:
        """How long a recording says that it is; 0 where it does not."""
        if self._container.format.name not in _TIMED_FORMATS:
            return 0.0
        return (self._container.duration or 0) / av.time_base

    def _is_short(self) -> bool:
        """Whether time is missing, too: frames in front of an MP4's edit list are counted, and never shown."""
        stream = self._stream
        if "mp4" not in self._container.format.name or not stream.duration or not stream.time_base:
            return True
        return self._reached_s() < float(stream.duration * stream.time_base) * WHOLE

    def _reached_s(self) -> float:
        """The end of what was read of a recording."""
        shown_s, last = self._pts_s + 1 / (self.fps or 25.0), self._last
        if last is None or last.pts is None or last.time_base is None:
            return shown_s
        return max(shown_s, float((last.pts + (last.duration or 0)) * last.time_base))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close the connection; called by the thread that opened it."""
        with suppress(av.FFmpegError, OSError), interruptible(self._stop):
            self._container.close()


def _decode(_packet: PacketFacts) -> Treatment:
    return Treatment.DECODE


def _options(address: Address, transport: str) -> dict[str, str]:
    """For FFmpeg: what it may open besides the address itself, and how it reads."""
    options = {"fflags": "discardcorrupt", "max_pixels": str(MAX_PIXELS)}
    if address.kind is Kind.VIDEO:
        return options | {"protocol_whitelist": "file"}
    if address.kind is Kind.DEVICE:
        return options | {"fflags": "discardcorrupt+nonblock"}
    options["analyzeduration"] = str(round(ANALYZE_S * 1e6))
    if address.kind is Kind.HTTP:
        return options | {"protocol_whitelist": "http,https,tcp,tls,crypto,httpproxy"}
    options |= {"protocol_whitelist": "rtsp,rtp,rtcp,udp,tcp,tls,srtp", "allowed_media_types": "video"}
    return options | {"rtsp_transport": transport}

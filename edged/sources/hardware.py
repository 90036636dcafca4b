"""Hardware decoders: which one takes a stream, and in words why none does.

FFmpeg knows two kinds. VAAPI and CUDA accelerate its own decoders; QSV and V4L2 M2M are decoders of other names, made
anew, and so without what a file says of its rotation: they are for streams.
"""

from pathlib import Path
from typing import Protocol

import av
from av.codec.context import CodecContext
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.stream import Stream

from edged.sources import MAX_PIXELS
from edged.sources.decoder import Decoder

ACCELERATORS = ("vaapi", "cuda")
NAMED_DECODERS = ("qsv", "v4l2m2m")
_PROBED_CODEC = "h264"
_NODES = {"vaapi": "/dev/dri", "cuda": "/dev/nvidiactl"}


class NoDecoder(Exception):
    """A hardware decoder cannot be had; its text says why."""


class Hardware(Protocol):
    """The door to the hardware of this machine."""

    def accelerator(self, kind: str) -> HWAccel:
        """For `av.open`; ``kind`` is one of `ACCELERATORS`.

        Raises:
            NoDecoder: There is none.
        """

    def decoder(self, name: str, extradata: bytes | None) -> CodecContext:
        """An open decoder of this name.

        Raises:
            NoDecoder: There is none.
        """


class FFmpegHardware:
    """What PyAV's FFmpeg can reach."""

    def accelerator(self, kind: str) -> HWAccel:
        """See `Hardware`."""
        if kind not in hwdevices_available():
            raise NoDecoder("not in this build of FFmpeg")
        if not Path(_NODES[kind]).exists():
            raise NoDecoder(f"no device {_NODES[kind]}")
        accelerator = HWAccel(kind, allow_software_fallback=True)
        try:
            accelerator.create(av.Codec(_PROBED_CODEC, "r"))
        except NotImplementedError as error:
            raise NoDecoder("not in this build of FFmpeg") from error
        except (av.FFmpegError, OSError) as error:
            raise NoDecoder("the device cannot be opened") from error
        return accelerator

    def decoder(self, name: str, extradata: bytes | None) -> CodecContext:
        """See `Hardware`."""
        try:
            context = CodecContext.create(name, "r")
        except (av.FFmpegError, ValueError) as error:
            raise NoDecoder("not in this build of FFmpeg") from error
        context.extradata = extradata
        context.options = {"max_pixels": str(MAX_PIXELS)}
        try:
            context.open()
        except (av.FFmpegError, ValueError, OSError) as error:
            raise NoDecoder("no device takes this codec") from error
        return context


class DecoderChoice:
    """The decoder of one source.

    Attributes:
        accelerator: To open the source with; None where none is wanted or can be had.
    """

    def __init__(self, wanted: str, hardware: Hardware) -> None:
        """Look for what must be known before the source is opened.

        Args:
            wanted: As ``cameras.<name>.decoder``.
            hardware: The door to it.
        """
        self.accelerator: HWAccel | None = None
        self._wanted, self._hardware = wanted, hardware
        self._kind = self._reason = ""
        for kind in ACCELERATORS if wanted == "auto" else [wanted] if wanted in ACCELERATORS else []:
            try:
                self.accelerator, self._kind = hardware.accelerator(kind), kind
            except NoDecoder as error:
                self._reason = f"{kind}: {error}"
            else:
                return

    def decoder(self, stream: Stream, *, live: bool) -> Decoder:
        """The decoder of a stream that was opened with `accelerator`."""
        context = stream.codec_context
        codec = context.name
        if self._wanted == "software":
            return Decoder(context, codec)
        if self.accelerator is not None:
            if context.is_hwaccel:
                return Decoder(context, f"{codec} {self._kind}", accelerated=True)
            self._reason = f"{self._kind}: does not take {codec}"
        for kind in NAMED_DECODERS if self._wanted == "auto" else [self._wanted]:
            if kind not in NAMED_DECODERS:
                continue
            if not live:
                self._reason = f"{kind}: for streams only"
                continue
            try:
                named = self._hardware.decoder(f"{codec}_{kind}", context.extradata)
            except NoDecoder as error:
                self._reason = f"{kind}: {error}"
            else:
                return Decoder(named, f"{codec} {kind}", spare=context)
        reason = "no hardware decoder" if self._wanted == "auto" else self._reason
        return Decoder(context, f"{codec} ({reason})")

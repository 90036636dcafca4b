"""Any source, opened by its address; and read once from beginning to end, for commands."""

import threading
import time
from collections.abc import Callable, Iterator

from edged.errors import BadInput, EdgedError
from edged.frame import Frame
from edged.sources.address import Kind, resolve
from edged.sources.capture import Source, SourceStatistics
from edged.sources.hardware import DecoderChoice, FFmpegHardware
from edged.sources.pictures import PictureSource
from edged.sources.pixels import Pixels
from edged.sources.video import VideoSource
from edged.urls import redacted

READ_TIMEOUT_S = 5.0


def open_source(
    url: str,
    *,
    name: str,
    stop: threading.Event,
    statistics: SourceStatistics,
    transport: str = "auto",
    read_timeout_s: float = READ_TIMEOUT_S,
    rest_s: float = 0.0,
    period_s: float = 1.0,
    decoder: str = "software",
    measured: bool = True,
) -> Source:
    """Open what ``url`` names. The caller's thread owns it, and closes it by leaving its ``with``.

    Args:
        url: As in ``cameras.<name>.url``.
        name: Of the camera, for errors.
        stop: Ends every wait.
        statistics: Where unreadable packets and stalls are counted.
        transport: Of RTSP: ``auto``, ``tcp`` or ``udp``.
        read_timeout_s: Longest silence of a stream.
        rest_s: Packets of a live stream in which nothing moves may gather for so long.
        period_s: Between two pictures.
        decoder: As ``cameras.<name>.decoder``.
        measured: As its `StreamTraits` said when it was opened last.

    Raises:
        EdgedError: It cannot be opened; see `edged.sources.faults`.
    """
    address = resolve(url, name)
    if address.kind in {Kind.PICTURE, Kind.FOLDER}:
        return PictureSource(address, period_s=period_s, stop=stop)
    return VideoSource(
        address,
        transport=transport,
        read_timeout_s=read_timeout_s,
        rest_s=rest_s,
        stop=stop,
        statistics=statistics,
        choice=DecoderChoice(decoder, FFmpegHardware()),
        measured=measured,
    )


def read_frames(
    url: str,
    *,
    name: str,
    every: int = 1,
    on_bad: Callable[[EdgedError], None] | None = None,
    on_warning: Callable[[EdgedError], None] = lambda _warning: None,
) -> Iterator[Frame]:
    """Read an input once to its end, as fast as the caller takes the frames; a live camera goes on for ever.

    Args:
        url: A picture, a folder of pictures, a video file or a camera.
        name: What the frames of a video or a camera say they are from; pictures say their path.
        every: Only each N-th frame is converted and given out; ``sequence`` counts all.
        on_bad: Told of each picture of a folder that cannot be read; the others follow. Without it the first
            one ends the reading.
        on_warning: Told at the end of a recording that is damaged or ends early; what came before was given out.

    Raises:
        InputNotFound: It is not there.
        BadInput: It is broken, or no frame of it can be decoded.
        SourceLost: A camera is out of reach, or went away.
        NotAllowed: A camera or a file refuses us.
        ConfigurationError: It is no address.
    """
    with open_source(url, name=name, stop=threading.Event(), statistics=SourceStatistics()) as source:
        for sequence, capture in enumerate(source.captures()):
            if sequence % every or capture.pixels is None:
                continue
            try:
                pixels = capture.pixels()
            except EdgedError as error:
                if on_bad is None:
                    raise
                on_bad(error)
                continue
            yield framed(pixels, capture.path or name, sequence, capture.arrival_s)
        if source.warning:
            on_warning(
                BadInput(redacted(url), source.warning, "what came before was read; is the file complete?")
            )


def framed(
    pixels: Pixels,
    source: str,
    sequence: int,
    captured_monotonic_s: float,
    regions: tuple[tuple[float, float, float, float], ...] = (),
    *,
    scene_s: float | None = None,
    still_s: float | None = None,
) -> Frame:
    """The frame of these pixels; its wall clock time is computed from the monotonic one."""
    return Frame(
        source=source,
        sequence=sequence,
        captured_at_s=time.time() - (time.monotonic() - captured_monotonic_s),
        captured_monotonic_s=captured_monotonic_s,
        width=pixels.width,
        height=pixels.height,
        layout=pixels.layout,
        planes=pixels.planes,
        matrix=pixels.matrix,
        full_range=pixels.full_range,
        regions=regions,
        scene_s=scene_s,
        still_s=still_s,
    )

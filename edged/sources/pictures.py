"""Pictures as a source: one file, or a folder of them in their natural order."""

import os
import re
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from edged.errors import BadInput, EdgedError, InputNotFound, NotAllowed
from edged.frame import Plane
from edged.sources import MAX_PIXELS
from edged.sources.address import PICTURE_SUFFIXES, Address, Kind
from edged.sources.capture import Capture
from edged.sources.packets import PacketFacts, StreamTraits, Treatment
from edged.sources.pixels import Pixels, of_picture

MAX_PICTURE_BYTES = 256 * 1024**2
MAX_PICTURES = 1_000_000
"""Of one folder."""

cv2.utils.logging.setLogLevel(0)  # what is wrong with a picture is said by our error, not on standard error


def read_picture(path: Path) -> Plane:
    """Decode a picture, upright by its EXIF orientation: uint8 (H, W, 3), blue first.

    Raises:
        InputNotFound: No such file.
        NotAllowed: It may not be read.
        BadInput: Too large, broken, or no picture.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PICTURE_BYTES + 1)
    except FileNotFoundError as error:
        raise InputNotFound(str(path), "no such picture", "check the path") from error
    except PermissionError as error:
        raise NotAllowed(str(path), "may not be read by this user", "check its permissions") from error
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})", "check the disk it is on") from error
    if len(content) > MAX_PICTURE_BYTES:
        raise BadInput(str(path), f"is larger than {MAX_PICTURE_BYTES // 1024**2} MiB", "make it smaller")
    return _decoded(path, content)


def _decoded(path: Path, content: bytes) -> Plane:
    """What `cv2.imdecode` makes of it; `cv2.imread` would turn half a JPEG into a half grey picture."""
    broken = BadInput(str(path), "cannot be decoded (broken or not a picture)", "open it in an image viewer")
    if not content:
        raise BadInput(str(path), "is an empty file", "replace it by a picture")
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except (cv2.error, MemoryError) as error:
        if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
            problem = f"has more than {MAX_PIXELS // 10**6} million pixels, the most that are taken"
            raise BadInput(str(path), problem, "scale it down") from error
        raise broken from error
    if picture is None or picture.dtype != np.uint8 or picture.ndim != 3 or not picture.size:
        raise broken
    return np.asarray(picture, np.uint8)


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder as a person would order them: ``2.jpg`` before ``10.jpg``.

    Raises:
        InputNotFound: It is not there, or has no picture in it.
        NotAllowed: It may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _looks_like_picture(entry)][:MAX_PICTURES]
    except PermissionError as error:
        raise NotAllowed(str(folder), "may not be read by this user", "check its permissions") from error
    except OSError as error:
        raise InputNotFound(str(folder), f"cannot be listed ({error.strerror})", "check the path") from error
    if not names:
        raise InputNotFound(str(folder), "has no picture in it", "put .jpg, .png or other pictures there")
    return [folder / name for name in sorted(names, key=_natural)]


def _looks_like_picture(entry: os.DirEntry[str]) -> bool:
    hidden = entry.name.startswith(".")
    return not hidden and Path(entry.name).suffix.lower() in PICTURE_SUFFIXES and entry.is_file()


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.lower())]


class PictureSource:
    """Each picture once, ``period_s`` apart on a clock of its own. See `Source` for the contract."""

    live = False
    stills = True
    polled = False
    decoder = ""
    traits = StreamTraits(codec="", pixels=1, has_clock=True, intra_only=False)
    warning = ""

    def __init__(self, address: Address, *, period_s: float, stop: threading.Event) -> None:
        """List the pictures; none is read yet.

        Raises:
            EdgedError: As `pictures_in`.
        """
        self.fps: float | None = 1 / period_s
        self._period_s = period_s
        self._stop = stop
        path = Path(address.target)
        self._paths = pictures_in(path) if address.kind is Kind.FOLDER else [path]

    def captures(
        self, _treatment: Callable[[PacketFacts], Treatment] | None = None, /
    ) -> Generator[Capture, None, None]:
        """Each picture; one that is broken says so when its pixels are asked for.

        Raises:
            BadInput: The only picture, or every picture of the folder, is broken.
        """
        bad: list[EdgedError] = []
        for number, path in enumerate(self._paths):
            if self._stop.is_set():
                return
            pixels = partial(self._pixels, path, bad)
            yield Capture(number * self._period_s, time.monotonic(), pixels, str(path))
        if len(bad) == len(self._paths):
            raise bad[0]

    def _pixels(self, path: Path, bad: list[EdgedError]) -> Pixels:
        try:
            return of_picture(read_picture(path))
        except EdgedError as error:
            bad.append(error)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Nothing is held open."""

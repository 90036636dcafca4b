"""What an address leads to becomes a file, within bounds.

Every quantity that a server chooses is bounded: bytes, the rate, the whole, and what `edged.exchange` bounds.

It is passed in as a `Download`, which tests double.
"""

import hashlib
import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from edged.errors import BadInput, CannotWrite, Unreachable
from edged.exchange import Watch, opened
from edged.urls import redacted

_PIECE_BYTES = 256 * 1024

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have come so far, and with how many there will be where the server says so."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server may ask of us.

    Attributes:
        max_bytes: Of the file.
        expected_bytes: Of the file where they are known; another number is refused before anything is read.
        answer_s: From the first packet to the end of the headers, of each address that redirects lead to.
        silence_s: Between two pieces.
        min_rate_bytes_s: Over each `rate_window_s`.
        rate_window_s: How long a server may be slow.
        total_s: For all of it.
    """

    max_bytes: int
    expected_bytes: int | None = None
    answer_s: float = 30.0
    silence_s: float = 30.0
    min_rate_bytes_s: int = 1024
    rate_window_s: float = 60.0
    total_s: float = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that came whole.

    Attributes:
        sha256: In hexadecimal digits, computed while it came.
        size_bytes: Of it.
    """

    sha256: str
    size_bytes: int


class Download(Protocol):
    """How a file is fetched."""

    def __call__(self, url: str, target: Path, *, bounds: Bounds, progress: Progress) -> Fetched:
        """Fetch it into a file that is not there yet; a part of it may be left there when this raises.

        Raises:
            UsageError: Not an address.
            InputNotFound: The server has no such file.
            NotAllowed: The server wants other credentials.
            Unreachable: No connection, no answer, a broken or a slow one; or it leads to where we do not follow.
            BadInput: Larger than allowed, or not as large as expected.
            CannotWrite: The disk.
        """
        ...


def fetch(url: str, target: Path, *, bounds: Bounds, progress: Progress) -> Fetched:
    """A `Download` over HTTP and HTTPS; calls ``progress`` in the caller's thread."""
    started_s = time.monotonic()
    with opened(url, watch=Watch(), answer_s=bounds.answer_s, silence_s=bounds.silence_s) as response:
        return _copy(response, target, redacted(url), bounds=bounds, progress=progress, started_s=started_s)


def _copy(
    response: http.client.HTTPResponse,
    target: Path,
    shown: str,
    *,
    bounds: Bounds,
    progress: Progress,
    started_s: float,
) -> Fetched:
    length = _length(response, shown, bounds)
    digest, count = hashlib.sha256(), 0
    window_s, window_count = time.monotonic(), 0
    try:
        file: BinaryIO = target.open("xb")
    except OSError as error:
        raise _cannot_write(target, error) from error
    with file:
        progress(0, length)
        while piece := response.read1(_PIECE_BYTES):
            count += len(piece)
            if count > bounds.max_bytes:
                raise _too_large(shown, bounds)
            digest.update(piece)
            try:
                file.write(piece)
            except OSError as error:
                raise _cannot_write(target, error) from error
            progress(count, length)
            now_s = time.monotonic()
            if now_s - started_s > bounds.total_s:
                raise Unreachable(
                    shown, f"took longer than {bounds.total_s:g} s", "fetch it by other means, add the file"
                )
            if now_s - window_s >= bounds.rate_window_s:
                if (count - window_count) / (now_s - window_s) < bounds.min_rate_bytes_s:
                    raise Unreachable(
                        shown, f"gives less than {bounds.min_rate_bytes_s} bytes a second", "try again later"
                    )
                window_s, window_count = now_s, count
    if length is not None and count != length:
        raise Unreachable(shown, f"ended after {count:,} of {length:,} bytes", "try again")
    return Fetched(digest.hexdigest(), count)


def _length(response: http.client.HTTPResponse, shown: str, bounds: Bounds) -> int | None:
    packed = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in {"", "identity"}:
        raise BadInput(
            shown, f"comes packed ({packed:.20}), unasked", "fetch it by other means, add the file"
        )
    length = response.length
    if length is None:  # sent in pieces, or until the connection ends
        return None
    if bounds.expected_bytes is not None and length != bounds.expected_bytes:
        raise BadInput(
            shown,
            f"is {length:,} bytes long, expected {bounds.expected_bytes:,}",
            "the file there is another one; nothing was stored",
        )
    if length > bounds.max_bytes:
        raise _too_large(shown, bounds)
    return length


def _too_large(shown: str, bounds: Bounds) -> BadInput:
    return BadInput(shown, f"is larger than {bounds.max_bytes:,} bytes", "this is not the model you want")


def _cannot_write(target: Path, error: OSError) -> CannotWrite:
    return CannotWrite(str(target.parent), f"cannot be written ({error.strerror or error})", "check the disk")

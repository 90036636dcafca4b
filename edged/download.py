"""The one door to HTTP as a client: what an address leads to becomes a file, within bounds.

Every quantity that a server chooses is bounded: bytes, redirects, the time until it answers, the silence between two
pieces, the rate, and the whole. An ``https`` address never leads to another scheme. Proxies are those of the
environment (``https_proxy``, ``no_proxy``), certificate authorities those of the system (``SSL_CERT_FILE``).

It is passed in as a `Download`, which tests double.
"""

import base64
import hashlib
import http.client
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn, Protocol
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from edged import __version__
from edged.errors import BadInput, CannotWrite, EdgedError, InputNotFound, NotAllowed, Unreachable, UsageError
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
    shown = redacted(url)
    request = _request(url, shown)
    asked_for = request.host
    watch = _Watch()
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Web(watch),
        _Redirects(shown),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    started_s = time.monotonic()
    try:
        with watch.running(bounds.answer_s):
            response = opener.open(request, timeout=bounds.silence_s)
        with response:
            if watch.ended:  # headers that were cut off look like headers that end
                raise TimeoutError
            return _copy(response, target, shown, bounds=bounds, progress=progress, started_s=started_s)
    except EdgedError:
        raise
    except (OSError, http.client.HTTPException) as error:
        if watch.ended:
            raise Unreachable(
                shown, f"gives no answer within {bounds.answer_s:g} s", "try again later"
            ) from error
        proxy = request.host if request.host != asked_for else ""
        raise _explained(error, shown, proxy) from error
    finally:
        watch.close()


def _request(url: str, shown: str) -> urllib.request.Request:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _no_address(shown) from error
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or port == 0 or re.search(r"[\s\x00-\x1f]", url):
        raise _no_address(shown)
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port else ""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    request = urllib.request.Request(  # noqa: S310  # the scheme was looked at
        urlunsplit((parts.scheme, place, path, parts.query, "")),
        headers={"User-Agent": f"edged/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"},
    )
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # Not sent on to where a redirect leads.
        request.add_unredirected_header(
            "Authorization", "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        )
    return request


def _no_address(shown: str) -> UsageError:
    return UsageError(shown, "is not an address", "write https://host/path")


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


_REASONS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (socket.gaierror, "its name cannot be looked up"),
    (TimeoutError, "says nothing more"),
    (ConnectionRefusedError, "nothing listens there"),
    ((ConnectionError, http.client.IncompleteRead), "the connection broke"),
    (http.client.HTTPException, "does not speak HTTP"),
)
"""The first that fits is said."""


def _explained(error: OSError | http.client.HTTPException, shown: str, proxy: str) -> EdgedError:
    """What went wrong, in our words; ``proxy`` is empty where there is none."""
    if isinstance(error, urllib.error.HTTPError):
        with error:
            return _refused(error.code, str(error.reason), shown)
    if isinstance(error, http.client.InvalidURL):
        return _no_address(shown)
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Unreachable(
            shown,
            f"shows a certificate that is not accepted ({reason.verify_message})",
            "check the address and the clock, or name its authority in SSL_CERT_FILE",
        )
    remedy = "check the address and the network, or try again later"
    if proxy:
        remedy = f"it was asked for through the proxy {proxy}: check that, or try again later"
    why = next((text for kinds, text in _REASONS if isinstance(reason, kinds)), "")
    said = getattr(reason, "strerror", None) or reason
    return Unreachable(shown, why or f"cannot be reached ({said})", remedy)


def _refused(code: int, reason: str, shown: str) -> EdgedError:
    answer = f"the server answers {code} {reason:.60}".rstrip()
    if code in {404, 410}:
        return InputNotFound(shown, answer, "check the address")
    if code in {401, 403, 407}:
        return NotAllowed(shown, answer, "give user and password in the address, or fetch the file yourself")
    if 300 <= code < 400:
        return Unreachable(shown, f"leads round and round, or nowhere ({code})", "check the address")
    return Unreachable(shown, answer, "try again later")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to ``https``, and from ``http`` also to ``http``; so many times in a row, so many to one address."""

    max_redirections = 5
    max_repeats = 2

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def redirect_request(  # noqa: PLR0917  # as its base has it
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The next request.

        Raises:
            Unreachable: It would leave ``https``.
        """
        scheme = urlsplit(newurl).scheme.lower()
        if scheme != "https" and (req.type == "https" or scheme != "http"):
            self._leave(fp, scheme)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def _leave(self, response: IO[bytes], scheme: str) -> NoReturn:
        response.close()
        raise Unreachable(
            self._shown,
            f"leads away from https (to {scheme:.20})",
            "if you trust where it leads, fetch it yourself and add the file",
        )


class _Watch:
    """Ends the connection on which an answer is waited for once its time is up.

    Time-outs of sockets hold for each byte; a server that sends a header a byte at a time would be waited for forever.
    """

    def __init__(self) -> None:
        self.ended = False
        self._handle: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def running(self, after_s: float) -> "_Watch":
        """Start the clock; for ``with``."""
        self._timer = threading.Timer(after_s, self._end)
        self._timer.name, self._timer.daemon = "download-watch", True
        self._timer.start()
        return self

    def __enter__(self) -> "_Watch":
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None

    def connect(self, *arguments: Any, **options: Any) -> socket.socket:
        """`socket.create_connection`, with a handle on the connection kept: TLS takes the socket itself away."""
        sock = socket.create_connection(*arguments, **options)
        self.close()
        self._handle = sock.dup()
        if self.ended:  # before there was a handle to end it by
            sock.close()
            raise TimeoutError
        return sock

    def close(self) -> None:
        """Let the connection go."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _end(self) -> None:
        self.ended = True
        handle = self._handle
        if handle is not None:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)


class _Web(urllib.request.AbstractHTTPHandler):
    """Opens connections on which a `_Watch` has its eye; reads the authorities only where one speaks TLS."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._plain, req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._secure, req)

    def _plain(self, host: str, /, **options: Any) -> http.client.HTTPConnection:
        return self._watched(http.client.HTTPConnection(host, **options))

    def _secure(self, host: str, /, **options: Any) -> http.client.HTTPConnection:
        authorities = ssl.create_default_context()
        return self._watched(http.client.HTTPSConnection(host, context=authorities, **options))

    def _watched(self, connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
        # http.client has no other way to see the socket before it waits for an answer on it.
        connection._create_connection = self._watch.connect  # type: ignore[attr-defined]
        return connection

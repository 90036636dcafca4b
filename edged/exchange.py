"""One request over HTTP as a client: from an address to the answer, of which the caller reads the body.

Everything that a server could make us wait for has an end: the look-up of its name, the connection, the handshake of
TLS, headers, redirects, and the body. An ``https`` address never leads to another scheme. Proxies are those of the
environment (``https_proxy``, ``no_proxy``), certificate authorities those of the system (``SSL_CERT_FILE``).
"""

import base64
import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import IO, Any, NoReturn
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from edged import __version__
from edged.errors import EdgedError, InputNotFound, NotAllowed, Unreachable, UsageError
from edged.urls import redacted

_LOOK_S = 0.2
"""Between two looks whether somebody wants us to stop."""


@contextlib.contextmanager
def opened(
    url: str, *, watch: "Watch", answer_s: float, silence_s: float, headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Ask, and give the answer once its headers are there; what breaks while the body is read becomes an error too.

    Args:
        url: May carry user and password.
        watch: Ends it; see there.
        answer_s: From the first packet to the end of the headers, with all redirects.
        silence_s: Between two pieces.
        headers: More of them.

    Raises:
        UsageError: Not an address.
        InputNotFound: The server has no such file.
        NotAllowed: The server wants other credentials.
        Unreachable: No connection, no answer, a broken or a slow one; or it leads to where we do not follow.
    """
    shown = redacted(url)
    request = _request(url, shown, headers or {})
    asked_for = request.host
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Web(watch),
        _Redirects(shown),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    try:
        with watch.running(answer_s):
            response = opener.open(request, timeout=silence_s)
        with response:
            if watch.ended:  # headers that were cut off look like headers that end
                raise TimeoutError
            watch.answered = True
            yield response
    except EdgedError:
        raise
    except (OSError, http.client.HTTPException) as error:
        if watch.ended and not watch.answered:
            raise Unreachable(shown, f"gives no answer within {answer_s:g} s", "try again later") from error
        proxy = request.host if request.host != asked_for else ""
        raise _explained(error, shown, proxy) from error
    finally:
        watch.close()


def status_of(error: EdgedError) -> int | None:
    """The status that the server answered with; None where an error has another cause."""
    return error.__cause__.code if isinstance(error.__cause__, urllib.error.HTTPError) else None


class Watch:
    """Ends a connection once its time is up, or somebody wants to stop.

    Time-outs of sockets hold for each byte; a server that sends a header a byte at a time would be waited for forever.

    Attributes:
        answered: Headers came.
        ended: It has.
    """

    def __init__(self, stopping: Callable[[], bool] | None = None) -> None:
        """Nothing is watched yet.

        Args:
            stopping: Whether somebody wants to stop; asked several times a second, from another thread.
        """
        self.answered = self.ended = False
        self._stopping = stopping
        self._handle: socket.socket | None = None

    @contextlib.contextmanager
    def running(self, for_s: float) -> Iterator[None]:
        """Start the clock."""
        done = threading.Event()
        thread = threading.Thread(target=self._run, args=(for_s, done), name="download-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def connect(self, *arguments: Any, **options: Any) -> socket.socket:
        """`socket.create_connection`, with a handle on the connection kept: TLS takes the socket itself away.

        In a thread of its own, for nothing else ends the look-up of a name; who has waited long enough leaves it.
        """
        attempt = _Attempt(arguments, options)
        attempt.start()
        while attempt.is_alive() and not self.ended:
            attempt.join(_LOOK_S)
        sock = attempt.result(wanted=not self.ended)
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

    def _run(self, for_s: float, done: threading.Event) -> None:
        due_s = time.monotonic() + for_s
        while (left_s := due_s - time.monotonic()) > 0:
            if done.wait(left_s if self._stopping is None else min(left_s, _LOOK_S)):
                return
            if self._stopping is not None and self._stopping():
                break
        self.ended = True
        handle = self._handle
        if handle is not None:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)


class _Attempt(threading.Thread):
    """To connect."""

    def __init__(self, arguments: Any, options: Any) -> None:
        super().__init__(name="download-connect", daemon=True)
        self._arguments, self._options = arguments, options
        self._lock = threading.Lock()
        self._wanted = True
        self._socket: socket.socket | None = None
        self._error: OSError | None = None

    def run(self) -> None:
        try:
            connected = socket.create_connection(*self._arguments, **self._options)
        except OSError as error:
            self._error = error
            return
        except UnicodeError:
            self._error = socket.gaierror("not a name")
            return
        with self._lock:
            if self._wanted:
                self._socket = connected
                return
        connected.close()

    def result(self, *, wanted: bool) -> socket.socket:
        """The connection; without waiting for it if it is not wanted any more."""
        with self._lock:
            self._wanted = False
            connected = self._socket
        if wanted and connected is not None:
            return connected
        if connected is not None:
            connected.close()
        raise self._error or TimeoutError


def _request(url: str, shown: str, headers: Mapping[str, str]) -> urllib.request.Request:
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
        headers={"User-Agent": f"edged/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
        | dict(headers),
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


class _Web(urllib.request.AbstractHTTPHandler):
    """Opens connections on which a `Watch` has its eye; reads the authorities only where one speaks TLS."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, watch: Watch) -> None:
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

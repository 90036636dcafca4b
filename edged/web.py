"""The local endpoint: what supervisors, Prometheus and ``edged status`` ask, and rows that are posted for sensors.

    a connection ─ one request ─┬─ not a name of this machine: 421   (a page in a browser that was led here by DNS)
                                ├─ GET, HEAD /healthz /readyz /metrics /status
                                └─ POST /sensor/<name>[/<origin>]

Who is slow loses: a request must be there within `REQUEST_S`, an answer is written within `REQUEST_TIMEOUT_S` a piece,
and of more than `MAX_CONNECTIONS` at once the one whose request has been coming for the longest time is cut.
"""

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import structlog

from edged.errors import ConfigurationError
from edged.hosts import is_of_this_machine

REQUEST_TIMEOUT_S = 5.0
"""For the next bytes of a request, or to take those of an answer."""
REQUEST_S = 15.0
"""From the beginning of a connection until a whole request was read."""
MAX_CONNECTIONS, GOING = 32, 4
"""At once; so many times as many with those that were cut and are just going."""

MAX_POST_BYTES = 4 << 20
"""Of rows at once."""
MAX_DIGITS = 18
"""Of a length; Python refuses to read thousands."""

READ = float("inf")
JSON = "application/json"

Check = Callable[[], list[str]]
"""Reasons why not; empty where all is well."""

Post = Callable[[str, str, bytes], tuple[int, dict[str, object]]]
"""Takes what was posted for a sensor, with the origin of the rows; the status and the body of the answer."""

Metrics = Callable[[str], tuple[str, bytes]]
"""Takes what the asker accepts; the content type and the text."""

Status = Callable[[], dict[str, Any]]
"""How everything stands, without a password."""

log = structlog.get_logger()


class LocalEndpoint:
    """Serves all of it. A context manager that owns the thread ``http``."""

    def __init__(
        self,
        listen: str,
        *,
        healthy: Check,
        ready: Check,
        post: Post | None = None,
        metrics: Metrics | None = None,
        status: Status | None = None,
    ) -> None:
        """Bind.

        Args:
            listen: ``address:port``; port 0 is any free one.
            healthy: Why the process does not work.
            ready: Why it is not ready yet.
            post: Takes rows; None = nobody does.
            metrics: Figures for Prometheus; None = there are none.
            status: For ``edged status``; None = there is none.

        Raises:
            ConfigurationError: The address is not ours, or the port is in use.
        """
        pages: dict[str, Page] = {"/healthz": _checked(healthy), "/readyz": _checked(ready)}
        if metrics:
            pages["/metrics"] = lambda accept: (200, *metrics(accept))
        if status:
            pages["/status"] = lambda _: _as_json(200, status())
        host, _, port = listen.rpartition(":")
        try:
            server = _Server6 if host.startswith("[") else _Server
            self._server = server((host.strip("[]"), int(port)), _handler(pages, post))
        except (OSError, OverflowError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise ConfigurationError(
                "http.listen", f"cannot listen on {listen} ({reason})", 'choose another port, or "" for none'
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="http", daemon=True
        )

    @property
    def port(self) -> int:
        """Bound."""
        return int(self._server.server_address[1])

    def __enter__(self) -> "LocalEndpoint":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and join the thread."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(1.0)
        self._server.server_close()


Answer = tuple[int, str, bytes]
"""Status, content type, body."""
Page = Callable[[str], Answer]
"""Takes what the asker accepts."""


def _checked(check: Check) -> Page:
    def page(_accept: str) -> Answer:
        reasons = check()
        return _as_json(503 if reasons else 200, {"ok": not reasons, "reasons": reasons})

    return page


def _as_json(code: int, body: dict[str, Any]) -> Answer:
    return code, JSON, json.dumps(body).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS  # of those that nobody has accepted yet; the base class has 5

    def __init__(self, *arguments: Any) -> None:
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        """Since when, on the monotonic clock; `READ` once the request was read, or it was cut."""
        super().__init__(*arguments)

    def server_bind(self) -> None:
        """Bind, without the base class's question to the name server for the machine's full name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread; where there are too many, at the cost of who has said nothing for longest."""
        with self._lock:
            speaking = [one for one, since_s in self._open.items() if since_s < READ]
            if len(self._open) >= MAX_CONNECTIONS and speaking:
                self._cut(min(speaking, key=self._open.__getitem__))
            full = len(self._open) >= GOING * MAX_CONNECTIONS
            if not full:
                self._open[request] = time.monotonic()
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Cut who takes too long to say what is wanted; called several times a second."""
        with self._lock:
            late_s = time.monotonic() - REQUEST_S
            for connection in [one for one, since_s in self._open.items() if since_s < late_s]:
                self._cut(connection)

    def was_read(self, connection: socket.socket) -> None:
        """The whole request is there; what it takes to answer is not the asker's fault."""
        with self._lock:
            if connection in self._open:
                self._open[connection] = READ

    def shutdown_request(self, request: Any) -> None:
        """A connection has ended."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One who hangs up is no news, and a bug is a line in the log; the base class prints a traceback."""
        log.debug("http connection broke", exc_info=True)

    def _cut(self, connection: socket.socket) -> None:
        """Its thread reads an end, and closes it; called with the lock held."""
        self._open[connection] = READ
        with contextlib.suppress(OSError):  # it may have gone by itself
            connection.shutdown(socket.SHUT_RDWR)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _handler(pages: dict[str, Page], post: Post | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S
        server_version, sys_version = "edged", ""
        server: _Server

        def do_GET(self) -> None:  # the base class names it
            self._was_read()
            page = pages.get(self.path.partition("?")[0])
            if not self._is_meant_for_us():
                return
            if page is None:
                self._reply(*_as_json(404, {"error": f"there is {' and '.join(pages)}"}))
                return
            try:
                answer = page(self.headers.get("Accept", ""))
            except (
                Exception
            ) as error:  # a bug must show as an answer and a line, not as a connection that breaks
                log.error("a bug: no answer over http", path=self.path[:100], exc_info=error)
                answer = _as_json(500, {"ok": False, "error": "a bug of edged: its log says more"})
            self._reply(*answer)

        do_HEAD = do_GET  # noqa: N815  # the base class names it

        def do_POST(self) -> None:  # the base class names it
            if not self._is_meant_for_us():
                return
            kind, _, rest = self.path.partition("?")[0].strip("/").partition("/")
            name, _, origin = unquote(rest).partition("/")
            length = self.headers.get("Content-Length", "")
            if kind != "sensor" or not name or post is None:
                self._refuse(404, "rows are posted to /sensor/NAME, or /sensor/NAME/ORIGIN")
            elif self.headers.get(
                "Origin"
            ):  # a browser's: what shows a page there must not reach this machine
                self._refuse(403, "rows are not taken from web pages")
            elif not length.isdecimal():
                self._refuse(411, "say Content-Length")
            elif len(length) > MAX_DIGITS or int(length) > MAX_POST_BYTES:
                self._refuse(413, f"more than {MAX_POST_BYTES} bytes at once")
            elif len(rows := self.rfile.read(int(length))) < int(length):
                self._refuse(400, "less came than Content-Length says")  # half a number is another number
            else:
                self._was_read()
                self._reply(*_as_json(*post(name, origin, rows)))

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            """What the base class refuses, in JSON, as all errors are; its number for who speaks no HTTP."""
            self._refuse(code, f"error {int(code)} ({message or HTTPStatus(code).phrase})")

        def _is_meant_for_us(self) -> bool:
            """Whether the asker knows this machine by a name that is its own; answers them if not."""
            host = self.headers.get("Host", "")  # there is none in HTTP/1.0, and no browser speaks that
            if not host or is_of_this_machine(host):
                return True
            self._refuse(421, "call this machine by its address or its own name")
            return False

        def _was_read(self) -> None:
            self.server.was_read(self.connection)

        def _refuse(self, code: int, error: str) -> None:
            self.close_connection = True  # what was sent is not read
            self._reply(*_as_json(code, {"ok": False, "error": error}))

        def _reply(self, code: int, content_type: str, text: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Not a line a request."""

    return Handler

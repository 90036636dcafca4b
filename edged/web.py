"""The local endpoint: ``/healthz`` and ``/readyz`` for supervisors, ``/sensor/<name>`` for rows."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from edged.errors import ConfigurationError

REQUEST_TIMEOUT_S = 5.0

MAX_POST_BYTES = 4 << 20
"""Of rows at once."""
MAX_DIGITS = 18
"""Of a length; Python refuses to read thousands."""

Check = Callable[[], list[str]]
"""Reasons why not; empty where all is well."""

Post = Callable[[str, str, bytes], tuple[int, dict[str, object]]]
"""Takes what was posted for a sensor, with the origin of the rows; the status and the body of the answer."""


class LocalEndpoint:
    """Serves the checks. A context manager that owns the thread ``http``."""

    def __init__(self, listen: str, *, healthy: Check, ready: Check, post: Post | None = None) -> None:
        """Bind.

        Args:
            listen: ``address:port``; port 0 is any free one.
            healthy: Why the process does not work.
            ready: Why it is not ready yet.
            post: Takes rows; None = nobody does.

        Raises:
            ConfigurationError: The address is not ours, or the port is in use.
        """
        checks = {"/healthz": healthy, "/readyz": ready}
        host, _, port = listen.rpartition(":")
        try:
            server = _Server6 if host.startswith("[") else _Server
            self._server = server((host.strip("[]"), int(port)), _handler(checks, post))
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind, without the base class's question to the name server for the machine's full name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


class _Server6(_Server):
    address_family = socket.AF_INET6


def _handler(checks: dict[str, Check], post: Post | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S
        server_version, sys_version = "edged", ""

        def do_GET(self) -> None:  # the base class names it
            check = checks.get(self.path.partition("?")[0])
            if check is None:
                self._reply(404, {"error": f"there is {' and '.join(checks)}"})
                return
            reasons = check()
            self._reply(503 if reasons else 200, {"ok": not reasons, "reasons": reasons})

        def do_POST(self) -> None:  # the base class names it
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
                self._reply(*post(name, origin, rows))

        def _refuse(self, code: int, error: str) -> None:
            self.close_connection = True  # what was sent is not read
            self._reply(code, {"ok": False, "error": error})

        def _reply(self, code: int, body: dict[str, object]) -> None:
            text = json.dumps(body).encode() + b"\n"
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Not a line a request."""

    return Handler

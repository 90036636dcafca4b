"""The local endpoint: ``/healthz`` and ``/readyz``, for people and supervisors on this machine."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edged.errors import ConfigurationError

REQUEST_TIMEOUT_S = 5.0

Check = Callable[[], list[str]]
"""Reasons why not; empty where all is well."""


class LocalEndpoint:
    """Serves the checks. A context manager that owns the thread ``http``."""

    def __init__(self, listen: str, *, healthy: Check, ready: Check) -> None:
        """Bind.

        Args:
            listen: ``address:port``; port 0 is any free one.
            healthy: Why the process does not work.
            ready: Why it is not ready yet.

        Raises:
            ConfigurationError: The address is not ours, or the port is in use.
        """
        checks = {"/healthz": healthy, "/readyz": ready}
        host, _, port = listen.rpartition(":")
        try:
            server = _Server6 if host.startswith("[") else _Server
            self._server = server((host.strip("[]"), int(port)), _handler(checks))
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


def _handler(checks: dict[str, Check]) -> type[BaseHTTPRequestHandler]:
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

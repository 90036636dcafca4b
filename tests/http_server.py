"""A real HTTP server on the loopback that answers as it is told, well or badly."""

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; `answer` gives a whole answer, the rest is that of its base."""

    server: "_Server"

    def do_GET(self) -> None:
        self.server.owner.requests.append(self)
        answer = self.server.owner.answers.get(self.path)
        with suppress(OSError):  # the client left
            if answer is None:
                self.answer(404, b"nothing here")
            else:
                answer(self)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.head(status, **{"Content_Length": str(len(body)), **headers})
        self.wfile.write(body)

    def head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def drip(self, body: bytes, *, every_s: float = 0.02) -> None:
        """Send a byte at a time, until the server is stopped."""
        for byte in body:
            if self.server.owner.stopped.wait(every_s):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: "Server"

    def handle_error(self, *_: object) -> None:
        """A client that does not like our certificate is no error of the test."""


class Server:
    """A context manager.

    Attributes:
        answers: Path to what answers it; others are 404.
        requests: That came so far.
        stopped: Set when the server ends; whoever drips looks at it.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        self._server = _Server(("127.0.0.1", 0), Request)
        self._server.owner = self
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="http-server", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str) -> str:
        return f"{self._scheme}://localhost:{self.port}{path}"

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """Answer a path with this; its address."""
        self.answers[path] = lambda request: request.answer(status, body, **headers)
        return self.url(path)

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

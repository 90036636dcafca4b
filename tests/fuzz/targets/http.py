"""A request to the local endpoint, byte by byte as it comes over a socket."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from edged.web import MAX_POST_BYTES, LocalEndpoint
from fuzz.targets import Target

SEEDS = (
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"HEAD /readyz?x=1 HTTP/1.0\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/openmetrics-text, */*;q=0.1\r\n\r\n",
    b"GET /status HTTP/1.1\r\nHost: [::1]:9110\r\n\r\n",
    b'POST /sensor/pump/a%20b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"x": 1}\n',
    b"POST /sensor/pump HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1,2\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n",
)
TOKENS = (
    b"\r\n", b"\n", b":", b" ", b"%00", b"%", b"//", b"HTTP/1.1", b"HTTP/9.9", b"Content-Length: -1",
    b"Content-Length: 5", b"Host: ", b"Expect: 100-continue", b"Connection: keep-alive", b"\xff", b"GET",
    b"POST", b"\xc2\xb2", b"Accept: ",
)  # fmt: skip
ANSWER_S = 10.0


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """See `Opener`."""
    bugs: list[str] = []

    def hear(_logger: Any, _name: str, event: Any) -> Any:
        """Of what the endpoint writes down, what is no hanging up."""
        error = event.get("exc_info")
        error = sys.exc_info()[1] if error is True else error
        if error is not None and not isinstance(error, OSError):
            bugs.append(f"{type(error).__name__}: {error}")
        raise structlog.DropEvent

    def died(arguments: threading.ExceptHookArgs) -> None:
        bugs.append(f"a thread ended: {arguments.exc_value!r}")

    def post(sensor: str, origin: str, rows: bytes) -> tuple[int, dict[str, object]]:
        assert len(rows) <= MAX_POST_BYTES
        return (
            (200, {"ok": True}) if sensor == "pump" else (404, {"ok": False, "error": f"no sensor {sensor}"})
        )

    before_config, before_hook = structlog.get_config(), threading.excepthook
    structlog.configure(processors=[hear], cache_logger_on_first_use=False)
    threading.excepthook = died
    try:
        with LocalEndpoint(
            "127.0.0.1:0",
            healthy=list,
            ready=lambda: ["no"],
            post=post,
            metrics=lambda accept: ("text/plain", accept.encode("latin-1", "replace")),
            status=lambda: {"ok": True},
        ) as endpoint:

            def run(content: bytes) -> str:
                answer = _asked(endpoint.port, content)
                if bugs:
                    bug = bugs.pop()
                    bugs.clear()
                    raise AssertionError(bug)
                if not answer:
                    return "cut"
                status = answer.removeprefix(b"HTTP/1.0 ")[:3]
                return status.decode() if status.isdigit() else "answered as HTTP/0.9"

            yield Target("http", SEEDS, TOKENS, run)
    finally:
        structlog.configure(**before_config)
        threading.excepthook = before_hook


def _asked(port: int, content: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as sock:
        answer = b""
        try:
            sock.sendall(content)
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                answer += piece
        except ConnectionError:  # it need not read what it will not answer
            pass
        return answer

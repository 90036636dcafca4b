"""A static web server for trying out: GET and HEAD below ``metadata/`` and ``targets/``, ranges, nothing else.

It stands in for what serves a fleet, and answers as that should: a range, so that a download is resumed; names that
never change their content may be cached for ever, ``timestamp.json`` and a root that is not there yet not at all.
"""

import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from edged.errors import CannotWrite, InputNotFound

REQUEST_TIMEOUT_S = 30.0
_PIECE_BYTES = 256 * 1024
_NAME = re.compile(r"/(metadata|targets)(/[A-Za-z0-9_][A-Za-z0-9._-]*){1,8}")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def span(header: str | None, length: int) -> tuple[int, int] | None:
    """First byte and the one after the last that a ``Range`` asks for; all of them where it asks for none.

    Args:
        header: As sent; what is not one plain range is passed over, as the standard allows.
        length: Of the file.

    Returns:
        None: the range lies outside the file (416).
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[0] == "bytes=-":
        return 0, length
    if not match[1]:
        return (max(0, length - int(match[2])), length) if int(match[2]) and length else None
    first = int(match[1])
    end = min(length, int(match[2]) + 1) if match[2] else length
    if match[2] and int(match[2]) < first:
        return 0, length
    return (first, end) if first < length else None


class RepositoryServer(ThreadingHTTPServer):
    """Serves one folder on the loopback until it is shut down."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        """Bind; `serve_forever` answers.

        Raises:
            InputNotFound: There is no repository.
            CannotWrite: The port is taken.
        """
        if not (folder / "metadata").is_dir():
            raise InputNotFound(str(folder), "holds no repository", "`edged publish init DIR` makes one")
        self.folder = folder
        self.answered = 0
        self.sent_bytes = 0
        try:
            super().__init__(("127.0.0.1", port), _Request)
        except OSError as error:
            raise CannotWrite(
                f"port {port}", f"cannot be listened on ({error.strerror})", "name another with --port"
            ) from error

    @property
    def url(self) -> str:
        """What boxes get as ``[updates].url``."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Request(BaseHTTPRequestHandler):
    server: RepositoryServer
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_TIMEOUT_S

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, *_: object) -> None:
        """Nothing: the command tells of each answer."""

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.answered += 1
        try:
            if not _NAME.fullmatch(path):
                raise FileNotFoundError(path)
            with (self.server.folder / path.lstrip("/")).open("rb") as file:
                self._send(file, path, body=body)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True
        except OSError:
            self._head(404, 0, {"Cache-Control": "no-store"})

    def _send(self, file: IO[bytes], path: str, *, body: bool) -> None:
        length = os.fstat(file.fileno()).st_size
        asked = self.headers.get("Range")
        part = span(asked, length)
        cached = "no-cache" if path.endswith("/timestamp.json") else "public, max-age=31536000, immutable"
        fields = {"Accept-Ranges": "bytes", "Cache-Control": cached}
        if part is None:
            self._head(416, 0, {**fields, "Content-Range": f"bytes */{length}"})
            return
        first, end = part
        if (first, end) != (0, length) or (asked and asked.startswith("bytes=0-")):
            self._head(206, end - first, {**fields, "Content-Range": f"bytes {first}-{end - 1}/{length}"})
        else:
            self._head(200, length, fields)
        file.seek(first)
        left = end - first if body else 0
        while left and (piece := file.read(min(left, _PIECE_BYTES))):
            self.wfile.write(piece)
            self.server.sent_bytes += len(piece)
            left -= len(piece)
        if left:
            self.close_connection = True  # it was cut while we sent it

    def _head(self, status: int, length: int, fields: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()

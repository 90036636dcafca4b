"""A static web server on the loopback that knows ranges and entity tags, and can be told to do harm."""

import hashlib
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from http_server import Request, Server

Harm = Callable[["Request", bytes], None]


class RepositoryServer:
    """A context manager.

    Attributes:
        files: By path below the address; looked at with each request.
        harm: Path below the address to what answers it instead.
        cut_every: Bytes of a body after which the connection is reset; 0 = never.
        sent: Bytes of bodies that went out, by path.
        asked: Paths in order.
        ranges: Whether it knows them.
    """

    def __init__(self, files: dict[str, bytes], *, prefix: str = "/repo") -> None:
        self.files, self.prefix = files, prefix
        self.harm: dict[str, Harm] = {}
        self.cut_every, self.ranges = 0, True
        self.sent: dict[str, int] = {}
        self.asked: list[str] = []
        self.web = Server()
        self.web.answers = _Every(self)  # type: ignore[assignment]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web.port}{self.prefix}"

    def __enter__(self) -> Self:
        self.web.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.web.__exit__(kind, error, trace)

    def respond(self, request: Request) -> None:
        path = request.path.partition("?")[0].removeprefix(f"{self.prefix}/")
        self.asked.append(path)
        content = self.files.get(path)
        if path in self.harm:
            self.harm[path](request, content or b"")
        elif content is None:
            request.answer(404, b"nothing here")
        else:
            self.give(request, content)

    def give(self, request: Request, content: bytes, **headers: str) -> None:
        """As a good server does; cut where that is asked for."""
        path = request.path.partition("?")[0].removeprefix(f"{self.prefix}/")
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = self._start(request, content, tag)
        if start is not None and start >= len(content):
            request.answer(416, b"", Content_Range=f"bytes */{len(content)}")
            return
        body = content[start or 0 :]
        headers = {"ETag": tag, "Content_Length": str(len(body)), **headers}
        if start is not None:
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        request.head(200 if start is None else 206, **headers)
        cut = bool(self.cut_every) and path.startswith("targets/") and len(body) > self.cut_every
        part = body[: self.cut_every] if cut else body
        self.sent[path] = self.sent.get(path, 0) + len(part)
        request.wfile.write(part)

    def _start(self, request: Request, content: bytes, tag: str) -> int | None:
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if not self.ranges or not found or request.headers.get("If-Range", tag) != tag:
            return None
        return int(found[1])


def reset(request: Request) -> None:
    """End the connection as a broken line does, with what was on its way."""
    request.wfile.flush()
    with suppress(OSError):
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.connection.close()


class _Every(dict[str, Callable[[Request], None]]):
    """Answers every path."""

    def __init__(self, server: RepositoryServer) -> None:
        super().__init__()
        self._server = server

    def get(self, path: str, default: object = None) -> Callable[[Request], None]:  # type: ignore[override]
        return self._server.respond

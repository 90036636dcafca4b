"""The server for trying out."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged.errors import CannotWrite, InputNotFound
from edged.repository.serving import RepositoryServer, span

BODY = bytes(range(200))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RepositoryServer]:
    folder = tmp_path / "updates"
    (folder / "targets" / "models").mkdir(parents=True)
    (folder / "metadata").mkdir()
    (folder / "targets" / "models" / "a.tar").write_bytes(BODY)
    (folder / "metadata" / "timestamp.json").write_bytes(b"{}")
    (folder / ".lock").write_bytes(b"hidden")
    (tmp_path / "secret.pem").write_bytes(b"secret")
    with RepositoryServer(folder, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join(5)


def _ask(
    server: RepositoryServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body, dict(response.getheaders())


def test_a_file_is_served_whole(server: RepositoryServer) -> None:
    status, body, headers = _ask(server, "/targets/models/a.tar")
    assert (status, body) == (200, BODY)
    assert "immutable" in headers["Cache-Control"]
    assert _ask(server, "/metadata/timestamp.json")[2]["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("asked", "part"), [("bytes=150-", BODY[150:]), ("bytes=10-19", BODY[10:20]), ("bytes=-5", BODY[-5:])]
)
def test_a_part_is_served(server: RepositoryServer, asked: str, part: bytes) -> None:
    status, body, headers = _ask(server, "/targets/models/a.tar", Range=asked)
    assert (status, body) == (206, part)
    assert headers["Content-Range"].endswith("/200")


def test_a_part_beyond_the_end_is_refused(server: RepositoryServer) -> None:
    assert _ask(server, "/targets/models/a.tar", Range="bytes=200-")[0] == 416


def test_a_head_has_no_body(server: RepositoryServer) -> None:
    status, body, headers = _ask(server, "/targets/models/a.tar", "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "200")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/.lock",
        "/metadata/",
        "/metadata/2.root.json",
        "/../secret.pem",
        "/metadata/../../secret.pem",
        "/metadata/%2e%2e/%2e%2e/secret.pem",
        "/metadata/..%2f..%2fsecret.pem",
        "/targets/models",
        "//etc/passwd",
    ],
)
def test_nothing_else_is_served(server: RepositoryServer, path: str) -> None:
    status, body, _ = _ask(server, path)
    assert (status, body) == (404, b"")


@pytest.mark.parametrize(
    ("header", "length", "part"),
    [
        (None, 10, (0, 10)),
        ("bytes=3-5", 10, (3, 6)),
        ("bytes=3-", 10, (3, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-30", 10, (0, 10)),
        ("bytes=3-99", 10, (3, 10)),
        ("bytes=10-", 10, None),
        ("bytes=-0", 10, None),
        ("bytes=-", 10, (0, 10)),
        ("bytes=5-3", 10, (0, 10)),
        ("bytes=0-1,4-5", 10, (0, 10)),
        ("lines=0-1", 10, (0, 10)),
    ],
)
def test_a_range_is_read_as_the_standard_says(header: str | None, length: int, part: object) -> None:
    assert span(header, length) == part


def test_what_cannot_be_served_is_said(server: RepositoryServer, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="--port"):
        RepositoryServer(server.folder, server.server_address[1])
    with pytest.raises(InputNotFound):
        RepositoryServer(tmp_path / "none", 0)

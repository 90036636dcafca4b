"""The local endpoint against those who mean it no good, and what it has for Prometheus and `edged status`."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse

import pytest

from edged import web
from edged.web import LocalEndpoint

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def fine() -> list[str]:
    return []


def bug() -> dict[str, object]:
    raise KeyError("secret")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[LocalEndpoint]:
    asked = lambda accept: (TEXT, f"accept {accept}\n".encode())  # noqa: E731
    with LocalEndpoint(
        "127.0.0.1:0", healthy=fine, ready=fine, metrics=asked, status=lambda: {"schema": "edged.status/1"}
    ) as running:
        yield running


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def test_metrics_are_given_as_the_asker_takes_them(endpoint):
    response, text = ask(endpoint.port, "/metrics?x=1", Accept="application/openmetrics-text")
    assert (response.status, response.headers["Content-Type"]) == (200, TEXT)
    assert text == b"accept application/openmetrics-text\n"


def test_the_state_of_everything_is_json(endpoint):
    response, text = ask(endpoint.port, "/status")
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    assert json.loads(text) == {"schema": "edged.status/1"}


def test_where_there_are_none_they_are_not_found():
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine) as endpoint:
        assert {ask(endpoint.port, path)[0].status for path in ("/metrics", "/status")} == {404}


def test_who_asks_for_the_head_gets_the_head(endpoint):
    response, text = ask(endpoint.port, "/metrics", "HEAD")
    assert (response.status, text) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "get", "CONNECT"])
def test_other_methods_are_refused(endpoint, method):
    assert ask(endpoint.port, "/status", method)[0].status == 501


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/status", "/nothing"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:9110", "[::1", "a b"])
def test_a_page_that_was_led_here_under_its_own_name_learns_nothing(endpoint, path, host):
    response, text = ask(endpoint.port, path, Host=host)
    assert response.status == 421
    assert json.loads(text) == {"ok": False, "error": "call this machine by its address or its own name"}


def test_such_a_page_cannot_post_rows_either():
    taken: list[bytes] = []

    def post(_name: str, _origin: str, rows: bytes) -> tuple[int, dict[str, object]]:
        taken.append(rows)
        return 200, {}

    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine, post=post) as endpoint:
        assert ask(endpoint.port, "/sensor/pump", "POST", Host="evil.example")[0].status == 421
        with connected(endpoint.port) as connection:
            connection.sendall(
                b"POST /sensor/pump HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n1\n"
            )
            assert b" 421 " in connection.recv(100)
    assert taken == []


@pytest.mark.parametrize("host", ["localhost", "gate-7.lan:9110", "10.0.0.5"])
def test_names_of_the_own_network_are_answered(endpoint, host):
    assert ask(endpoint.port, "/healthz", Host=host)[0].status == 200


def test_a_supervisor_that_says_no_host_is_answered(endpoint):
    with connected(endpoint.port) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 200 " in connection.recv(100)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b" 414 "),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b" 431 "),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b" 431 "),
        (b"GET / HTTP/9.9\r\n\r\n", b" 505 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
    ids=["long path", "long header", "many headers", "version", "TLS"],
)
def test_what_is_too_large_or_no_http_is_refused(endpoint, request_, code):
    with connected(endpoint.port) as connection:
        connection.sendall(request_)
        assert code in connection.recv(600)
    assert ask(endpoint.port, "/healthz")[0].status == 200


def test_a_bug_is_an_answer_that_tells_nothing_and_a_line_in_the_log(capsys):
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine, status=bug) as endpoint:
        response, text = ask(endpoint.port, "/status")
    assert response.status == 500
    assert b"secret" not in text
    assert "a bug: no answer over http" in capsys.readouterr().out


def test_one_who_never_says_what_is_wanted_is_cut(endpoint, monkeypatch):
    monkeypatch.setattr(web, "REQUEST_S", 0.3)
    with connected(endpoint.port) as slow:
        began_s = time.monotonic()
        slow.sendall(b"GET /heal")
        while time.monotonic() - began_s < 5:  # a little now and then, so that no single wait is long
            try:
                slow.sendall(b"x")
                slow.settimeout(0.1)
                if slow.recv(10) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - began_s < 4


def test_many_who_say_nothing_keep_nobody_waiting(endpoint, monkeypatch):
    monkeypatch.setattr(web, "MAX_CONNECTIONS", 4)
    with ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(connected(endpoint.port))
        assert ask(endpoint.port, "/healthz")[0].status == 200
        assert ask(endpoint.port, "/metrics")[0].status == 200


def test_one_who_hangs_up_leaves_no_traceback(endpoint, capfd):
    for _ in range(3):
        with connected(endpoint.port) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert ask(endpoint.port, "/healthz")[0].status == 200
    assert "Traceback" not in capfd.readouterr().err

"""What comes over HTTP, from servers that are well, slow, broken or malicious: real sockets on the loopback."""

import hashlib
import resource
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from http_server import Request, Server

from edged.download import Bounds, fetch
from edged.errors import BadInput, CannotWrite, EdgedError, InputNotFound, NotAllowed, Unreachable, UsageError

BODY = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(BODY).hexdigest()
BOUNDS = Bounds(max_bytes=2_000_000, answer_s=5, silence_s=5, total_s=20)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture
def get(tmp_path):
    """Fetches into a file that is not there yet."""

    def run(url: str, bounds: Bounds = BOUNDS, progress=lambda _count, _total: None):
        return fetch(url, tmp_path / "file", bounds=bounds, progress=progress)

    return run


def refused(get, url: str, kind: type[EdgedError], said: str, bounds: Bounds = BOUNDS) -> EdgedError:
    with pytest.raises(kind, match=said) as caught:
        get(url, bounds)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_file_comes_whole_with_its_digest_and_its_progress(server, get, tmp_path):
    seen = []
    fetched = get(server.serve("/m.onnx", BODY), progress=lambda count, total: seen.append((count, total)))
    assert (fetched.sha256, fetched.size_bytes) == (DIGEST, len(BODY))
    assert (tmp_path / "file").read_bytes() == BODY
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)
    (request,) = server.requests
    assert request.headers["User-Agent"].startswith("edged/")


def test_a_file_without_a_length_comes_whole_too(server, get):
    def chunked(request: Request) -> None:
        request.protocol_version = "HTTP/1.1"
        request.head(200, Transfer_Encoding="chunked")
        for start in range(0, len(BODY), 100_000):
            piece = BODY[start : start + 100_000]
            request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        request.wfile.write(b"0\r\n\r\n")

    server.answers["/m.onnx"] = chunked
    assert get(server.url("/m.onnx")).sha256 == DIGEST


def test_redirects_are_followed_to_a_bounded_number(server, get):
    server.serve("/m.onnx", BODY)
    server.serve("/old", b"", 302, Location="/older")
    server.serve("/older", b"", 301, Location=server.url("/m.onnx"))
    assert get(server.url("/old")).sha256 == DIGEST
    for number in range(10):
        server.serve(f"/r{number}", b"", 302, Location=f"/r{number + 1}")
    refused(get, server.url("/r0"), Unreachable, "leads round and round")
    assert [request.path for request in server.requests[3:]] == [f"/r{number}" for number in range(6)]
    server.serve("/self", b"", 302, Location="/self")
    refused(get, server.url("/self"), Unreachable, "leads round and round")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://localhost/m.onnx", "data:,x"])
def test_a_redirect_to_another_scheme_is_not_followed(server, get, target):
    server.serve("/m.onnx", b"", 302, Location=target)
    refused(get, server.url("/m.onnx"), Unreachable, "leads")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, InputNotFound),
        (410, InputNotFound),
        (401, NotAllowed),
        (403, NotAllowed),
        (400, Unreachable),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_a_refusal_names_the_answer(server, get, status, kind):
    url = server.serve("/m.onnx", b"<html>no</html>", status)
    refused(get, url, kind, f"answers {status}")


def test_a_body_that_is_cut_short_is_told_in_bytes(server, get):
    def cut(request: Request) -> None:
        request.head(200, Content_Length=str(len(BODY)))
        request.wfile.write(BODY[:1000])

    server.answers["/m.onnx"] = cut
    refused(get, server.url("/m.onnx"), Unreachable, r"ended after 1,000 of 1,280,000 bytes")


def test_a_cut_in_the_middle_of_a_piece_is_a_broken_connection(server, get):
    def cut(request: Request) -> None:
        request.protocol_version = "HTTP/1.1"
        request.head(200, Transfer_Encoding="chunked")
        request.wfile.write(b"ffff\r\nabc")

    server.answers["/m.onnx"] = cut
    refused(get, server.url("/m.onnx"), Unreachable, "connection broke")


def test_a_file_that_is_too_large_or_of_another_size_is_refused_before_it_is_read(server, get, tmp_path):
    url = server.serve("/m.onnx", BODY)
    refused(get, url, BadInput, "larger than 1,000 bytes", Bounds(max_bytes=1000))
    expecting = replace(BOUNDS, expected_bytes=5)
    refused(get, url, BadInput, "is 1,280,000 bytes long, expected 5", expecting)
    assert not (tmp_path / "file").exists()


def test_a_server_that_hides_how_much_it_sends_is_cut_off(server, get, tmp_path):
    def endless(request: Request) -> None:
        request.head(200)
        while not server.stopped.is_set():
            request.wfile.write(bytes(100_000))

    server.answers["/m.onnx"] = endless
    refused(get, server.url("/m.onnx"), BadInput, "larger than 2,000,000 bytes")
    assert (tmp_path / "file").stat().st_size <= BOUNDS.max_bytes


def test_a_packed_answer_is_refused_because_nobody_asked_for_it(server, get):
    url = server.serve("/m.onnx", BODY, Content_Encoding="gzip")
    refused(get, url, BadInput, "comes packed")


def test_a_server_that_drips_is_left(server, get):
    def drip(request: Request) -> None:
        request.head(200, Content_Length=str(len(BODY)))
        request.drip(BODY)

    server.answers["/m.onnx"] = drip
    slow = replace(BOUNDS, rate_window_s=0.5)
    started_s = time.monotonic()
    refused(get, server.url("/m.onnx"), Unreachable, "less than 1024 bytes a second", slow)
    assert time.monotonic() - started_s < 4


def test_the_whole_has_a_deadline(server, get):
    def drip(request: Request) -> None:
        request.head(200, Content_Length=str(len(BODY)))
        request.drip(BODY)

    server.answers["/m.onnx"] = drip
    hurried = replace(BOUNDS, total_s=0.5)
    refused(get, server.url("/m.onnx"), Unreachable, "took longer than 0.5 s", hurried)


def test_a_server_that_falls_silent_is_left(server, get):
    def silent(request: Request) -> None:
        request.head(200, Content_Length=str(len(BODY)))
        request.wfile.write(BODY[:10])
        server.stopped.wait(10)

    server.answers["/m.onnx"] = silent
    refused(get, server.url("/m.onnx"), Unreachable, "says nothing more", replace(BOUNDS, silence_s=0.5))


def test_headers_that_never_end_are_not_waited_for(server, get):
    def drip(request: Request) -> None:
        request.drip(b"HTTP/1.1 200 OK\r\n" + b"X-More: yes\r\n" * 1000)

    server.answers["/m.onnx"] = drip
    started_s = time.monotonic()
    refused(get, server.url("/m.onnx"), Unreachable, "no answer within 0.5 s", replace(BOUNDS, answer_s=0.5))
    assert time.monotonic() - started_s < 4


def test_no_thread_is_left_behind(server, get):
    before = set(threading.enumerate())
    refused(get, server.url("/nothing"), InputNotFound, "404")
    assert not [thread for thread in set(threading.enumerate()) - before if "watch" in thread.name]


def test_a_port_where_nobody_listens_a_name_that_is_none_and_what_is_no_http_are_told_apart(get, free_port):
    refused(get, f"http://127.0.0.1:{free_port()}/m.onnx", Unreachable, "nothing listens there")
    refused(get, "http://no-such-host.invalid/m.onnx", Unreachable, "name cannot be looked up")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")
                connection.recv(1000)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/m.onnx"
        refused(get, url, Unreachable, "does not speak HTTP")
        thread.join(5)


@pytest.mark.parametrize(
    "url", ["http://", "https:///m", "http://host:no/m", "http://host:0/m", "ftp://host/m", "http://host/a b"]
)
def test_what_is_no_address_is_wrong_usage(get, url):
    refused(get, url, UsageError, "is not an address")


def test_a_password_in_the_address_is_sent_to_its_server_only_and_never_shown(server, get):
    with Server() as other:
        other.serve("/m.onnx", BODY)
        server.serve("/m.onnx", b"", 302, Location=other.url("/m.onnx"))
        url = server.url("/m.onnx").replace("//", "//joe:pa%40ss@")
        assert get(url).sha256 == DIGEST
        assert server.requests[0].headers["Authorization"] == "Basic am9lOnBhQHNz"
        assert other.requests[0].headers["Authorization"] is None
    error = refused(get, server.url("/no").replace("//", "//joe:secret@"), InputNotFound, r"joe:\*\*\*@")
    assert "secret" not in str(error)


def test_a_proxy_of_the_environment_is_used_and_named_when_it_is_dead(server, get, monkeypatch, free_port):
    server.serve("http://models.invalid/m.onnx", BODY)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    assert get("http://models.invalid/m.onnx").sha256 == DIGEST
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    refused(get, "http://models.invalid/m.onnx", Unreachable, "nothing listens there; .*through the proxy")


def test_a_disk_that_takes_nothing_is_told_from_a_network_that_gives_nothing(server, get, tmp_path):
    url = server.serve("/m.onnx", BODY)
    with pytest.raises(CannotWrite, match="No such file or directory"):
        fetch(url, tmp_path / "no" / "file", bounds=BOUNDS, progress=lambda _count, _total: None)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        refused(get, url, CannotWrite, "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def certificate(tmp_path) -> Path:
    """Of localhost, signed by itself."""
    pem = tmp_path / "localhost.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", pem, "-out", tmp_path / "c.pem"]
    subprocess.run(["openssl", *request.split(), *names], check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + (tmp_path / "c.pem").read_bytes())
    return pem


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Server(tls=context) as server:
        yield server


def test_a_certificate_that_nobody_vouches_for_is_refused_in_one_line(secure, get):
    url = secure.serve("/m.onnx", BODY)
    refused(get, url, Unreachable, "certificate that is not accepted .*SSL_CERT_FILE")
    assert secure.requests == []


def test_an_authority_of_the_environment_is_believed_and_https_is_not_left(
    secure, server, get, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server.serve("/m.onnx", BODY)
    secure.serve("/away", b"", 302, Location=server.url("/m.onnx"))
    refused(get, secure.url("/away"), Unreachable, "leads away from https")
    assert server.requests == []
    secure.serve("/m.onnx", BODY)
    server.serve("/up", b"", 302, Location=secure.url("/m.onnx"))
    assert get(server.url("/up")).sha256 == DIGEST


def test_a_handshake_that_never_ends_is_not_waited_for(get, monkeypatch):
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                for byte in b"\x16\x03\x03\x40\x00" + bytes(1000):
                    if stop.wait(0.1):
                        return
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        started_s = time.monotonic()
        url = f"https://localhost:{listener.getsockname()[1]}/m.onnx"
        refused(get, url, Unreachable, "no answer within 0.5 s", replace(BOUNDS, answer_s=0.5))
        assert time.monotonic() - started_s < 4
        stop.set()
        thread.join(5)

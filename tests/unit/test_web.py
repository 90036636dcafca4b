import json
import socket
import threading
from http.client import HTTPConnection

import pytest

from edged.errors import ConfigurationError
from edged.web import MAX_POST_BYTES, LocalEndpoint


def fine() -> list[str]:
    return []


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, dict[str, object]]:
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_process_that_works_is_healthy_before_it_is_ready():
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=lambda: ["model vehicles: loading"]) as endpoint:
        assert get(endpoint.port, "/healthz") == (200, {"ok": True, "reasons": []})
        assert get(endpoint.port, "/readyz?verbose") == (
            503,
            {"ok": False, "reasons": ["model vehicles: loading"]},
        )


def test_a_process_that_does_not_work_says_why():
    with LocalEndpoint("127.0.0.1:0", healthy=lambda: ["stuck"], ready=fine) as endpoint:
        assert get(endpoint.port, "/healthz") == (503, {"ok": False, "reasons": ["stuck"]})
        assert get(endpoint.port, "/readyz")[0] == 200


def test_anything_else_is_not_found_and_the_answer_names_what_there_is():
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine) as endpoint:
        code, body = get(endpoint.port, "/../etc/passwd")
    assert code == 404
    assert "/healthz" in str(body["error"])


def test_each_question_is_asked_anew():
    reasons = ["starting"]
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=lambda: reasons) as endpoint:
        assert get(endpoint.port, "/readyz")[0] == 503
        reasons.clear()
        assert get(endpoint.port, "/readyz")[0] == 200


def test_a_client_that_says_nothing_does_not_keep_others_waiting():
    with (
        LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine) as endpoint,
        socket.create_connection(("127.0.0.1", endpoint.port)),
    ):
        assert get(endpoint.port, "/healthz")[0] == 200


def test_a_port_in_use_is_a_wrong_configuration_that_names_it():
    with (
        LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine) as endpoint,
        pytest.raises(ConfigurationError, match=rf"http\.listen.*127\.0\.0\.1:{endpoint.port}.*another port"),
    ):
        LocalEndpoint(f"127.0.0.1:{endpoint.port}", healthy=fine, ready=fine)


@pytest.mark.parametrize("listen", ["203.0.113.1:9110", "127.0.0.1:99999"])
def test_an_address_that_is_not_ours_is_a_wrong_configuration(listen):
    with pytest.raises(ConfigurationError, match=r"http\.listen: cannot listen on"):
        LocalEndpoint(listen, healthy=fine, ready=fine)


def ipv6_here() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not ipv6_here(), reason="no IPv6 on this machine")
def test_it_listens_on_an_ipv6_address_too():
    with LocalEndpoint("[::1]:0", healthy=fine, ready=fine) as endpoint:
        assert get(endpoint.port, "/healthz", host="::1")[0] == 200


def test_it_asks_no_name_server_for_its_own_name(monkeypatch):
    def ask(name: str = "") -> str:
        raise AssertionError(f"the name of {name!r} was looked up")

    monkeypatch.setattr(socket, "getfqdn", ask)
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine) as endpoint:
        assert get(endpoint.port, "/healthz")[0] == 200


def test_at_its_end_the_thread_is_gone_and_the_port_is_free():
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine) as endpoint:
        port = endpoint.port
        assert "http" in {thread.name for thread in threading.enumerate()}
    assert "http" not in {thread.name for thread in threading.enumerate()}
    LocalEndpoint(f"127.0.0.1:{port}", healthy=fine, ready=fine).stop()


class Sensors:
    """Takes what is posted for the sensor ``pump``."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str, bytes]] = []
        self.busy = False

    def post(self, name: str, origin: str, payload: bytes) -> tuple[int, dict[str, object]]:
        if name != "pump":
            return 404, {"ok": False, "error": f"there is no sensor {name!r}"}
        if self.busy:
            return 503, {"ok": False, "error": "too many rows wait: post them again"}
        self.posted.append((name, origin, payload))
        return 200, {"ok": True}


@pytest.fixture
def sensors():
    return Sensors()


@pytest.fixture
def endpoint(sensors):
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine, post=sensors.post) as running:
        yield running


def post(port: int, path: str, payload: bytes = b"1,2\n", **headers: str) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(
            "POST", path, payload, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def raw(port: int, head: str, payload: bytes = b"") -> bytes:
    """Everything that is answered to a request of these bytes, after which nothing more is sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + payload)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_rows_that_are_posted_reach_the_sensor_as_they_are(endpoint, sensors):
    rows = b'{"x": 1}\r\n\x00\xff{"x": 2}'
    assert post(endpoint.port, "/sensor/pump", rows) == (200, {"ok": True})
    assert post(endpoint.port, "/sensor/pump", b"") == (200, {"ok": True})
    assert sensors.posted == [("pump", "", rows), ("pump", "", b"")]


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/sensor/pump/line-1", "line-1"),
        ("/sensor/pump/line%201/press%2F7", "line 1/press/7"),
        ("/sensor/pump/gr%C3%B6%C3%9Fe", "größe"),
        ("/sensor/pump/?token=x", ""),
        ("/sensor/pump/a?b=c/d", "a"),
        ("/sensor/pump/%FF", "\ufffd"),
    ],
)
def test_the_device_that_rows_come_from_stands_behind_the_name_of_the_sensor(endpoint, sensors, path, origin):
    assert post(endpoint.port, path)[0] == 200
    assert sensors.posted == [("pump", origin, b"1,2\n")]


@pytest.mark.parametrize("path", ["/sensor", "/sensor/", "/sensors/pump", "/", "/healthz", "/sensor?pump"])
def test_rows_that_are_posted_elsewhere_are_not_found_and_the_answer_says_where_to(endpoint, sensors, path):
    code, body = post(endpoint.port, path)
    assert code == 404
    assert "/sensor/NAME" in str(body["error"])
    assert sensors.posted == []


def test_an_unknown_sensor_and_one_that_is_busy_answer_for_themselves(endpoint, sensors):
    assert post(endpoint.port, "/sensor/fan") == (404, {"ok": False, "error": "there is no sensor 'fan'"})
    sensors.busy = True
    assert post(endpoint.port, "/sensor/pump")[0] == 503


def test_where_nobody_takes_rows_they_are_not_found():
    with LocalEndpoint("127.0.0.1:0", healthy=fine, ready=fine) as endpoint:
        assert post(endpoint.port, "/sensor/pump")[0] == 404


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Content-Length: many\n",
        "Content-Length: -1\n",
        "Content-Length: 1_0\n",
        "Transfer-Encoding: chunked\n",
    ],
)
def test_a_post_that_does_not_say_its_length_is_refused(endpoint, sensors, said):
    answer = raw(endpoint.port, f"POST /sensor/pump HTTP/1.1\nHost: x\n{said}\n")
    assert b" 411 " in answer.splitlines()[0]
    assert sensors.posted == []


@pytest.mark.parametrize("length", [str(MAX_POST_BYTES + 1), "9" * 5000])
def test_a_post_that_is_too_large_is_refused_before_it_is_read(endpoint, sensors, length):
    answer = raw(endpoint.port, f"POST /sensor/pump HTTP/1.1\nHost: x\nContent-Length: {length}\n\n")
    assert b" 413 " in answer.splitlines()[0]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["ok"] is False
    assert sensors.posted == []


def test_the_largest_post_is_taken(endpoint, sensors):
    rows = b"1.5\n" * (MAX_POST_BYTES // 4)
    assert post(endpoint.port, "/sensor/pump", rows)[0] == 200
    assert sensors.posted == [("pump", "", rows)]


def test_a_post_that_breaks_off_is_not_taken_as_half_a_number_is_another_one(endpoint, sensors):
    answer = raw(endpoint.port, "POST /sensor/pump HTTP/1.1\nHost: x\nContent-Length: 9\n\n", b"1.5\n12")
    assert b" 400 " in answer.splitlines()[0]
    assert sensors.posted == []


def test_rows_are_not_read_from_the_endpoint(endpoint):
    assert get(endpoint.port, "/sensor/pump")[0] == 404


def test_a_method_that_is_none_is_answered_like_all_errors(endpoint):
    with socket.create_connection(("127.0.0.1", endpoint.port), 5) as sock:
        sock.sendall(b"PUT /sensor/pump HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 501 " in head
    assert b"application/json" in head
    assert json.loads(body) == {"ok": False, "error": "error 501 (Unsupported method ('PUT'))"}

import json
import socket
import threading
from http.client import HTTPConnection

import pytest

from edged.errors import ConfigurationError
from edged.web import LocalEndpoint


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

"""One request over HTTP: what ends waiting where no time-out of a socket does. The rest stands in test_download.py."""

import socket
import threading
import time

import pytest

from edged.errors import Unreachable
from edged.exchange import Watch, opened


@pytest.fixture
def slow_look_up(monkeypatch):
    """A connection that comes to stand only when the test says so."""
    go, made = threading.Event(), []
    real = socket.create_connection

    def connect(address, *arguments, **options):
        go.wait(10)
        made.append(real(address, *arguments, **options))
        return made[-1]

    monkeypatch.setattr(socket, "create_connection", connect)
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield go, made
    go.set()


@pytest.mark.parametrize("by", ["time", "who wants to stop"])
def test_a_look_up_that_hangs_is_left_behind_and_closes_what_it_gets(slow_look_up, by):
    go, made = slow_look_up
    watch = Watch((lambda: True) if by != "time" else None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        started_s = time.monotonic()
        with (
            pytest.raises(Unreachable),
            opened(url, watch=watch, answer_s=0.3 if by == "time" else 30, silence_s=30),
        ):
            pass
        assert time.monotonic() - started_s < 3
        assert watch.ended
        assert not watch.answered
        go.set()
        for thread in threading.enumerate():
            if thread.name == "download-connect":
                thread.join(5)
        assert [sock.fileno() for sock in made] == [-1]


def test_a_name_that_is_none_is_not_reached():
    with (
        pytest.raises(Unreachable, match="looked up"),
        opened(f"http://{'a' * 70}.invalid/", watch=Watch(), answer_s=5, silence_s=5),
    ):
        pass

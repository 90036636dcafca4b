"""A process that was started ahead is given to who wants what it loads, and to nobody else."""

import json
import os
import socket
import struct
from pathlib import Path

import pytest
from mosquitto_broker import until

from edged.worker import starting as module
from edged.worker.request import LoadRequest
from edged.worker.starting import ask_ahead, end_ahead, start, start_ahead

if os.name != "posix":
    pytest.skip("no worker processes here", allow_module_level=True)

ONE, OTHER = (LoadRequest(path=name).to_json() for name in ("one.onnx", "other.onnx"))


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """What was started; each waits until it is ended."""
    processes: list[module.Started] = []
    new = module._new

    def counted() -> module.Started:
        processes.append(new())
        return processes[-1]

    monkeypatch.setattr(module, "PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(module, "_new", counted)
    yield processes
    end_ahead()
    for one in processes:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.close()


def test_who_comes_first_is_given_it_and_the_next_gets_a_new_one(made):
    start_ahead()
    assert start(ONE) is made[0]
    assert start(ONE) is made[1]
    assert made[0].asked == b""  # it is still to be asked


def test_what_was_asked_already_goes_to_who_wants_the_same(made):
    start_ahead()
    ask_ahead(ONE)
    assert start(OTHER) is made[1]
    assert start(ONE) is made[0]
    assert made[0].asked == ONE


def test_as_much_memory_as_was_free_at_the_moment_makes_no_difference(made):
    start_ahead()
    ask_ahead(LoadRequest(path="m.onnx", max_memory_bytes=1 << 30).to_json())
    assert start(LoadRequest(path="m.onnx", max_memory_bytes=1 << 31).to_json()) is made[0]


def test_asked_for_something_else_another_is_started(made):
    start_ahead()
    ask_ahead(ONE)
    ask_ahead(ONE)
    assert len(made) == 1
    ask_ahead(OTHER)
    assert made[0].process.poll() is not None
    assert start(OTHER) is made[1]


def test_nothing_is_asked_where_nothing_was_started(made):
    ask_ahead(ONE)
    end_ahead()
    assert made == []


def test_one_that_died_is_not_given_out(made):
    start_ahead()
    made[0].process.kill()
    made[0].process.wait()
    assert start(ONE) is made[1]


def test_one_that_waited_long_is_not_given_out_but_ended(made, monkeypatch):
    monkeypatch.setattr(module, "AHEAD_S", 0.0)
    start_ahead()
    assert start(ONE) is made[1]
    assert made[0].process.poll() is not None


def test_one_that_is_not_needed_is_ended(made):
    start_ahead()
    end_ahead()
    assert made[0].process.poll() is not None
    assert start(ONE) is made[1]


def test_where_none_can_be_started_only_who_needs_it_hears_of_it(monkeypatch):
    def refused() -> module.Started:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(module, "_new", refused)
    start_ahead()
    with pytest.raises(OSError, match="temporarily"):
        start(ONE)


def test_what_is_asked_arrives_with_its_length_before_it():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        module.send_control(ours, ONE)
        (length,) = struct.unpack("<I", theirs.recv(4))
        assert json.loads(theirs.recv(length))["path"] == "one.onnx"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="Linux tells of the environment of a process")
def test_a_model_is_not_told_what_is_not_its_own(made, monkeypatch):
    monkeypatch.setenv("EDGED_MQTT__URL", "mqtt://joe:secret@broker")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/edged")
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/edged")
    environment = Path(f"/proc/{start(ONE).process.pid}/environ")
    assert until(
        lambda: bool(environment.read_bytes()), 10
    )  # empty for a moment, while the program is loaded
    told = environment.read_bytes()
    assert b"CACHE_DIRECTORY" in told
    assert b"secret" not in told
    assert b"credentials" not in told

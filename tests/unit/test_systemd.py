import os
import socket
import threading

import pytest

from edged.systemd import MAX_STATUS_BYTES, Notifier

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no such sockets")


@pytest.fixture(params=["file", "abstract"])
def manager(request, tmp_path):
    """A service manager's socket and its address, as systemd writes it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        if request.param == "abstract":
            name = f"edged-test-{os.getpid()}"
            end.bind("\0" + name)
            address = "@" + name
        else:
            address = str(tmp_path / "notify")
            end.bind(address)
        end.settimeout(5)
        yield end, address


def test_each_message_is_a_datagram_of_assignments(manager):
    end, address = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    assert notifier.heard
    for tell, heard in (
        (notifier.ready, b"READY=1"),
        (notifier.stopping, b"STOPPING=1"),
        (notifier.alive, b"WATCHDOG=1"),
        (lambda: notifier.extend(2.5), b"EXTEND_TIMEOUT_USEC=2500000"),
        (lambda: notifier.status("all is\nwell"), b"STATUS=all is well"),
    ):
        assert tell()
        assert end.recv(4096) == heard


def test_a_reload_is_told_with_the_time_so_that_the_answer_to_it_is_known(manager):
    end, address = manager
    Notifier({"NOTIFY_SOCKET": address}).reloading()
    kind, _, usec = end.recv(4096).partition(b"\nMONOTONIC_USEC=")
    assert kind == b"RELOADING=1"
    assert int(usec) > 0


def test_a_status_is_sent_once_and_cut_where_it_is_too_long(manager):
    end, address = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    assert notifier.status("ä" * 1000)
    assert not notifier.status("ä" * 1000)
    said = end.recv(4096).removeprefix(b"STATUS=")
    assert len(said) <= MAX_STATUS_BYTES
    assert set(said.decode()) == {"ä"}


def test_what_was_passed_on_is_kept_from_children():
    environment = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 0.0),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000"}, 30.0),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_fed_only_where_it_is_ours(environment, watchdog_s):
    assert Notifier(dict(environment)).watchdog_s == watchdog_s


@pytest.mark.parametrize("address", ["", "/there/is/nobody", "vsock:2:1", "@nobody-listens-here"])
def test_without_a_manager_nothing_is_sent_and_nothing_raises(address):
    notifier = Notifier({"NOTIFY_SOCKET": address} if address else {})
    assert not notifier.ready()


def test_a_manager_that_does_not_read_does_not_stop_who_speaks(manager, monkeypatch):
    _, address = manager
    monkeypatch.setattr("edged.systemd.SEND_TIMEOUT_S", 0.05)
    notifier = Notifier({"NOTIFY_SOCKET": address})
    done = threading.Event()

    def speak() -> None:
        while notifier.alive():
            pass
        done.set()

    threading.Thread(target=speak, daemon=True).start()
    assert done.wait(10)

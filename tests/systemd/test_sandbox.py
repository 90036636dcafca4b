"""What the unit denies, tried from inside it; and what it must not deny."""

import json
from pathlib import Path

import pytest
from nspawn import Machine

PROBE = Path(__file__).with_name("probe.py")
INSTEAD = """[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/usr/bin/python3 /srv/probe.py
"""
NEEDED = {
    "write its state",
    "write its cache",
    "write a temporary file",
    "read the configuration",
    "share memory",
    "open a connection",
}
FOR_COMPILERS = {"read about the processor", "pin a thread", "write and run memory"}
REFUSALS = {"EACCES", "EPERM", "EROFS", "ENOENT", "EAFNOSUPPORT", "ESRCH"}


@pytest.fixture(scope="module")
def tried(machine: Machine):
    """Attempts and their outcomes, in the unit with a drop-in."""
    machine.write("/srv/probe.py", PROBE.read_text())
    machine.write("/home/someone/secret", "x")
    machine.write("/etc/credstore/other", "x", 0o600)
    machine.done("edged", "install-service")
    machine.write("/etc/systemd/system/edged.service.d/99-probe.conf", INSTEAD)
    machine.done("mknod", "-m", "660", "/dev/ttyS0", "c", "4", "64")
    machine.done("chgrp", "dialout", "/dev/ttyS0")
    machine.done("mknod", "-m", "666", "/dev/hidraw0", "c", "245", "0")

    def attempt(drop_in: str = "") -> dict[str, str]:
        machine.done("sh", "-c", "rm -f /etc/systemd/system/edged.service.d/10-*")
        machine.done("edged", "install-service", *(["--with", drop_in] if drop_in else []))
        machine.done("systemctl", "daemon-reload")
        since = machine.cursor()
        machine.done("systemctl", "start", "edged")
        lines = [line for line in machine.journal(since=since).splitlines() if line.startswith("{")]
        return dict(json.loads(lines[-1]))

    return attempt


def allowed(outcomes: dict[str, str]) -> set[str]:
    assert set(outcomes.values()) <= {"done", *REFUSALS}, outcomes
    return {name for name, outcome in outcomes.items() if outcome == "done"}


def test_the_service_may_do_what_it_needs_and_nothing_else(tried) -> None:
    assert allowed(tried()) == NEEDED | FOR_COMPILERS


def test_for_network_cameras_only_it_may_not_even_make_code_in_memory(tried) -> None:
    assert allowed(tried("network-cameras-only")) == NEEDED


def test_a_drop_in_opens_the_devices_that_it_names_and_no_other(tried) -> None:
    outcomes = tried("serial")
    assert outcomes.pop("open the serial line") in {"done", "EIO", "ENXIO"}, "there may be no such line here"
    assert outcomes.pop("open another device") in {"EPERM", "ENODEV"}, (
        "a container may have no list of devices"
    )
    assert allowed(outcomes) == NEEDED | FOR_COMPILERS

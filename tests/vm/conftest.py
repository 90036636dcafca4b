"""Disks with edged installed on them. `make vm-test` runs these tests, as root."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mosquitto_broker import free_port

from vm import machine
from vm.box import Box, install


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These boot machines for minutes: only where that is asked for."""
    if os.environ.get("EDGED_VM_TESTS"):
        return
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="boots virtual machines: make vm-test"))


@pytest.fixture
def box(disks: Box) -> Iterator[Box]:
    """The disks; the broker is gone after each test."""
    try:
        yield disks
    finally:
        disks.broker.stop()


@pytest.fixture(scope="session")
def disks() -> Iterator[Box]:
    """A Debian with edged's package, enabled; a camera of a small clip and a model that costs nothing."""
    machine.require()
    folder = Path(f"/var/tmp/edged-vm-tests-{os.getpid()}")
    folder.mkdir()
    broker = machine.Recorder(folder, free_port())
    try:
        made = Box(folder, broker)
        install(made)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)

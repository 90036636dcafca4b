"""The power is cut while the broker is away; after the next boot all that was accepted arrives, and a model serves.

`EDGED_VM_CUTS` says how often. Lost is what the machine had not written yet, and a random half of what the disk was not
asked to flush.
"""

import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vm import powercut
from vm.box import Box
from vm.machine import BOOT_S, Virtual, stopwatch

UNSYNCED = "/var/lib/edged/unsynced"
CUTS = int(os.environ.get("EDGED_VM_CUTS", "3"))


def test_what_was_accepted_before_the_power_was_cut_arrives_after_it(box: Box) -> None:
    rolls = random.Random(2)
    state = Path(shutil.copy(box.state, box.folder / "state-of-cuts"))
    told: set[str] = set()
    for number in range(1, CUTS + 1):
        with booted(box, state, told) as machine:
            box.broker.stop()
            delivered = set(box.broker.results())
            wait_accepted(machine, delivered)
            time.sleep(rolls.uniform(3, 8))
            machine.done("sh", "-c", f"echo written > {UNSYNCED}")
            machine.cut()
            new = set(machine.accepted()) - delivered
        told |= new
        written = list(powercut.entries(machine.log))
        kept = powercut.kept(written, rolls)
        powercut.replay(machine.log, kept, state)
        print(f"cut {number}: {len(new)} results wait; of {len(written)} writes the disk has {len(kept)}")
    with booted(box, state, told) as machine:
        assert not machine.run("cat", UNSYNCED).stdout, "what nobody synchronised is there: that was no cut"


@contextmanager
def booted(box: Box, state: Path, told: set[str]) -> Iterator[Virtual]:
    """A machine that has delivered what was accepted before the last cut, and serves."""
    broker, took = box.broker, stopwatch()
    broker.start()
    before = set(broker.results())
    with box.boot("cut", state=state) as machine:
        broker.wait_for(lambda: told <= set(broker.results()), BOOT_S)
        lost = told - set(broker.results())
        assert not lost, f"{len(lost)} of {len(told)} are lost: {machine.journal()}"
        assert broker.wait_for(lambda: len(set(broker.results()) - before - told) > 2, BOOT_S), (
            machine.journal()
        )
        print(f"none of {len(told)} lost, and a model serves, {took():.0f} s after power on")
        yield machine


def wait_accepted(machine: Virtual, delivered: set[str]) -> None:
    """Until there are results that only the outbox has."""
    took = stopwatch()
    while not set(machine.accepted()) - delivered:
        assert took() < BOOT_S, machine.journal()
        time.sleep(0.05)

"""A clock that is wrong, and jumps, while edged runs: no restart, no stall that is none, nothing lost."""

import json
import time
from collections.abc import Mapping

import nspawn

from vm.box import FRAMES_A_SECOND, Box
from vm.machine import BOOT_S, Virtual, stopwatch

DAY_S = 86400
JUMPS = {
    "a day on": DAY_S,
    "a day back": -DAY_S,
    "ten years on": 3652 * DAY_S,
    "ten years back": -3652 * DAY_S,
}
LONGEST_S = 6.0
"""Without a result, on a machine that nobody else uses: that is when a camera counts as stalled."""
WATCH_S = 30
"""After each jump: longer than the watchdog waits."""


def test_a_boot_in_1970_serves_and_no_jump_of_the_clock_is_felt(box: Box) -> None:
    broker = box.broker
    results, said = len(broker.results()), len(broker.messages("edged/box/status"))
    broker.start()
    with box.boot("clock", append="vm.1970") as machine:
        assert broker.wait_for(lambda: len(broker.results()) > results + 3, BOOT_S), machine.journal()
        assert year(machine) == 1970
        before, known = process(machine), states(box)
        print(f"booted in 1970, serves in {machine.done('date', '--iso-8601=seconds').strip()}")
        jump(machine, {"the right time": time.time() - int(machine.done("date", "+%s"))}, box)
        jump(machine, JUMPS, box)
        assert states(box)[len(known) :] == []
        assert broker.messages("edged/box/status")[said:] == ["online"]
        assert process(machine) == before
        journal = machine.journal()
        assert "hangs" not in journal, journal
        assert "Watchdog" not in journal, journal


def test_what_waits_for_the_broker_outlives_a_jump_of_ten_years(box: Box) -> None:
    broker = box.broker
    results = len(broker.results())
    broker.start()
    with box.boot("waiting") as machine:
        assert broker.wait_for(lambda: len(broker.results()) > results + 3, BOOT_S), machine.journal()
        broker.stop()
        before, took = len(machine.accepted()), stopwatch()
        for seconds in JUMPS.values():
            set_clock(machine, seconds)
            wanted = len(machine.accepted()) + 5
            while len(machine.accepted()) < wanted:
                assert took() < BOOT_S, machine.journal()
                time.sleep(0.2)
        waited = set(machine.accepted()[before:])
        broker.start()
        assert broker.wait_for(lambda: waited <= set(broker.results()), BOOT_S), (
            f"{len(waited - set(broker.results()))} of {len(waited)} are lost",
            machine.journal(),
        )
        print(f"{len(waited)} results waited through jumps of a day and of ten years, none is lost")


def states(box: Box) -> list[str]:
    """Of the camera, as they were published."""
    return [json.loads(told)["state"] for told in box.broker.messages("edged/box/camera/belt/state")]


def jump(machine: Virtual, jumps: Mapping[str, float], box: Box) -> None:
    """Set the clock, and see that results go on all the while."""
    for name, seconds in jumps.items():
        set_clock(machine, seconds)
        longest, last, began = 0.0, time.monotonic(), time.monotonic()
        seen = first = len(box.broker.results())
        while time.monotonic() - began < WATCH_S:
            time.sleep(0.1)
            now, count = time.monotonic(), len(box.broker.results())
            longest = max(longest, now - last)
            if count > seen:
                seen, last = count, now
        rate = (seen - first) / WATCH_S
        print(
            f"{name}: {rate:.1f} of {FRAMES_A_SECOND} results a second, at most {longest:.1f} s without one"
        )
        assert longest < LONGEST_S * nspawn.crowd(), (name, machine.journal())


def set_clock(machine: Virtual, seconds: float) -> None:
    machine.done("date", "--set", f"@{int(machine.done('date', '+%s')) + int(seconds)}")


def year(machine: Virtual) -> int:
    return int(machine.done("date", "+%Y"))


def process(machine: Virtual) -> tuple[str, str]:
    """The daemon's process and how often systemd has started it again."""
    return machine.of("MainPID"), machine.of("NRestarts")

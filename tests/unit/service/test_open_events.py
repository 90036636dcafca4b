"""Each event that was begun has its end, whatever ended edged."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosquitto_broker import until

from edged.outbox import DiskOutbox, MemoryOutbox, Outbox
from edged.service.open_events import FILE, OpenEvents

TOPIC = "edged/box/camera/front/events"


def message(kind: str, event: str, number: int = 0) -> bytes:
    return json.dumps({"type": kind, "id": event, "message_id": f"{event}-{kind}-{number}"}).encode()


def restart_end(last: bytes) -> bytes:
    return json.dumps(json.loads(last) | {"type": "end", "reason": "restart", "message_id": "new"}).encode()


def told(outbox: Outbox) -> list[str]:
    found = [json.loads(entry.payload) for entry in outbox.after(0, 1000)]
    return [f"{one['type']} {one['id']}" + (f" {one['reason']}" if "reason" in one else "") for one in found]


class Run:
    """A run of edged, as far as its events go, with an outbox that settles what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.outbox = MemoryOutbox(10**6, 3600)
        self.events = OpenEvents(folder, self.outbox)
        self.ends = self.events.recover(restart_end)
        self.events.start()

    def say(self, kind: Any, event: str) -> None:
        self.events.put(kind, event, TOPIC, message(kind, event), qos=1)
        assert self.events.flush(5)

    def deliver(self) -> None:
        """The outbox has everything safe."""
        for entry in self.outbox.after(0, 1000):
            self.outbox.remove(entry.key)
        assert until(lambda: not self.events._settled and not self.events._busy, 5)

    def killed(self) -> None:
        """Nothing is written down any more."""
        self.events._path = None
        self.events.close(5)


def test_what_ends_leaves_nothing_behind(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for kind in ("start", "update", "end"):
        run.say(kind, "a")
    assert told(run.outbox) == ["start a", "update a", "end a"]
    run.deliver()
    run.events.close(5)
    assert not (tmp_path / FILE).exists()


def test_an_event_that_was_begun_is_ended_at_the_next_start_before_anything_else(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.say("start", "a")
    run.deliver()
    run.say("start", "b")
    run.killed()
    again = Run(tmp_path)
    assert [json.loads(end)["reason"] for end in again.ends] == ["restart", "restart"]
    again.say("start", "c")
    # Of b nobody knows whether the outbox had it: it is handed in again, the same message.
    assert told(again.outbox) == ["end a restart", "start b", "end b restart", "start c"]
    again.deliver()
    again.killed()
    last = Run(tmp_path)
    assert told(last.outbox) == ["end c restart"]
    last.killed()


def test_an_end_that_the_outbox_may_not_have_is_the_same_message_at_each_start(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.say("start", "a")
    run.deliver()
    run.say("end", "a")
    run.killed()
    for _ in range(2):  # the second is killed before its outbox has anything
        again = Run(tmp_path)
        assert again.ends == [message("end", "a")]
        again.killed()
    last = Run(tmp_path)
    last.deliver()
    last.events.close(5)
    assert not (tmp_path / FILE).exists()


def test_what_was_known_last_is_what_the_end_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.service.open_events.STATE_EVERY_S", 0.0)
    run = Run(tmp_path)
    run.say("start", "a")
    run.events.put("update", "a", TOPIC, message("update", "a", 7), qos=1)
    assert run.events.flush(5)
    run.killed()
    seen: list[bytes] = []
    again = OpenEvents(tmp_path, MemoryOutbox(10**6, 60))
    again.recover(lambda last: seen.append(last) or restart_end(last))
    again.start()
    again.close(5)
    assert seen == [message("update", "a", 7)]


def test_a_torn_line_a_damaged_line_and_strangers_lines_cost_only_themselves(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.say("start", "a")
    run.killed()
    file = tmp_path / FILE
    file.write_bytes(
        b'not json\n[1]\n{"do":"start"}\n{"do":"update","id":"z","message":"x"}\n'
        b'{"do":"end","id":"y","topic":"t","qos":Infinity,"message":"{}"}\n'
        b'{"do":"end","id":"y","topic":"t","qos":3,"message":"{}"}\n'
        b'{"do":"end","id":"y","topic":"\\ud800","qos":1,"message":"{}"}\n'
        b'{"do":"end","id":"y","topic":"t","qos":1,"message":"\\ud800"}\n'
        + b"[" * 100_000
        + b"\n"
        + file.read_bytes()
        + b'{"do":"end","id":"a","to'
    )
    again = Run(tmp_path)
    assert told(again.outbox) == ["start a", "end a restart"]
    again.killed()


def test_a_message_that_is_no_event_is_forgotten(tmp_path: Path) -> None:
    def refuses(_: bytes) -> bytes:
        raise ValueError

    run = Run(tmp_path)
    run.say("start", "a")
    run.killed()
    outbox = MemoryOutbox(10**6, 60)
    assert OpenEvents(tmp_path, outbox).recover(refuses) == []
    assert len(outbox) == 0


def test_the_file_is_written_anew_where_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.service.open_events.COMPACT_BYTES", 1000)
    run = Run(tmp_path)
    run.say("start", "stays")
    run.deliver()
    for number in range(50):
        run.say("start", f"e{number}")
        run.deliver()
        run.say("end", f"e{number}")
        run.deliver()
    assert (tmp_path / FILE).stat().st_size < 2000
    run.killed()
    again = Run(tmp_path)
    assert told(again.outbox) == ["end stays restart"]
    again.killed()


def test_a_disk_that_fails_holds_nothing_up(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    run = Run(blocked)
    run.say("start", "a")
    run.say("end", "a")
    assert told(run.outbox) == ["start a", "end a"]
    run.deliver()
    blocked.unlink()
    run.say("start", "b")
    run.killed()
    again = Run(blocked)
    assert told(again.outbox) == ["start b", "end b restart"]
    again.killed()


def test_without_a_folder_messages_go_on_at_once() -> None:
    outbox = MemoryOutbox(10**6, 60)
    events = OpenEvents(None, outbox)
    assert events.recover(restart_end) == []
    events.start()
    events.put("start", "a", TOPIC, message("start", "a"), qos=1)
    assert told(outbox) == ["start a"]
    events.close(1)


Step = st.tuples(st.sampled_from(["start", "end", "deliver", "kill"]), st.integers(0, 2))


@given(st.lists(Step, max_size=25))
@settings(max_examples=25, deadline=None)
def test_however_runs_end_each_event_has_one_start_and_one_end_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    run, taken, number, alive = Run(folder), list[dict[str, Any]](), 0, set[str]()

    def take() -> None:
        """The broker has what the outbox had; duplicates are dropped by their id, as subscribers do."""
        known = {one["message_id"] for one in taken}
        found = [json.loads(entry.payload) for entry in run.outbox.after(0, 1000)]
        taken.extend(
            one for one in found if one["message_id"] not in known and not known.add(one["message_id"])
        )

    def end(last: bytes) -> bytes:
        event = json.loads(last)["id"]
        return message("end", event, 1)

    for step, which in [*steps, ("kill", 0)]:
        if step == "start":
            number += 1
            alive.add(f"{number:03}")
            run.say("start", f"{number:03}")
        elif step == "end" and alive:
            event = sorted(alive)[which % len(alive)]
            alive.discard(event)
            run.say("end", event)
        elif step == "deliver":
            take()
            run.deliver()
        elif step == "kill":
            take()
            run.killed()
            alive.clear()
            run = Run.__new__(Run)
            run.outbox = MemoryOutbox(10**6, 3600)
            run.events = OpenEvents(folder, run.outbox)
            run.ends = run.events.recover(end)
            run.events.start()
    take()
    run.killed()
    count = Counter((one["type"], one["id"]) for one in taken)
    ids = {event for _, event in count}
    assert len(ids) == number
    assert all(count["start", one] == count["end", one] == 1 for one in ids)
    order = [(one["id"], one["type"]) for one in taken]
    assert all(order.index((one, "start")) < order.index((one, "end")) for one in ids)


PROGRAM = """
import itertools, json, sys, time
from pathlib import Path
import structlog
from edged.outbox import DiskOutbox
from edged.service.open_events import OpenEvents

def message(kind, event):
    return json.dumps({"type": kind, "id": event, "message_id": f"{event}-{kind}"}).encode()

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is for "runs" alone
folder, run = Path(sys.argv[1]), sys.argv[2]
outbox = DiskOutbox(folder / "outbox", 10**8, 3600)
events = OpenEvents(folder, outbox)
events.recover(lambda last: message("end", json.loads(last)["id"]))
outbox.start()
events.start()
print("runs", flush=True)
for number in itertools.count():
    events.put("start", f"{run}-{number:06}", "t", message("start", f"{run}-{number:06}"), qos=1)
    if number >= 3:
        events.put("end", f"{run}-{number - 3:06}", "t", message("end", f"{run}-{number - 3:06}"), qos=1)
    time.sleep(0.0005)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_process_that_is_killed_at_any_moment_leaves_no_start_without_an_end(tmp_path: Path) -> None:
    for run in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path), str(run)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "runs\n"
            time.sleep(0.05 + 0.05 * run)
        finally:
            process.kill()
            process.communicate(timeout=10)
    outbox = DiskOutbox(tmp_path / "outbox", 10**8, 3600)
    events = OpenEvents(tmp_path, outbox)
    events.recover(lambda last: message("end", json.loads(last)["id"]))
    outbox.start()
    events.start()
    assert outbox.wait_saved(10)
    seen: dict[str, dict[str, Any]] = {}
    key = 0
    while entries := outbox.after(key, 1000):
        for entry in entries:
            one = json.loads(entry.payload)
            seen.setdefault(f"{one['type']} {one['id']}", one)
        key = entries[-1].key
    outbox.close(5)
    events.close(5)
    assert not (tmp_path / FILE).exists()
    starts = [one["id"] for one in seen.values() if one["type"] == "start"]
    ends = [one["id"] for one in seen.values() if one["type"] == "end"]
    assert len({one.split("-")[0] for one in starts}) == 4
    assert sorted(starts) == starts
    assert sorted(ends) == sorted(starts)
    order = list(seen)
    assert all(order.index(f"start {one}") < order.index(f"end {one}") for one in starts)

"""What looks for faults finds those that are there."""

import sys
import time

import pytest
from fuzz import guidance
from fuzz.canary import Canaries
from fuzz.guidance import explore, tried
from fuzz.targets import Target

from edged.errors import BadInput
from edged.sources.timestamps import moment


def target(run) -> Target:
    return Target("planted", (b"2014-05-01 00:00",), (b"12/31",), run)


def test_an_exception_that_is_none_of_ours_is_found_and_shortened():
    def run(content: bytes) -> str:
        moment(content.decode("latin-1"))
        return {"x": "fine"}["x" if content.count(b"/") < 2 else "y"]

    report = explore(target(run), seed=1, inputs=3000)
    (finding,) = report.findings.values()
    assert finding.content == b"//"
    assert "KeyError" in finding.what
    assert report.edges > 10
    assert report.kept > 0


def test_the_same_seed_tries_the_same():
    seen: list[list[bytes]] = [[], []]
    for part in seen:
        explore(target(lambda content, part=part: part.append(content) or "fine"), seed=7, inputs=50)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) > 40


def test_an_error_of_ours_is_an_answer():
    def run(content: bytes) -> str:
        raise BadInput("it", "is no good", "use another")

    report = explore(target(run), seed=1, inputs=5)
    assert report.outcomes == {"BadInput": 5}
    assert not report.findings


def test_what_takes_too_long_is_found(monkeypatch):
    monkeypatch.setattr(guidance, "BOUND_S", 0.05)

    def run(content: bytes) -> str:
        ends = time.process_time() + 5
        while time.process_time() < ends:
            pass
        return "slow"

    finding = tried(target(run), b"")
    assert finding is not None
    assert finding.what.startswith("took longer")


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux'")
def test_a_file_that_is_opened_is_seen_once(tmp_path):
    watched, other = tmp_path / "watched", tmp_path / "other"
    watched.write_bytes(b"x")
    other.write_bytes(b"x")
    with Canaries([watched]) as canaries:
        other.read_bytes()
        assert canaries.opened() == set()
        watched.read_bytes()
        assert canaries.opened() == {watched}
        assert canaries.opened() == set()

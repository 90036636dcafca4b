"""Two instances of edged that share a store and follow different repositories: neither takes what is the other's."""

import shutil
from collections import namedtuple

import pytest
from repository_server import RepositoryServer
from signed_repository import MEMBERS, MODEL, Repository
from update_box import Box

from edged.errors import UpdateUnreachable


@pytest.fixture
def other(tmp_path, box) -> Box:
    """It shares the store of `box`, and nothing else."""
    repository = Repository()
    repository.add("boxes", 1, MEMBERS | {"labels.txt": b"box\n"})
    repository.release(days=0)
    repository.release(days=0)
    with RepositoryServer(repository.files) as server:
        shutil.rmtree(box.store)
        other = Box(tmp_path / "other", server.url, repository.first_root)
        shutil.rmtree(other.store)
        other.store, box.store = [tmp_path / "store"] * 2
        (other.store / "parcels" / "1").mkdir(parents=True)
        (other.store / "parcels" / "1" / "model.onnx").write_bytes(b"what serves")
        box.restart()
        other.restart()
        yield other


def break_off(box: Box) -> None:
    """A download that stands still half way."""
    box.stopping = lambda: bool(box.seen and box.seen[-1][0] > 200_000)
    with pytest.raises(UpdateUnreachable) as caught:
        box.take()
    assert caught.value.reason == "stopped"
    box.stopping = lambda: False


def test_what_has_come_of_a_download_outlives_a_look_of_the_other(box, other, server):
    box.max_rate = 2e6
    box.restart()
    break_off(box)
    came = box.parts[0].stat().st_size
    other.client.refresh()
    assert box.parts[0].stat().st_size == came
    box.max_rate = None
    box.restart()
    assert (box.take() / "model.onnx").read_bytes() == MODEL
    assert server.web.requests[-1].headers["Range"] == f"bytes={came}-"


def test_each_has_a_floor_of_its_own_in_the_store(box, other, repository):
    box.client.refresh()
    other.client.refresh()
    assert box.floors[1] != other.floors[1]
    assert box.floor(1) == box.floor(0)
    assert other.floor(1) == other.floor(0) != box.floor(0)
    old = dict(repository.files)
    repository.release()
    box.client.refresh()
    other.client.refresh()
    shutil.rmtree(box.state)
    repository.files.clear()
    repository.files.update(old)
    box.restart()
    box.refuses("rollback")


def test_a_disk_without_room_gets_back_what_came_of_others(box, other, monkeypatch):
    box.max_rate = 2e6
    box.restart()
    break_off(box)
    (offer,) = other.client.refresh()
    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, 10**6 if box.parts else 10**9))
    assert (other.fetch(offer) / "model.onnx").read_bytes() == MODEL
    assert box.parts == []

"""Attacks on metadata, and what of it a box loses by itself.

Real signatures, a web server on the loopback; each test says what the box did, in the word of its state, and that the
store shows nothing new. docs/updates.md has them as a table.
"""

import shutil
import subprocess
import sys
from datetime import timedelta

import pytest
from repository_server import RepositoryServer
from securesystemslib.signer import CryptoSigner
from signed_repository import DAY_S, MEMBERS, MODEL, SIGNED, Repository
from update_box import Box

from edged.errors import ConfigurationError


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_edited_metadata(box, server, repository, name):
    server.files[f"metadata/{name}"] = repository.edited(name, version=9)
    box.refuses("signature" if name == "timestamp.json" else "mismatch")
    assert 9 not in box.floor().values()


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_too_few_signatures(box, server, repository, role):
    enough = repository.keys[role]
    repository.keys[role] = enough[:-1]
    repository.release()
    box.refuses("signature")


def test_a_root_that_too_few_signed(box, server, repository):
    root = repository.signed["root"]
    root.version = 2
    server.files["metadata/2.root.json"] = repository.sign("root", with_keys=repository.keys["root"][:1])
    box.refuses("signature")
    assert box.floor()["root"] == 1


def rolled_back(box: Box, server: RepositoryServer, repository: Repository) -> None:
    """The box has seen a newer repository; the server has the old one again."""
    old = dict(server.files)
    repository.release()
    box.client.refresh()
    assert box.floor() == {"root": 1, "timestamp": 3, "snapshot": 3, "targets": 3}
    server.files = old


@pytest.mark.parametrize(
    "cache", ["whole", "wiped", "emptied", "truncated", "state wiped", "store's floor wiped"]
)
def test_a_repository_that_was_rolled_back(box, server, repository, cache):
    rolled_back(box, server, repository)
    if cache == "wiped":
        box.wipe_metadata()
    elif cache in {"emptied", "truncated"}:
        box.empty_metadata(keep=0 if cache == "emptied" else 200)
    elif cache == "state wiped":
        shutil.rmtree(box.state)
    elif cache == "store's floor wiped":
        box.wipe_metadata()
        box.floors[1].unlink()
    box.restart()
    box.refuses("rollback")
    box.refuses("rollback")  # and again: the first one left no way in
    repository.release()
    server.files = repository.files
    assert len(box.client.refresh()) == 1
    assert box.floor(0) == box.floor(1) == {"root": 1, "timestamp": 4, "snapshot": 4, "targets": 4}


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("harm", ["gone", "emptied", "cut", "flipped", "a folder"])
def test_one_floor_lost_or_corrupt_is_healed_from_the_other(box, server, repository, place, harm):
    box.client.refresh()
    path = box.floors[place]
    content = path.read_bytes()
    path.unlink()
    if harm == "a folder":
        path.mkdir()
    elif harm != "gone":
        path.write_bytes(
            {
                "emptied": b"",
                "cut": content[:100],
                "flipped": content.replace(b'"version": 2', b'"version": 1'),
            }[harm]
        )
    box.wipe_metadata()
    box.restart().refresh()
    assert path.read_bytes() == content


def test_both_floors_and_the_cache_lost_is_a_new_box(box, server, repository):
    """What cannot be known: only the root metadata that was put on the box speaks."""
    rolled_back(box, server, repository)
    shutil.rmtree(box.state)
    shutil.rmtree(box.store / ".updates")
    box.now_s = SIGNED.timestamp()
    assert len(box.restart().refresh()) == 1


def test_mix_and_match(box, server, repository):
    old = server.files["metadata/2.snapshot.json"], server.files["metadata/2.targets.json"]
    repository.release()
    server.files["metadata/3.snapshot.json"] = old[0]
    box.refuses("mismatch")
    repository.release()
    server.files["metadata/4.targets.json"] = old[1]
    box.refuses("mismatch")


def test_a_frozen_repository(box, server, repository):
    box.client.refresh()
    box.now_s = SIGNED.timestamp() + 8 * DAY_S
    error = box.refuses("frozen")
    assert "timestamp" in error.problem
    box.restart()
    box.refuses("frozen")


def test_a_revoked_key(box, server, repository):
    """An online key was stolen and replaced; the thief goes on signing."""
    stolen, then = repository.keys["timestamp"], dict(server.files)
    box.client.refresh()
    repository.rotate("snapshot", "timestamp")
    repository.release()
    assert len(box.client.refresh()) == 1
    thief = repository.sign("timestamp", with_keys=stolen)
    server.files["metadata/timestamp.json"] = thief
    box.refuses("signature")
    # He hides the new root too: from a box that has seen it, also without its cache, and from one that has not, he can.
    server.files = then
    box.refuses("signature")
    box.wipe_metadata()
    box.refuses("rollback")


def test_versions_and_times_that_a_thief_signed_far_ahead_fall_with_his_key(box, server, repository):
    repository.moment = SIGNED + timedelta(days=400)
    repository.signed["timestamp"].version = 1_000_000
    repository.publish(("timestamp",))
    box.refuses("clock")
    assert box.floor()["timestamp"] == 1_000_000
    repository.moment = SIGNED
    repository.signed["timestamp"].version = 2
    repository.rotate("snapshot", "timestamp")
    repository.release(days=0)
    assert len(box.client.refresh()) == 1
    assert box.floor() == {"root": 2, "timestamp": 3, "snapshot": 3, "targets": 3}


def test_root_rotation_over_three_versions_at_once(box, server, repository):
    box.client.refresh()
    repository.rotate("root")
    repository.rotate("root", "targets")
    repository.rotate("root", "snapshot", "timestamp")
    repository.add("parcels", 3, MEMBERS | {"model.onnx": MODEL + b"3"})
    repository.release()
    assert sorted(offer.version for offer in box.client.refresh()) == [2, 3]
    assert box.floor()["root"] == 4
    box.wipe_metadata()
    assert len(box.restart().refresh()) == 2


def test_a_root_that_was_hidden_again_after_three_rotations_and_a_wiped_cache(box, server, repository):
    then = dict(server.files)
    for _ in range(3):
        repository.rotate("root", "targets", "snapshot", "timestamp")
    repository.release()
    box.client.refresh()
    server.files = then
    box.wipe_metadata()
    error = box.refuses("rollback", box.restart().refresh)
    assert "root is version 1, and version 4" in error.problem
    box.refuses("rollback")


def test_a_root_that_was_refused_for_being_old_takes_no_other_mark_away(box, server, repository):
    """Old roots know old keys, by which the marks of roles would fall."""
    then = dict(server.files)
    repository.rotate("root", "targets", "snapshot", "timestamp")
    repository.release()
    before = dict(server.files)
    repository.release()
    box.client.refresh()
    for files in (then, before):
        server.files = files
        box.wipe_metadata()
        box.refuses("rollback", box.restart().refresh)


def test_another_publisher_is_a_new_beginning(box, server, repository, tmp_path):
    for _ in range(5):
        repository.release(days=0)
    box.client.refresh()
    other = Repository()
    other.add("parcels", 2, MEMBERS)
    other.release(days=0)
    server.files = other.files
    box.refuses("signature", box.client.refresh)
    box.root.write_bytes(other.first_root)  # by a person, on the box
    box.wipe_metadata()
    assert len(box.client.refresh()) == 1
    assert box.floor()["timestamp"] == 2


@pytest.mark.parametrize("content", [b"", b"no root", b"{}", b"x" * 600_000, None])
def test_a_box_that_was_given_no_root_metadata(box, content):
    box.root.unlink()
    if content is not None:
        box.root.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"put the publisher's root metadata there|is larger"):
        box.client.refresh()


def test_the_cache_is_only_a_cache(box, server, repository):
    """Whatever stands where python-tuf keeps its files is replaced."""
    box.client.refresh()
    for name in ("timestamp.json", "root_history"):
        path = box.metadata / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (box.metadata / "timestamp.json").mkdir()
    (box.metadata / "root_history").write_bytes(b"")
    (box.metadata / "tmpabc").write_bytes(b"left by a look that was killed")
    assert len(box.restart().refresh()) == 1
    assert not (box.metadata / "tmpabc").exists()


WITHOUT_CRYPTOGRAPHY = """
import sys
sys.modules["cryptography"] = None
from pathlib import Path
from edged.errors import UpdateRefused
from edged.updates.client import UpdateClient
url, root, state, store, now_s = sys.argv[1:]
client = UpdateClient(url, Path(root), state=Path(state), store=Path(store), max_rate_bytes_s=None,
                      stopping=lambda: False, clock=lambda: float(now_s))
(offer,) = client.refresh()
print(offer.version, flush=True)
sys.stdin.readline()
try:
    client.refresh()
except UpdateRefused as error:
    print(error.reason)
"""


def test_verification_needs_no_cryptography(box, server, repository):
    """securesystemslib brings ed25519 in Python: slower, and no other kind of key."""
    arguments = [box.url, str(box.root), str(box.state), str(box.store), str(box.now_s)]
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_CRYPTOGRAPHY, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "2\n"
    repository.keys["timestamp"] = [CryptoSigner.generate_ed25519()]
    repository.release()
    said, _ = process.communicate("\n", timeout=30)
    assert said == "signature\n"

"""What is published, looked at by TUF's own client; and what a kill at any moment leaves."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from repositories import Publisher, by_id
from securesystemslib.signer import CryptoSigner

from edged.errors import BadInput, InputNotFound, NotAllowed, UsageError
from edged.offers import Needs
from edged.repository import audit, ceremony, release, renewal
from edged.repository.terms import LIFE, ROLES
from edged.repository.tree import Tree
from edged.updates.moments import SIGNED_AT, signed_at, written


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "updates")


def _walk(publisher: Publisher) -> audit.Findings:
    found = audit.walk(str(publisher.folder), publisher.root)
    assert not found.problems
    return found


def _offered(publisher: Publisher) -> dict[int, float]:
    return {offer.version: offer.rollout for offer in _walk(publisher).offers}


def _files(publisher: Publisher) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in publisher.folder.rglob("*") if path.is_file()}


def _rotate(publisher: Publisher, role: str, new: CryptoSigner, gone: str, *, lost: bool = False) -> None:
    ceremony.rotate(
        publisher.tree,
        publisher.current(),
        role,
        new=new,
        gone=gone,
        root_signers=by_id(*publisher.root_keys[:2]),
        signers={keyid: one for keyid, one in publisher.signers.items() if not lost or keyid != gone},
        now=publisher.now,
    )


def test_a_new_repository_offers_nothing_and_verifies(publisher: Publisher) -> None:
    found = _walk(publisher)
    assert [(role.role, role.version, role.keys, role.threshold) for role in found.roles] == [
        ("root", 1, 3, 2),
        ("targets", 1, 1, 1),
        ("snapshot", 1, 1, 1),
        ("timestamp", 1, 1, 1),
    ]
    assert not found.offers


def test_a_box_is_told_when_each_role_was_signed(publisher: Publisher) -> None:
    publisher.add()
    publisher.now += timedelta(hours=30)
    renewal.refresh(publisher.tree, publisher.current(), publisher.signers, publisher.now)
    for role in ROLES:
        signed = getattr(publisher.current(), role).signed
        said = signed_at(role, signed.unrecognized_fields, signed.expires)
        assert said == (signed.expires - LIFE[role]).timestamp(), role
    timestamp = publisher.current().timestamp.signed
    assert timestamp.unrecognized_fields[SIGNED_AT] == written(publisher.now.timestamp())


def test_versions_follow_each_other_with_deltas_that_are_worth_it(publisher: Publisher) -> None:
    publisher.add()
    offer = publisher.add(head=1)
    assert (offer.version, [delta.target for delta in offer.deltas]) == (2, ["models/vehicles/2.from-1.zst"])
    assert publisher.add(seed=8).deltas == ()
    found = _walk(publisher)
    assert [offer.version for offer in found.offers] == [1, 2, 3]
    assert found.targets == 4


def test_a_delta_is_made_from_the_newest_versions_only(publisher: Publisher) -> None:
    for head in range(5):
        offer = publisher.add(head=head)
    assert [delta.target.rpartition("-")[2] for delta in offer.deltas] == ["4.zst", "3.zst", "2.zst"]


def test_widening_and_withdrawing_are_seen_by_a_client(publisher: Publisher) -> None:
    publisher.add(rollout=0.01)
    publisher.add(head=1)
    publisher.widen("vehicles", 1, 0.5)
    assert _offered(publisher) == {1: 0.5, 2: 1.0}
    publisher.withdraw("vehicles", 1)
    assert _offered(publisher) == {2: 1.0}
    assert sorted(path.name.partition(".")[2] for path in publisher.folder.rglob("targets/**/*.*")) == [
        "2.from-1.zst",
        "2.tar",
    ]


def test_a_number_is_not_given_twice(publisher: Publisher) -> None:
    publisher.add()
    publisher.withdraw("vehicles", 1)
    assert publisher.add().version == 2
    targets = publisher.current().targets.signed
    assert release.withdraw(targets, "vehicles", 1) is None
    with pytest.raises(InputNotFound, match="vehicles 7"):
        release.withdraw(targets, "vehicles", 7)


def test_what_is_offered_already_is_known(publisher: Publisher) -> None:
    offer = publisher.add(rollout=0.5)
    targets = publisher.current().targets.signed
    wish = release.Wish("vehicles", None, "stable", 0.5, Needs())
    assert release.already(targets, wish, offer.sha256) == offer
    assert release.already(targets, replace(wish, version=1, rollout=0.1), offer.sha256) == offer
    assert release.already(targets, wish, "0" * 64) is None
    assert release.already(targets, replace(wish, name="people"), offer.sha256) is None


@pytest.mark.parametrize(
    ("change", "sha256", "said"),
    [
        ({"version": 2}, "0" * 64, "other files"),
        ({"version": 1}, "0" * 64, "not greater than 2"),
        ({"channel": "beta"}, None, "on channel 'stable'"),
        ({"needs": Needs("9.0")}, None, "needs none"),
        ({"rollout": 0.9}, None, r"edged publish widen vehicles 2 --rollout 0\.9"),
    ],
)
def test_a_version_never_changes(
    publisher: Publisher, change: dict[str, object], sha256: str | None, said: str
) -> None:
    publisher.add()
    publisher.withdraw("vehicles", 1)
    offer = publisher.add(rollout=0.5)
    wish = replace(release.Wish("vehicles", None, "stable", 0.5, Needs()), **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=said):
        release.already(publisher.current().targets.signed, wish, sha256 or offer.sha256)


def test_fewer_boxes_must_be_meant(publisher: Publisher) -> None:
    offer = publisher.add(rollout=0.5)
    targets = publisher.current().targets.signed
    assert not release.widen(targets, offer, 0.5, narrow=False)
    with pytest.raises(UsageError, match="--narrow"):
        release.widen(targets, offer, 0.1, narrow=False)
    assert release.widen(targets, offer, 0.1, narrow=True)


def test_a_timer_signs_what_is_due_and_nothing_else(publisher: Publisher) -> None:
    def refresh(*, targets: bool = False) -> renewal.Renewed:
        keys = publisher.signers if targets else by_id(publisher.online)
        return renewal.refresh(publisher.tree, publisher.current(), keys, publisher.now)

    before = _files(publisher)
    assert refresh() == renewal.Renewed((), ())
    assert _files(publisher) == before
    publisher.pass_by(days=1)
    assert refresh().roles == ("timestamp",)
    publisher.pass_by(days=5)
    assert refresh().roles == ("snapshot", "timestamp")
    publisher.pass_by(days=65)
    assert refresh() == renewal.Renewed(("snapshot", "timestamp"), ("targets",))
    assert refresh(targets=True) == renewal.Renewed(("targets", "snapshot", "timestamp"), ())
    publisher.pass_by(days=300)
    assert "root" in refresh().soon


def test_an_expired_repository_is_healed_by_a_refresh(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "updates", now=datetime.now(UTC) - timedelta(days=20))
    with pytest.raises(BadInput, match="Expired"):
        audit.walk(str(publisher.folder), publisher.root)
    renewal.refresh(publisher.tree, publisher.current(), by_id(publisher.online), datetime.now(UTC))
    _walk(publisher)


def test_old_metadata_goes_in_time_and_roots_never(publisher: Publisher) -> None:
    for _ in range(15):
        publisher.seal(publisher.current())
    left = sorted(path.name for path in publisher.tree.metadata.glob("*.snapshot.json"))
    assert len(left) == 10
    assert (publisher.tree.metadata / "1.root.json").exists()
    _walk(publisher)


@pytest.mark.parametrize("lost", [False, True], ids=["key at hand", "key lost"])
@pytest.mark.parametrize("role", ["targets", "online"])
def test_a_key_is_exchanged_whether_or_not_the_old_one_is_there(
    publisher: Publisher, role: str, lost: bool
) -> None:
    publisher.add()
    old = publisher.online if role == "online" else publisher.targets_keys[0]
    new = CryptoSigner.generate_ed25519()
    _rotate(publisher, role, new, old.public_key.keyid, lost=lost)
    assert _offered(publisher) == {1: 1.0}
    root = publisher.current().root.signed
    assert old.public_key.keyid not in root.keys
    assert ceremony.outgoing(root, role, new.public_key.keyid, None) is None
    with pytest.raises(NotAllowed, match="at hand"):
        publisher.add(head=1)


def test_a_key_of_the_root_is_exchanged_by_the_others(publisher: Publisher) -> None:
    gone = publisher.root_keys[2].public_key.keyid
    _rotate(publisher, "root", CryptoSigner.generate_ed25519(), gone)
    root = publisher.current().root.signed
    assert (root.version, len(root.roles["root"].keyids)) == (2, 3)
    assert gone not in root.keys
    _walk(publisher)


def test_which_key_goes_is_asked_where_there_are_several(publisher: Publisher) -> None:
    root = publisher.current().root.signed
    first, second, _ = root.roles["root"].keyids
    with pytest.raises(UsageError, match="--old"):
        ceremony.outgoing(root, "root", "new", None)
    with pytest.raises(InputNotFound, match="none of role"):
        ceremony.outgoing(root, "root", "new", "zzz")
    assert ceremony.outgoing(root, "root", "new", first[:10]) == first
    assert ceremony.outgoing(root, "root", first, None) is None
    assert ceremony.outgoing(root, "root", first, second) == second


def test_too_few_keys_of_the_root_exchange_nothing(publisher: Publisher) -> None:
    before = _files(publisher)
    publisher.root_keys = publisher.root_keys[:1]
    with pytest.raises(NotAllowed, match="role root: needs 2 signatures"):
        _rotate(publisher, "online", CryptoSigner.generate_ed25519(), publisher.online.public_key.keyid)
    assert _files(publisher) == before


def test_the_root_is_signed_for_another_year(publisher: Publisher) -> None:
    keys = by_id(*publisher.root_keys)
    assert ceremony.renew(publisher.tree, publisher.current(), keys, publisher.now) is None
    publisher.pass_by(days=40)
    ceremony.renew(publisher.tree, publisher.current(), keys, publisher.now)
    assert publisher.current().root.signed.version == 2
    _walk(publisher)


def test_a_key_of_the_root_signs_nothing_else(tmp_path: Path) -> None:
    key = CryptoSigner.generate_ed25519()
    with pytest.raises(UsageError, match="sign nothing else"):
        ceremony.begin(Tree(tmp_path), ceremony.Founders([key], 1, [key], 1, [key]), datetime.now(UTC))


class Killed(BaseException):
    """The process is no more; nothing of it cleans up."""


def _killed_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> Callable[[], int]:
    """Let so many files be renamed into place, and then no more; says how many were."""
    done = 0
    replace_file = Path.replace

    def stop(self: Path, target: Path) -> Path:
        nonlocal done
        if done >= steps:
            raise Killed
        done += 1
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    return lambda: done


def _works(publisher: Publisher) -> Iterator[tuple[str, Callable[[], object]]]:
    old_targets, new_targets = publisher.targets_keys[0], CryptoSigner.generate_ed25519()
    new_online = CryptoSigner.generate_ed25519()

    def exchange(role: str, new: CryptoSigner, old: str) -> None:
        root = publisher.current().root.signed
        gone = ceremony.outgoing(root, role, new.public_key.keyid, None)
        if gone is not None:
            assert gone == old
            _rotate(publisher, role, new, old, lost=True)

    yield "add", lambda: publisher.add(head=1)
    yield "widen", lambda: publisher.widen("vehicles", 1, 0.9)
    yield "withdraw", lambda: publisher.withdraw("vehicles", 1)
    yield "refresh", lambda: publisher.seal(publisher.current(), "snapshot")
    yield "online", lambda: exchange("online", new_online, publisher.online.public_key.keyid)
    yield "targets", lambda: exchange("targets", new_targets, old_targets.public_key.keyid)


@pytest.mark.parametrize("what", ["add", "widen", "withdraw", "refresh", "online", "targets"])
def test_a_kill_between_any_two_files_leaves_what_verifies_and_can_be_ended(
    tmp_path: Path, what: str
) -> None:
    for steps in range(20):
        folder = tmp_path / str(steps)
        folder.mkdir()
        publisher = Publisher(folder / "updates")
        publisher.add(rollout=0.1)
        work = dict(_works(publisher))[what]
        with pytest.MonkeyPatch.context() as here:
            done = _killed_after(here, steps)
            try:
                work()
                ended = True
            except Killed:
                ended = False
        assert done() == steps or ended
        assert 1 in _offered(publisher) or what == "withdraw"
        work()
        _walk(publisher)
        if ended:
            assert steps >= 2
            return
    pytest.fail("it never ended")


def test_what_somebody_slipped_in_is_never_signed(publisher: Publisher) -> None:
    publisher.add()
    path = publisher.tree.metadata / "2.targets.json"
    document = json.loads(path.read_text())
    document["signed"]["targets"]["models/vehicles/1.tar"]["custom"]["rollout"] = "0.5"
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput, match="trusted root"):
        publisher.add(head=1)


def test_an_old_root_is_not_taken_for_a_new_one(publisher: Publisher) -> None:
    """It is signed by enough of the keys that the newest root has, and it names a key that was stolen since."""
    stolen = publisher.online
    new = CryptoSigner.generate_ed25519()
    _rotate(publisher, "online", new, stolen.public_key.keyid)
    publisher.online = new
    version = publisher.current().root.signed.version
    metadata = publisher.tree.metadata
    (metadata / f"{version + 1}.root.json").write_bytes((metadata / "1.root.json").read_bytes())
    with pytest.raises(BadInput, match="sequential root versions"):
        publisher.current()


def test_a_stranger_s_repository_is_not_ours(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Publisher(tmp_path / "other" / "updates")
    with pytest.raises(BadInput, match="trusted root"):
        other.tree.current(publisher.root)
    with pytest.raises(BadInput, match="does not verify"):
        audit.walk(str(other.folder), publisher.root)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "root"])
def test_broken_metadata_is_named(publisher: Publisher, role: str) -> None:
    name = "timestamp.json" if role == "timestamp" else f"1.{role}.json"
    (publisher.tree.metadata / name).write_bytes(b"<html>")
    with pytest.raises(BadInput, match=name):
        publisher.current()
    with pytest.raises(BadInput, match="does not verify"):
        audit.walk(str(publisher.folder), publisher.root)


def test_bad_targets_are_all_told(publisher: Publisher) -> None:
    first, second, third = (publisher.add(seed=seed) for seed in (1, 2, 3))
    files = {
        offer.version: publisher.tree.target_file(publisher.current().targets.signed.targets[offer.target])
        for offer in (first, second, third)
    }
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:-1])
    files[3].write_bytes(files[3].read_bytes()[:-1] + b"!")
    problems = audit.walk(str(publisher.folder), publisher.root).problems
    assert [problem.partition(":")[0] for problem in problems] == [
        offer.target for offer in (first, second, third)
    ]
    assert "lacks a file" in problems[0]
    assert "bytes" in problems[1]
    assert "another hash" in problems[2]


def test_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="edged publish init"):
        Tree(tmp_path).current()
    with pytest.raises(InputNotFound, match="no such folder"):
        audit.walk(str(tmp_path / "none"), b"")

"""What needs the root's keys: a repository begun, a key exchanged, the root signed for another year.

**A rotation is always in one of two states that verify.** A root that also names the new key is written, then all that
the new key must sign, then a root that no longer names the old one. That way a lost key, with which nothing can be
signed any more, is exchanged like any other, and a kill between two of these leaves a repository that verifies; the
same command ends what it began.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from edged.errors import InputNotFound, UsageError
from edged.repository.signing import date, require, seal, sign, sign_with
from edged.repository.terms import ONLINE, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, expiry, is_due
from edged.repository.tree import Current, Tree, meta_of

ROTATED = {ROOT: (ROOT,), TARGETS: (TARGETS,), "online": ONLINE, SNAPSHOT: ONLINE, TIMESTAMP: ONLINE}
"""Names for what is rotated; snapshot and timestamp share a key, and so change it together."""
OUTGOING = "edged_outgoing"
"""In a root that names the new key already and the old one still: the id of the old one."""


@dataclass(frozen=True, slots=True)
class Founders:
    """Who signs a new repository.

    Attributes:
        root: Of the root.
        root_threshold: How many of them must sign.
        targets: Of models.
        targets_threshold: How many of them must sign.
        online: Of snapshot and timestamp.
    """

    root: Sequence[Signer]
    root_threshold: int
    targets: Sequence[Signer]
    targets_threshold: int
    online: Sequence[Signer]


def begin(tree: Tree, founders: Founders, now: datetime) -> bytes:
    """Write the first metadata of a repository; the bytes of its root, which boxes are given.

    Raises:
        UsageError: A role has fewer keys than must sign, or a key of the root is used daily.
        CannotWrite, NotAllowed: The disk.
    """
    root = Root(expires=expiry(ROOT, now))
    thresholds = {ROOT: founders.root_threshold, TARGETS: founders.targets_threshold}
    daily = {one.public_key.keyid for one in (*founders.targets, *founders.online)}
    for role, signers in (
        (ROOT, founders.root),
        (TARGETS, founders.targets),
        (SNAPSHOT, founders.online),
        (TIMESTAMP, founders.online),
    ):
        for signer in signers:
            root.add_key(signer.public_key, role)
            if role == ROOT and signer.public_key.keyid in daily:
                raise UsageError(
                    f"key {signer.public_key.keyid[:8]}",
                    "would sign both the root and daily",
                    "the root's keys sign nothing else",
                )
        root.roles[role].threshold = thresholds.get(role, 1)
        if not 1 <= root.roles[role].threshold <= len(root.roles[role].keyids):
            raise UsageError(
                f"role {role}",
                f"has {len(root.roles[role].keyids)} keys of which {root.roles[role].threshold} must sign",
                "give it more keys, or a lower threshold",
            )
    signers_by_id = {
        one.public_key.keyid: one for one in (*founders.root, *founders.targets, *founders.online)
    }
    signed_root = Metadata(root)
    sign(signed_root, root, signers_by_id, now)
    current = Current(signed_root, Metadata(Targets()), Metadata(Snapshot()), Metadata(Timestamp()))
    sign(current.targets, root, signers_by_id, now)
    current.snapshot.signed.meta["targets.json"] = meta_of(current.targets)
    sign(current.snapshot, root, signers_by_id, now)
    current.timestamp.signed.snapshot_meta = meta_of(current.snapshot)
    sign(current.timestamp, root, signers_by_id, now)
    tree.publish(current, signed_root)
    return tree.root_bytes(1)


def outgoing(root: Root, role: str, new: str, old: str | None) -> str | None:
    """The key id that a rotation takes out; None where that was done before.

    Args:
        root: As it is now.
        role: One of `ROTATED`.
        new: Id of the key that comes in.
        old: Beginning of the id of the key that goes; None where the role has one only.

    Raises:
        UsageError: It is not clear which key goes.
        InputNotFound: No key of the role has such an id.
    """
    keyids = root.roles[ROTATED[role][0]].keyids
    begun = root.unrecognized_fields.get(OUTGOING)
    if new in keyids and old is None:
        return begun if begun in keyids else None
    matching = [keyid for keyid in keyids if keyid != new and keyid.startswith(old or "")]
    if new in keyids and not matching:
        return None
    shown = ", ".join(keyid[:8] for keyid in keyids)
    if not matching:
        raise InputNotFound(f"key {old}", f"is none of role {role}", f"it has {shown}")
    if len(matching) > 1:
        raise UsageError(
            "--old", f"is needed: role {role} has the keys {shown}", "name one by the beginning of its id"
        )
    return matching[0]


def rotate(
    tree: Tree,
    current: Current,
    role: str,
    *,
    new: Signer,
    gone: str,
    root_signers: Mapping[str, Signer],
    signers: Mapping[str, Signer],
    now: datetime,
) -> bytes:
    """Put a new key in an old one's place; the bytes of the new root.

    Args:
        tree: The repository.
        current: What it says; is changed.
        role: One of `ROTATED`.
        new: The key that comes in.
        gone: Id of the key that goes; nothing need be at hand to sign with it.
        root_signers: Keys of the root.
        signers: Keys of the other roles.
        now: The time.

    Raises:
        NotAllowed: Too few keys are at hand.
        CannotWrite, Unreachable: The disk, a token or a cloud.
    """
    if role == ROOT:
        root = _next_root(current.root, [ROOT], add=new, remove=gone)
        _sign_root(root, current.root.signed, {**root_signers, new.public_key.keyid: new}, now)
        return tree.write(root)
    roles = ROTATED[role]
    at_hand = {keyid: one for keyid, one in signers.items() if keyid != gone} | {new.public_key.keyid: new}
    final = _next_root(current.root, roles, add=new, remove=gone)
    lowest = TARGETS if TARGETS in roles else SNAPSHOT
    require(final.signed, [lowest, SNAPSHOT, TIMESTAMP], at_hand)
    require(current.root.signed, [ROOT], root_signers)
    if any(new.public_key.keyid not in current.root.signed.roles[one].keyids for one in roles):
        both = _next_root(current.root, roles, add=new)
        both.signed.unrecognized_fields[OUTGOING] = gone
        _sign_root(both, current.root.signed, root_signers, now)
        tree.write(both)
        current.root = both
    middle = deepcopy(current)
    final = _next_root(current.root, roles, add=new, remove=gone)
    middle.root = final  # signed as the root to come wants it, which suits the one before as well
    seal(middle, lowest, at_hand, now)
    tree.publish(middle)
    _sign_root(final, current.root.signed, root_signers, now)
    return tree.write(final)


def renew(tree: Tree, current: Current, root_signers: Mapping[str, Signer], now: datetime) -> bytes | None:
    """Sign the root for another year; None where that was done within the last month.

    Raises:
        NotAllowed: Too few keys of the root are at hand.
    """
    if not is_due(ROOT, current.root.signed.expires, now):
        return None
    root = deepcopy(current.root)
    root.signed.version += 1
    _sign_root(root, current.root.signed, root_signers, now)
    return tree.write(root)


def _next_root(
    root: Metadata[Root], roles: Sequence[str], *, add: Signer, remove: str | None = None
) -> Metadata[Root]:
    following = deepcopy(root)
    following.signed.version += 1
    following.signed.unrecognized_fields.pop(OUTGOING, None)
    for role in roles:
        following.signed.add_key(add.public_key, role)
        if remove in following.signed.roles[role].keyids:
            following.signed.revoke_key(remove, role)
    return following


def _sign_root(root: Metadata[Root], before: Root, signers: Mapping[str, Signer], now: datetime) -> None:
    """By enough keys of the root before, and enough of the new one."""
    require(before, [ROOT], signers)
    require(root.signed, [ROOT], signers)
    date(root, now)
    keyids = dict.fromkeys([*before.roles[ROOT].keyids, *root.signed.roles[ROOT].keyids])
    sign_with(root, [signers[keyid] for keyid in keyids if keyid in signers])

"""Keeps signatures from running out: what a timer does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from securesystemslib.signer import Signer

from edged.repository.signing import seal
from edged.repository.terms import ROLES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, is_due, state
from edged.repository.tree import Current, Tree


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a refresh did.

    Attributes:
        roles: That were signed anew.
        soon: Roles that end soon or have ended, and could not be signed with the keys at hand.
    """

    roles: tuple[str, ...]
    soon: tuple[str, ...]


def refresh(
    tree: Tree, current: Current, signers: Mapping[str, Signer], now: datetime, *, force: bool = False
) -> Renewed:
    """Sign the timestamp again where its time has come, and the snapshot and the targets where theirs has.

    Targets are only signed where their keys happen to be at hand.

    Raises:
        NotAllowed: A key of snapshot or timestamp is missing.
    """
    root = current.root.signed
    targets = root.roles[TARGETS]
    able = sum(keyid in signers for keyid in targets.keyids) >= targets.threshold
    lowest = None
    if able and is_due(TARGETS, current.targets.signed.expires, now):
        lowest = TARGETS
    elif is_due(SNAPSHOT, current.snapshot.signed.expires, now):
        lowest = SNAPSHOT
    elif force or is_due(TIMESTAMP, current.timestamp.signed.expires, now):
        lowest = TIMESTAMP
    signed: tuple[str, ...] = ()
    if lowest is not None:
        seal(current, lowest, signers, now)
        tree.publish(current)
        signed = ROLES[ROLES.index(lowest) :]
    tree.prune(current)
    held = {ROOT: current.root.signed.expires, TARGETS: current.targets.signed.expires}
    return Renewed(signed, tuple(role for role, end in held.items() if state(role, end, now) != "good"))

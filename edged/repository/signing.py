"""Signs roles: the next version of each, by all keys at hand that the role knows, and what stands above it after it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from securesystemslib.signer import Key, Signer
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization.json import JSONSerializer

from edged.errors import BadInput, NotAllowed
from edged.repository.keys import translated
from edged.repository.terms import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, expiry
from edged.repository.tree import Current, meta_of
from edged.updates.moments import SIGNED_AT, written

MAX_TARGETS_BYTES = 4 * 1024**2
"""Clients read 5 MB at most."""
UPWARD = (TARGETS, SNAPSHOT, TIMESTAMP)


def keys_of(root: Root, roles: Iterable[str]) -> list[Key]:
    """The public keys of some roles, each once."""
    return list({keyid: root.keys[keyid] for role in roles for keyid in root.roles[role].keyids}.values())


def require(root: Root, roles: Iterable[str], signers: Mapping[str, Signer]) -> None:
    """Find out, before any work, whether the keys at hand suffice.

    Raises:
        NotAllowed: For a role they do not.
    """
    for role in roles:
        needed, held = root.roles[role].threshold, [one for one in root.roles[role].keyids if one in signers]
        if len(held) < needed:
            known = ", ".join(keyid[:8] for keyid in root.roles[role].keyids)
            option = "--root-key" if role == ROOT else "--key"
            raise NotAllowed(
                f"role {role}",
                f"needs {needed} signature{'s' * (needed > 1)}, and {len(held)} of its keys ({known}) "
                f"{'is' if len(held) == 1 else 'are'} at hand",
                f"name the file, variable or token of each with {option}",
            )


def sign(metadata: Metadata[Any], root: Root, signers: Mapping[str, Signer], now: datetime) -> None:
    """Sign a role's metadata as it stands, with a new expiry; the version is the caller's.

    Raises:
        NotAllowed: Too few of the role's keys are at hand.
        Unreachable: A token or a cloud does not sign.
    """
    role = metadata.signed.type
    require(root, [role], signers)
    date(metadata, now)
    sign_with(metadata, [signers[keyid] for keyid in root.roles[role].keyids if keyid in signers])


def date(metadata: Metadata[Any], now: datetime) -> None:
    """Write into a role's metadata until when it is valid, and when it was signed, which a box may trust as a time."""
    metadata.signed.expires = expiry(metadata.signed.type, now)
    metadata.signed.unrecognized_fields[SIGNED_AT] = written(now.timestamp())


def sign_with(metadata: Metadata[Any], signers: Iterable[Signer]) -> None:
    """Replace all signatures by those of these keys."""
    metadata.signatures.clear()
    for signer in signers:
        translated(f"key {signer.public_key.keyid[:8]}", partial(metadata.sign, signer, append=True))


def seal(current: Current, lowest: str, signers: Mapping[str, Signer], now: datetime) -> None:
    """Sign the next version of a role and of all that name it: targets, then snapshot, then timestamp.

    Raises:
        NotAllowed, Unreachable: As `sign`.
        BadInput: There are more targets than clients read.
    """
    root = current.root.signed
    roles = UPWARD[UPWARD.index(lowest) :]
    require(root, roles, signers)
    for role in roles:
        if role == TARGETS:
            current.targets.signed.version += 1
            sign(current.targets, root, signers, now)
            if len(current.targets.to_bytes(JSONSerializer(compact=True))) > MAX_TARGETS_BYTES:
                raise BadInput(
                    "the repository", "names more targets than boxes read", "withdraw old versions first"
                )
        elif role == SNAPSHOT:
            current.snapshot.signed.meta["targets.json"] = meta_of(current.targets)
            current.snapshot.signed.version += 1
            sign(current.snapshot, root, signers, now)
        else:
            current.timestamp.signed.snapshot_meta = meta_of(current.snapshot)
            current.timestamp.signed.version += 1
            sign(current.timestamp, root, signers, now)

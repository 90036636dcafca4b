"""What is offered: a version added, offered to more boxes, withdrawn. Metadata only; files come with a `Package`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuf.api.metadata import TargetFile, Targets

from edged.errors import InputNotFound, UsageError
from edged.offers import MAX_VERSION, Delta, Needs, Offer, read_offer, target_of, written
from edged.repository.packing import Package

GREATEST = "edged_greatest"
"""Signed with the targets: the greatest version ever given for each name, so that none is given twice."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a version is to be offered as; ``version`` None: the next."""

    name: str
    version: int | None
    channel: str
    rollout: float
    needs: Needs


def offers_of(targets: Targets) -> list[Offer]:
    """What is offered, by name and version.

    Raises:
        BadInput: An offer cannot be read: another edged may have written it.
    """
    found = [
        read_offer(target.path, target.length, target.hashes["sha256"], target.custom)
        for target in targets.targets.values()
        if target.path.endswith(".tar")
    ]
    return sorted(found, key=lambda offer: (offer.name, offer.version))


def greatest(targets: Targets, name: str) -> int:
    """The greatest version that was ever offered of a name; 0 where there was none."""
    given: dict[str, int] = targets.unrecognized_fields.get(GREATEST, {})
    return max([given.get(name, 0), *(offer.version for offer in offers_of(targets) if offer.name == name)])


def find(targets: Targets, name: str, version: int) -> Offer:
    """An offer.

    Raises:
        InputNotFound: There is none; the line says which there are.
    """
    known = [offer for offer in offers_of(targets) if offer.name == name]
    for offer in known:
        if offer.version == version:
            return offer
    there = ", ".join(str(offer.version) for offer in known)
    names = ", ".join(sorted({offer.name for offer in offers_of(targets)}))
    raise InputNotFound(
        f"{name} {version}",
        "is not offered",
        f"offered are the versions {there}" if there else f"offered are {names or 'no models yet'}",
    )


def already(targets: Targets, wish: Wish, sha256: str) -> Offer | None:
    """The offer that already is this package: of the version asked for, or of the greatest.

    Raises:
        UsageError: The version is there with other files or other words, or was there once.
    """
    known = {offer.version: offer for offer in offers_of(targets) if offer.name == wish.name}
    last = greatest(targets, wish.name)
    same = known.get(wish.version or last)
    if same is None or (wish.version is None and same.sha256 != sha256):
        if wish.version is not None and wish.version <= last:
            raise UsageError(
                f"{wish.name} {wish.version}",
                f"is not greater than {last}, which was offered",
                f"take {last + 1}, or leave --version out",
            )
        if last >= MAX_VERSION:
            raise UsageError(wish.name, "has had all its version numbers", "take another name")
        return None
    subject = f"{wish.name} {same.version}"
    if same.sha256 != sha256:
        raise UsageError(
            subject, "is offered with other files", "a version never changes: leave --version out"
        )
    if same.channel != wish.channel or same.needs != wish.needs:
        problem = f"is offered on channel {same.channel!r} with needs {words(same.needs)}"
        raise UsageError(subject, problem, "withdraw it, and add it again as a new version")
    if same.rollout < wish.rollout:
        problem = f"is offered to {same.rollout:g} of the boxes"
        raise UsageError(
            subject, problem, f"edged publish widen {wish.name} {same.version} --rollout {wish.rollout:g}"
        )
    return same


def offer_of(package: Package, wish: Wish, version: int, deltas: Sequence[Delta]) -> Offer:
    """What is to be signed of a package."""
    return Offer(
        name=wish.name,
        version=version,
        channel=wish.channel,
        rollout=wish.rollout,
        digest=package.digest,
        unpacked_bytes=package.unpacked_bytes,
        needs=wish.needs,
        deltas=tuple(deltas),
        target=target_of(wish.name, version),
        length=package.length,
        sha256=package.sha256,
        content=package.content,
    )


def put(targets: Targets, offer: Offer, others: Iterable[TargetFile] = ()) -> None:
    """Enter an offer, new or changed, and the deltas that lead to it."""
    targets.targets[offer.target] = TargetFile(
        offer.length, {"sha256": offer.sha256}, offer.target, {"custom": written(offer)}
    )
    for other in others:
        targets.targets[other.path] = other
    given = targets.unrecognized_fields.setdefault(GREATEST, {})
    given[offer.name] = max(given.get(offer.name, 0), offer.version)


def widen(targets: Targets, offer: Offer, rollout: float, *, narrow: bool) -> bool:
    """Offer a version to another share of the boxes; whether that changed anything.

    Raises:
        UsageError: To fewer, and nobody said that this is meant.
    """
    if rollout == offer.rollout:
        return False
    if rollout < offer.rollout and not narrow:
        raise UsageError(
            f"{offer.name} {offer.version}",
            f"is offered to {offer.rollout:g} of the boxes, which is more",
            "--narrow stops others from taking it; `edged publish withdraw` stops all",
        )
    put(targets, replace(offer, rollout=rollout))
    return True


def withdraw(targets: Targets, name: str, version: int) -> Offer | None:
    """Take a version, and the deltas that lead to it, out; None where that was done before.

    Raises:
        InputNotFound: It never was offered.
    """
    try:
        gone = find(targets, name, version)
    except InputNotFound:
        if 1 <= version <= greatest(targets, name):
            return None
        raise
    targets.unrecognized_fields.setdefault(GREATEST, {})[name] = greatest(targets, name)
    for path in (gone.target, *(delta.target for delta in gone.deltas)):
        targets.targets.pop(path, None)
    return gone


def as_json(offer: Offer) -> dict[str, Any]:
    """An offer for machines."""
    return written(offer) | {"target": offer.target, "length": offer.length, "sha256": offer.sha256}


def words(needs: Needs) -> str:
    """Needs for people."""
    said = [f"edged {needs.edged}"] if needs.edged else []
    said += [f"one of {', '.join(needs.providers)}"] if needs.providers else []
    said += [f"{needs.memory_bytes:,} bytes of memory"] if needs.memory_bytes else []
    return "; ".join(said) or "none"

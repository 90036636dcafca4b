"""What a box has once seen signed, and never goes below again. Pure, but for `Floors`.

python-tuf keeps the metadata that it believed last and refuses older ones, as long as these files are there: it flushes
none, and where they were emptied by a power cut or wiped, an old repository passes that was honest once. So a box keeps
a floor of its own: for each role the greatest version and the latest signed time, flushed, with a checksum, in two
places. What one place lost is healed from the other. Both lost is a new box: then only the root metadata that was put
on it speaks.

A floor is of keys: a mark holds while the role has all keys that it had then. Where the root takes a key away, the
marks of that role fall, for he who had the key may have signed a version, or a time, that is far ahead; that is how TUF
itself recovers. The mark of the root holds as long as the box starts from the same root metadata.

What can be known of the time. Signed parts say at which moment they were made (see `edged.updates.moments`), and keys
sign nothing in advance, so now is not before the latest of these moments. A clock that is behind is wrong: it would
believe a frozen repository, and nothing is taken until it is set. Nothing signed says that now is not after a moment:
a clock at 2100 and an honest repository look like a clock that is right and a repository that nobody signed for 73
years. Either way nothing is taken; what differs is the word: beyond `AHEAD_S` it is more likely the clock.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edged.files import write_whole

ROLES = ("root", "timestamp", "snapshot", "targets")
BEHIND_S = 86400.0
"""A clock, of the publisher or of the box, may be wrong by so much."""
AHEAD_S = 5 * 365.25 * 86400
MAX_BYTES = 256 * 1024
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """The highest that was seen of a role.

    Attributes:
        version: Of its metadata.
        signed_at_s: Since 1970.
        keys: Of the role when it was seen; see `edged.updates.trust`.
    """

    version: int
    signed_at_s: float
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Floor:
    """All marks.

    Attributes:
        anchor: SHA-256 of the root metadata that the box started from.
        marks: By role.
    """

    anchor: str = ""
    marks: Mapping[str, Mark] = field(default_factory=dict)

    @property
    def latest_s(self) -> float:
        """Now is not before this, in seconds since 1970."""
        return max((mark.signed_at_s for mark in self.marks.values()), default=0.0)


def standing(floors: Iterable[Floor], *, anchor: str, keys: Mapping[str, frozenset[str]]) -> Floor:
    """What holds of several floors.

    Args:
        floors: That were kept.
        anchor: Of the root metadata that the box starts from now.
        keys: Of each role, by the newest root.
    """
    marks: dict[str, Mark] = {}
    for floor in floors:
        for role, mark in floor.marks.items():
            now = keys.get(role, frozenset())
            same_root = role == "root" and (floor.anchor == anchor or mark.keys & now)
            if same_root or (role != "root" and mark.keys <= now):
                marks[role] = _higher(marks.get(role), Mark(mark.version, mark.signed_at_s, now))
    return Floor(anchor, marks)


def raised(floor: Floor, seen: Mapping[str, Mark]) -> Floor:
    """The floor after more was seen signed; never below."""
    marks = dict(floor.marks)
    for role, mark in seen.items():
        marks[role] = _higher(marks.get(role), mark)
    return Floor(floor.anchor, marks)


def fallen(floor: Floor, seen: Mapping[str, Mark]) -> str:
    """Which role is below the floor, in words; empty if none is."""
    for role in ROLES:
        held = floor.marks.get(role)
        if held and role in seen and seen[role].version < held.version:
            return f"{role} is version {seen[role].version}, and version {held.version} was seen before"
    return ""


def clock_is(now_s: float, latest_s: float) -> Literal["behind", "ahead", ""]:
    """What is wrong with a clock, as far as that can be known; empty if it may be right.

    Args:
        now_s: What it says, in seconds since 1970.
        latest_s: The latest moment that was signed.
    """
    if now_s < latest_s - BEHIND_S:
        return "behind"
    return "ahead" if latest_s and now_s > latest_s + AHEAD_S else ""


def _higher(one: Mark | None, other: Mark) -> Mark:
    if one is None:
        return other
    return Mark(max(one.version, other.version), max(one.signed_at_s, other.signed_at_s), other.keys)


def places(state: Path, staging: Path) -> tuple[Path, Path]:
    """Where an instance of edged has its floor.

    Args:
        state: Its own folder.
        staging: In the store, which it may share with instances that follow other repositories: there the name of the
            file is its own, by its folder of state, which is there again after it was wiped.
    """
    mark = hashlib.sha256(str(state.resolve()).encode(errors="surrogateescape")).hexdigest()[:8]
    return state / "updates" / "floor.json", staging / f"floor-{mark}.json"


class Floors:
    """The two files; one thread at a time."""

    def __init__(self, *places: Path) -> None:
        self._places = places

    def read(self) -> list[Floor]:
        """Those that are there and whole."""
        return [floor for place in self._places if (floor := _read(place))]

    def write(self, floor: Floor) -> None:
        """Have both places hold it, on the disk; a place that does already is left alone.

        Raises:
            OSError: One does not.
        """
        for place in self._places:
            if _read(place) != floor:
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if place.is_dir():  # nothing that is ours
                    place.rename(place.with_name(f"{place.name}.not-a-file"))
                write_whole(place, _packed(floor))


def _packed(floor: Floor) -> bytes:
    body = {
        "anchor": floor.anchor,
        "marks": {
            role: {"version": mark.version, "signed_at_s": mark.signed_at_s, "keys": sorted(mark.keys)}
            for role, mark in sorted(floor.marks.items())
        },
    }
    return json.dumps({"edged_floor": _FORMAT, "sum": _sum(body), "floor": body}, indent=1).encode()


def _read(place: Path) -> Floor | None:
    """A file that is not there, cut short, emptied or flipped in a bit is none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        with place.open("rb") as file:
            outer = json.loads(file.read(MAX_BYTES))
        body = outer["floor"]
        if outer["edged_floor"] != _FORMAT or outer["sum"] != _sum(body):
            return None
        marks = {
            str(role): Mark(
                int(mark["version"]), float(mark["signed_at_s"]), frozenset(map(str, mark["keys"]))
            )
            for role, mark in body["marks"].items()
        }
        return Floor(str(body["anchor"]), marks)
    return None


def _sum(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

"""What a signed target says of itself: its ``custom`` metadata read and written, its path, a box's place in a rollout.

Two kinds of target, both signed. ``models/<name>/<version>.tar``: a plain tar of one version's folder. Beside it
``models/<name>/<new>.from-<old>.zst``: the same tar, compressed with Zstandard against the ``model.onnx`` of an older
version. Both sides use the module ``zstd`` of the standard library, ``compression.zstd``, and before Python 3.14 its
backport, ``backports.zstd``; the old file is ``ZstdDict(old, is_raw=True).as_prefix``, window log at most
`MAX_WINDOW_LOG`. A delta is not trusted for being signed: the tar that comes out must have the tar's signed length and
hash.

The share of a rollout is signed as text, ``"0.1"``: TUF signs canonical JSON, which knows no fractions.

Unknown keys are passed over, so that a later edged may say more; what an older one must not guess at is a new `FORMAT`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edged.errors import BadInput

FORMAT = 1
MAX_DELTAS = 16
MAX_VERSION = 999_999_999
"""The store's bound: nine digits."""
MAX_WINDOW_LOG = 30
"""Of a delta: what unpacks it may need 2**30 bytes; old and new file together are no longer than that."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Of a model that can be published: it stands in paths of files and of addresses."""
CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
EDGED_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}")

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHARE = re.compile(r"[01](\.[0-9]{1,6})?")
_PROVIDER = re.compile(r"[a-z][A-Za-z0-9_.,:-]{0,99}")
_MAX_PROVIDERS = 16
_MAX_BYTES = 2**50


@dataclass(frozen=True, slots=True)
class Delta:
    """A way from an older version that a box may hold.

    Attributes:
        from_digest: ``sha256:…`` of the older ``model.onnx``.
        target: Path of the signed target that leads from it to the tar.
    """

    from_digest: str
    target: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What a box must have.

    Attributes:
        edged: Least version of edged, such as ``0.1.0``; empty: any.
        providers: One of these must be usable; empty: any.
        memory_bytes: Of the machine; 0: any.
    """

    edged: str = ""
    providers: tuple[str, ...] = ()
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A version of a model as its publisher signed it.

    Attributes:
        name: Of the model.
        version: Its number in the store.
        channel: Boxes follow one.
        rollout: Share of the boxes that take it, 0 to 1 in millionths; see `draw`.
        digest: ``sha256:…`` of ``model.onnx``, by which a store knows a version.
        unpacked_bytes: Of all files in the tar.
        needs: What a box must have.
        deltas: Shorter ways for boxes that hold an older version.
        target: Path of the tar.
        length: Of the tar in bytes.
        sha256: Of the tar, hexadecimal.
        content: ``sha256:…`` of all files in the tar and their names, as `edged.modelstore.survey.content_digest` has
            it; empty where that was not signed.
    """

    name: str
    version: int
    channel: str
    rollout: float
    digest: str
    unpacked_bytes: int
    needs: Needs
    deltas: tuple[Delta, ...]
    target: str
    length: int
    sha256: str
    content: str = ""


def read_offer(target: str, length: int, sha256: str, custom: Mapping[str, Any]) -> Offer:
    """The offer that a signed target makes.

    Args:
        target: Path of the tar, as signed.
        length: Of the tar, as signed.
        sha256: Of the tar, as signed.
        custom: As signed; a stranger's JSON until each key was looked at.

    Raises:
        BadInput: A key is missing or out of bounds, or a newer edged is needed to understand it.
    """
    look = _Reader(target, custom)
    look.format()
    name = look.text("name", NAME)
    version = look.whole("version", 1, MAX_VERSION)
    if target != target_of(name, version):
        raise look.wrong("name", f"says {name} {version}, which belongs at {target_of(name, version)}")
    needs = look.table("needs")
    return Offer(
        name=name,
        version=version,
        channel=look.text("channel", CHANNEL),
        rollout=look.share("rollout"),
        digest=look.text("digest", _DIGEST),
        unpacked_bytes=look.whole("unpacked_bytes", 1, _MAX_BYTES),
        needs=Needs(
            edged=needs.text("edged", EDGED_VERSION, ""),
            providers=needs.texts("providers", _PROVIDER, _MAX_PROVIDERS),
            memory_bytes=needs.whole("memory_bytes", 0, _MAX_BYTES, 0),
        ),
        deltas=tuple(_read_delta(one, name, version) for one in look.tables("deltas", MAX_DELTAS)),
        target=target,
        length=length,
        sha256=sha256,
        content=look.text("content", _DIGEST, ""),
    )


def written(offer: Offer) -> dict[str, Any]:
    """The ``custom`` of an offer; `read_offer` reads it back."""
    return {
        "edged": FORMAT,
        "name": offer.name,
        "version": offer.version,
        "channel": offer.channel,
        "rollout": f"{offer.rollout:.6f}".rstrip("0").rstrip("."),
        "digest": offer.digest,
        "content": offer.content,
        "unpacked_bytes": offer.unpacked_bytes,
        "needs": {
            "edged": offer.needs.edged,
            "providers": list(offer.needs.providers),
            "memory_bytes": offer.needs.memory_bytes,
        },
        "deltas": [{"from": delta.from_digest, "target": delta.target} for delta in offer.deltas],
    }


def target_of(name: str, version: int) -> str:
    """Path of a version's tar."""
    return f"models/{name}/{version}.tar"


def delta_target(name: str, old: int, new: int) -> str:
    """Path of the delta that leads from one version to a newer one."""
    return f"models/{name}/{new}.from-{old}.zst"


def draw(device: str, name: str, version: int) -> float:
    """A box's place in a rollout, 0 ≤ x < 1, the same for ever: it takes part where this is less than the share.

    Args:
        device: The box.
        name: Of the model.
        version: Another version, another order: it is not always the same boxes that go first.
    """
    drawn = hashlib.sha256(f"{device}\n{name}\n{version}".encode()).digest()[:8]
    return (int.from_bytes(drawn) >> 11) / 2**53  # 53 bits: more would round up to 1


def _read_delta(look: "_Reader", name: str, version: int) -> Delta:
    target = look.text("target", re.compile(r".{1,300}"))
    if not re.fullmatch(rf"models/{re.escape(name)}/{version}\.from-[0-9]{{1,9}}\.zst", target):
        raise look.wrong("target", f"{target!r:.100} is no delta to this version")
    return Delta(look.text("from", _DIGEST), target)


class _Reader:
    """One table of ``custom``; each key is checked as it is asked for."""

    def __init__(self, target: str, table: Any, within: str = "custom") -> None:
        self._target, self._within = target, within
        if not isinstance(table, Mapping):
            raise BadInput(target, f"signed {within} is no table", "publish it again")
        self._table = table

    def wrong(self, key: str, problem: str) -> BadInput:
        return BadInput(self._target, f"signed {self._within}.{key} {problem}", "publish it again")

    def format(self) -> None:
        value = self.whole("edged", 1, MAX_VERSION)
        if value > FORMAT:
            problem = f"is of format {value}; this edged reads {FORMAT}: needs a newer edged"
            raise BadInput(self._target, problem, "install a newer edged")

    def text(self, key: str, pattern: re.Pattern[str], default: str | None = None) -> str:
        value = self._table.get(key, default)
        if value == default and default is not None:
            return default
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self._unfit(key, value)
        return value

    def texts(self, key: str, pattern: re.Pattern[str], most: int) -> tuple[str, ...]:
        values = self._list(key, most)
        for value in values:
            if not isinstance(value, str) or not pattern.fullmatch(value):
                raise self._unfit(key, value)
        return tuple(values)

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        value = self._table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._unfit(key, value)
        return value

    def share(self, key: str) -> float:
        value = float(self.text(key, _SHARE))
        if value > 1:
            raise self._unfit(key, value)
        return value

    def table(self, key: str) -> "_Reader":
        return _Reader(self._target, self._table.get(key, {}), f"{self._within}.{key}")

    def tables(self, key: str, most: int) -> list["_Reader"]:
        found = self._list(key, most)
        return [_Reader(self._target, one, f"{self._within}.{key}[{n}]") for n, one in enumerate(found)]

    def _list(self, key: str, most: int) -> list[Any]:
        values = self._table.get(key, [])
        if not isinstance(values, list) or len(values) > most:
            raise self._unfit(key, values)
        return values

    def _unfit(self, key: str, value: Any) -> BadInput:
        if value is None:
            return self.wrong(key, "is missing")
        return self.wrong(key, f"cannot be {repr(value)[:80]}")

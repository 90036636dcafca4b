"""Models that others publish: ``catalog.toml``, read and checked.

An entry says where a file is, exactly which file it is (bytes and SHA-256), whose licence it has, and what it is. No
digest is ours to invent: each entry names the public place that states it, or says that it was computed from the file.
An address is one whose file does not change: it holds a commit, or the tag of a release.
"""

import re
import tomllib
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from edged.sections import Name

COMMIT = r"[0-9a-f]{40}"
_PINNED = re.compile(rf"/{COMMIT}/|/releases/download/[^/]+/")

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Side = Annotated[int, Field(ge=8, le=8192)]
Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^\S(.*\S)?$")]


def _pinned(url: str) -> str:
    if not re.fullmatch(r"https://[^\s/@]+/\S+", url) or not _PINNED.search(url):
        raise ValueError("an https address that holds a commit or the tag of a release")
    return url


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Statement(_Table):
    """A public file that states something of a model.

    Attributes:
        repository: ``owner/name``.
        path: Of the file in it.
        commit: At which it says so.
        says: ``file``: it is the model itself, and was hashed; ``pointer``: a Git LFS pointer to it; ``text``: it
            names it with its digest or size.
    """

    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    path: Line
    commit: Annotated[str, Field(pattern=rf"^{COMMIT}$")]
    says: Literal["file", "pointer", "text"]


class Entry(_Table):
    """One published model.

    Attributes:
        name: By which it is asked for, and under which it is stored.
        about: What it finds, in a line.
        task: As in ``model.toml``.
        family: As edged calls the layout.
        input: Height and width of the picture; None where the model leaves them open.
        labels: ``coco-80``, or the names in the order of the classes. Names go into the store as ``labels.txt``.
        tried: Whether edged was run with this very file; else that it serves it follows from its layout.
        note: What to mind.
        licence: As the publisher states it.
        publisher: The page to read before it is used.
        url: Of the file.
        size_bytes: Of the file; ``bytes`` in the data.
        sha256: Of the file.
        digest: Where the digest was read.
        size: Where the size was read, if not there.
    """

    name: Annotated[Name, Field(pattern=r"^[a-z0-9]+(-[a-z0-9.]+)*$")]
    about: Line
    task: Literal["detect", "classify", "tabular"]
    family: Line
    input: tuple[Side, Side] | None = None
    labels: Literal["coco-80"] | Annotated[tuple[Line, ...], Field(min_length=1)]
    tried: bool = False
    note: str = ""
    licence: Line
    publisher: Annotated[str, Field(pattern=r"^https://\S+$")]
    url: Annotated[str, AfterValidator(_pinned)]
    size_bytes: Annotated[int, Field(gt=0, lt=4 * 1024**3, alias="bytes")]
    sha256: Digest
    digest: Statement
    size: Statement | None = None

    @property
    def labels_txt(self) -> bytes | None:
        """What goes into the store as ``labels.txt``; None where edged knows the labels anyway."""
        if isinstance(self.labels, str):
            return None
        return "".join(f"{label}\n" for label in self.labels).encode()


class Catalog(_Table):
    """All entries, in the order in which they are shown."""

    model: tuple[Entry, ...]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [entry.name for entry in self.model]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"names stand twice: {sorted(twice)}")
        return self

    def find(self, name: str) -> Entry | None:
        """The entry of this name, or None."""
        return next((entry for entry in self.model if entry.name == name), None)

    def nearest(self, name: str) -> str | None:
        """The name that is most like this one, or None."""
        near = get_close_matches(name.lower().replace("_", "-"), [entry.name for entry in self.model], n=1)
        return near[0] if near else None


@cache
def load_catalog() -> Catalog:
    """The catalogue that came with this installation."""
    text = resources.files("edged").joinpath("catalog.toml").read_text(encoding="utf-8")
    return Catalog.model_validate(tomllib.loads(text))

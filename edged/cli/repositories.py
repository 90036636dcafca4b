"""What the commands of `edged publish` have in common: the repository, the keys, the root that is trusted here."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.errors import InputNotFound, UsageError

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from edged.repository.tree import Current, Tree

RepositoryOption = Annotated[
    Path,
    typer.Option(
        "-r",
        "--repository",
        envvar="EDGED_PUBLISH_REPOSITORY",
        help="Folder that `init` made; default: this one.",
    ),
]
KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        envvar="EDGED_PUBLISH_KEY",
        help="Key that signs: file, folder of *.pem, env:NAME, hsm:…, awskms:…; may be repeated; default: DIR.keys.",
    ),
]
RootKeyOption = Annotated[
    list[str] | None,
    typer.Option("--root-key", help="Key of the root, as --key; may be repeated; default: DIR.root-keys."),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        envvar="EDGED_PUBLISH_ROOT",
        help="The root that is trusted; default: DIR.keys/root.json; to look only, else the folder's first one.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]

TRUSTED = "root.json"
MAX_TRUSTED_BYTES = 512_000


@dataclass(frozen=True, slots=True)
class Opened:
    """A repository that this process holds, and what can sign for it."""

    tree: "Tree"
    current: "Current"
    signers: dict[str, "Signer"]
    now: datetime


def beside(folder: Path, kind: str) -> Path:
    """Where keys lie if nobody says: ``updates`` → ``updates.keys``; never in what a web server shows."""
    whole = folder.resolve()
    return whole.with_name(f"{whole.name}.{kind}")


def trusted_root(folder: Path, given: Path | None) -> bytes | None:
    """The root that this publisher trusts; None: whatever the folder begins with.

    Raises:
        InputNotFound: It cannot be read.
    """
    path = given or beside(folder, "keys") / TRUSTED
    if given is None and not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return file.read(MAX_TRUSTED_BYTES)
    except OSError as error:
        raise InputNotFound(
            str(path), f"cannot be read ({error.strerror})", "name a root with --root"
        ) from error


def now() -> datetime:
    """The time by which is signed."""
    return datetime.now(UTC)


@contextlib.contextmanager
def opened(
    folder: Path,
    keys: Sequence[str] | None,
    root: Path | None,
    *,
    roles: Sequence[str],
) -> Iterator[Opened]:
    """A repository, locked and checked, with the keys at hand for some roles.

    Args:
        folder: Of the repository.
        keys: As ``--key`` says; None = the folder beside.
        root: As ``--root`` says.
        roles: Whose keys are looked for.

    Raises:
        InputNotFound: No repository, or no root that is trusted: who signs what the folder's own root vouches for can
            be made to sign anything.
        EdgedError: One that does not verify, or a key that cannot be had.
    """
    from edged.repository.keys import ring
    from edged.repository.lock import locked
    from edged.repository.signing import keys_of
    from edged.repository.tree import Tree

    tree = Tree(folder)
    with locked(folder):
        trusted = trusted_root(folder, root)
        if trusted is None and tree.begun():
            raise InputNotFound(
                str(beside(folder, "keys") / TRUSTED),
                "is not there, and nothing is signed without a root that is trusted",
                "name the one that boxes have with --root",
            )
        current = tree.current(trusted)
        places = list(keys) if keys else default_keys(folder, "keys")
        yield Opened(tree, current, ring(places, keys_of(current.root.signed, roles)), now())


def default_keys(folder: Path, kind: str) -> list[str]:
    """The folder of keys beside a repository, if it is there."""
    place = beside(folder, kind)
    return [str(place)] if place.is_dir() else []


def answer(document: dict[str, Any], *, as_json: bool, lines: Sequence[str]) -> None:
    """Print what was done, for a machine or for a person."""
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for line in lines:
        typer.echo(line)


def warn(line: str) -> None:
    """Tell a person what needs one, whatever goes to standard output."""
    print(f"edged: {line}", file=sys.stderr)


def share(text: str) -> float:
    """A share of the boxes: ``0.1`` or ``10%``.

    Raises:
        UsageError: Neither.
    """
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError("--rollout", f"is {text!r:.40}", "allowed: a share like 10% or 0.1, from 0 to 1")
    return round(value, 6)


def percent(value: float) -> str:
    """A share for people."""
    return f"{value * 100:.4g}%"


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """What goes on, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(file=sys.stderr).status(escape(what)) as status:
        yield lambda text: status.update(escape(text))

"""``edged model list``, ``activate``, ``rollback``, ``remove``: the versions of a store, looked at and chosen by hand.

They work on the files of the store, with or without a daemon. One that runs watches these files and follows.
"""

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.stores import ConfigOption, StoreOption, store_folder
from edged.errors import CannotWrite, EdgedError, InputNotFound, UsageError

if TYPE_CHECKING:
    from edged.modelstore.listing import Shelf

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the model is called in the store.")]
NEWEST = "newest"
HEADINGS = ("name", "version", "bytes", "sha256", "is")
SHOWN = 10
"""Names and numbers that an error lists."""


def list_models(
    *,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the models of the store: their versions, what was served last, what is pinned, what was rejected and why.

    Example: edged model list --store my-models
    """
    from edged.modelstore.listing import names_in, shelf_of

    folder = store_folder(store, config)
    with _told(f"reading {folder}"):
        shelves = [shelf_of(folder, name) for name in names_in(folder)]
        models = [_document(shelf) for shelf in shelves]
    for stray, why in (one for shelf in shelves for one in shelf.strays.items()):
        typer.echo(f"{stray}: is ignored: {why}", err=True)
    if as_json:
        typer.echo(json.dumps(models, indent=2, ensure_ascii=False))
        return
    if not models:
        typer.echo(f"{folder} holds no models. Put one there with: edged model add SRC --store {folder}")
        return
    rows = [HEADINGS, *(row for model in models for row in _rows(model))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for name, version, size, digest, what in rows:
        line = (
            f"{name:<{widths[0]}}  {version:>{widths[1]}}  {size:>{widths[2]}}  {digest:<{widths[3]}}  {what}"
        )
        typer.echo(line.rstrip())


def activate(
    name: Name,
    version: Annotated[
        str,
        typer.Argument(metavar="VERSION", help="Its number, or `newest`: whatever comes, as without a pin."),
    ],
    *,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Pin a version: it is to be served, whatever is newer. One that was rejected is tried again.

    Example: edged model activate vehicles 3
    """
    folder = store_folder(store, config)
    number = _number(version)
    shelf = _shelf(folder, name)
    if number is None:
        _unpin(shelf)
        return
    _has(shelf, number)
    _pin(shelf, number)


def rollback(name: Name, *, store: StoreOption = None, config: ConfigOption = None) -> None:
    """Pin the version before: the one that was served before, else the next lower one that was not rejected.

    Example: edged model rollback vehicles
    """
    shelf = _shelf(store_folder(store, config), name)
    number = shelf.version_before()
    if number is None:
        raise InputNotFound(
            name,
            "has no version to go back to",
            f"there are {_versions(shelf)}: `edged model activate {name} VERSION` takes any",
        )
    _pin(shelf, number)


def remove(
    name: Name,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Its number.")],
    *,
    store: StoreOption = None,
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Also the only version of a model.")] = False,
) -> None:
    """Remove a version from the store. What was served last, what was before it and what is pinned stays.

    Example: edged model remove vehicles 1
    """
    from edged.modelstore import pruning

    shelf = _shelf(store_folder(store, config), name)
    _has(shelf, version)
    _may_go(shelf, version, force=force)
    if not pruning.remove(shelf.folder, version):
        raise _why_not_removed(shelf.folder, version)
    typer.echo(f"{name}: version {version} is removed from {shelf.folder}")


def _may_go(shelf: "Shelf", number: int, *, force: bool) -> None:
    """Raises where a version has to stay."""
    subject = f"{shelf.name} {number}"
    if number == shelf.file_version and shelf.file:
        raise UsageError(
            subject, f"is the file {shelf.file}", "delete that file, or put another in its place"
        )
    if number == shelf.served:
        raise UsageError(subject, "was served last", "it can go once two other versions were served after it")
    if number == shelf.previous:
        raise UsageError(
            subject, "is what a rollback goes back to", "it can go once another version was served"
        )
    if number == shelf.pinned:
        raise UsageError(
            subject, "is pinned", f"`edged model activate {shelf.name} {NEWEST}` removes the pin"
        )
    if len(shelf.versions) == 1 and not force:
        raise UsageError(subject, "is the only version of this model", "--force removes it all the same")


def _why_not_removed(folder: Path, number: int) -> EdgedError:
    """Asks the file system by making a folder where the version was to be moved."""
    from edged.modelstore.pruning import PREFIX
    from edged.modelstore.staging import cannot_write

    probe = folder / f"{PREFIX}probe"
    try:
        probe.mkdir(exist_ok=True)
        probe.rmdir()
    except OSError as error:
        return cannot_write(folder / str(number), error)
    return CannotWrite(str(folder / str(number)), "cannot be removed", "look whether it still is there")


def _pin(shelf: "Shelf", number: int) -> None:
    from edged.modelstore.pins import write_pin
    from edged.modelstore.records import lift_rejection, read_rejection, rejection_file

    if shelf.file and not shelf.folder.is_dir():
        raise InputNotFound(
            shelf.name,
            f"is the one file {shelf.file}, of which no version is kept yet: there is nothing to choose from",
            "edged keeps a version once it has served it",
        )
    rejection = read_rejection(shelf.folder, number)
    write_pin(shelf.folder, number)
    rows = [("before", f"version {shelf.pinned} was pinned" if shelf.pinned else "nothing was pinned")]
    if rejection:
        lift_rejection(shelf.folder, number)
        if rejection_file(shelf.folder, number).exists():
            path = str(rejection_file(shelf.folder, number))
            raise CannotWrite(path, "cannot be removed, so the version is not tried", "remove that file")
        rows.append(("lifted", f"it was {_rejected(rejection.step, rejection.reason)}; it is tried again"))
    next_ = "an edged that runs tries it now, and swaps once it has passed the gate"
    if number == shelf.served:
        next_ = "it was served last: an edged that runs stays with it, or goes back to it"
    rows.append(("next", next_))
    was = "stays pinned"
    if number != shelf.pinned:
        was = "is pinned"
        rows.append(("undo", f"edged model activate {shelf.name} {shelf.pinned or NEWEST}"))
    typer.echo(f"{shelf.name}: version {number} {was} in {shelf.folder}")
    _print_rows(rows)


def _unpin(shelf: "Shelf") -> None:
    from edged.modelstore.pins import write_pin

    newest = shelf.newest
    if shelf.folder.is_dir():
        write_pin(shelf.folder, None)
    said = f"version {shelf.pinned} is not pinned any more" if shelf.pinned else "nothing was pinned"
    typer.echo(f"{shelf.name}: {said}")
    if newest is None:
        return
    rejection = shelf.rejection(newest)
    if rejection:
        why = _rejected(rejection.step, rejection.reason)
        again = f"`edged model activate {shelf.name} {newest}` has it tried again"
        _print_rows([("note", f"version {newest}, the newest, was {why}; {again}")])
    elif newest == shelf.served:
        then = "an edged that runs stays with it, or goes back to it"
        _print_rows([("next", f"version {newest}, the newest, was served last: {then}")])
    else:
        then = "an edged that runs tries it now, and swaps once it has passed the gate"
        _print_rows([("next", f"version {newest} is the newest: {then}")])


def _print_rows(rows: list[tuple[str, str]]) -> None:
    for key, text in rows:
        typer.echo(f"  {key:<8} {text}")


def _number(text: str) -> int | None:
    """A version number; None for `newest`."""
    if text == NEWEST:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise UsageError("VERSION", f"is {text!r:.40}", f"allowed: a number from 1 on, or {NEWEST}")
    return int(text)


def _shelf(store: Path, name: str) -> "Shelf":
    """A model of the store.

    Raises:
        InputNotFound: No such store, or no such model in it.
    """
    from edged.modelstore.listing import names_in, shelf_of

    names = names_in(store)
    if name in names:
        return shelf_of(store, name)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {_some(names)}"
    raise InputNotFound(name, f"is not in the store {store}", hint if names else "the store holds no models")


def _has(shelf: "Shelf", number: int) -> None:
    if number not in shelf.versions:
        problem = f"has no version {number} in {shelf.folder}"
        raise InputNotFound(shelf.name, problem, f"there are {_versions(shelf)}")


def _versions(shelf: "Shelf") -> str:
    return _some([str(number) for number in sorted(shelf.versions, reverse=True)])


def _some(words: list[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return (", ".join(words[:SHOWN]) or "none") + more


def _document(shelf: "Shelf") -> dict[str, Any]:
    from edged.modelstore.digests import onnx_digest
    from edged.modelstore.listing import bytes_of

    versions = []
    for number in sorted(shelf.versions, reverse=True):
        standing, rejection = shelf.versions[number], shelf.rejection(number)
        versions.append(
            {
                "version": number,
                "path": str(standing.path),
                "digest": onnx_digest(standing.path),
                "bytes": bytes_of(standing),
                "served": number == shelf.served,
                "previous": number == shelf.previous,
                "pinned": number == shelf.pinned,
                "rejected": {"step": rejection.step, "reason": rejection.reason, "at": rejection.at}
                if rejection
                else None,
            }
        )
    return {"name": shelf.name, "versions": versions, "pinned": shelf.pinned}


def _rows(model: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """A row a version, the name in the first one only."""
    name, versions, pinned = model["name"], model["versions"], model["pinned"]
    if pinned and not any(one["pinned"] for one in versions):
        yield (name, str(pinned), "", "", "pinned, but not there")
        name = ""
    elif not versions:
        yield (name, "", "", "", "no version")
    for one in versions:
        words = [word for word in ("served", "pinned", "previous") if one[word]]
        words += [NEWEST] if one is versions[0] else []
        if rejection := one["rejected"]:
            words.append(_rejected(rejection["step"], rejection["reason"]))
        digest = one["digest"].removeprefix("sha256:")[:12] or "unreadable"
        yield (name, str(one["version"]), f"{one['bytes']:,}", digest, ", ".join(words))
        name = ""


def _rejected(step: str, reason: str) -> str:
    """What is written of a rejection, in one line; a model's author may have chosen some of its words."""
    text = f"rejected{f' at {step}' if step else ''}{f': {reason}' if reason else ''}"
    return "".join(letter if letter.isprintable() else "·" for letter in " ".join(text.split()))


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Say on a terminal what is waited for."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(file=sys.stderr).status(escape(what)):
        yield

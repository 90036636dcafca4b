"""``edged model catalog`` and ``edged model add``: models that others publish, and how one gets into the store."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.signals import ended_by_signals
from edged.cli.stores import ConfigOption, StoreOption, store_folder

if TYPE_CHECKING:
    from edged.catalog import Entry
    from edged.download import Progress
    from edged.intake import Added, Wanted


def catalog(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List models that others publish, by the names that `edged model add` understands.

    Example: edged model catalog
    """
    from edged.catalog import load_catalog

    entries = load_catalog().model
    if as_json:
        shown = [entry.model_dump(mode="json", by_alias=True) for entry in entries]
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        _print_entry(entry, width)
    typer.echo("These models are their publishers'. Read a licence before you use it. Get one with:")
    typer.echo(f"  edged model add {entries[0].name}")


def add(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="A name of `edged model catalog`, an http(s) URL, a file, a folder, a zip or a tar.",
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(help="What it is called in the store; default: after its source.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="Digest that the file which SRC names must have.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Put a model into the store, as the next version of its name.

    Example: edged model add yolox-nano
    """
    from edged.catalog import load_catalog
    from edged.download import fetch
    from edged.inference.precheck import precheck
    from edged.intake import add_model, understand

    wanted = understand(source, catalog=load_catalog(), name=name, sha256=sha256)
    folder = store_folder(store, config)
    with ended_by_signals(), _progress(wanted) as progress:
        added = add_model(wanted, folder, download=fetch, check=precheck, progress=progress)
    _print_added(wanted, folder, added)


def _print_entry(entry: "Entry", width: int) -> None:
    size = f"{entry.input[1]} × {entry.input[0]}" if entry.input else "any size"
    labels = "80 COCO labels" if isinstance(entry.labels, str) else ", ".join(entry.labels)
    facts = [entry.task, entry.family, size, labels, f"{entry.size_bytes:,} bytes", entry.licence]
    facts.append("tried" if entry.tried else "by its layout")
    indent = " " * (width + 4)
    typer.echo(f"  {entry.name:<{width}}  {entry.about}")
    typer.echo(f"{indent}{' · '.join(facts)}")
    if entry.note:
        typer.echo(f"{indent}{entry.note}")
    typer.echo(f"{indent}{entry.publisher}")
    typer.echo(f"{indent}{entry.url}")
    typer.echo(f"{indent}sha256:{entry.sha256}")


def _print_added(wanted: "Wanted", store: Path, added: "Added") -> None:
    version = added.stored.version
    how = "is now" if added.new else "already is"
    typer.echo(f"{wanted.name}: {how} version {version} in {store}")
    rows = [("file", f"{added.size_bytes:,} bytes, sha256:{added.digest}"), ("from", wanted.shown)]
    if wanted.entry:
        rows[1] = ("from", wanted.entry.url)
        rows.append(("licence", f"{wanted.entry.licence}: {wanted.entry.publisher}"))
        if wanted.entry.note:
            rows.append(("note", wanted.entry.note))
    rows.append(("look", f"edged model inspect {added.stored.path}"))
    rows.append(("next", _what_next(wanted, store, added)))
    for key, text in rows:
        typer.echo(f"  {key:<8} {text}")


def _what_next(wanted: "Wanted", store: Path, added: "Added") -> str:
    version = added.stored.version
    pin = store / wanted.name / "pinned"
    if not added.served:
        return f"{pin} names a version that is not there: correct it"
    if added.served != version:
        why = f"{pin} says so" if pin.exists() else "it is newer"
        return f"edged serves version {added.served}: {why}"
    if version == 1:
        return f'name it at a camera or sensor, models = ["{wanted.name}"], and reload or start edged'
    return "an edged that runs tries it now, and serves it once it has passed the gate"


@contextlib.contextmanager
def _progress(wanted: "Wanted") -> Iterator["Progress"]:
    """A bar on a terminal, nothing elsewhere."""
    if wanted.url is None or not sys.stderr.isatty():
        yield lambda _count, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(wanted.name, total=None)
        yield lambda count, total: bar.update(task, completed=count, total=total)

"""``edged doctor``: what this machine offers and what is wrong with it, each finding with its remedy."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from edged import __version__
from edged.cli.stores import ConfigOption

if TYPE_CHECKING:
    from rich.table import Table

    from edged.doctor.findings import Finding

TIMEOUT_S = 30.0
PIPED_COLUMNS = 160
"""Where no terminal says how wide it is."""
STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "bold red"}


def doctor(
    *,
    config: ConfigOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, edged.doctor/1, on stdout.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds for everything together.")
    ] = TIMEOUT_S,
    models: Annotated[
        bool | None,
        typer.Option("--models/--no-models", help="Load the models. Default: unless a daemon serves them."),
    ] = None,
) -> None:
    """Say what this machine offers and what is wrong with it, each finding with its remedy.

    Opens each camera, speaks to the broker, loads each model; writes nothing, and leaves a running daemon alone. Exit
    0, or 69 (a server is out of reach) or 78 (the configuration or the installation is wrong).

    Example: edged doctor -c /etc/edged/edged.toml
    """
    from edged.doctor.checks import checks, read
    from edged.doctor.examination import examine
    from edged.doctor.findings import document, exit_code

    loaded, problem = read(config)
    with _Progress(quiet=as_json):
        found = examine(list(checks(loaded, problem, load_models=models)), timeout_s=timeout)
    if as_json:
        path = str(loaded.path) if loaded else None
        typer.echo(
            json.dumps(document(found, version=__version__, configuration=path), indent=2, ensure_ascii=False)
        )
    else:
        _print(found)
    sys.stdout.flush()
    raise typer.Exit(exit_code(found))


class _Progress:
    """Says on a terminal that something is going on."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console

        console = Console(stderr=True)
        self._status = None if quiet or not console.is_terminal else console.status("looking …")

    def __enter__(self) -> None:
        if self._status:
            self._status.start()

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()


def _print(found: "Sequence[Finding]") -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, PIPED_COLUMNS)
    console.print(_table(found))
    counts = {name: sum(one.status.value == name for one in found) for name in ("error", "warning", "note")}
    words = [f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items() if count]
    typer.echo(", ".join(words) or "nothing is wrong")


def _table(found: "Sequence[Finding]") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("thing", "seen → remedy"):
        table.add_column(heading, overflow="fold")
    for one in found:
        # As Text: what a camera or a broker says of itself is never read as markup.
        seen = Text(one.seen)
        if one.remedy:
            seen.append(f"\n→ {one.remedy}", "bold" if one.exit_code else "")
        table.add_row(Text(one.status.value, STYLES[one.status.value]), Text(one.subject), seen)
    return table

"""``edged fleet``: all boxes on a broker at a glance."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.brokers import LOCAL, Base, CaFile, CertFile, KeyFile, Mqtt, looker
from edged.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from edged.fleet.boxes import Box, Fleet
    from edged.fleet.rollout import Rollout

REDRAW_S = 1.0
AROUND = 7
"""Lines of the terminal that are not boxes."""
Watched = tuple[str, int]


def fleet(
    *,
    mqtt: Mqtt = LOCAL,
    base: Base = "edged",
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line a box on stdout, once all are known.")
    ] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="Only boxes such as status=offline, model=vehicles:3, provider!=openvino*, trouble=*camera*; "
            "all of them must hold.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    sort: Annotated[str, typer.Option(help="Column; -COLUMN turns the order round.")] = "trouble",
    watch_rollout: Annotated[
        tuple[str, int] | None,
        typer.Option(help="How far a version has come, and where it failed.", metavar="NAME VERSION"),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="Look for so long, then end; default: on a terminal, until Ctrl-C.", min=0),
    ] = None,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
) -> None:
    """Show all boxes on a broker: online, version, models, updates, providers, rates, trouble.

    Rates come once a minute from each box; until then they are not known.

    Example: edged fleet --mqtt mqtt://user:password@broker.lan --filter status=online --sort -rate
    """
    from edged.fleet.choosing import condition, ordered
    from edged.fleet.looking import looked_on

    conditions = [condition(text) for text in filters or ()]
    ordered((), sort)
    if watch_rollout and watch_rollout[1] < 1:
        raise UsageError("--watch-rollout", f"{watch_rollout[1]} is no version", "versions begin with 1")
    looks = looked_on(looker("fleet", mqtt, ca_file, cert_file, key_file), base)

    def chosen(all_of_them: "Fleet") -> "list[Box]":
        return ordered((box for box in all_of_them if all(holds(box) for holds in conditions)), sort)

    live = sys.stdout.isatty() and not as_json
    try:
        if live:
            _live(_until(looks, seconds, whole=False), chosen, watch_rollout)
        else:
            _once(_until(looks, seconds, whole=True), chosen, watch_rollout, as_json=as_json)
    except KeyboardInterrupt:
        return  # the usual way to end it


def _until(
    looks: "Iterator[tuple[Fleet, bool, str]]", seconds: float | None, *, whole: bool
) -> "Iterator[tuple[Fleet, bool]]":
    """As they come, until the time is over; without one, where ``whole``, until all is known."""
    end_s, why = None if seconds is None else time.monotonic() + seconds, ""
    for known, is_whole, now_why in looks:
        if now_why != why:
            why = now_why
            typer.echo(f"edged: {why}" if why else "edged: connected again", err=True)
        yield known, is_whole
        if (end_s is None and whole and is_whole) or (end_s is not None and time.monotonic() >= end_s):
            return


def _once(
    looks: "Iterator[tuple[Fleet, bool]]",
    chosen: "Callable[[Fleet], list[Box]]",
    watched: Watched | None,
    *,
    as_json: bool,
) -> None:
    """Printed at the end."""
    from rich.console import Console

    from edged.fleet.rollout import rollout

    known = next(looks)[0]
    for _ in looks:
        pass  # the fleet is the same one, and grows
    boxes, now_s = chosen(known), time.monotonic()
    if as_json:
        if watched:
            count = rollout(boxes, *watched)
            print(json.dumps({**asdict(count), "share": round(count.share, 4)}, ensure_ascii=False))
            return
        for box in boxes:
            print(json.dumps(_as_json(box, now_s), ensure_ascii=False))
        return
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(_drawn(boxes, known, watched, now_s, most=None, whole=True))


def _live(
    looks: "Iterator[tuple[Fleet, bool]]",
    chosen: "Callable[[Fleet], list[Box]]",
    watched: Watched | None,
) -> None:
    from rich.console import Console
    from rich.live import Live

    console, drawn_s = Console(), 0.0
    with Live("looking …", console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for known, whole in looks:
            now_s = time.monotonic()
            if now_s - drawn_s >= REDRAW_S:
                most = max(1, console.size.height - AROUND)
                live.update(
                    _drawn(chosen(known), known, watched, now_s, most=most, whole=whole), refresh=True
                )
                drawn_s = time.monotonic()


def _drawn(
    boxes: "Sequence[Box]",
    known: "Fleet",
    watched: Watched | None,
    now_s: float,
    *,
    most: int | None,
    whole: bool,
) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from edged.fleet.rollout import rollout

    head = Text(_summary(boxes, known, whole=whole))
    if watched:
        return Group(head, _rollout(rollout(boxes, *watched)))
    return Group(head, _table(boxes[:most], now_s), Text(_left_out(len(boxes), most)))


def _summary(boxes: "Sequence[Box]", known: "Fleet", *, whole: bool) -> str:
    states = Counter(box.status for box in boxes)
    words = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    of = f" of {len(known):,}" if len(known) != len(boxes) else ""
    troubled = sum(bool(box.trouble) for box in boxes)
    more = "" if whole else "; more are coming"
    more += "; there are more than can be kept" if known.left_out else ""
    return f"{len(boxes):,}{of} boxes: {words or 'none'}; {troubled:,} want a look{more}"


def _left_out(count: int, most: int | None) -> str:
    return (
        f"and {count - most:,} more: --filter and --sort choose" if most is not None and count > most else ""
    )


def _table(boxes: "Sequence[Box]", now_s: float) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("device", "status", "edged", "models", "provider", "update"):
        table.add_column(heading, overflow="ellipsis", no_wrap=True)
    table.add_column("rate/s", justify="right", no_wrap=True)
    table.add_column("seen", justify="right", no_wrap=True)
    table.add_column("trouble", overflow="ellipsis", no_wrap=True, ratio=1)
    for box in boxes:
        models = " ".join(f"{name}:{one.version or '-'}" for name, one in box.models.items())
        providers = " ".join(dict.fromkeys(one.provider for one in box.models.values() if one.provider))
        updates = " ".join(
            f"{name}:{one.offered or ''} {one.update}".replace(": ", " ")
            for name, one in box.models.items()
            if one.update and one.update != "checked"
        )
        rate = "" if box.published_per_s is None else f"{box.published_per_s:.1f}"
        cells = (box.device, box.status, box.version, models, providers, updates, rate, _seen(box, now_s))
        # As Text: what a device says of itself is never read as markup, and steers no terminal.
        table.add_row(*(Text(_plain(cell)) for cell in (*cells, box.trouble)))
    return table


def _rollout(count: "Rollout") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    title = f"{count.name} {count.version}: {count.share:.1%} of {count.boxes:,} boxes; {count.offline:,} not online"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=Text(_plain(title)), title_justify="left")
    for heading, justify in (("stage", "left"), ("boxes", "right"), ("share", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for stage, boxes in count.stages.items():
        table.add_row(stage, f"{boxes:,}", f"{boxes / count.boxes:.1%}")
    for reason, boxes in count.reasons.items():
        table.add_row(Text(_plain(f"  {reason}")), f"{boxes:,}", "")
    if count.refused:
        table.add_row(Text(_plain(f"  refused by {', '.join(count.refused)}")), "", "")
    return table


def _seen(box: "Box", now_s: float) -> str:
    if box.heard_s is None:
        return ""
    ago_s = max(0.0, now_s - box.heard_s)
    return f"{ago_s:.0f} s" if ago_s < 600 else f"{ago_s / 60:.0f} min"


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _as_json(box: "Box", now_s: float) -> dict[str, Any]:
    return {
        "device": box.device,
        "status": box.status,
        "edged": box.version or None,
        "started_at": box.started_at or None,
        "cameras": box.cameras,
        "sensors": box.sensors,
        "published_per_s": box.published_per_s,
        "captured_per_s": box.captured_per_s,
        "bottleneck": box.bottleneck or None,
        "heard_s_ago": None if box.heard_s is None else round(now_s - box.heard_s, 1),
        "trouble": box.trouble,
        "models": {
            name: {
                "version": one.version,
                "digest": one.digest or None,
                "provider": one.provider or None,
                "probation": one.probation,
                "update": one.update or None,
                "offered": one.offered,
                "reason": one.reason,
                "rejected": {str(version): why for version, why in one.rejected.items()},
                "why": one.why,
            }
            for name, one in box.models.items()
        },
    }

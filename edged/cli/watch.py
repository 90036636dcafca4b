"""``edged watch``: a subscriber's live view of every device on a broker."""

import base64
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.brokers import LOCAL, Base, CaFile, CertFile, KeyFile, Mqtt, looker

if TYPE_CHECKING:
    from rich.table import Table

    from edged.mqtt.records import Received
    from edged.mqtt.subscriber import Subscriber
    from edged.mqtt.tally import Row

REFRESH_S = 0.5


def watch(
    *,
    mqtt: Mqtt = LOCAL,
    base: Base = "edged",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a message on stdout.")] = False,
    seconds: Annotated[float, typer.Option(help="End after so long; 0 = never.", min=0)] = 0.0,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
) -> None:
    """Watch every device on a broker: rates, gaps, duplicates, replays, drops, states, what was found.

    Example: edged watch --mqtt mqtt://user:password@broker.lan --json
    """
    from edged.mqtt.subscriber import Subscriber
    from edged.mqtt.topics import everything

    options = looker("watch", mqtt, ca_file, cert_file, key_file)
    end_s = time.monotonic() + (seconds or float("inf"))
    try:
        with Subscriber(options, everything(base)) as subscriber:
            messages = _until(end_s, subscriber)
            if as_json:
                for message in messages:
                    if message is not None:
                        print(_line(message), flush=True)
            else:
                _show(messages, base)
    except KeyboardInterrupt:
        return  # the usual way to end it


def _until(end_s: float, subscriber: "Subscriber") -> "Iterator[Received | None]":
    """Messages as they come; None at least every ``REFRESH_S``."""
    why = ""
    while (left_s := end_s - time.monotonic()) > 0:
        yield from subscriber.receive(min(left_s, REFRESH_S))
        if subscriber.why != why:
            why = subscriber.why
            typer.echo(f"edged: {why}" if why else "edged: connected again", err=True)
        yield None


def _show(messages: "Iterator[Received | None]", base: str) -> None:
    from rich.console import Console
    from rich.live import Live

    from edged.mqtt.tally import Tally

    tally = Tally(base)
    drawn_s = 0.0
    with Live(_table([]), console=Console(), auto_refresh=False) as live:
        for message in messages:
            now_s = time.monotonic()
            if message is not None:
                tally.feed(message, now_s)
            if now_s - drawn_s >= REFRESH_S:
                drawn_s = now_s
                live.update(_table(tally.rows(now_s)), refresh=True)
        live.update(_table(tally.rows(time.monotonic())), refresh=True)


def _table(rows: "list[Row]") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=None if rows else "nothing has come yet")
    for heading in ("device", "source", "state"):
        table.add_column(heading, overflow="fold", min_width=7)
    for heading in ("rate/s", "msgs", "gaps", "dupl", "repl", "dropped"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("latest", overflow="fold", min_width=8)
    for row in rows:
        # As Text: what a device says of itself is never read as markup.
        table.add_row(
            *(Text(cell) for cell in (row.device, row.source, _state(row), *_numbers(row), row.latest))
        )
    return table


def _state(row: "Row") -> str:
    """``online; alarm; dropped: full``."""
    alarm = "alarm" if row.alarm else ""
    dropped = f"dropped: {', '.join(row.reasons)}" if row.reasons else ""
    return "; ".join(filter(None, [f"{row.state}: {row.why}" if row.why else row.state, alarm, dropped]))


def _numbers(row: "Row") -> list[str]:
    """Of the columns from the rate on; of what has no results, only what was dropped, if anything was."""
    if not row.source.startswith(("camera/", "sensor/")):
        return [""] * 5 + [str(row.dropped) if row.dropped else ""]
    counts = (row.messages, row.gaps, row.duplicates, row.replayed, row.dropped)
    return [f"{row.rate:.1f}", *map(str, counts)]


def _line(message: "Received") -> str:
    line = {"topic": message.topic, "payload": _value(message.payload), "retained": message.retained}
    return json.dumps(line, ensure_ascii=False)


def _value(payload: bytes) -> Any:
    """JSON as it is, other text as a string, anything else as ``{"base64": …}``."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(payload).decode("ascii")}
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")

"""What a daemon says of itself, for people: one screen of 80 columns. Pure: JSON in, things to print out.

Nothing of it is trusted to be there or to be as it should: another version may answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

GOOD, BAD = "green", "red"
MAX_REJECTED = 3
"""Rejected versions that are named."""
SECONDS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

Table_ = Mapping[str, Any]


def standing(found: Table_) -> Iterator[RenderableType]:
    """The parts of the screen, from above.

    Args:
        found: As ``GET /status`` answers, schema ``edged.status/1``.
    """
    health = _table(found, "health")
    cameras, sensors, models = (_rows(found, kind) for kind in ("cameras", "sensors", "models"))
    sources = _rows(health, "sources")  # the cameras come first; a sensor may be called like one of them
    yield _head(found, health)
    yield _broker(_table(found, "mqtt"), _table(health, "spool"))
    yield _load(found, health)
    if cameras:
        yield Text()
        yield _cameras(cameras, _by_name(sources[: len(cameras)]))
    if sensors:
        yield Text()
        yield _sensors(sensors, _by_name(sources[len(cameras) :]))
    if models:
        yield Text()
        yield _models(models, _by_name(_rows(health, "models")))
    if errors := [str(error) for error in _list(health, "errors")]:
        yield Text("\nlast errors", style="bold")
        for error in errors:
            yield Text(f"  {error}")


def duration(seconds: float) -> str:
    """In words.

    >>> [duration(seconds) for seconds in (0.4, 125, 3600, 7322, 200000)]
    ['0 s', '2 min 5 s', '1 h', '2 h 2 min', '2 d 7 h']
    """
    left, words = int(seconds), []
    for size, unit in SECONDS:
        if left >= size:
            words.append(f"{left // size} {unit}")
            left %= size
    return " ".join(words[:2]) or "0 s"


def size(count: float) -> str:
    """In words.

    >>> size(512), size(3 * 1024**2), size(1.5 * 1024**3)
    ('512 B', '3.0 MiB', '1.5 GiB')
    """
    for unit in UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {UNITS[-1]}"


def _head(found: Table_, health: Table_) -> Text:
    unhealthy, unready = _list(found, "unhealthy"), _list(found, "unready")
    state, style = ("ready", GOOD) if not unready else ("not ready", BAD)
    state, style = ("not healthy", BAD) if unhealthy else (state, style)
    line = Text.assemble(
        (str(found.get("device", "?")), "bold"),
        f"  edged {found.get('version', '?')}, pid {found.get('pid', '?')}, "
        f"up {duration(_number(health, 'uptime_s'))}, ",
        (state, style),
    )
    for why in (*unhealthy, *unready):
        line.append(f"\n  {why}", BAD)
    return line


def _broker(link: Table_, spool: Table_) -> Text:
    line = Text("broker  ")
    if link.get("connected"):
        line.append("connected", GOOD)
        line.append(f" to {link.get('broker', '?')}, MQTT {link.get('protocol', '?')}")
    else:
        line.append("not connected", BAD)
        line.append(f" to {link.get('broker', '?')}: {link.get('why', '')}")
    if reconnects := int(_number(link, "reconnects")):
        line.append(f", {reconnects} reconnect{'s' if reconnects > 1 else ''}")
    line.append(f"\noutbox  {_number(spool, 'entries'):.0f} wait ({size(_number(spool, 'bytes'))})")
    dropped, aside = _number(spool, "dropped"), _number(spool, "set_aside")
    line.append(f", {dropped:.0f} dropped", BAD if dropped else "")
    if aside:
        line.append(f" ({aside:.0f} refused by the broker)", BAD)
    if why := spool.get("why"):
        line.append(f"; {why}")
    return line


def _load(found: Table_, health: Table_) -> Text:
    bottleneck = str(health.get("bottleneck", "none"))
    memory = size(_number(health, "memory_bytes"))
    line = Text(f"load    {_number(health, 'cpu_percent'):.0f} % CPU, {memory}, bottleneck ")
    line.append(bottleneck, "" if bottleneck == "none" else BAD)
    line.append(f"  (all of the last {duration(_number(found, 'rates_over_s'))})")
    return line


def _cameras(cameras: Sequence[Table_], rates: Mapping[str, Table_]) -> Table:
    table = _columns("camera", "state", ">fps", ">results/s", ">queue ms", "lost, or why")
    for camera in cameras:
        name = str(camera.get("camera"))
        rate = rates.get(name, {})
        queue = rate.get("queue_ms")
        table.add_row(
            Text(name),
            _state(camera),
            f"{_number(rate, 'captured_per_s'):.1f}",
            f"{_number(rate, 'published_per_s'):.1f}",
            "" if queue is None else f"{_number(rate, 'queue_ms'):.1f}",
            _why(camera, rate),
        )
    return table


def _sensors(sensors: Sequence[Table_], rates: Mapping[str, Table_]) -> Table:
    table = _columns("sensor", "state", ">rows/s", ">results/s", ">rejected", "lost, or why")
    for sensor in sensors:
        name = str(sensor.get("sensor"))
        rate = rates.get(name, {})
        table.add_row(
            Text(name),
            _state(sensor, alarm=sensor.get("alarm") is True),
            f"{_number(rate, 'captured_per_s'):.1f}",
            f"{_number(rate, 'published_per_s'):.1f}",
            f"{_number(sensor, 'rejected'):.0f}",
            _why(sensor, rate, "unreadable"),
        )
    return table


def _models(models: Sequence[Table_], rates: Mapping[str, Table_]) -> Table:
    table = _columns("model", ">version", "provider", ">ms", ">busy", "candidate, rejected, or why")
    for model in models:
        name, active = str(model.get("model")), _table(model, "active")
        rate = rates.get(name, {})
        ms = rate.get("inference_ms")
        table.add_row(
            Text(name),
            Text(str(active["version"]) if "version" in active else "none", "" if active else BAD),
            Text(str(model.get("provider", ""))),
            "" if ms is None else f"{_number(rate, 'inference_ms'):.1f}",
            f"{_number(rate, 'utilisation_percent'):.0f} %",
            _of_model(model, rate),
        )
    return table


def _of_model(model: Table_, rate: Table_) -> Text:
    words, active = [], _table(model, "active")
    if candidate := _table(model, "candidate"):
        words.append(f"trying {candidate.get('version')} ({candidate.get('step')})")
    if model.get("probation"):
        words.append(f"on probation: {model['probation']}")
    rejected = _rows(model, "rejected")
    words += [f"{one.get('version')} rejected: {one.get('reason')}" for one in rejected[-MAX_REJECTED:]]
    if len(rejected) > MAX_REJECTED:
        words.append(f"{len(rejected) - MAX_REJECTED} more rejected")
    if update := _table(model, "update"):
        words += _of_update(update, int(_number(active, "version")) if active else 0)
    if restarts := int(_number(rate, "restarts")):
        words.append(f"{restarts} restart{'s' if restarts > 1 else ''}")
    if why := model.get("why"):
        words.append(str(why))
    return Text("; ".join(words))


def _of_update(update: Table_, active: int) -> list[str]:
    """How far the update from afar is; nothing where nothing is to be said."""
    state, reason, number = str(update.get("state", "?")), update.get("reason"), update.get("version")
    if state in {"checked", "active"} and not reason:
        return []
    words = "update" if number in (None, active) else f"update to {number}"
    words += f" {state}"
    if total := _number(update, "of"):
        words += f" {_number(update, 'bytes') / total:.0%} of {size(total)}"
    return [f"{words}: {reason}" if reason else words]


def _state(source: Table_, *, alarm: bool = False) -> Text:
    state = str(source.get("state", "?"))
    text = Text(state, {"online": GOOD, "offline": BAD}.get(state, ""))
    return text.append(" alarm", BAD) if alarm else text


def _why(source: Table_, rate: Table_, *told_elsewhere: str) -> Text:
    dropped = [
        f"{count} {reason}"
        for reason, count in _table(rate, "dropped").items()
        if reason not in told_elsewhere
    ]
    parts = [str(source.get("why") or ""), ", ".join(dropped), _came_back(rate), _since(source)]
    return Text("; ".join(filter(None, parts)))


def _came_back(rate: Table_) -> str:
    reconnects = int(_number(rate, "reconnects"))
    return f"{reconnects} reconnect{'s' if reconnects > 1 else ''}" if reconnects else ""


def _since(source: Table_) -> str:
    """Of what does not deliver."""
    if source.get("state") == "online":
        return ""
    try:
        moment = datetime.fromisoformat(str(source.get("since")))
    except ValueError:
        return ""
    return f"since {moment.astimezone():%H:%M:%S}"


def _columns(*headings: str) -> Table:
    """A heading with ``>`` stands above figures."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in headings[:-1]:
        right = heading.startswith(">")
        table.add_column(
            heading.removeprefix(">"), justify="right" if right else "left", no_wrap=right, overflow="fold"
        )
    table.add_column(headings[-1], overflow="fold", ratio=1)
    return table


def _table(found: Table_, key: str) -> Table_:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _list(found: Table_, key: str) -> list[Any]:
    value = found.get(key)
    return value if isinstance(value, list) else []


def _rows(found: Table_, key: str) -> list[Table_]:
    return [row for row in _list(found, key) if isinstance(row, dict)]


def _by_name(rows: Sequence[Table_]) -> dict[str, Table_]:
    return {str(row.get("name")): row for row in rows}


def _number(found: Table_, key: str) -> float:
    value = found.get(key)
    return float(value) if isinstance(value, int | float) else 0.0

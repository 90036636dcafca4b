"""The board as a picture for a terminal of 80 columns, and as plain lines for a pipe.

What a device says of itself is shown as text, never read as markup.
"""

from collections import Counter
from dataclasses import dataclass

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edged.demo.board import Board
from edged.mqtt.sensor_payloads import WindowMessage
from edged.mqtt.shapes.detections import DetectionsMessage
from edged.mqtt.tally import Row, one_line, outcome_in_words

SKETCH_COLUMNS, MAX_SKETCH_LINES = 38, 12
"""Of the frame with its boxes."""
MAX_LABELS = 5
MAX_FINDS = 5
COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red")
GOOD = {"online", "version"}


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where the board is looked at.

    Attributes:
        now_s: On the clock of the board's arrivals.
        elapsed_s: Since the demo began.
        protocol: MQTT's version, as found.
    """

    now_s: float
    elapsed_s: float
    protocol: str


def picture(board: Board, moment: Moment) -> RenderableType:
    """Everything at a glance, in twenty lines."""
    minutes, seconds = divmod(int(moment.elapsed_s), 60)
    title = Text.assemble(
        ("edged demo", "bold"),
        f"  {minutes:02}:{seconds:02}  what a subscriber sees over MQTT {moment.protocol}  ",
        ("Ctrl-C ends it", "dim"),
    )
    parts: list[RenderableType] = [title, Text(), _sources(board, moment)]
    for message in board.newest.values():
        beside = Table.grid(padding=(0, 3))
        beside.add_row(_sketch(board, message), Group(_labels(board), Text(), _finds(board)))
        parts += [Text(), beside]
    if not board.newest:
        parts += [Text(), Text("Waiting for the first result.", "dim")]
    return Group(Padding(Group(*parts), (0, 1)), Text())  # the terminal writes ^C into the last line


def line(board: Board, moment: Moment) -> str:
    """The figures in one line, for output that is no terminal."""
    rows = board.rows(moment.now_s)
    rate = sum(row.rate for row in rows if row.source.startswith("camera/"))
    figures = [f"{rate:.1f} results/s"]
    models = dict.fromkeys(message.model.name for message in board.newest.values())
    figures += [f"{board.inference_ms(model):.1f} ms an inference" for model in models]
    figures += [f"age {board.age_ms(camera):.0f} ms" for camera in board.newest]
    parts = [", ".join(figures), f"now {counted(_now(board)) or 'nothing'}"]
    for row in rows:
        kind, name = _named(row)
        if kind == "sensor" and name in board.scored:
            parts.append(f"{name}: {_figures(board, row)}")
    return "; ".join(parts)


def states(board: Board, moment: Moment) -> dict[str, str]:
    """What each part says of itself, by its name, in one line."""
    return {
        " ".join(_named(row)): ", ".join(
            filter(None, [row.state, row.why, _alarm(board, row), _about(board, row, moment)])
        )
        for row in board.rows(moment.now_s)
    }


def counted(objects: Counter[str]) -> str:
    """``2 parcel, 1 code``; empty for nothing."""
    return ", ".join(f"{count:,} {one_line(label)}" for label, count in objects.items())


def _sources(board: Board, moment: Moment) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", min_width=6)
    table.add_column(style="bold", min_width=12, max_width=18)
    table.add_column(min_width=9)
    table.add_column()
    for row in board.rows(moment.now_s):
        says = ", ".join(filter(None, [row.why, _about(board, row, moment), _figures(board, row)]))
        table.add_row(*_cells(*_named(row), _state(board, row), says))
    if board.alarms:
        table.add_row(*_cells("alarms", "", "", ", ".join(_when(message) for message in board.alarms)))
    return table if table.rows else Text("The daemon starts.", "dim")


def _cells(*parts: str | Text) -> list[Text]:
    cells = [part if isinstance(part, Text) else Text(part) for part in parts]
    for cell in cells:
        cell.no_wrap, cell.overflow = True, "ellipsis"
    return cells


def _state(board: Board, row: Row) -> Text:
    """An alarm stands in its place: a sensor that raises one is online."""
    if _alarm(board, row):
        return Text("alarm", "bold red")
    return Text(row.state, "green" if row.state.split(" ")[0] in GOOD else "red")


def _alarm(board: Board, row: Row) -> str:
    """``alarm: inner 0.96``, with what raised it; empty while none is up."""
    kind, name = _named(row)
    raised = board.alarm(name) if kind == "sensor" and row.state in GOOD else None
    return f"alarm: {_said(raised)}" if raised else ""


def _said(message: WindowMessage) -> str:
    return outcome_in_words(message.result.model_dump(exclude_none=True))


def _when(message: WindowMessage) -> str:
    """``18:30:55 inner``."""
    return f"{message.captured_at[11:19]} {one_line(message.result.label or 'anomaly')}"


def _named(row: Row) -> tuple[str, str]:
    kind, _, name = row.source.partition("/")
    return kind or "device", name or row.device


def _about(board: Board, row: Row, moment: Moment) -> str:
    """What does not change from second to second."""
    kind, name = _named(row)
    if kind == "device" and (info := board.infos.get(name)):
        machine = info.machine
        cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
        return one_line(f"MQTT {moment.protocol}, edged {info.version} on {cores} of {machine.cpu}")
    if kind == "model" and (model := board.models.get(name)):
        return one_line(f"on {model.provider}" if model.provider else "")
    if kind == "camera" and (camera := board.cameras.get(name)) and camera.fps:
        return f"{camera.fps:g} frames/s"
    return ""


def _figures(board: Board, row: Row) -> str:
    """What does."""
    kind, name = _named(row)
    if kind == "model" and (inference_ms := board.inference_ms(name)):
        return f"{inference_ms:.1f} ms an inference"
    if kind == "camera" and row.messages:
        return f"{row.rate:.1f} results/s, age {board.age_ms(name):.0f} ms"
    if kind == "sensor" and name in board.scored:
        return f"{_said(board.scored[name])}, {row.rate:.1f} windows/s"
    return ""


def _labels(board: Board) -> Table:
    """Counts by label: in the newest results, and since the beginning."""
    now = _now(board)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("found", no_wrap=True, max_width=18)
    table.add_column("now", justify="right", no_wrap=True)
    table.add_column("in all", justify="right", no_wrap=True)
    for label, count in list(board.objects.items())[:MAX_LABELS]:
        table.add_row(Text(f"■ {one_line(label)}", _colour(board, label)), str(now[label]), f"{count:,}")
    table.add_row(Text("results", "dim"), "", Text(f"{board.results:,}", "dim"))
    return table


def _finds(board: Board) -> Table:
    """The last found objects, with the corners of their boxes in pixels."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("latest", no_wrap=True, max_width=14)
    for heading in ("score", "x1", "y1", "x2", "y2"):
        table.add_column(heading, justify="right", no_wrap=True)
    for what in list(board.recent)[:MAX_FINDS]:
        label = Text(one_line(what.label), _colour(board, what.label))
        table.add_row(label, f"{what.score:.2f}", *(f"{corner:.0f}" for corner in what.box))
    return table


def _now(board: Board) -> Counter[str]:
    """Objects in the newest result of each camera, by label."""
    return Counter(what.label for message in board.newest.values() for what in message.detections)


def _colour(board: Board, label: str) -> str:
    return COLOURS[list(board.objects).index(label) % len(COLOURS)] if label in board.objects else "white"


def _sketch(board: Board, message: DetectionsMessage) -> Panel:
    """The frame as its message describes it: no pixels travel over MQTT."""
    width, height = message.image.width, message.image.height
    # A character is about twice as high as it is wide.
    lines = min(MAX_SKETCH_LINES, max(2, round(SKETCH_COLUMNS * height / width / 2)))
    columns = min(SKETCH_COLUMNS, max(2, round(lines * 2 * width / height)))
    canvas = Canvas(columns, lines)
    for what in sorted(message.detections, key=lambda one: one.score):
        x1, y1, x2, y2 = what.box
        corners = (x1 / width, y1 / height, x2 / width, y2 / height)
        canvas.box(corners, f"{one_line(what.label)} {what.score:.2f}", _colour(board, what.label))
    return Panel(
        canvas.text(),
        box=ROUNDED,
        border_style="dim",
        title=Text(f"{one_line(message.source)} #{message.sequence}"),
        title_align="left",
        subtitle=Text(f"{width} × {height}, {message.captured_at[11:23]}"),
        subtitle_align="right",
        padding=0,
        width=columns + 2,
    )


class Canvas:
    """Boxes drawn with characters.

    Args:
        columns: Of the picture.
        lines: Of the picture.
    """

    def __init__(self, columns: int, lines: int) -> None:
        self._cells: list[list[tuple[str, str]]] = [[(" ", "")] * columns for _ in range(lines)]
        self._columns, self._lines = columns, lines

    def box(self, corners: tuple[float, float, float, float], label: str, colour: str) -> None:
        """Draw one; its label goes into its upper edge.

        Args:
            corners: x1, y1, x2, y2 as fractions of the picture.
            label: As many of its words as fit.
            colour: Of the box and its label.
        """
        left, right = _span(corners[0], corners[2], self._columns)
        top, bottom = _span(corners[1], corners[3], self._lines)
        for line, (first, middle, last) in ((top, "╭─╮"), (bottom, "╰─╯")):
            self._put(line, left, first + middle * (right - left - 1) + last, colour)
        for line in range(top + 1, bottom):
            self._put(line, left, "│", colour)
            self._put(line, right, "│", colour)
        room, words = right - left - 1, label.split(" ")
        while len(words) > 1 and len(" ".join(words)) > room:
            words.pop()
        self._put(top, left + 1, " ".join(words)[:room], colour)

    def text(self) -> Text:
        """The picture."""
        return Text("\n").join(Text.assemble(*cells) for cells in self._cells)

    def _put(self, line: int, column: int, signs: str, colour: str) -> None:
        for offset, sign in enumerate(signs):
            if column + offset < self._columns:
                self._cells[line][column + offset] = (sign, colour)


def _span(low: float, high: float, cells: int) -> tuple[int, int]:
    """First and last cell of a part of an axis; at least two cells."""
    first = min(max(0, int(low * cells)), cells - 2)
    return first, max(first + 1, min(cells - 1, int(high * cells)))

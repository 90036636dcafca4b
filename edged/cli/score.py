"""``edged score``: what a model says about rows of a CSV or JSON-lines file."""

import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import typer

from edged.cli.answering import answering, providers_of
from edged.cli.naming import model_info, utf8_name
from edged.errors import BadInput, ConfigurationError, InferenceFailed, InputNotFound, NotAllowed, UsageError
from edged.urls import redacted
from edged.worker.description import LoadRequest, ModelDescription, RowUse

if TYPE_CHECKING:
    from edged.rows import RejectedRow, Scores, Windows
    from edged.sections import SensorSettings
    from edged.worker.answer import Answering

HELP = """Score rows of a CSV or JSON-lines file with a model of sensor data.

Examples:
  edged score pump.csv -m bearing-vibration
  edged score turbine.csv -m forest.onnx --fields "speed,power,temperature" --json
  tail -f pump.jsonl | edged score - -m pump.onnx
"""
BLOCK_BYTES = 1 << 16
MAX_REPORTED = 20
"""Rows that cannot be read, a line each; the rest is counted."""

MAX_SCORES, MAX_SHOWN_CHARS = 4, 200
"""Of a window, for people."""

Format = Literal["csv", "json", "text"]


def score(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A file of rows, or - for standard input.")],
    *,
    model: Annotated[
        Path, typer.Option("-m", "--model", help="An ONNX file, a folder that holds one, or a bundled model.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One sensor message a line.")] = False,
    fields: Annotated[
        str, typer.Option(help="Names of the model's features in order, between commas; default: its own.")
    ] = "",
    row_format: Annotated[
        str, typer.Option("--format", help="csv, json or text; default: by the name, and the first line.")
    ] = "",
    columns: Annotated[str, typer.Option(help="Names of the values of rows without names.")] = "",
    delimiter: Annotated[str, typer.Option(help="Of CSV; default: found in the first line.")] = "",
    window: Annotated[int, typer.Option(min=0, help="Rows to one inference; default: the model's.")] = 0,
    stride: Annotated[int, typer.Option(min=0, help="Rows from window to window; default: the window.")] = 0,
    time_field: Annotated[str, typer.Option("--time", help="Field that says when a row was measured.")] = "",
    missing: Annotated[str, typer.Option(help="For a missing value: error, last, or a number.")] = "error",
    echo: Annotated[str, typer.Option(help="Fields of the last row to repeat, between commas.")] = "",
    provider: Annotated[list[str] | None, typer.Option(help="Provider in order; may be repeated.")] = None,
) -> None:
    section = _section(
        {
            "fields": _names(fields),
            "columns": _names(columns),
            "echo": _names(echo),
            "time": time_field,
            "delimiter": delimiter.replace("\\t", "\t"),
            "missing": _number(missing),
            **({"window": window} if window else {}),
            **({"stride": stride} if stride else {}),
            **({"format": row_format} if row_format else {}),
        }
    )
    use = RowUse("score", section.fields, window)
    rows = RowFile(source)
    request = LoadRequest(path=str(model), providers=providers_of(provider), serves="rows", rows=(use,))
    with answering(request) as (answers, description):
        for reason in description.provider_refused:
            print(f"edged: passed over {reason}; {description.provider} is used", file=sys.stderr)
        chosen: Format = section.format if row_format else rows.guessed_format(description)
        scorer = Scorer(answers, description, rows.name, section.model_copy(update={"format": chosen}))
        printer: Printer = JsonPrinter(description) if as_json else PagePrinter(description)
        score_rows(rows, scorer, printer)
    if scorer.rejected:
        raise typer.Exit(BadInput.exit_code)


def score_file(source: str, answers: "Answering", description: ModelDescription, printer: "Printer") -> None:
    """Score a file of rows as they are.

    Raises:
        EdgedError: It cannot be read, or one of its rows, or the model gives no answer.
    """
    rows = RowFile(source)
    section = _section({"format": rows.guessed_format(description)})
    scorer = Scorer(answers, description, rows.name, section)
    score_rows(rows, scorer, printer)
    if scorer.rejected:
        raise BadInput(source, f"{scorer.rejected} of its rows cannot be read", "correct them")


def score_rows(rows: "RowFile", scorer: "Scorer", printer: "Printer") -> None:
    """Score rows block by block, as they come."""
    for block in rows:
        for windows, scores, inference_ms in scorer.score(block):
            printer.show(windows, scores, inference_ms)
    printer.close()
    scorer.close()


def _section(given: dict[str, Any]) -> "SensorSettings":
    """A sensor's settings from the command line.

    Raises:
        UsageError: A value is not allowed.
    """
    from edged.settings import check_settings

    sensor = {"url": "-", "models": ["m"], **given}
    try:
        checked = check_settings({"sensors": {"score": sensor}}, name="command line")
    except ConfigurationError as error:
        problem = error.problem.replace("sensors.score.", "--")
        raise UsageError("edged score", problem, error.remedy) from error
    return checked.settings.sensors["score"]


class Scorer:
    """Rows through a model, block after block.

    Attributes:
        rejected: How many rows could not be read, or scored.
    """

    def __init__(
        self, answers: "Answering", description: ModelDescription, source: str, section: "SensorSettings"
    ) -> None:
        from edged.sources.rowformat import RowParser
        from edged.sources.rowvalues import spec_of
        from edged.sources.windowing import Windower

        recipe = description.rows
        self.rejected, self._source, self._scored = 0, source, 0
        self._answers, self._recipe = answers, recipe
        self._parser = RowParser(spec_of(section, recipe, section.format))
        self._window = int(section.window or recipe.window or 1)
        self._windower = Windower(source, window=self._window, stride=section.stride, gap_s=None)

    def score(self, block: bytes) -> "Iterator[tuple[Windows, Scores, float]]":
        """The windows that a block of whole lines completes, and what the model says about them.

        Raises:
            WorkerLost: Its process died.
        """
        rows, rejected = self._parser.parse(block, at_s=time.time())
        self._report(rejected)
        for windows in self._windower.push(rows, origin="", at_monotonic_s=time.monotonic(), receipt=None):
            yield from self._scores(windows)

    def _scores(self, windows: "Windows") -> "Iterator[tuple[Windows, Scores, float]]":
        """Where the model has no answer to one of them, the others are scored alone."""
        from edged.worker.goldenrows import scored

        done = 0
        try:
            for part, scores, inference_ms in scored(self._answers, self._recipe, windows):
                done += len(part)
                self._scored += len(part)
                yield part, scores, inference_ms
        except InferenceFailed as error:
            rest = windows.part(done, len(windows))
            if len(rest) > 1:
                for n in range(len(rest)):
                    yield from self._scores(rest.part(n, n + 1))
                return
            if self.rejected < MAX_REPORTED:
                where = f"edged: {self._source}, window {rest.sequence}"
                print(redacted(f"{where}: {error.problem}"), file=sys.stderr)
            self.rejected += 1

    def close(self) -> None:
        """After the last block.

        Raises:
            BadInput: There were too few rows for a single window.
        """
        if self.rejected > MAX_REPORTED:
            print(f"edged: {self._source}: {self.rejected - MAX_REPORTED} more rejected", file=sys.stderr)
        if not self._scored and not self.rejected:
            few = f"fewer than the {self._window} of a window" if self._window > 1 else "none"
            raise BadInput(self._source, f"has too few rows: {few}", "give it more rows")

    def _report(self, rejected: "list[RejectedRow]") -> None:
        for row in rejected[: max(0, MAX_REPORTED - self.rejected)]:
            print(redacted(f"edged: {self._source}, line {row.line}: {row.reason}"), file=sys.stderr)
        self.rejected += len(rejected)


class Printer(Protocol):
    """Where scores go."""

    def show(self, windows: "Windows", scores: "Scores", inference_ms: float) -> None:
        """Take some windows."""
        ...

    def close(self) -> None:
        """There are no more."""
        ...


class JsonPrinter:
    """One sensor message of the contract a line, on standard output."""

    def __init__(self, description: ModelDescription) -> None:
        from edged.mqtt.ids import MessageIds
        from edged.settings import check_settings

        self._device = check_settings({}, name="environment").settings.device
        self._model, self._labels = model_info(description), description.labels
        self._ids = MessageIds(clock=time.time, randomness=os.urandom)

    def show(self, windows: "Windows", scores: "Scores", inference_ms: float) -> None:
        """Print a line for each window."""
        from edged.mqtt.sensor_payloads import RowTiming, SensorMessages, outcome

        messages = SensorMessages(
            device=self._device,
            source=windows.source,
            origin="",
            rows=windows.numbers.shape[1],
            model=self._model,
            timing=RowTiming(0.0, inference_ms, (time.monotonic() - windows.arrived_monotonic_s) * 1000),
        )
        for n in range(len(windows)):
            line = messages.one(
                self._ids(),
                sequence=windows.sequence + n,
                first_at_s=windows.first_at_s[n],
                captured_at_s=windows.last_at_s[n],
                echo=windows.echoes[n] if windows.echoes else {},
                result=outcome(scores, n, self._labels),
            )
            self.say(line)
        sys.stdout.flush()

    def say(self, line: bytes) -> None:
        """Print one message."""
        sys.stdout.write(line.decode() + "\n")

    def close(self) -> None:
        """Nothing to add."""


class PagePrinter:
    """For people: a row a window."""

    def __init__(self, description: ModelDescription) -> None:
        self._labels, self._provider = description.labels, description.provider
        self._count, self._inference_ms = 0, 0.0

    def show(self, windows: "Windows", scores: "Scores", inference_ms: float) -> None:
        """Print a row for each window."""
        from edged.mqtt.payloads import timestamp
        from edged.mqtt.sensor_payloads import outcome

        for n in range(len(windows)):
            says = outcome(scores, n, self._labels)
            moment = timestamp(windows.last_at_s[n])[:19].replace("T", " ")
            echo = "  ".join(
                f"{key}={value}" for key, value in (windows.echoes[n] if windows.echoes else {}).items()
            )
            typer.echo(f"{windows.sequence + n:>8}  {moment}  {_shown(says)}  {echo}".rstrip())
        self._count += len(windows)
        self._inference_ms += inference_ms

    def close(self) -> None:
        """Print how long a window took, where there were several."""
        if self._count > 1:
            each_ms = self._inference_ms / self._count
            typer.echo(f"{self._count:,} windows, {each_ms:.3f} ms a window on {self._provider}")


def _shown(says: dict[str, Any]) -> str:
    """``result`` of a message in a few words."""
    if "label" in says:
        best = sorted(says.get("scores", {}).items(), key=lambda pair: -pair[1])[:MAX_SCORES]
        scores = "  ".join(f"{label} {score:.3f}" for label, score in best)
        return f"{says['label']:<20} {scores}".rstrip()
    if "anomaly" in says:
        return f"{'ANOMALY' if says['anomaly'] else 'normal':<20} {says['score']:.6g}"
    if "outputs" in says:
        return json.dumps(says["outputs"])[:MAX_SHOWN_CHARS]
    values = says["values"] if "values" in says else [says["value"]]
    return "  ".join(f"{value:.6g}" for value in values)


class RowFile:
    """Whole lines of a file or of standard input, as they come; to be iterated once.

    Attributes:
        name: For messages.
    """

    def __init__(self, source: str) -> None:
        """Read the first block.

        Raises:
            InputNotFound: No such file.
            NotAllowed: It may not be read.
            BadInput: It cannot be read.
        """
        self.name = "stdin" if source == "-" else utf8_name(Path(source).name)
        self._source = source
        self._blocks = self._read()
        self._first = next(self._blocks, b"")

    def __iter__(self) -> Iterator[bytes]:
        return chain((self._first,), self._blocks)

    def guessed_format(self, description: ModelDescription) -> Format:
        """How the rows are written: as the name says, else as the first line looks.

        A model that takes one text takes whole lines, unless they are CSV or JSON by name.
        """
        from edged.worker.goldenrows import format_of

        suffix = Path(self._source).suffix.lower()
        if suffix in {".csv", ".tsv"} or format_of(self._source) == "json":
            return "json" if format_of(self._source) == "json" else "csv"
        if description.rows.features == 1 and description.rows.texts:
            return "text"
        return "json" if self._first.lstrip()[:1] in {b"{", b"["} else "csv"

    def _read(self) -> Iterator[bytes]:
        try:
            descriptor = self._open()
        except FileNotFoundError as error:
            remedy = "name a file of rows, or - for standard input"
            raise InputNotFound(self._source, "no such file", remedy) from error
        except PermissionError as error:
            problem = "may not be read by this user"
            raise NotAllowed(self._source, problem, "check its permissions") from error
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            yield from _whole_lines(descriptor)
        except OSError as error:
            raise self._unreadable(error) from error
        finally:
            if descriptor:
                os.close(descriptor)

    def _open(self) -> int:
        return 0 if self._source == "-" else os.open(self._source, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def _unreadable(self, error: OSError) -> BadInput:
        return BadInput(self._source, f"cannot be read ({error.strerror})", "name a readable file of rows")


def _whole_lines(descriptor: int) -> Iterator[bytes]:
    from edged.sources.lines import Lines

    lines = Lines()
    while block := os.read(descriptor, BLOCK_BYTES):
        if whole := lines.cut(block):
            yield whole
    if rest := lines.rest():
        yield rest


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text

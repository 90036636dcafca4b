"""``edged model test``: the gate that a model passes before a daemon serves it, run by hand."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.answering import candidate, providers_of, resolved
from edged.errors import EdgedError, UsageError
from edged.manifest import RowRecipe
from edged.worker.description import LoadRequest, ModelDescription

if TYPE_CHECKING:
    from edged.worker.answer import Answering
    from edged.worker.gate import Gate, Step
    from edged.worker.looking import Seen

NOT_HERE = "swap and probation need a daemon that serves: they are not part of this"


def try_model(
    path: Annotated[Path, typer.Argument(help="An ONNX file, a folder that holds one, or a bundled model.")],
    look_at: Annotated[
        str | None,
        typer.Argument(metavar="[INPUT]", help="Picture, folder, video or file of rows to look at with it."),
    ] = None,
    *,
    save: Annotated[
        Path | None, typer.Option(help="Write what is seen in INPUT: a picture, a video, or a folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    provider: Annotated[list[str] | None, typer.Option(help="Provider in order; may be repeated.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Default: the model's own.")] = None,
) -> None:
    """Try a model as a daemon does before it serves it: each step, its verdict, milliseconds.

    Its golden pictures, [[golden]] of model.toml, must show what they say. The first step that fails ends it.

    Example: edged model test yolox_nano.onnx bus.jpg --save seen.jpg
    """
    from edged.worker.gate import Gate

    if save is not None and look_at is None:
        raise UsageError("--save", "has nothing to write", "name a picture behind the model")
    request = resolved(LoadRequest(path=str(path), providers=providers_of(provider), min_score=min_score))
    gate = Gate(Path(request.path))
    seen: list[dict[str, Any]] = []
    failed: EdgedError | None = None
    printed = _StepPrinter(gate, silent=as_json)
    try:
        gate.files()
        printed.so_far()
        with candidate(request) as model:
            description = gate.load(model)
            printed.so_far()
            gate.golden(model, description)
            printed.rest()
            if look_at is not None:
                _look(model, description, look_at, save, seen.append if as_json else None)
    except EdgedError as error:
        failed = error
    printed.rest()
    if as_json:
        typer.echo(
            json.dumps(_document(request.path, gate.steps, failed, seen), indent=2, ensure_ascii=False)
        )
    sys.stdout.flush()
    if failed:
        raise failed


class _StepPrinter:
    """A row a step, each once."""

    def __init__(self, gate: "Gate", *, silent: bool) -> None:
        self._left = [] if silent else list(gate.steps)
        self._last = [] if silent else [NOT_HERE]

    def so_far(self) -> None:
        """Print the steps that were run since."""
        while self._left and self._left[0].verdict != "not run":
            self._print(self._left.pop(0))

    def rest(self) -> None:
        """Print all that was not printed yet, whether it was run or not."""
        while self._left:
            self._print(self._left.pop(0))
        while self._last:
            typer.echo(self._last.pop())

    def _print(self, step: "Step") -> None:
        took = "" if step.ms is None else f"{step.ms:.1f} ms"
        typer.echo(f"{step.name:<10} {step.verdict:<8} {took:>11}  {step.note}".rstrip())
        sys.stdout.flush()


def _look(
    model: "Answering",
    description: ModelDescription,
    name: str,
    save: Path | None,
    keep: Callable[[dict[str, Any]], None] | None,
) -> None:
    """What the model sees, as `edged detect` and `edged score` show it; ``keep`` takes messages instead."""
    if isinstance(description.input, RowRecipe):
        _score(model, description, name, keep)
        return
    from edged.cli.detect import JsonPrinter, PagePrinter, look_at, saving
    from edged.worker.looking import Look

    def fail(error: EdgedError) -> None:
        raise error

    class Keeper(JsonPrinter):
        def show(self, seen: "Seen") -> None:
            if keep:
                keep(json.loads(self.message(seen)))

    printer = Keeper(description) if keep else PagePrinter(description)
    look = Look(model, description.picture)
    look_at(name, look, printer, saver_of=saving(save, [name]), every=1, note=fail)
    printer.close()


def _score(
    model: "Answering",
    description: ModelDescription,
    name: str,
    keep: Callable[[dict[str, Any]], None] | None,
) -> None:
    from edged.cli.score import JsonPrinter, PagePrinter, score_file

    class Keeper(JsonPrinter):
        def say(self, line: bytes) -> None:
            if keep:
                keep(json.loads(line))

    score_file(name, model, description, Keeper(description) if keep else PagePrinter(description))


def _document(
    path: str, steps: "list[Step]", failed: EdgedError | None, seen: list[dict[str, Any]]
) -> dict[str, Any]:
    error = {"problem": failed.problem, "remedy": failed.remedy} if failed else None
    return {
        "path": path,
        "passed": all(step.verdict in {"passed", "none"} for step in steps),
        "steps": [
            {"name": step.name, "verdict": step.verdict, "ms": step.ms, "note": step.note} for step in steps
        ],
        "error": error,
        "seen": seen,
    }

"""Golden rows: files of rows whose outcome is known, beside a model; what a model says of files of rows.

A file is CSV, or JSON lines; see `edged.sources.rowformat`. A window is as long as the model's, or the whole file.
Several windows stand one after the other; what is left at the end of a file is no window.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edged.detection import label_of
from edged.errors import BadInput, EdgedError, ModelRejected
from edged.manifest import ExpectedObject, Golden, Manifest, RowRecipe
from edged.rows import Rows, Scores, Windows
from edged.sources.rowformat import RowParser
from edged.sources.rowvalues import RowFormat, RowSpec
from edged.sources.windowing import Windower
from edged.worker.answer import Answering
from edged.worker.description import ModelDescription, RowUse
from edged.worker.wire import Texts

MAX_FILE_BYTES = 64 * 1024**2
CLOSE = 1e-3
"""A value is as expected where it differs by this part of it at most; of one below 1, by so much."""


def format_of(path: str) -> RowFormat:
    """How a file's rows are written, by its name: ``.json``, ``.jsonl``, ``.ndjson``; otherwise CSV."""
    return "json" if path.lower().endswith((".json", ".jsonl", ".ndjson")) else "csv"


def read_windows(path: Path, recipe: RowRecipe, fields: tuple[str, ...] = ()) -> Windows:
    """The windows of a file of rows, every one of which must be readable.

    Args:
        path: The file.
        recipe: Of the model.
        fields: What a sensor calls the features; the names that the model has for them come first.

    Raises:
        BadInput: A row is not readable, there are too few, or the file is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})", "check its permissions") from error
    if len(content) > MAX_FILE_BYTES:
        raise BadInput(str(path), f"is larger than {MAX_FILE_BYTES} bytes", "golden rows are few")
    rows = _read(path, content, recipe, fields)
    window = recipe.window or max(1, len(rows))
    windows = Windower("golden", window=window).push(rows, at_monotonic_s=0.0)
    if not windows:
        short = f"has {len(rows)} row{'' if len(rows) == 1 else 's'}, a window {window}"
        raise BadInput(str(path), short if len(rows) else "has no rows", "use a longer file")
    return windows[0]


def _read(path: Path, content: bytes, recipe: RowRecipe, fields: tuple[str, ...]) -> Rows:
    """All rows; the columns are called as the model has it, or as a sensor does, or are those there are."""
    only_text = recipe.features == len(recipe.texts) == 1 and path.suffix.lower() == ".txt"
    reason = ""
    for names in dict.fromkeys((recipe.names, fields, ())):
        spec = RowSpec(
            format="text" if only_text else format_of(path.name),
            features=recipe.features,
            fields=names,
            texts=recipe.texts,
        )
        rows, rejected = RowParser(spec).parse(content, at_s=0.0)
        if not rejected:
            return rows
        reason = reason or f"line {rejected[0].line}: {rejected[0].reason}"
    raise BadInput(str(path), reason, "correct the line")


def golden_windows(
    onnx: Path, manifest: Manifest, recipe: RowRecipe, uses: Sequence[RowUse]
) -> tuple[NDArray[np.float64], Texts] | None:
    """The first window of the first golden file that can be read, to try a model on; None where there is none."""
    fields = next((use.fields for use in uses if use.fields), ())
    for golden in manifest.golden:
        name = PurePosixPath(golden.input)
        path = onnx.parent / name
        if name.is_absolute() or ".." in name.parts or not path.is_file():  # a pipe would be waited for
            continue
        try:
            windows = read_windows(path, recipe, fields)
        except EdgedError:
            continue
        return windows.numbers[:1], tuple(windows.texts[:1])
    return None


def scored(
    answers: Answering, recipe: RowRecipe, windows: Windows
) -> Iterator[tuple[Windows, Scores, float]]:
    """Windows through a model, in batches: what was scored, what came out, and milliseconds in the runtime.

    Args:
        answers: The loaded model.
        recipe: Of it.
        windows: Without receipts.

    Raises:
        InferenceFailed: The model gave no answer.
        BadInput: A window has too many rows for it.
    """
    size = recipe.at_once(windows.numbers.shape[1])
    if not size:
        raise BadInput(
            windows.source, f"windows of {windows.numbers.shape[1]:,} rows are too long", "use fewer"
        )
    rest = windows
    while len(rest):
        part, rest = rest.split(min(size, len(rest)))
        answer = answers.score(0, part.numbers, tuple(part.texts))
        yield part, answer.scores, answer.inference_ms


def prove_rows(
    answers: Answering,
    description: ModelDescription,
    path: Path,
    golden: Golden,
    fields: tuple[str, ...] = (),
) -> None:
    """Every window of a golden file must be what one of its expectations says; a single expectation holds for all.

    Args:
        answers: The loaded model.
        description: Of it.
        path: The file.
        golden: What ``model.toml`` says of it.
        fields: See `read_windows`.

    Raises:
        ModelRejected: The model says something else, or the file or an expectation is no good; the text says which.
        WorkerLost: Its process died.
    """
    subject, where = description.path, f"golden rows {golden.input!r}"
    try:
        windows = read_windows(path, description.rows, fields)
        found = [
            (scores, n)
            for _, scores, _ in scored(answers, description.rows, windows)
            for n in range(len(scores))
        ]
    except BadInput as error:
        raise ModelRejected(subject, f"{where}: {error.problem}", error.remedy) from error
    if len(golden.expect) not in {1, len(found)}:
        raise ModelRejected(
            subject,
            f"{where}: {len(found)} window{'' if len(found) == 1 else 's'}, {len(golden.expect)} expected",
            "say expect once for all, or once for each",
        )
    expected = golden.expect * len(found) if len(golden.expect) == 1 else golden.expect
    for number, ((scores, n), one) in enumerate(zip(found, expected, strict=True)):
        wrong = _senseless(one, scores, description.labels) or _difference(scores, n, description.labels, one)
        if wrong:
            raise ModelRejected(
                subject,
                f"{where}, window {number}: {wrong}",
                "do not serve it, or correct [[golden]] in model.toml",
            )


def _senseless(one: ExpectedObject, scores: Scores, labels: Sequence[str]) -> str:
    """Why such a model can never be as expected, in words; empty if it can."""
    kind = scores.kind
    unknown = kind == "class" and labels and one.label is not None and one.label not in labels
    beside = kind == "class" and (one.anomaly is not None or one.value is not None)
    reasons = {
        "expects a box, and rows have none": one.box is not None,
        "expects a label, and the model is no classifier": one.label is not None and kind != "class",
        "expects more than the label of a classifier": one.label is not None and beside,
        "expects an anomaly or none, and the model tells none": one.anomaly is not None and kind != "anomaly",
        "expects a value, and the model gives none": one.value is not None
        and kind not in {"anomaly", "value"},
        f"expects {one.label!r}, a label that the model does not have": unknown,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _difference(scores: Scores, n: int, labels: Sequence[str], one: ExpectedObject) -> str:
    """What is otherwise than expected, in words; empty if nothing is. Of several values the first counts."""
    if one.label is not None:
        label = scores.names[n] if len(scores.names) else label_of(labels, int(scores.class_id[n]))
        return "" if label == one.label else f"is {label!r}, not {one.label!r}"
    if one.anomaly is not None and bool(scores.anomaly[n]) != one.anomaly:
        return "is no anomaly" if one.anomaly else "is an anomaly"
    wanted = one.value
    if wanted is None:
        return ""
    value = float(scores.values[n, 0])
    return "" if abs(value - wanted) <= CLOSE * max(1.0, abs(wanted)) else f"is {value:.6g}, not {wanted:.6g}"

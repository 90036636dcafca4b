"""Which of a classifier's outputs is its label, which hold its scores, and what kind of numbers these are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edged.decode.tabular.family import RowEvidence
from edged.decode.tabular.outputs import Output
from edged.decode.tabular.scores import (
    ColumnScores,
    MapScores,
    Matrix,
    Reading,
    ScoreSource,
    TensorScores,
    are_probabilities,
)

_LABEL_NAMES = ("label", "output_label", "labels", "class", "predicted_label", "prediction")
_SQUASHING = frozenset({"Sigmoid", "HardSigmoid", "Softmax", "Clip"})
_NO_PROBABILITIES = "its scores are no probabilities: decision values or distances, given as they are"
_SOFTMAX = "its scores do not sum to 1: taken as logits, through softmax"
_INDEPENDENT = "its scores do not sum to 1: each class has a probability of its own"


@dataclass(frozen=True, slots=True)
class Scoring:
    """Where the scores are.

    Attributes:
        source: Outputs to scores.
        classes: Columns.
        outputs: That are read for it.
        keys: Names of the classes where the outputs themselves say them.
        notes: What a user should know.
    """

    source: ScoreSource
    classes: int
    outputs: tuple[Output, ...]
    keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def label_output(evidence: RowEvidence, seen: Sequence[Output]) -> Output | None:
    """The output that holds a window's class, as an integer or a text; of several the one that is called so."""
    found = [output for output in seen if output.is_label]
    if any(output.kind in {"integers", "texts"} for output in seen if output not in found):
        return None
    named = [output for output in found if output.name.lower() in _LABEL_NAMES]
    if len(found) > 1 and len(named) == 1:
        return named[0]
    return found[0] if len(found) == 1 or (found and evidence.family) else None


def scoring(evidence: RowEvidence, seen: Sequence[Output], label: Output | None) -> Scoring | None:
    """The scores, or None where no output can be them."""
    found = _in_maps(evidence, seen)
    if found is None:
        found = _in_rows(evidence, seen) if label else _in_one_row(evidence, seen)
    if found is None and label:
        found = _in_columns(evidence, seen, label)
    if found is None:
        found = _in_one_number(evidence, seen, label)
    return found


def _in_maps(evidence: RowEvidence, seen: Sequence[Output]) -> Scoring | None:
    for output in seen:
        if output.kind != "maps" or output.size < 2:
            continue
        maps = evidence.trial[output.position].tolist()
        alike = all(one.keys() == maps[0].keys() for one in maps)
        if alike and all(isinstance(value, float) for value in maps[0].values()):
            keys = _in_order(list(maps[0]), evidence.class_labels)
            source = MapScores(output, keys)
            sums = are_probabilities(source(evidence.trial, evidence.windows))
            notes = () if sums else (_NO_PROBABILITIES,)
            return Scoring(source, len(keys), (output,), tuple(map(str, keys)), notes)
    return None


def _in_order(keys: list[Any], known: Sequence[str]) -> tuple[Any, ...]:
    """As the graph has them, else sorted."""
    by_text = {str(key): key for key in keys}
    return tuple(by_text[name] for name in known) if set(known) == by_text.keys() else tuple(sorted(keys))


def _in_rows(evidence: RowEvidence, seen: Sequence[Output]) -> Scoring | None:
    """Beside a label: the first row that is one of probabilities, else the first."""
    found = [(output, _numbers(evidence, output)) for output in seen if output.is_row and output.size > 1]
    if not found:
        return None
    output, sure = next(
        ((o, True) for o, numbers in found if are_probabilities(numbers)), (found[0][0], False)
    )
    return Scoring(TensorScores(output), output.size, (output,), notes=() if sure else (_NO_PROBABILITIES,))


def _in_one_row(evidence: RowEvidence, seen: Sequence[Output]) -> Scoring | None:
    """Without a label: a row that is said to be a classifier's, or alone and of probabilities."""
    said = evidence.family == "classifier"
    names = len(evidence.labels) or len(evidence.class_labels)
    found = [
        output
        for output in seen
        if output.is_row and output.size > 1 and (output.size == names or len(seen) == 1 or said)
    ]
    sure = [output for output in found if are_probabilities(_numbers(evidence, output))]
    if len(sure or found) != 1:
        return None
    output = (sure or found)[0]
    if sure:
        return Scoring(TensorScores(output), output.size, (output,))
    if output.size != names and not said:
        return None
    numbers = _numbers(evidence, output)
    if "Sigmoid" in evidence.operators and _are_fractions(numbers):
        return Scoring(TensorScores(output), output.size, (output,), notes=(_INDEPENDENT,))
    return Scoring(TensorScores(output, "softmax"), output.size, (output,), notes=(_SOFTMAX,))


def _in_columns(evidence: RowEvidence, seen: Sequence[Output], label: Output) -> Scoring | None:
    """skl2onnx calls them ``i0``, ``i-1`` or ``sNAME``, in the order of the classes."""
    columns = tuple(output for output in seen if output.is_single)
    prefix = "i" if label.kind == "integers" else "s"
    if len(columns) < 2 or not all(output.name.startswith(prefix) for output in columns):
        return None
    keys = tuple(output.name.removeprefix(prefix) for output in columns)
    if len(evidence.class_labels) == len(keys):
        keys = evidence.class_labels  # a name of an output may have lost what is no letter
    elif label.kind == "integers" and not all(key.lstrip("-").isdigit() for key in keys):
        return None
    source = ColumnScores(columns)
    sums = are_probabilities(source(evidence.trial, evidence.windows))
    return Scoring(source, len(keys), columns, keys, () if sums else (_NO_PROBABILITIES,))


def _in_one_number(evidence: RowEvidence, seen: Sequence[Output], label: Output | None) -> Scoring | None:
    """Of two classes a number may tell; it is that of the second."""
    columns = [output for output in seen if output.is_single]
    two = 2 in {len(evidence.labels), len(evidence.class_labels)}
    if len(columns) != 1 or not (two or (label is None and evidence.family == "classifier")):
        return None
    if label is None and len(seen) > 1:
        return None
    numbers = _numbers(evidence, columns[0])
    squashed = any(name in _SQUASHING or ":" in name for name in evidence.operators)
    reading: Reading
    if label is not None:
        is_chance = "Sigmoid" in evidence.operators and _are_fractions(numbers)
        reading = "of the second" if is_chance else "margin of the second"
    else:
        is_chance = squashed and _are_fractions(numbers)
        reading = "of the second" if is_chance else "logit of the second"
    notes = {
        "of the second": (),
        "margin of the second": (_NO_PROBABILITIES,),
        "logit of the second": ("its number is taken as the logit of the second class",),
    }[reading]
    return Scoring(TensorScores(columns[0], reading), 2, (columns[0],), notes=notes)


def _numbers(evidence: RowEvidence, output: Output) -> Matrix:
    entries = output.entries(evidence.trial, evidence.windows)
    return entries.reshape(evidence.windows, output.size).astype(np.float32)


def _are_fractions(numbers: Matrix) -> bool:
    return bool(((numbers >= 0) & (numbers <= 1)).all())

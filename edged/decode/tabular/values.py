"""Regressors, and what is passed on as it came: numbers without a meaning that edged knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edged.decode.tabular.family import Array, RowEvidence, RowRecognition, as_matrix, refused, require_few
from edged.decode.tabular.outputs import Output, require_finite
from edged.errors import InferenceFailed
from edged.rows import Scores


@dataclass(frozen=True, slots=True)
class Values:
    """Outputs of numbers to the values of each window, one output behind the other."""

    outputs: tuple[Output, ...]

    def __call__(self, outputs: Sequence[Array], fed: Array) -> Scores:
        """See `edged.decode.tabular.family.RowDecoder`."""
        columns = [as_matrix(one.entries(outputs, len(fed))) for one in self.outputs]
        return Scores("value", values=np.concatenate(columns, axis=1))


@dataclass(frozen=True, slots=True)
class AsTheyAre:
    """All outputs to nested lists, a map of them a window."""

    outputs: tuple[Output, ...]

    def __call__(self, outputs: Sequence[Array], fed: Array) -> Scores:
        """See `edged.decode.tabular.family.RowDecoder`."""
        names = [one.name for one in self.outputs]
        columns = [_lists(one, outputs, len(fed)) for one in self.outputs]
        return Scores(
            "outputs", outputs=[dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        )


def recognise_regressor(evidence: RowEvidence, seen: tuple[Output, ...]) -> RowRecognition:
    """All outputs of numbers are values.

    Raises:
        ModelRejected: There is none.
    """
    found = tuple(output for output in seen if output.kind == "numbers")
    if not found:
        raise refused(f"is no regressor: it gives {shown(seen)}", "correct family in model.toml")
    count = sum(output.size for output in found)
    require_few(found[0].name, count)
    notes = left_out(seen, found)
    if evidence.labels:
        notes += ("labels are not used: it gives values, no classes",)
    why = f"{shown(found)}: {count} value{'s' if count > 1 else ''} a window"
    return RowRecognition("regressor", why, (), notes + unused_threshold(evidence), Values(found))


def recognise_outputs(
    evidence: RowEvidence, seen: tuple[Output, ...], notes: tuple[str, ...] = ()
) -> RowRecognition:
    """Whatever comes out is passed on.

    Raises:
        ModelRejected: It is too much for a message.
    """
    largest = max(seen, key=lambda output: output.size)
    require_few(largest.name, sum(output.size for output in seen))
    return RowRecognition(
        "outputs", f"it gives {shown(seen)}", (), notes + unused_threshold(evidence), AsTheyAre(seen)
    )


def shown(outputs: Sequence[Output]) -> str:
    """Names and shapes, for a sentence."""
    parts = [
        f"{one.name} {'maps of' if one.kind == 'maps' else one.kind} {['N', *one.shape]}".replace("'", "")
        for one in outputs[:4]
    ]
    return ", ".join(parts) + (f" and {len(outputs) - 4} more" if len(outputs) > 4 else "")


def left_out(seen: Sequence[Output], used: Sequence[Output]) -> tuple[str, ...]:
    """A note on outputs that nothing is made of."""
    others = [output.name for output in seen if output not in used]
    return (f"also gives {', '.join(others):.100}, which is left out",) if others else ()


def unused_threshold(evidence: RowEvidence) -> tuple[str, ...]:
    """A note where there is a threshold, and nothing that is compared with it."""
    if evidence.threshold is None:
        return ()
    return ("[output] threshold is not used: it is for anomalies",)


def _lists(output: Output, outputs: Sequence[Array], windows: int) -> list[Any]:
    """A list a window, or a number, a text, a map."""
    if output.kind == "tensors":
        parts = list(outputs[output.position])
        for part in parts:
            if part.shape[:1] != (windows,):
                raise InferenceFailed("", f"gave {list(part.shape)} in {output.name!r} for {windows} windows")
            require_finite(part, output.name)
        return [list(row) for row in zip(*(part.tolist() for part in parts), strict=True)]
    entries = output.entries(outputs, windows).tolist()
    return [_plain_map(one, output.name) for one in entries] if output.kind == "maps" else entries


def _plain_map(one: Mapping[Any, Any], name: str) -> dict[str, Any]:
    if not np.isfinite(list(one.values())).all():
        raise InferenceFailed("", f"gave NaN or infinity in {name!r}")
    return {str(key): value for key, value in one.items()}

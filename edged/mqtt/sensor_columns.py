"""``results`` of ``edged.sensor/1``: what a model said about many windows, a column for each thing it says.

Each column has an entry a window, so that the n-th entries together are what the n-th window's own message would have
said. A column of which every entry says the same as the message around it is left out. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edged.detection import label_of
from edged.mqtt.payloads import LAST_SECOND
from edged.mqtt.shapes.fields import Count, Shape
from edged.rows import Scores, Windows

_DIGITS = 4
"""Of a classifier's scores, as in a message of one window."""

Positions = NDArray[np.intp]
Column = list[Any]


class Columns:
    """What a model said about some windows, to be cut into messages.

    Arrays become lists here, once for all of them and in few steps: NumPy lets other threads run within each.
    """

    def __init__(
        self,
        windows: Windows,
        scores: Scores,
        chosen: Positions,
        labels: Sequence[str],
        alarms: Sequence[bool] | None = None,
    ) -> None:
        """Those of the chosen windows.

        Args:
            windows: Of one device, N of them.
            scores: Of them.
            chosen: Positions in these, rising.
            labels: Of the model; a class beyond them is named by its number.
            alarms: Whether the alarm was up after each of the N; None where nothing says what an anomaly is.
        """
        positions = chosen.tolist()
        index = slice(None) if len(chosen) == len(windows) else chosen
        self._sequence = [windows.sequence + n for n in positions]
        self._first_us = self._last_us = _microseconds(windows.last_at_s[index])
        if windows.first_at_s is not windows.last_at_s:
            self._first_us = _microseconds(windows.first_at_s[index])
        self._scores: dict[str, Column] = {}
        self._said: dict[str, Column] = {}
        if scores.kind == "class":
            self._classes(scores, index, labels)
        elif scores.kind == "anomaly":
            self._said["anomaly"] = scores.anomaly[index].tolist()
            self._said["score"] = [figure(value) for value in scores.values[index, 0].tolist()]
        elif scores.kind == "value":
            rows = [[figure(value) for value in row] for row in scores.values[index].tolist()]
            alone = scores.values.shape[1] == 1
            self._said["value" if alone else "values"] = [row[0] for row in rows] if alone else rows
        else:
            self._said["outputs"] = [scores.outputs[n] for n in positions]
        if alarms is not None:
            self._said["alarm"] = [alarms[n] for n in positions]
        self._echoes = [windows.echoes[n] for n in positions] if windows.echoes else []

    def part(self, start: int, stop: int) -> dict[str, Any]:
        """``results`` of a message about the chosen windows from one to before another."""
        sequence = self._sequence[start:stop]
        found: dict[str, Any] = {"count": len(sequence)}
        if sequence[-1] - sequence[0] + 1 != len(sequence):
            found["sequence"] = sequence
        first, last = self._first_us[start:stop], self._last_us[start:stop]
        if last.count(last[-1]) < len(last):
            found["captured_us"] = [moment - first[0] for moment in last]
        if first != last:
            found["first_us"] = [moment - first[0] for moment in first]
        found |= {name: column[start:stop] for name, column in self._said.items()}
        if "class_id" in found and found["class_id"].count(None) == len(sequence):
            del found["class_id"]
        if self._scores:
            found["scores"] = {name: column[start:stop] for name, column in self._scores.items()}
        if echo := _table(self._echoes[start:stop]):
            found["echo"] = echo
        return found

    def _classes(self, scores: Scores, index: slice | Positions, labels: Sequence[str]) -> None:
        class_id = scores.class_id[index].tolist()
        if len(scores.names):
            self._said["label"] = np.array(scores.names, object)[index].tolist()
        else:
            names = {one: label_of(labels, one) for one in set(class_id)}
            self._said["label"] = [names[one] for one in class_id]
        self._said["class_id"] = [one if one >= 0 else None for one in class_id]
        if scores.scores.size:
            width = scores.scores.shape[1]
            named = labels if len(labels) >= width else [*labels, *map(str, range(len(labels), width))]
            self._scores = dict(zip(named, _rounded(scores.scores[index]).T.tolist(), strict=False))


def figure(value: float) -> float:
    """A number as a message shows it: with seven digits, as many as float32 has."""
    return float(f"{value:.7g}")


def _microseconds(at_s: NDArray[np.float64]) -> list[int]:
    """Since 1970, rounded as `edged.mqtt.payloads.timestamp` does."""
    alike = bool((at_s == at_s[:1]).all())  # rows that came together and do not say when they were measured
    part, whole = np.modf(np.clip(at_s[:1] if alike else at_s, 0.0, LAST_SECOND))
    moments: list[int] = (whole * 1e6 + np.rint(part * 1e6)).astype(np.int64).tolist()
    return moments * len(at_s) if alike else moments


def _rounded(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """As Python's ``round``: float32 leaves room for the product to be exact in float64."""
    tens = 10.0**_DIGITS
    rounded = matrix.astype(np.float64)
    rounded *= tens
    np.rint(rounded, out=rounded)
    rounded /= tens
    return rounded


def _table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Rows of names to columns; None where a row lacks a name."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


Entries = Annotated[tuple[Count | None, ...], Field(min_length=1)]


class ResultsShape(Shape):
    """What the model said about several windows, in columns: the n-th entry of each is about the n-th window."""

    count: Annotated[int, Field(ge=1)] = Field(
        description="Of the windows: every column has so many entries."
    )
    sequence: tuple[Count, ...] | None = Field(
        None,
        description="Number of each window; absent where they follow the `sequence` of the message one by one.",
    )
    first_us: tuple[int, ...] | None = Field(
        None,
        description="When its first row was measured, in microseconds from `first_at` of the message; absent where "
        "that is when its last row was.",
    )
    captured_us: tuple[int, ...] | None = Field(
        None,
        description="When its last row was measured, in microseconds from `first_at` of the message; absent where "
        "that is `captured_at` of the message for all.",
    )
    label: tuple[str, ...] | None = Field(None, description="As in `result`.")
    class_id: Entries | None = Field(
        None, description="As in `result`; null where the label is none of the model's known ones."
    )
    scores: dict[str, tuple[float | None, ...]] | None = Field(
        None, description="As in `result`: a column for each class."
    )
    value: tuple[float | None, ...] | None = Field(None, description="As in `result`.")
    values: tuple[tuple[float | None, ...], ...] | None = Field(
        None, description="As in `result`: a list for each window."
    )
    anomaly: tuple[bool, ...] | None = Field(None, description="As in `result`.")
    score: tuple[float | None, ...] | None = Field(None, description="As in `result`.")
    outputs: tuple[dict[str, Any], ...] | None = Field(
        None, description="As in `result`: an object for each window."
    )
    alarm: tuple[bool, ...] | None = Field(None, description="As in `result`.")
    echo: dict[str, tuple[str | float | bool | None, ...]] | None = Field(
        None,
        description="Fields of the last row of each window, as `echo` of the sensor asks for; null where it has none.",
    )

"""The rows a model takes: which field of a row goes into which input, and how windows of rows become feeds. Pure.

The layouts of inputs are those of `edged.worker.rowinputs`.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edged.errors import InferenceFailed
from edged.manifest import InputManifest, PerChannel, RowRecipe, TensorSpec
from edged.worker.description import RowUse
from edged.worker.rowinputs import INTEGERS, RowInput, Said, counted, inputs_of, is_fixed, refused
from edged.worker.wire import Texts

MAX_BATCH = 4096
"""Windows in one inference, fewer where they take long; more are not faster (forests of 10 to 150 trees)."""
MAX_LANE_VALUES = 1 << 20
"""Numbers in one inference, unless a single window has more."""
MAX_FEATURES = 100_000
"""More fields are no row, but a picture laid flat."""

_WIDE = {"float64", "int64", "uint64", "int32", "uint32"}
"""What float32 does not hold exactly."""
_NAMES_IN = ("fields", "feature_names", "feature_names_in_", "features", "columns", "input_features")
"""Keys of custom metadata under which exporters name the fields."""


@dataclass(frozen=True, slots=True)
class RowPlan:
    """How windows of rows become feeds.

    Attributes:
        recipe: What the daemon needs to know of it.
        inputs: In the order of the graph.
        scale: First factor of each number.
        mean: Subtracted after that.
        std: Divided by after that.
    """

    recipe: RowRecipe
    inputs: tuple[RowInput, ...]
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def scaled(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """``(x * scale - mean) / std`` of (N, W, F) numbers."""
        if self.scale == 1.0 and not any(self.mean) and set(self.std) == {1.0}:
            return numbers
        scaled: NDArray[Any] = (numbers * self.scale - np.array(self.mean)) / np.array(self.std)
        return scaled

    def feeds(
        self, numbers: NDArray[Any], texts: Sequence[Sequence[Sequence[str]]]
    ) -> dict[str, NDArray[Any]]:
        """An array for each input.

        Args:
            numbers: (N, W, F), scaled; of the fields that are numbers.
            texts: For each window its rows' texts; empty where the model takes none.

        Raises:
            InferenceFailed: A number is none of an input's integers, or the texts are not as many as there must be.
        """
        words = self._words(texts, numbers.shape[:2])
        feeds, number, text = {}, 0, 0
        for one in self.inputs:
            if one.is_text:
                part: NDArray[Any] = words[:, :, text : text + one.count]
                text += one.count
            else:
                part = _checked(numbers[:, :, number : number + one.count], one)
                number += one.count
            feeds[one.name] = _laid(part, one)
        return feeds

    def _words(self, texts: Sequence[Sequence[Sequence[str]]], windows: tuple[int, ...]) -> NDArray[Any]:
        """(N, W, T) texts."""
        shape = (*windows, len(self.recipe.texts))
        if not shape[2]:
            return np.empty(shape, object)
        try:
            words = np.array(texts, object)
        except ValueError:
            words = np.empty(0, object)
        if words.shape != shape and words.size + np.prod(shape):
            raise InferenceFailed("", f"takes {counted(shape[2], 'text')} a row")
        return words.reshape(shape)


def _checked(part: NDArray[Any], one: RowInput) -> NDArray[Any]:
    """The numbers, all of which its integers can hold."""
    if one.dtype in INTEGERS and part.size:
        bounds = np.iinfo(one.dtype)
        least, most = float(part.min()), float(part.max())
        if not bounds.min <= least <= most <= bounds.max:
            bad = most if least >= bounds.min else least
            raise InferenceFailed("", f"takes {one.dtype} in {one.name!r}, and a row has {bad:g}")
        if (broken := part[part != np.trunc(part)]).size:
            raise InferenceFailed("", f"takes whole numbers in {one.name!r}, and a row has {broken[0]:g}")
    return part


def _laid(part: NDArray[Any], one: RowInput) -> NDArray[Any]:
    windows, rows = part.shape[:2]
    if one.fields_first:
        part = part.transpose(0, 2, 1)
    sizes = [rows if size is None else size for size in one.sizes]
    shape = [windows, *sizes] if one.batched else sizes
    return np.ascontiguousarray(part.reshape(shape), object if one.is_text else np.dtype(one.dtype))


def plan_rows(
    specs: Sequence[TensorSpec], given: InputManifest, metadata: Mapping[str, str], uses: Sequence[RowUse]
) -> RowPlan:
    """How windows of rows become the inputs of a model.

    Args:
        specs: Its inputs.
        given: Table ``[input]`` of ``model.toml``.
        metadata: Custom metadata of the file.
        uses: The sensors that want it.

    Raises:
        ModelRejected: It takes something else, or not what a sensor gives; without the model's name.
    """
    names = given.fields or _named_in(metadata)
    said = Said(
        window=given.window or next((use.window for use in uses if use.window), 0),
        fields=len(given.fields or ()) or next((len(use.fields) for use in uses if use.fields), 0),
        named=len(names),
        window_first=bool(given.window and not given.fields),
        fields_alone=bool(given.fields),  # a sensor's may just be too few
    )
    inputs, window = inputs_of(specs, said)
    window = window or given.window or 0
    features = sum(one.count for one in inputs)
    _require_sane(features, window, given)
    if len(inputs) == features > 1 and not given.fields:
        names = tuple(one.name for one in inputs)
    texts = tuple(n for one in inputs if one.is_text for n in range(one.first, one.first + one.count))
    numbers = features - len(texts)
    batch = _batch(specs, (window or 1) * features)
    recipe = RowRecipe(
        features=features,
        names=names if len(names) == features else (),
        texts=texts,
        window=window,
        batch=batch,
        dtype=_dtype(inputs),
        values=lane_values(window, numbers, batch),
    )
    for use in uses:
        _require_fit(recipe, use)
    return RowPlan(
        recipe,
        inputs,
        1.0 if given.scale is None else given.scale,
        _each(given.mean, 0.0, numbers, "mean"),
        _each(given.std, 1.0, numbers, "std"),
    )


def lane_values(window: int, numbers: int, batch: int) -> int:
    """Numbers that a lane's memory must hold; of windows of any length (0) what is sensible."""
    return window * max(1, numbers) * batch if window else MAX_LANE_VALUES


def _require_sane(features: int, window: int, given: InputManifest) -> None:
    if features > MAX_FEATURES:
        raise refused(
            f"takes {features:,} fields a row",
            f"use a model of at most {MAX_FEATURES:,}, or say [input] window in model.toml",
        )
    if given.fields and len(given.fields) != features:
        raise refused(
            f"takes {counted(features, 'field')}, [input] fields names {len(given.fields)}",
            "correct model.toml",
        )
    if given.window and given.window != window:
        raise refused(
            f"takes windows of {counted(window, 'row')}, [input] window says {given.window}",
            "correct model.toml",
        )


def _named_in(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the fields, as exporters write them: a list of JSON or Python, or between commas."""
    for key in _NAMES_IN:
        text = metadata.get(key, "").strip()
        found = _listed(text) if text.startswith(("[", "(")) else tuple(text.split(","))
        names = tuple(name.strip() for name in found)
        if all(names) and not all(name.isdecimal() for name in names):  # how many there are, not which
            return names
    return ()


def _listed(text: str) -> tuple[str, ...]:
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list | tuple) and all(isinstance(name, str) for name in found):
            return tuple(found)
    return ()


def _batch(specs: Sequence[TensorSpec], values: int) -> int:
    """Windows to one inference, of so many values each."""
    if any(is_fixed(spec.shape[0]) for spec in specs):
        return 1
    return max(1, min(MAX_BATCH, MAX_LANE_VALUES // max(1, values)))


def _dtype(inputs: Sequence[RowInput]) -> Literal["float32", "float64"]:
    return "float64" if any(one.dtype in _WIDE for one in inputs) else "float32"


def _each(given: PerChannel | None, usual: float, count: int, key: str) -> tuple[float, ...]:
    if given is None:
        return (usual,)
    numbers = given if isinstance(given, tuple) else (given,)
    if len(numbers) not in {1, count}:
        raise refused(
            f"takes {counted(count, 'number')} a row, [input] {key} has {len(numbers)}",
            "give one, or one for each",
        )
    return tuple(numbers)


def _require_fit(recipe: RowRecipe, use: RowUse) -> None:
    """The model takes what the sensor gives.

    Raises:
        ModelRejected: It does not.
    """
    if use.fields and len(use.fields) != recipe.features:
        raise refused(
            f"takes {counted(recipe.features, 'field')}, sensors.{use.sensor}.fields names {len(use.fields)}",
            "name as many, in the order of the model's, or say the window of the sensor",
        )
    takes = f"takes windows of {counted(recipe.window, 'row')}"
    if recipe.window and not use.fixed:
        raise refused(
            f"{takes}, and that of sensors.{use.sensor} is a time, of any number of rows",
            f"say window = {recipe.window}",
        )
    if recipe.window and use.window and use.window != recipe.window:
        raise refused(
            f"{takes}, that of sensors.{use.sensor} has {use.window}",
            f"say window = {recipe.window}, or leave it out",
        )


def trial_windows(plan: RowPlan, uses: Sequence[RowUse], count: int) -> tuple[NDArray[np.float64], Texts]:
    """Windows of plausible rows to try a model on: the same every time; numbers (N, W, F), and texts.

    What goes into integers is 0, as it may be a position in a table.
    """
    recipe = plan.recipe
    rows = recipe.window or max((use.window for use in uses), default=0) or 1
    numbers = [one for one in plan.inputs if not one.is_text]
    taken = np.repeat([one.dtype not in INTEGERS for one in numbers], [one.count for one in numbers])
    values = np.random.default_rng(2025).random((count, rows, len(taken))) * taken
    texts = ((("a",) * len(recipe.texts),) * rows,) * count if recipe.texts else ()
    return values, texts

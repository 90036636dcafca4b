"""The outputs of a model of rows, one by one: what each holds, and its entries in the order of the windows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edged.decode.tabular.family import Array, RowEvidence, refused
from edged.errors import InferenceFailed
from edged.manifest import TensorSpec

Kind = Literal["numbers", "integers", "texts", "maps", "tensors"]

_KINDS: dict[str, Kind] = {"f": "numbers", "i": "integers", "u": "integers", "b": "integers", "U": "texts"}


@dataclass(frozen=True, slots=True)
class Output:
    """One output.

    Attributes:
        position: Among the outputs.
        name: As declared.
        kind: ``numbers`` are fractions; ``maps`` a map a window, ``tensors`` some arrays with an entry a window each.
        axis: That counts the windows.
        shape: Of a window's entry: (3,) of (N, 3), () of (N,).
    """

    position: int
    name: str
    kind: Kind
    axis: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Values a window."""
        return math.prod(self.shape)

    @property
    def is_row(self) -> bool:
        """Whether a window's entry is numbers in a row: (3,), or (3, 1, 1)."""
        return self.kind == "numbers" and max(self.shape, default=1) == self.size

    @property
    def is_single(self) -> bool:
        """Whether a window's entry is one number."""
        return self.kind == "numbers" and self.size == 1

    @property
    def is_label(self) -> bool:
        """Whether a window's entry is one integer or text."""
        return self.kind in {"integers", "texts"} and self.size == 1

    def entries(self, outputs: Sequence[Array], windows: int) -> Array:
        """(N, …): an entry a window; of kind ``maps`` an array of objects (N,). Not of kind ``tensors``.

        Raises:
            InferenceFailed: Not so many, or NaN or infinity.
        """
        entries = _by_window(outputs[self.position], self.axis, windows)
        if entries.shape[:1] != (windows,):
            raise InferenceFailed("", f"gave {len(entries)} entries in {self.name!r} for {windows} windows")
        require_finite(entries, self.name)
        return entries


def require_finite(values: Array, name: str) -> None:
    """Raise where a number is NaN or infinite; what are no fractions passes.

    Raises:
        InferenceFailed: One is.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InferenceFailed("", f"gave NaN or infinity in {name!r}")


def seen_outputs(evidence: RowEvidence) -> tuple[Output, ...]:
    """What the trial showed of each output; without those that do not depend on the windows.

    Raises:
        ModelRejected: One cannot be told apart by windows, or is not finite.
    """
    found = []
    for position, (spec, array) in enumerate(zip(evidence.outputs, evidence.trial, strict=True)):
        if evidence.windows > 1 and array.shape == spec.shape:
            continue  # the same whatever goes in: skl2onnx's class_labels
        kind = _kind(spec, array)
        if kind == "tensors":
            size = sum(part.size for part in array) // max(1, evidence.windows)
            found.append(Output(position, spec.name, kind, 0, (size,)))
            continue
        axis = _axis(spec, array, evidence.windows)
        output = Output(position, spec.name, kind, axis, ())
        try:
            entries = output.entries(evidence.trial, evidence.windows)
        except InferenceFailed as error:
            raise refused(
                f"{error.problem} on a trial run", "export it anew, with a batch of rows"
            ) from error
        shape = (len(entries[0]),) if kind == "maps" else entries.shape[1:]
        found.append(Output(position, spec.name, kind, axis, shape))
    if not found:
        raise refused("gives nothing for each window", "export it anew, with a batch of rows")
    return tuple(found)


def _kind(spec: TensorSpec, array: Array) -> Kind:
    if array.dtype.kind in _KINDS:
        return _KINDS[array.dtype.kind]
    first = array.flat[0] if array.size else None
    for kind, what in (("texts", str), ("maps", dict), ("tensors", np.ndarray)):
        if isinstance(first, what):
            return kind  # type: ignore[return-value]
    raise refused(
        f"gives in {spec.name!r} what no message holds ({spec.dtype})", "export it without that output"
    )


def _axis(spec: TensorSpec, array: Array, windows: int) -> int:
    """Usually the first; another where that one has a fixed size and one is left open: [3, N, 2]."""
    declared = spec.shape
    if array.ndim != len(declared) or array.ndim < 2 or array.shape[0] != declared[0]:
        return 0
    still_open = [axis for axis, size in enumerate(declared) if not isinstance(size, int) or size < 1]
    return still_open[0] if still_open and array.shape[still_open[0]] == windows else 0


def _by_window(array: Array, axis: int, windows: int) -> Array:
    """(N, …) where it can be seen: of one window the batch may be left out, and a column may hold rows end to end."""
    if axis:
        array = np.moveaxis(array, axis, 0)
    if windows == 1 and array.shape[:1] != (1,):
        return array[None]
    column = array.ndim == 2 and array.shape[1] == 1
    if column and windows and len(array) > windows and len(array) % windows == 0:
        return array.reshape(windows, -1)
    return array if array.ndim else array[None]

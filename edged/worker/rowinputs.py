"""The inputs of a model of rows: which fields go into each, and how they are laid into it. Pure.

    [N, F]                  each row alone, or a window of rows one after the other (F = rows x fields)
    [N, W, F], [N, F, W]    a window of rows
    [N, 1, F], [N, W, 1]    likewise, of one row or one field, where nothing says otherwise
    [N], [N, 1], F times    an input for each field, of its name
    [N, F], [N, G] …        an input for some of the fields each
    without N               one window to an inference

N is open, or 1. What the shapes leave open is settled by ``model.toml``, then by the sensors that want the model. Names
of fields in a file's metadata count only where nothing else does: they may be anything.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edged.errors import ModelRejected
from edged.manifest import TensorSpec

MAX_WINDOW_VALUES = 1 << 24
"""Of one input, in a single window."""

INTEGERS = {f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)}
NUMBERS = {"float16", "float32", "float64", "bool"} | INTEGERS


@dataclass(frozen=True, slots=True)
class RowInput:
    """One input and the fields that go into it.

    Attributes:
        name: Of the input.
        dtype: NumPy's name of it.
        first: Position of its first field.
        count: Of its fields.
        sizes: Without the batch; None = as many rows as the window has.
        batched: Whether a batch stands before ``sizes``.
        fields_first: Whether the fields stand before the rows.
    """

    name: str
    dtype: str
    first: int
    count: int
    sizes: tuple[int | None, ...]
    batched: bool
    fields_first: bool

    @property
    def is_text(self) -> bool:
        """Whether it takes texts."""
        return self.dtype == "str"


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of the rows beside the shapes; 0 where nothing is.

    Attributes:
        window: Rows of a window, as ``model.toml`` or a sensor has it.
        fields: Of a row, likewise.
        named: Fields of a row that stand in the metadata, which a stranger's program wrote.
        window_first: Where window and fields do not fit together, it is the window that counts.
        fields_alone: Fields without a window make one of the rows that stand one after the other.
    """

    window: int
    fields: int
    named: int
    window_first: bool = False
    fields_alone: bool = False


def inputs_of(specs: Sequence[TensorSpec], said: Said) -> tuple[tuple[RowInput, ...], int]:
    """The inputs, one behind the other, and the rows to a window; 0 = as many as the sensor's window has.

    Raises:
        ModelRejected: They are none of rows, or it is not clear of which; without the model's name.
    """
    if not specs:
        raise refused("takes no input", "export it again")
    if len(specs) == 1:
        one, rows = _input(specs[0], said)
        return (one,), rows
    inputs: list[RowInput] = []
    windows: dict[int, str] = {}
    for spec in specs:
        one, rows = _input(spec, _said_of_one(spec, specs, said))
        first = inputs[-1].first + inputs[-1].count if inputs else 0
        inputs.append(replace(one, first=first))
        windows.setdefault(rows, spec.name)
    if len(windows) > 1:
        shown = " and ".join(
            f"{counted(rows, 'row') if rows else 'any number of rows'} in {name}"
            for rows, name in windows.items()
        )
        raise refused(f"takes {shown} at once", "export it with one window for all inputs")
    return tuple(inputs), next(iter(windows))


def _said_of_one(spec: TensorSpec, specs: Sequence[TensorSpec], said: Said) -> Said:
    """What is known of an input among several: each has a field, or some of one row, or a window of one."""
    values = [math.prod(int(size or 1) for size in one.shape[1:] if is_fixed(size)) for one in specs]
    row_alone = said.fields == sum(values)
    has_open = not all(is_fixed(size) for size in spec.shape[1:])
    return Said(1 if row_alone else said.window, fields=1 if has_open else 0, named=0)


def _input(spec: TensorSpec, said: Said) -> tuple[RowInput, int]:
    """An input with all its fields, and the rows to a window; 0 = as many as the sensor's window has."""
    if spec.dtype != "str" and spec.dtype not in NUMBERS:
        raise refused(f"takes no rows ({_shown(spec)})", "an input takes numbers or texts")
    if not spec.shape:
        raise refused(f"takes a single number ({_shown(spec)})", "export it with a batch of rows")
    batched = _has_batch(spec, said.window)
    sizes = tuple(
        size if isinstance(size, int) and size > 0 else None
        for size in (spec.shape[1:] if batched else spec.shape)
    )
    fixed = [size for size in sizes if size]
    product = math.prod(fixed)
    if product > MAX_WINDOW_VALUES:
        raise refused(f"takes {product:,} values at once ({_shown(spec)})", "use a smaller model")
    if len(fixed) < len(sizes):
        return _with_open_size(spec, sizes, said, batched=batched)
    rows, fields_first = _rows_among(fixed, said)
    if product % rows:
        raise refused(
            f"takes {counted(product, 'value')} ({_shown(spec)}), no whole number for each of {rows} rows",
            "correct the window, or fields in [input] of model.toml",
        )
    return RowInput(spec.name, spec.dtype, 0, product // rows, sizes, batched, fields_first), rows


def is_fixed(size: int | str | None) -> bool:
    """Whether a size is a number; else it is open."""
    return isinstance(size, int) and size > 0


def _has_batch(spec: TensorSpec, window: int) -> bool:
    """Whether the first size is that of a batch: it is open, or 1; not where the window stands there."""
    head = spec.shape[0]
    if not is_fixed(head):
        return True
    return head == 1 and len(spec.shape) > 1 and window != 1


def _with_open_size(
    spec: TensorSpec, sizes: tuple[int | None, ...], said: Said, *, batched: bool
) -> tuple[RowInput, int]:
    """Beside the batch one size is open: the rows of a window, or, alone, all values of it."""
    at = sizes.index(None)
    before, after = (math.prod(size or 0 for size in part) for part in (sizes[:at], sizes[at + 1 :]))
    if not before * after or (before > 1 and after > 1):
        raise refused(
            f"leaves open how many rows and fields it takes ({_shown(spec)})",
            "export it with one size open beside the batch",
        )
    one = RowInput(spec.name, spec.dtype, 0, before * after, sizes, batched, before > 1)
    if one.count > 1:
        return one, 0
    column = len(sizes) > 1 and sizes[-1] == 1
    wanted = said.fields or said.named or (1 if column else 0)
    if not wanted:
        raise refused(
            f"leaves open how many fields a row has ({_shown(spec)})",
            "say fields in [input] of model.toml, or at the sensor",
        )
    if wanted == 1:
        return one, 0
    rows = said.window or 1
    if rows * wanted > MAX_WINDOW_VALUES:
        raise refused(f"takes {rows * wanted:,} values at once", "use a shorter window")
    whole = tuple(rows * wanted if size is None else size for size in sizes)
    return replace(one, count=wanted, sizes=whole), rows


def _rows_among(sizes: Sequence[int], said: Said) -> tuple[int, bool]:
    """Rows to a window, and whether the fields stand before them; all sizes are known."""
    long = [size for size in sizes if size > 1]
    if len(long) < 2:
        return _rows_of(math.prod(long), said, column=len(sizes) > 1 and sizes[-1] == 1), False
    front, back = math.prod(long[:-1]), long[-1]
    fields = said.fields or said.named
    fields_first = front != back and (fields == front or said.window == back)
    return (back if fields_first else front), fields_first


def _rows_of(values: int, said: Said, *, column: bool) -> int:
    """Rows that stand one after the other in so many values; in a column (24, 1) there is one a value."""
    if values == 1:
        return 1
    fields_tell = (said.window and not said.window_first) or said.fields_alone
    if said.fields and values % said.fields == 0 and fields_tell:
        return values // said.fields
    return said.window or (values if column else 1)


def refused(problem: str, remedy: str) -> ModelRejected:
    """An error whose subject the caller knows."""
    return ModelRejected("", problem, remedy)


def _shown(spec: TensorSpec) -> str:
    sizes = ", ".join(str(size) if is_fixed(size) else "?" for size in spec.shape)
    return f"{spec.name} {spec.dtype} [{sizes}]"


def counted(count: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

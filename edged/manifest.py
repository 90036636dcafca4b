"""What is known of a model: ``model.toml``, ``labels.txt``, and how its input is to be filled.

``model.toml`` says what the ONNX file cannot say of itself; each key overrides what edged reads from the file.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from edged.allowed import allowed
from edged.bounds import Between, DividesBy
from edged.errors import BadInput, InputNotFound, ModelRejected
from edged.fit import Fit

MAX_TOML_BYTES = 1024**2
MAX_LABELS_BYTES = 4 * 1024**2
MAX_LABELS = 100_000
"""More than four times the classes of the largest known set; each takes up memory in the daemon."""

PerChannel = float | tuple[float, ...]
"""One for all, or one for each colour channel of a picture, or for each field of a row."""


_STRICT = {"extra": "forbid", "allow_inf_nan": False}
"""To whoever reads the tables below from a file."""


@dataclass(frozen=True, slots=True)
class InputManifest:
    """Table ``[input]``: how a picture becomes the tensor, ``(x * scale - mean) / std``."""

    __pydantic_config__ = _STRICT

    size: tuple[Annotated[int, Between(8, 8192)], Annotated[int, Between(8, 8192)]] | None = None
    color: Literal["RGB", "BGR", "GRAY"] | None = None
    layout: Literal["NCHW", "NHWC"] | None = None
    scale: float | None = None
    mean: PerChannel | None = None
    std: Annotated[PerChannel, DividesBy()] | None = None
    fit: Fit | None = None
    pad: Annotated[int, Between(0, 255)] | None = None
    fields: tuple[str, ...] | None = None
    window: Annotated[int, Between(1, 1_000_000)] | None = None


@dataclass(frozen=True, slots=True)
class OutputManifest:
    """Table ``[output]``: which answers are kept, and from which score on a window of rows is an anomaly."""

    __pydantic_config__ = _STRICT

    min_score: Annotated[float, Between(0, 1)] | None = None
    iou: Annotated[float, Between(0, 1, open_below=True)] | None = None
    max_detections: Annotated[int, Between(1, 10000)] | None = None
    threshold: float | None = None
    error: Literal["mse", "mae"] | None = None


@dataclass(frozen=True, slots=True)
class ExpectedObject:
    """What must come out for a golden input.

    ``box`` is x1, y1, x2, y2 in the pixels of the picture; without it the label is that of the whole input: of a window
    of sensor rows, or of a picture of one class. Of a window, ``anomaly`` or ``value`` (of an anomaly: its score) may
    stand in its place.
    """

    __pydantic_config__ = _STRICT

    label: str | None = None
    box: tuple[float, float, float, float] | None = None
    anomaly: bool | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        if self.label is None and self.anomaly is None and self.value is None:
            raise ValueError("a table with a label, an anomaly or a value")


@dataclass(frozen=True, slots=True)
class Golden:
    """A picture, or a file of sensor rows, and what must come out."""

    __pydantic_config__ = _STRICT

    input: str
    expect: tuple[ExpectedObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """``model.toml``; every key optional."""

    __pydantic_config__ = _STRICT

    task: Literal["detect", "classify", "tabular"] | None = None
    family: str | None = None
    labels: tuple[str, ...] | None = None
    input: InputManifest = field(default_factory=InputManifest)
    output: OutputManifest = field(default_factory=OutputManifest)
    golden: tuple[Golden, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A declared input or output.

    Attributes:
        name: As in the graph.
        shape: A number, or a symbol or None where the size is open.
        dtype: NumPy's name of it: ``float32``, ``float16``, ``int64``, ``str`` …
    """

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class InputRecipe:
    """How a frame becomes the tensor of one model: everything that preparing it needs.

    Attributes:
        height: Input pixels.
        width: Input pixels.
        channels: 3, or 1 for a model of grey pictures.
        color: Order of the channels.
        layout: ``NCHW`` or ``NHWC``; the batch is always 1.
        dtype: ``float32``, ``float16`` or ``uint8``.
        scale: First factor.
        mean: Subtracted after ``scale``, per channel in the order of ``color``.
        std: Divided by after ``mean``.
        fit: How the frame is laid into the input.
        pad: Value of pixels without a frame, 0–255, before ``scale``.
    """

    height: int
    width: int
    channels: int = 3
    color: Literal["RGB", "BGR", "GRAY"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fit: Fit = Fit.LETTERBOX
    pad: int = 114

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the tensor, the batch included."""
        if self.layout == "NCHW":
            return (1, self.channels, self.height, self.width)
        return (1, self.height, self.width, self.channels)


@dataclass(frozen=True, slots=True)
class RowRecipe:
    """How windows of rows become the inputs of one model: everything that preparing them needs.

    Attributes:
        features: Fields of a row that the model takes.
        names: Of those, in order; empty where the model does not say, then they count by position.
        texts: Positions of those that are texts, not numbers.
        window: Rows to one inference; 0 = as many as the sensor's window has.
        batch: Windows to one inference at most; 1 where the model has no batch axis.
        dtype: ``float32`` or ``float64``: how numbers travel to it.
        values: Numbers that fit into one lane of the worker's memory.
    """

    features: int
    names: tuple[str, ...] = ()
    texts: tuple[int, ...] = ()
    window: int = 0
    batch: int = 1
    dtype: Literal["float32", "float64"] = "float32"
    values: int = 1

    @property
    def shape(self) -> tuple[int]:
        """Of a lane's memory, in numbers."""
        return (self.values,)

    def at_once(self, rows: int) -> int:
        """Windows of so many rows that go into one inference; 0 = not even one."""
        numbers = max(1, rows * (self.features - len(self.texts)))
        return min(self.batch, self.values // numbers)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one model version.

    Attributes:
        onnx: The model.
        manifest: Its ``model.toml``, or None.
        labels: Its ``labels.txt``, or None.
    """

    onnx: Path
    manifest: Path | None
    labels: Path | None


def model_files(path: Path) -> ModelFiles:
    """Find what belongs to a model.

    Args:
        path: An ONNX file, or a folder with exactly one (``model.onnx`` wins).

    A file ``NAME.onnx`` is described by ``NAME.toml`` and ``NAME.labels.txt``, and by ``model.toml`` and ``labels.txt``
    if it is the only model in its folder.

    Raises:
        InputNotFound: Nothing there.
        ModelRejected: A folder without a model, or with several.
    """
    if path.is_dir():
        path = _only_model(path)
    elif not path.exists():
        raise InputNotFound(str(path), "no such model", "name an .onnx file or a folder that holds one")
    folder, alone = path.parent, sum(1 for _ in path.parent.glob("*.onnx")) <= 1
    return ModelFiles(
        onnx=path,
        manifest=_beside(folder, f"{path.stem}.toml", "model.toml" if alone else None),
        labels=_beside(
            folder, f"{path.stem}.labels.txt", "labels.txt" if alone or path.name == "model.onnx" else None
        ),
    )


def _only_model(folder: Path) -> Path:
    models = sorted(folder.glob("*.onnx"))
    named = folder / "model.onnx"
    if named in models:
        return named
    if len(models) == 1:
        return models[0]
    found = f"holds {len(models)} models" if models else "holds no .onnx file"
    raise ModelRejected(str(folder), found, "name the file")


def _beside(folder: Path, *names: str | None) -> Path | None:
    return next((folder / name for name in names if name and (folder / name).is_file()), None)


def read_manifest(path: Path | None) -> Manifest:
    """Read a ``model.toml``; an empty manifest where there is none.

    Raises:
        ModelRejected: Not readable, not TOML, or a wrong key or value.
    """
    if path is None:
        return Manifest()
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415  # slow to load, and most models need none

    try:
        return TypeAdapter(Manifest).validate_python(tomllib.loads(_read_text(path, MAX_TOML_BYTES)))
    except RecursionError as error:
        raise ModelRejected(str(path), "is nested too deeply", "see docs/models.md for the keys") from error
    except ValidationError as error:
        detail = error.errors()[0]
        # Of a number or three, pydantic names the kind too.
        key = ".".join(
            part for part in map(str, detail["loc"]) if not re.match(r"float$|tuple\[|function", part)
        )
        if detail["type"] == "unexpected_keyword_argument":
            near = get_close_matches(str(detail["loc"][-1]), _all_keys(Manifest), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see docs/models.md for the keys"
            raise ModelRejected(str(path), f"unknown key {key!r}", hint) from error
        if detail["type"] == "missing":
            raise ModelRejected(str(path), f"{key!r} is missing", "add it") from error
        problem = f"{key!r} is {detail['input']!r:.60}"
        raise ModelRejected(str(path), problem, f"allowed: {_allowed(detail)}") from error
    except ValueError as error:  # not TOML, or a number with thousands of digits
        raise ModelRejected(str(path), f"is not TOML ({error})", "correct that line") from error


def _allowed(detail: Mapping[str, Any]) -> str:
    if "float" in detail["loc"]:  # of two ways, pydantic tells of the first
        return "a number, or a list of numbers: one for each channel or field"
    return allowed(detail)


def _all_keys(table: Any) -> list[str]:
    keys: list[str] = []
    for name, kind in get_type_hints(table).items():
        keys.append(name)
        if is_dataclass(kind):
            keys += _all_keys(kind)
    return keys


def read_labels(path: Path | None) -> tuple[str, ...]:
    """The lines of a ``labels.txt``, without blank ones at its end; empty where there is no file.

    Raises:
        ModelRejected: Not readable as UTF-8 text, or more than `MAX_LABELS`.
    """
    if path is None:
        return ()
    lines = [line.strip() for line in _read_text(path, MAX_LABELS_BYTES).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > MAX_LABELS:
        raise ModelRejected(str(path), f"holds more than {MAX_LABELS:,} labels", "a line a class is enough")
    return tuple(lines)


def _read_text(path: Path, limit_bytes: int) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise ModelRejected(
            str(path), f"cannot be read ({error.strerror})", "check its permissions"
        ) from error
    if len(content) > limit_bytes:
        raise BadInput(str(path), f"is larger than {limit_bytes} bytes", "this is not such a file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelRejected(str(path), "is not UTF-8 text", "save it as UTF-8") from error

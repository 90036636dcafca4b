"""A walk over an ONNX file without native code: what it says of itself, and what no runtime should be shown.

An ONNX file is a protocol-buffer message without a checksum. This walk follows its length-delimited fields and reads
names, versions and counts, never weights. Field numbers are those of ``onnx/onnx.proto``. It is bounded in nodes,
nesting and bytes, and it stops at the first thing that is wrong.
"""

import hashlib
import math
import mmap
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from edged.errors import InputNotFound, ModelRejected
from edged.inference.classlabels import ClassLabels
from edged.inference.endings import Endings
from edged.inference.protobuf import Malformed, fields, message, numbers, text

MAX_FILE_BYTES = 4 * 1024**3
MAX_NODES = 1_000_000
MAX_DEPTH = 8
"""Of graphs in graphs (If, Loop, Scan); real models use one or two."""
MAX_METADATA = 1000
MAX_METADATA_BYTES = 1024**2
"""Keys and values together; what is beyond is not looked at."""
MAX_PRODUCER_CHARS = 200
MAX_LOCATIONS_BYTES = 256 * 1024
"""Names of files with weights together. All this is told to the daemon, in which a byte may take up six."""

MAX_RANK = 64
MAX_TENSOR_BYTES = 2**40
"""That the sizes of one tensor promise."""

KNOWN_DOMAINS = (
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview",
    "com.microsoft",
    "com.ms.internal",
    "org.pytorch",
)
"""Of operators, beside the standard one. What begins like one of `EXTENSIONS` needs a library that is not here."""
EXTENSIONS = ("com.microsoft.extensions", "ai.onnx.contrib")

_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8,
}  # fmt: skip
"""Of an element, by ``TensorProto.DataType``; texts have none."""

_LFS = b"version https://git-lfs"


@dataclass(slots=True)
class ModelSummary:
    """What an ONNX file says of itself.

    Attributes:
        ir_version: Of the ONNX format.
        producer: Name and version of the program that wrote it.
        opsets: Version by domain; the standard one is called ``ai.onnx``.
        metadata: Custom metadata.
        operators: Nodes by ``domain:type``, the standard domain without prefix, graphs in graphs included.
        external_data: Files that hold weights, relative to the model.
        location_bytes: Of their names together.
        functions: Domains of the functions that it brings with it.
        digest: ``sha256:…`` of the file.
        size_bytes: Of the file.
        node_count: Nodes in all graphs.
        class_labels: What a classifier of rows calls its classes, in their order, numbers as text; see
            `edged.inference.classlabels`.
        endings: Operator that makes an output's numbers, by the output's name; see `edged.inference.endings`.
    """

    digest: str = ""
    size_bytes: int = 0
    node_count: int = 0
    ir_version: int = 0
    producer: str = ""
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    operators: Counter[str] = field(default_factory=Counter)
    external_data: set[str] = field(default_factory=set)
    location_bytes: int = 0
    functions: set[str] = field(default_factory=set)
    class_labels: tuple[str, ...] = ()
    endings: dict[str, str] = field(default_factory=dict)


def precheck(path: Path, summary: ModelSummary | None = None) -> ModelSummary:
    """Read what a model file says of itself.

    Args:
        path: The file.
        summary: An empty one to fill, which holds what was read until then where this raises.

    Raises:
        InputNotFound: No such file.
        ModelRejected: Not an ONNX model, cut short, or with something that no runtime should be shown.
    """
    summary = summary or ModelSummary()
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise ModelRejected(str(path), "is no file", "name an .onnx file or a folder that holds one")
        with path.open("rb") as file:
            summary.size_bytes = file.seek(0, 2)
            if summary.size_bytes > MAX_FILE_BYTES:
                raise ModelRejected(
                    str(path), f"is larger than {MAX_FILE_BYTES} bytes", "use a smaller model"
                )
            file.seek(0)
            summary.digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            file.seek(0)
            _check_head(path, file.read(64), summary.size_bytes)
            # Not closed by hand: an error's traceback still holds slices of it.
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        _read_model(view, summary)
    except FileNotFoundError as error:
        raise InputNotFound(
            str(path), "no such model", "name an .onnx file or a folder that holds one"
        ) from error
    except OSError as error:
        raise ModelRejected(
            str(path), f"cannot be read ({error.strerror})", "check the file and its permissions"
        ) from error
    except Malformed as error:
        raise ModelRejected(
            str(path), f"is not a whole ONNX model ({error})", "export or copy it again"
        ) from error
    _check_summary(path, summary)
    return summary


def _check_head(path: Path, head: bytes, size: int) -> None:
    if head.startswith(_LFS):
        raise ModelRejected(
            str(path), "is a Git LFS pointer, not the model", "fetch the file with `git lfs pull`"
        )
    if size < 16:
        raise ModelRejected(str(path), f"is only {size} bytes long", "export or copy it again")


def _check_summary(path: Path, summary: ModelSummary) -> None:
    if not summary.ir_version or not summary.opsets or not summary.node_count:
        raise ModelRejected(str(path), "is not an ONNX model", "export it as ONNX")
    for location in sorted(summary.external_data):
        if _leads_out(path, location):
            raise ModelRejected(
                str(path),
                f"keeps weights outside its folder ({location!r:.100})",
                "export it with its weights inside",
            )
    if any(name.endswith("EPContext") for name in summary.operators):
        raise ModelRejected(
            str(path), "is compiled for one provider (EPContext)", "use the model it was compiled from"
        )
    foreign = sorted(name for name in summary.operators if not _is_known(name, summary))
    if foreign:
        raise ModelRejected(
            str(path),
            f"uses operators that no runtime here has ({', '.join(foreign[:3])})",
            "export it with operators of ONNX only",
        )


def _leads_out(path: Path, location: str) -> bool:
    """Whether a file with weights is named by a path out of the model's folder, or leads out of it by a link.

    Newer runtimes look at links themselves, older ones follow them.
    """
    pure = PurePosixPath(location)
    if pure.is_absolute() or PureWindowsPath(location).is_absolute() or ".." in pure.parts or not location:
        return True
    try:
        target, folders = (path.parent / pure).resolve(), (path.parent.resolve(), path.resolve().parent)
    except (OSError, RuntimeError, ValueError):  # links in a circle, a name that no file can have
        return True
    return not any(target.is_relative_to(folder) for folder in folders)


def _is_known(operator: str, summary: ModelSummary) -> bool:
    """Whether an operator's domain is the standard one, one that runtimes know, or that of a function in the file."""
    domain, colon, _ = operator.rpartition(":")
    if not colon or domain in summary.functions:
        return True
    return domain.startswith(KNOWN_DOMAINS) and not domain.startswith(EXTENSIONS)


def _read_model(view: memoryview, summary: ModelSummary) -> None:
    producer, metadata_bytes = ["", ""], 0
    for number, value in fields(view):
        if number == 1 and isinstance(value, int):
            summary.ir_version = value
        elif number in {2, 3}:
            producer[number - 2] = text(value)[:MAX_PRODUCER_CHARS]
            summary.producer = " ".join(filter(None, producer))
        elif number == 7:
            _read_graph(message(value), summary, depth=1)
        elif number == 8:
            _read_opset(message(value), summary)
        elif number == 14 and len(summary.metadata) < MAX_METADATA:
            pair = {n: text(v) for n, v in fields(message(value)) if n in {1, 2}}
            metadata_bytes += len(message(value))
            if metadata_bytes <= MAX_METADATA_BYTES:
                summary.metadata[pair.get(1, "")] = pair.get(2, "")
        elif number == 25:
            _read_function(message(value), summary)


def _read_opset(view: memoryview, summary: ModelSummary) -> None:
    domain, version = "", 0
    for number, value in fields(view):
        if number == 1:
            domain = text(value)
        elif number == 2 and isinstance(value, int):
            version = value
    summary.opsets[domain or "ai.onnx"] = version


def _read_function(view: memoryview, summary: ModelSummary) -> None:
    for number, value in fields(view):
        if number == 10:
            summary.functions.add(text(value))
        elif number == 7:
            _read_node(message(value), summary, depth=1)
        elif number == 11:
            _read_attribute(message(value), summary, depth=1)


def _read_graph(view: memoryview, summary: ModelSummary, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Malformed(f"graphs nested deeper than {MAX_DEPTH}")
    labels, endings = ClassLabels(), Endings()
    for number, value in fields(view):
        if number == 1:
            operator = _read_node(message(value), summary, depth)
            labels.see(operator, message(value))
            endings.see(operator, message(value))
        elif number == 5:
            _read_tensor(message(value), summary)
        elif number == 15:
            _read_sparse_tensor(message(value), summary)
    if depth == 1:
        summary.class_labels = labels.named(view)
        summary.endings = endings.named(view)


def _read_node(view: memoryview, summary: ModelSummary, depth: int) -> str:
    """Its ``domain:type``."""
    operator = domain = ""
    for number, value in fields(view):
        if number == 4:
            operator = text(value)
        elif number == 7:
            domain = text(value)
        elif number == 5:
            _read_attribute(message(value), summary, depth)
    name = f"{domain}:{operator}" if domain not in {"", "ai.onnx"} else operator
    summary.operators[name] += 1
    summary.node_count += 1
    if summary.node_count > MAX_NODES:
        raise Malformed(f"more than {MAX_NODES} nodes")
    return name


def _read_attribute(view: memoryview, summary: ModelSummary, depth: int) -> None:
    for number, value in fields(view):
        if number in {6, 11}:
            _read_graph(message(value), summary, depth + 1)
        elif number in {5, 10}:
            _read_tensor(message(value), summary)
        elif number in {22, 23}:
            _read_sparse_tensor(message(value), summary)


def _read_sparse_tensor(view: memoryview, summary: ModelSummary) -> None:
    for number, value in fields(view):
        if number in {1, 2}:
            _read_tensor(message(value), summary)


def _read_tensor(view: memoryview, summary: ModelSummary) -> None:
    sizes: list[int] = []
    kind, held_bytes, elsewhere = 0, None, False
    for number, value in fields(view):
        if number == 1:
            sizes += _sizes(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 9:
            held_bytes = len(message(value))
        elif number == 14:
            elsewhere = value == 1
        elif number == 13:
            pair = {n: text(v) for n, v in fields(message(value)) if n in {1, 2}}
            if pair.get(1) == "location":
                _add_location(pair.get(2, ""), summary)
    _check_sizes(sizes, kind, None if elsewhere else held_bytes)


def _add_location(name: str, summary: ModelSummary) -> None:
    if name not in summary.external_data:
        summary.external_data.add(name)
        summary.location_bytes += len(name.encode())
        if summary.location_bytes > MAX_LOCATIONS_BYTES:
            raise Malformed("names of files with weights that are too many or too long")


def _sizes(value: int | memoryview) -> list[int]:
    found = []
    for number in numbers(value):
        found.append(number)
        if len(found) > MAX_RANK:
            raise Malformed(f"a tensor of more than {MAX_RANK} dimensions")
    return found


def _check_sizes(sizes: list[int], kind: int, held_bytes: int | None) -> None:
    """The sizes of a tensor, and the bytes it has; None where they are not in one piece here."""
    if len(sizes) > MAX_RANK:
        raise Malformed(f"a tensor of more than {MAX_RANK} dimensions")
    bits = _BITS.get(kind)
    if bits is None:
        return
    wanted_bytes = (math.prod(sizes) * bits + 7) // 8
    if wanted_bytes > MAX_TENSOR_BYTES:  # also what is negative, which is a great number here
        raise Malformed(f"a tensor of {' x '.join(map(str, sizes))}")
    if held_bytes is not None and held_bytes != wanted_bytes:
        raise Malformed(f"a tensor that needs {wanted_bytes} bytes and has {held_bytes}")

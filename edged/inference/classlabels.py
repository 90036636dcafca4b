"""What a classifier of rows calls its classes, read from its graph.

Three kinds of nodes know: classifiers and ZipMap in an attribute, and ArrayFeatureExtractor where it looks a class up
in a constant (skl2onnx ends most of its classifiers so). Of several the last one tells: a classifier made of others,
such as scikit-learn's stacking, calls the inner classes 0 and 1 whatever its own are. Field numbers are those of
``onnx/onnx.proto``.

What cannot be read names nothing and harms nothing: it is for the runtime to refuse it.
"""

import struct
from collections import deque
from collections.abc import Iterable, Mapping

from edged.inference.protobuf import Malformed, fields, message, numbers, text

MAX_LABELS = 10_000
MAX_LABELS_BYTES = 1024**2

_LOOK_UP = "ai.onnx.ml:ArrayFeatureExtractor"
_NAMING = frozenset(
    {
        _LOOK_UP,
        "ai.onnx.ml:LinearClassifier",
        "ai.onnx.ml:SVMClassifier",
        "ai.onnx.ml:TreeEnsembleClassifier",
        "ai.onnx.ml:ZipMap",
    }
)
_LABELS = frozenset({"classlabels_strings", "classlabels_int64s", "classlabels_ints"})
_INTEGERS = {6: "<i", 7: "<q"}
"""Formats in raw bytes, by ``TensorProto.DataType``."""
_ASKED = 64
"""Of the nodes that may know, the last so many are asked: forests look features up by the hundred."""


class ClassLabels:
    """Collects during a walk over a graph which nodes may know its classes."""

    def __init__(self) -> None:
        self._last: deque[tuple[str, memoryview]] = deque(maxlen=_ASKED)

    def see(self, operator: str, node: memoryview) -> None:
        """A node, ``domain:type``; in the order of the graph."""
        if operator in _NAMING:
            self._last.append((operator, node))

    def named(self, graph: memoryview) -> tuple[str, ...]:
        """The classes in their order, numbers as text; empty where nothing names them.

        Args:
            graph: The same.
        """
        try:
            constants = _constants(graph) if any(name == _LOOK_UP for name, _ in self._last) else {}
        except Malformed:
            return ()
        for operator, node in reversed(self._last):
            try:
                found = _looked_up(node, constants) if operator == _LOOK_UP else _in_attributes(node)
            except (Malformed, struct.error):
                continue
            if found:
                return found
        return ()


def _in_attributes(node: memoryview) -> tuple[str, ...]:
    for number, value in fields(node):
        if number == 5:
            found = _of_attribute(message(value))
            if found:
                return found
    return ()


def _of_attribute(view: memoryview) -> tuple[str, ...]:
    named, strings, integers = False, [], []
    for number, value in fields(view):
        if number == 1 and text(value) not in _LABELS:
            return ()  # before the millions of numbers of a forest
        named |= number == 1
        if number == 9:
            strings.append(value)
        elif number == 8:
            integers.append(value)
    return _labels(strings, integers) if named else ()


def _looked_up(node: memoryview, constants: Mapping[str, memoryview]) -> tuple[str, ...]:
    """Where the first input is a constant, its values are what the second chooses from."""
    table = next((text(value) for number, value in fields(node) if number == 1), "")
    if table not in constants:
        return ()
    parts = list(fields(constants[table]))
    kind = next((value for number, value in parts if number == 2 and isinstance(value, int)), 0)
    held = [message(value) for number, value in parts if number == 9 and kind in _INTEGERS]
    if held and len(held[0]) <= MAX_LABELS * 8:
        return _labels((), (integer for (integer,) in struct.iter_unpack(_INTEGERS[kind], held[0])))
    return _labels(
        (value for number, value in parts if number == 6),
        (value for number, value in parts if number in {5, 7}),
    )


def _constants(graph: memoryview) -> dict[str, memoryview]:
    found = {}
    for number, value in fields(graph):
        if number == 5:
            tensor = message(value)
            found[next((text(v) for n, v in fields(tensor) if n == 8), "")] = tensor
    return found


def _labels(strings: Iterable[int | memoryview], integers: Iterable[int | memoryview]) -> tuple[str, ...]:
    """Different from each other, as those of a k-nearest-neighbour's training rows are not; else none."""
    found: list[str] = []
    size = 0
    for label in _each(strings, integers):
        size += len(label)
        if len(found) == MAX_LABELS or size > MAX_LABELS_BYTES:
            return ()
        found.append(label)
    return tuple(found) if len(set(found)) == len(found) else ()


def _each(strings: Iterable[int | memoryview], integers: Iterable[int | memoryview]) -> Iterable[str]:
    yield from map(text, strings)
    for packed in integers:
        yield from (str(_signed(number)) for number in numbers(packed))


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number

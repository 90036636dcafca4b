"""Weights that a model also lists as inputs, made constants.

Exporters of ONNX's first years listed each weight among the inputs, so that callers might give another one. Nobody
does, and a runtime must not fold what may change: it computes batch normalisations that would vanish into convolutions,
and OpenVINO's plugin refuses such a model. What is listed is left out here, and nothing else is changed.
"""

import mmap
from pathlib import Path

from edged.inference.protobuf import Malformed, fields, message, message_head, whole_fields

MAX_BYTES = 512 * 1024**2
"""Of a file that is copied for it."""
MAX_INPUTS = 50_000
FIRST_IR = 4
"""Before this version of the format weights had to be listed, and runtimes take them for constants."""

_IR_VERSION, _GRAPH = 1, 7
_INITIALIZER, _INPUT = 5, 11
_TENSOR_NAME, _INPUT_NAME = 8, 1


def with_constant_weights(path: Path) -> bytes | None:
    """The model without the inputs that are weights; None where there are none, or it is to be loaded as it is.

    Args:
        path: An ONNX file that holds all its weights: the bytes do not say from which folder others would count.
    """
    try:
        with path.open("rb") as file:
            if not 0 < file.seek(0, 2) <= MAX_BYTES:
                return None
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return _rebuilt(view)
    except (OSError, ValueError, MemoryError, Malformed):
        # For the runtime to refuse, or to load without a copy.
        return None


def _rebuilt(view: memoryview) -> bytes | None:
    graphs = [(message(value), place) for number, value, place in whole_fields(view) if number == _GRAPH]
    versions = [value for number, value in fields(view) if number == _IR_VERSION]
    if len(graphs) != 1 or not all(isinstance(one, int) and one >= FIRST_IR for one in versions):
        return None
    [(graph, place)] = graphs
    inputs: list[tuple[bytes, slice]] = []
    for number, value, where in whole_fields(graph):
        if number == _INPUT:
            inputs.append((_name(message(value), _INPUT_NAME), where))
        if len(inputs) > MAX_INPUTS:
            return None
    if len(inputs) < 2:
        return None
    weights = {
        _name(message(value), _TENSOR_NAME) for number, value in fields(graph) if number == _INITIALIZER
    }
    kept, position = [], 0
    for name, where in inputs:
        if name in weights:
            kept.append(graph[position : where.start])
            position = where.stop
    if not position:
        return None
    kept.append(graph[position:])
    head = message_head(_GRAPH, sum(map(len, kept)))
    return b"".join([view[: place.start], head, *kept, view[place.stop :]])


def _name(view: memoryview, wanted: int) -> bytes:
    """The last one that is given counts."""
    found = [value for number, value in fields(view) if number == wanted]
    return bytes(message(found[-1])) if found else b""

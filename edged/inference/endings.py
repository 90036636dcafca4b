"""Which operator makes the numbers of an output, read from the graph.

What only moves, rounds or averages them is looked through: of ``Sigmoid → Reshape → DequantizeLinear`` it is Sigmoid.
Field numbers are those of ``onnx/onnx.proto``. What cannot be read names nothing and harms nothing.
"""

from collections import deque

from edged.inference.protobuf import Malformed, fields, message, text

_SEEN_THROUGH = frozenset(
    {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast", "Dropout"}
    | {"QuantizeLinear", "DequantizeLinear", "GlobalAveragePool", "AveragePool", "ReduceMean"}
)
_ASKED = 64
"""Of the nodes, the last so many are asked: an output comes from one of them, and a file may hold millions."""
_MAX_OUTPUTS, _MAX_CHARS = 64, 200


class Endings:
    """Collects the last nodes during a walk over a graph."""

    def __init__(self) -> None:
        self._last: deque[tuple[str, memoryview]] = deque(maxlen=_ASKED)

    def see(self, operator: str, node: memoryview) -> None:
        """A node, ``domain:type``; in the order of the graph."""
        self._last.append((operator, node))

    def named(self, graph: memoryview) -> dict[str, str]:
        """The operator of each output of ``graph``, by the output's name; without those of which it is not known."""
        try:
            makers = self._makers()
            outputs = [text(value) for output in _outputs(graph) for n, value in fields(output) if n == 1]
        except Malformed:
            return {}
        found = {}
        for output in outputs[:_MAX_OUTPUTS]:
            operator = _maker(output, makers)
            if operator and len(output) <= _MAX_CHARS >= len(operator):
                found[output] = operator
        return found

    def _makers(self) -> dict[str, tuple[str, str]]:
        """Operator and first input of whatever makes a tensor, by the tensor's name."""
        makers: dict[str, tuple[str, str]] = {}
        for operator, node in self._last:
            parts = list(fields(node))
            first = next((text(value) for number, value in parts if number == 1), "")
            makers |= {text(value): (operator, first) for number, value in parts if number == 2}
        return makers


def _outputs(graph: memoryview) -> list[memoryview]:
    return [message(value) for number, value in fields(graph) if number == 12]


def _maker(tensor: str, makers: dict[str, tuple[str, str]]) -> str:
    for _ in range(_ASKED):
        operator, first = makers.get(tensor, ("", ""))
        if operator not in _SEEN_THROUGH:
            return operator
        tensor = first
    return ""

"""Which boxes are shown, and in which order. Pure."""

import operator
import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from edged.errors import UsageError
from edged.fleet.boxes import Box

_NOWHERE = -1.0
_CONDITION = re.compile(r"(?P<key>[a-z]+)(?P<how>!=|=)(?P<value>.*)", re.DOTALL)
_VALUES: dict[str, Callable[[Box], Iterable[str]]] = {
    "device": lambda box: (box.device,),
    "status": lambda box: (box.status,),
    "edged": lambda box: (box.version,),
    "model": lambda box: (
        word for name, one in box.models.items() for word in (name, f"{name}:{one.version or '-'}")
    ),
    "offered": lambda box: (f"{name}:{one.offered}" for name, one in box.models.items() if one.offered),
    "provider": lambda box: (one.provider for one in box.models.values()),
    "update": lambda box: (one.update for one in box.models.values()),
    "trouble": lambda box: (box.trouble,),
}
_KEYS: dict[str, Callable[[Box], tuple[float, str]]] = {
    "device": lambda box: (0.0, ""),
    "status": lambda box: (0.0, box.status),
    "edged": lambda box: (0.0, box.version),
    "model": lambda box: (0.0, " ".join(f"{name}:{one.version or 0:09}" for name, one in box.models.items())),
    "provider": lambda box: (0.0, " ".join(one.provider for one in box.models.values())),
    "rate": lambda box: (_NOWHERE if box.published_per_s is None else box.published_per_s, ""),
    "seen": lambda box: (_NOWHERE if box.heard_s is None else box.heard_s, ""),
    "trouble": lambda box: (0.0 if box.trouble else 1.0, box.trouble),
}
CONDITIONS, ORDERS = tuple(_VALUES), tuple(_KEYS)


def condition(text: str) -> Callable[[Box], bool]:
    """A condition such as ``status=offline``, ``model=vehicles:3``, ``provider!=openvino*`` or ``trouble=*camera*``.

    Raises:
        UsageError: It is none.
    """
    match = _CONDITION.fullmatch(text)
    if match is None or match["key"] not in _VALUES:
        raise UsageError(
            "--filter",
            f"{text!r} is no condition",
            f"write KEY=VALUE or KEY!=VALUE, KEY one of {', '.join(CONDITIONS)}; * and ? stand for anything",
        )
    values, wanted, negated = _VALUES[match["key"]], match["value"], match["how"] == "!="
    return lambda box: any(fnmatchcase(value, wanted) for value in values(box)) is not negated


def ordered(boxes: Iterable[Box], order: str) -> list[Box]:
    """The boxes by a column; ``-`` before it turns the order round. Among equals, by name.

    Raises:
        UsageError: There is no such column.
    """
    key = _KEYS.get(order.removeprefix("-"))
    if key is None:
        raise UsageError(
            "--sort", f"{order!r} is no column", f"one of {', '.join(ORDERS)}; -COLUMN: backwards"
        )
    by_name = sorted(boxes, key=operator.attrgetter("device"))
    return sorted(by_name, key=key, reverse=order.startswith("-"))

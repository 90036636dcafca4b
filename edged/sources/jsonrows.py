"""Rows in JSON: an object, an array of values, a bare value; arrays of those, and lines of any. Pure.

Where the features are not named, the first object that has as many usable values as the model takes says their names
and order for all that follow from its device: objects have no order to rely on. Many rows of one kind are read at
once, others on their own; both give the same.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import from_json

from edged.sources.rowcollector import RowCollector, by_parts
from edged.sources.rowvalues import (
    Echo,
    Layout,
    Line,
    RowSpec,
    Unusable,
    count_of,
    echo_of,
    is_beside,
    nameless_layout,
    number_of,
    text_of,
)
from edged.sources.timestamps import time_name

NUMBERS = frozenset({int, float, bool})
NOT_JSON = object()


class Item(NamedTuple):
    """What is to be a row.

    Attributes:
        value: An object or an array, or why there is none.
        line: Where it stands.
        place: Its number in an array of rows, from 1; 0 where it stands alone.
    """

    value: Any
    line: Line
    place: int = 0


class Keys(NamedTuple):
    """Where the wanted values of a row are: names in an object, positions in an array.

    Attributes:
        numbers: Of the features that are numbers, in order.
        texts: Of those that are texts.
        time: Of the time field; None where there is none.
        echoes: What a value is to be called, and where it is.
    """

    numbers: tuple[Any, ...]
    texts: tuple[Any, ...]
    time: Any
    echoes: tuple[tuple[str, Any], ...]


class JsonReader:
    """Reads the payloads of one device."""

    header = b""

    def __init__(self, spec: RowSpec, collector: RowCollector) -> None:
        self._spec, self._collector = spec, collector
        self._names = spec.fields  # of the features of objects; empty until they are known
        self._time = spec.time  # of objects; the one that was found stays while it is there
        self._layout: Layout | None = None  # of arrays

    def recall(self, lines: Sequence[bytes]) -> None:
        """Nothing: a row says itself what its values are called."""

    def read(self, lines: Sequence[Line]) -> None:
        """Gives the rows of these lines to the collector."""
        items = _items_of([line for line in lines if line[1].strip()])
        start = 0
        while start < len(items) and not self._collector.begun:
            self._one(items[start])
            start += 1
        if start < len(items):
            by_parts(items[start:] if start else items, self._block, self._one)

    def _one(self, item: Item) -> None:
        try:
            if isinstance(item.value, Unusable):
                raise item.value
            if isinstance(item.value, dict):
                self._object(item.value)
            else:
                self._array(item.value)
        except Unusable as why:
            place = f"row {item.place} of the array: " if item.place else ""
            self._collector.reject(item.line[0], f"{place}{why}", item.line[1])

    def _object(self, row: dict[str, Any]) -> None:
        names = self._names or self._usable_names(row)
        time = self._time_key(row)
        self._collector.take(
            [_field(row, name) for name in names],
            names,
            None if time is None else _field(row, time),
            _echo((name, _field(row, name)) for name in self._spec.echo),
        )
        self._names = names

    def _array(self, row: list[Any]) -> None:
        layout = self._layout
        if layout is None or len(row) != layout.width:
            layout = nameless_layout(self._spec, len(row), features=self._collector.features)
        self._collector.take(
            [row[n] for n in layout.features],
            layout.names,
            None if layout.time is None else row[layout.time],
            _echo((name, row[n]) for name, n in layout.echoes),
        )
        self._layout = layout

    def _usable_names(self, row: dict[str, Any]) -> tuple[str, ...]:
        """The names of all that could be features.

        Raises:
            Unusable: There are more of them than the model takes, or fewer.
        """
        reads = text_of if self._collector.texts else number_of
        names = tuple(
            name
            for name, value in row.items()
            if not is_beside(self._spec, name) and _is_usable(value, reads)
        )
        wanted = self._collector.features
        if not names or (wanted and len(names) != wanted):
            takes = f", the model takes {wanted}" if wanted else ""
            raise Unusable(f"has {count_of(len(names), 'value')}{takes}; name them with fields")
        return names

    def _time_key(self, row: dict[str, Any]) -> str | None:
        if self._spec.time or (self._time and self._time in row):
            return self._time
        found = time_name(row, but=self._names)
        self._time = found or self._time
        return found

    def _block(self, items: Sequence[Item]) -> bool:
        """Many rows of one kind at once; see `RowCollector.take_block`."""
        rows = [item.value for item in items]
        if isinstance(rows[0], dict):
            names = rows[0].keys()
            if not all(type(row) is dict and row.keys() == names for row in rows):
                return False
            time = self._time_key(rows[0])
            keys = self._keys(self._names, time, tuple((name, name) for name in self._spec.echo))
            if not {*keys.numbers, *keys.texts, *self._spec.echo, *([time] if time else [])} <= names:
                return False  # one is nested, or missing
        else:
            layout = self._layout
            if layout is None or not all(type(row) is list and len(row) == layout.width for row in rows):
                return False
            keys = self._keys(layout.features, layout.time, layout.echoes)
        return self._take(rows, keys)

    def _keys(self, features: Sequence[Any], time: Any, echoes: tuple[tuple[str, Any], ...]) -> Keys:
        texts = self._collector.texts
        return Keys(
            tuple(key for n, key in enumerate(features) if n not in texts),
            tuple(key for n, key in enumerate(features) if n in texts),
            time,
            echoes,
        )

    def _take(self, rows: Sequence[Any], keys: Keys) -> bool:
        values = list(chain.from_iterable(map(_getter(keys.numbers), rows)))
        if not NUMBERS.issuperset(map(type, values)):
            return False
        try:
            numbers = np.array(values, np.float64).reshape(len(rows), len(keys.numbers))
            texts = [tuple(_present(row[key]) for key in keys.texts) for row in rows] if keys.texts else []
        except (OverflowError, Unusable):
            return False
        return self._collector.take_block(
            numbers,
            texts,
            None if keys.time is None else [row[keys.time] for row in rows],
            [_echo((name, row[key]) for name, key in keys.echoes) for row in rows] if self._spec.echo else (),
        )


def _items_of(lines: Sequence[Line]) -> list[Item]:
    """What is to be rows, of lines that are each a row or several, or together one value."""
    if len(lines) == 1:
        return _items_of_one(lines[0])
    whole = _parsed(b"\n".join(raw for _, raw in lines))
    if whole is not NOT_JSON:
        return _items(whole, lines[0])
    items: list[Item] = []

    def one(line: Line) -> None:
        items.extend(_items_of_one(line))

    def block(lines: Sequence[Line]) -> bool:
        # No value spans two lines: JSON allows no line feed in a text, and each line begins and ends a row.
        values = _parsed(b"[" + b",\n".join(raw for _, raw in lines) + b"]")
        if values is NOT_JSON or len(values) != len(lines):
            return False
        items.extend(chain.from_iterable(map(_items, values, lines)))
        return True

    by_parts(lines, block, one)
    return items


def _items_of_one(line: Line) -> list[Item]:
    value = _parsed(line[1])
    return [Item(_why_not(line[1]), line)] if value is NOT_JSON else _items(value, line)


def _items(value: Any, line: Line) -> list[Item]:
    if isinstance(value, list) and value and all(isinstance(row, dict | list) for row in value):
        return [Item(row, line, n) for n, row in enumerate(value, 1)]
    return [Item(value if isinstance(value, dict | list) else [value], line)]


def _parsed(text: bytes) -> Any:
    try:
        return from_json(text)
    except ValueError:
        return NOT_JSON


def _why_not(text: bytes) -> Unusable:
    try:
        text.decode()
        from_json(text)
    except UnicodeDecodeError:
        return Unusable("is not UTF-8")
    except ValueError as error:
        return Unusable(f"is not JSON: {str(error).replace(' at line 1 column', ' at column')}")
    return Unusable("is not JSON")


def _field(row: dict[str, Any], name: str) -> Any:
    """A value by its name, or by the names that lead to it, with dots between; None where it is missing."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _getter(keys: tuple[Any, ...]) -> Callable[[Any], Iterable[Any]]:
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda row: [row[key] for key in keys]


def _is_usable(value: object, reads: Callable[[object, str], object]) -> bool:
    try:
        reads(value, "")
    except Unusable:
        return False
    return True


def _present(value: object) -> str:
    text = text_of(value, "")
    if text is None:
        raise Unusable("")
    return text


def _echo(values: Iterable[tuple[str, Any]]) -> dict[str, Echo]:
    return {name: echo for name, value in values if (echo := echo_of(value)) is not None}

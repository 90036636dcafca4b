"""Rows of values between delimiters, with or without a header. Pure.

A line is read by one of two paths that give the same: many plain lines at once, or a line on its own. The first row
that can be read tells what the rows of a device look like; until then each line may be the header, or the banner of a
device that has just been switched on. A header holds only for rows of its length.
"""

import csv
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from edged.sources.numberlist import listed_numbers
from edged.sources.rowcollector import RowCollector, by_parts
from edged.sources.rowvalues import (
    Echo,
    Layout,
    Line,
    RowSpec,
    Unusable,
    count_of,
    named_layout,
    nameless_layout,
    read_echo,
)

DELIMITERS = (",", ";", "\t")


class CsvReader:
    """Reads the lines of one device."""

    def __init__(self, spec: RowSpec, collector: RowCollector) -> None:
        self._spec, self._collector = spec, collector
        self._delimiter = spec.delimiter
        self._layout: Layout | None = None
        self._numeric: list[int] = []  # positions of the features that are numbers
        self._header: tuple[str, ...] = ()
        self._header_line: bytes | None = None
        self._why_not = ""  # the header cannot be used

    @property
    def header(self) -> bytes:
        """The line that names the values; empty where there is none."""
        return self._header_line or b""

    def recall(self, lines: Sequence[bytes]) -> None:
        """Learns the header from the lines that a stream began with, where it is read from a later one on."""
        for line in lines:
            if line.startswith(b"#") or not line.strip():
                continue
            try:
                values = self._values(line)
                if not self._is_header(values):
                    self._layout_for(len(values))
                    return  # a row: there is none
                self._set_header(values, line)
            except Unusable:
                continue  # such as the banner of a device
            if self._header:
                return

    def read(self, lines: Sequence[Line]) -> None:
        """Gives the rows of these lines to the collector."""
        start = 0
        while start < len(lines) and not self._collector.begun:
            self._one(lines[start])
            start += 1
        if start < len(lines):
            by_parts(lines[start:] if start else lines, self._block, self._one)

    def _one(self, numbered: Line) -> None:
        number, line = numbered
        if line == self._header_line or line.startswith(b"#") or not line.strip():
            return
        try:
            self._row(line)
        except Unusable as why:
            self._collector.reject(number, str(why), line)

    def _row(self, line: bytes) -> None:
        values = self._values(line)
        if self._is_header(values):
            self._set_header(values, line)
            return
        layout = self._layout_for(len(values))
        self._collector.take(
            [values[n] for n in layout.features],
            layout.names,
            None if layout.time is None else values[layout.time],
            _echo(layout.echoes, values),
        )
        if layout is not self._layout:
            self._use(layout)

    def _values(self, line: bytes) -> list[str]:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise Unusable("is not UTF-8") from error
        if not (self._spec.delimiter or self._collector.begun) and (self._why_not or not self._header):
            self._delimiter = max(DELIMITERS, key=text.count)
        if '"' not in text:
            return [value.strip() for value in text.split(self._delimiter)]
        try:
            (values,) = csv.reader([text], delimiter=self._delimiter, strict=True)
        except (csv.Error, ValueError, TypeError) as error:
            raise Unusable(f"its quotes cannot be read ({error})") from error
        return [value.strip() for value in values]

    def _is_header(self, values: list[str]) -> bool:
        """Whether the line names values: those wanted, or at the beginning any that are no numbers.

        Later a line with a number is a row, even where one of its texts happens to be the name of a field.
        """
        if self._spec.columns:
            return tuple(values) == self._spec.columns and _are_names(values)
        fields, texts = self._spec.fields, self._collector.texts
        only_texts = 0 < self._collector.features <= len(texts)
        named = bool(fields) and fields[0] in values and set(fields) <= set(values)
        if self._collector.begun or (self._header and not self._why_not):
            return named and not only_texts and _are_names(values)
        return named or (not only_texts and _are_names(values))

    def _set_header(self, values: list[str], line: bytes) -> None:
        if self._spec.columns:
            return
        self._header, self._header_line, self._layout, self._why_not = tuple(values), line, None, ""
        try:
            self._use(named_layout(self._spec, self._header, features=self._collector.features))
        except Unusable as why:
            self._why_not = str(why)
            raise

    def _use(self, layout: Layout) -> None:
        self._layout = layout
        self._numeric = [n for i, n in enumerate(layout.features) if i not in self._collector.texts]

    def _layout_for(self, width: int) -> Layout:
        if self._why_not:
            if width == len(self._header):
                raise Unusable(self._why_not)
            self._header, self._header_line, self._why_not = (), None, ""
        if self._layout is None:
            return nameless_layout(self._spec, width, features=self._collector.features)
        if width != self._layout.width:
            what = "header names" if self._header else "earlier rows have"
            raise Unusable(f"has {count_of(width, 'value')}, the {what} {self._layout.width}")
        return self._layout

    def _block(self, numbered: Sequence[Line]) -> bool:
        """Many plain lines at once; see `RowCollector.take_block`."""
        layout, delimiter = self._layout, self._delimiter.encode()
        lines = [line for _, line in numbered]
        joined = delimiter.join(lines)
        if layout is None or not self._are_plain(lines, joined):
            return False
        if {line.count(delimiter) for line in lines} != {layout.width - 1}:
            return False
        if self._numeric == list(range(layout.width)) and not self._spec.echo and layout.time is None:
            numbers = listed_numbers(joined.replace(delimiter, b","), len(lines) * layout.width)
            return numbers is not None and self._collector.take_block(
                numbers.reshape(len(lines), layout.width), (), None, ()
            )
        cells = joined.split(delimiter)
        return self._columns([cells[n :: layout.width] for n in range(layout.width)], layout)

    def _columns(self, columns: list[list[bytes]], layout: Layout) -> bool:
        rows, numeric = len(columns[0]), self._numeric
        flat = b",".join(chain.from_iterable(columns[n] for n in numeric))
        numbers = listed_numbers(flat, rows * len(numeric)) if numeric else np.empty(0)
        if numbers is None:
            return False
        texts = [_stripped(columns[n]) for i, n in enumerate(layout.features) if i in self._collector.texts]
        if not all(map(all, texts)):
            return False  # something is missing
        echoes: list[Mapping[str, Any]] = []
        if self._spec.echo:
            repeated = [_stripped(columns[n]) for _, n in layout.echoes]
            places = [(name, i) for i, (name, _) in enumerate(layout.echoes)]
            echoes = [_echo(places, row) for row in zip(*repeated, strict=True)] if places else [{}] * rows
        return self._collector.take_block(
            np.ascontiguousarray(numbers.reshape(len(numeric), rows).T),
            list(zip(*texts, strict=True)),
            None if layout.time is None else _stripped(columns[layout.time]),
            echoes,
        )

    def _are_plain(self, lines: list[bytes], joined: bytes) -> bool:
        """Whether none of the lines is a comment or a header, or has quotes or a wrong encoding."""
        if b'"' in joined or (self._header_line and self._header_line in joined):
            return False
        if b"#" in joined and any(line.startswith(b"#") for line in lines):
            return False
        if not self._numeric:  # nothing else would tell a header or a blank line from a row
            columns = self._spec.columns
            if (columns and columns[0].encode() in joined) or not all(map(bytes.strip, lines)):
                return False
        return joined.isascii() or _is_utf8(joined)


def _echo(echoes: Sequence[tuple[str, int]], values: Sequence[str]) -> dict[str, Echo]:
    read = ((name, read_echo(values[n])) for name, n in echoes)
    return {name: value for name, value in read if value is not None}


def _stripped(cells: list[bytes]) -> list[str]:
    return [cell.decode().strip() for cell in cells]


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _are_names(values: Sequence[str]) -> bool:
    return any(values) and not any(_reads_as_number(value) for value in values if value)


def _reads_as_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return value.lower() in {"null", "true", "false"}
    return True

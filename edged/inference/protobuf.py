"""The wire format of protocol buffers, as far as a walk over a stranger's file needs it. Pure.

Nothing is copied: a message is a slice of the file. What is not such a message raises `Malformed`, whose text says why.
"""

from collections.abc import Iterator

MAX_TEXT_BYTES = 1024**2

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


class Malformed(Exception):
    """The bytes are not such a message; the text says why."""


def fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message; a varint as a number, the rest as its bytes.

    Raises:
        Malformed: No message, or cut short.
    """
    for number, value, _ in whole_fields(view):
        yield number, value


def whole_fields(view: memoryview) -> Iterator[tuple[int, int | memoryview, slice]]:
    """As `fields`, with the place of each field, number and length included: what to leave out, or to copy.

    Raises:
        Malformed: No message, or cut short.
    """
    position, end = 0, len(view)
    while position < end:
        began = position
        key, position = varint(view, position)
        number, kind = key >> 3, key & 7
        if not number:
            raise Malformed("field number 0")
        if kind == _VARINT:
            value, position = varint(view, position)
            yield number, value, slice(began, position)
            continue
        if kind == _LENGTH:
            length, position = varint(view, position)
        elif kind in {_FIXED32, _FIXED64}:
            length = 4 if kind == _FIXED32 else 8
        else:
            raise Malformed(f"field type {kind}")
        if position + length > end:
            raise Malformed(f"{position + length - end} bytes are missing")
        yield number, view[position : position + length], slice(began, position + length)
        position += length


def message_head(number: int, length: int) -> bytes:
    """What stands before a message of so many bytes that is field ``number`` of another."""
    return _encoded(number << 3 | _LENGTH) + _encoded(length)


def _encoded(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def varint(view: memoryview, position: int) -> tuple[int, int]:
    """The number at a position, never negative, and the position behind it.

    Raises:
        Malformed: Cut short, or too long.
    """
    result = shift = 0
    while shift < 70:
        if position >= len(view):
            raise Malformed("it ends in the middle of a number")
        byte = view[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result, position
        shift += 7
    raise Malformed("a number of more than 64 bits")


def numbers(value: int | memoryview) -> Iterator[int]:
    """A repeated varint, alone or packed; never negative.

    Raises:
        Malformed: Cut short, or too long.
    """
    if isinstance(value, int):
        yield value
        return
    position = 0
    while position < len(value):
        number, position = varint(value, position)
        yield number


def text(value: int | memoryview) -> str:
    """A text; bytes that are no UTF-8 are replaced.

    Raises:
        Malformed: A number, or longer than `MAX_TEXT_BYTES`.
    """
    if isinstance(value, int) or len(value) > MAX_TEXT_BYTES:
        raise Malformed("a name that is not text")
    return bytes(value).decode("utf-8", "replace")


def message(value: int | memoryview) -> memoryview:
    """The bytes of a message.

    Raises:
        Malformed: A number.
    """
    if isinstance(value, int):
        raise Malformed("a number where a message belongs")
    return value

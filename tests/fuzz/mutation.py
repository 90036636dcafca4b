"""Bytes that went wrong: one change or several of what was whole. Pure, given the source of chance."""

import random
from collections.abc import Callable, Sequence

MAX_BYTES = 1 << 16
"""Of an input of the parsers; larger ones are only slower."""

NUMBERS = (
    b"0",
    b"-1",
    b"1e999",
    b"-0.0",
    b"NaN",
    b"9" * 20,
    b"9" * 5000,
    b"0x7fffffff",
    b"4294967296",
    b"1_0",
)
TEXTS = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    "\u2028".encode(),
    "\ud7ff".encode(),
    b"\xed\xa0\x80",
    b"%00",
    b"../",
)
DEEP = (b"[" * 3000, b'{"a":' * 3000, b"a." * 2000 + b"a", b"(" * 500)
SIZES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)

Change = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutated(
    chance: random.Random, content: bytes, *, tokens: Sequence[bytes] = (), others: Sequence[bytes] = ()
) -> bytes:
    """One to eight changes.

    Args:
        chance: Decides.
        content: What is changed.
        tokens: Words of the format, to be put in.
        others: Inputs to take pieces from.
    """
    changed = bytearray(content)
    words = [*tokens, *NUMBERS, *TEXTS, *others]
    for _ in range(1 + min(int(chance.expovariate(0.7)), 7)):
        chance.choice(CHANGES)(chance, changed, words)
    if chance.random() < 0.02:
        _insert(changed, _place(chance, changed), chance.choice(DEEP))
    return bytes(changed[:MAX_BYTES])


def _place(chance: random.Random, content: bytearray) -> int:
    return chance.randrange(len(content) + 1)


def _insert(content: bytearray, at: int, piece: bytes) -> None:
    content[at:at] = piece


def _flip(chance: random.Random, content: bytearray, _words: Sequence[bytes]) -> None:
    if content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _overwrite(chance: random.Random, content: bytearray, _words: Sequence[bytes]) -> None:
    if content:
        content[chance.randrange(len(content))] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))


def _size(chance: random.Random, content: bytearray, _words: Sequence[bytes]) -> None:
    width = chance.choice((1, 2, 4, 8))
    at = _place(chance, content)
    number = chance.choice(SIZES) & (1 << 8 * width) - 1
    content[at : at + width] = number.to_bytes(width, chance.choice(("little", "big")))


def _cut(chance: random.Random, content: bytearray, _words: Sequence[bytes]) -> None:
    at = _place(chance, content)
    del content[at : at + 1 + int(chance.expovariate(0.1))]


def _cut_off(chance: random.Random, content: bytearray, _words: Sequence[bytes]) -> None:
    del content[_place(chance, content) :]


def _double(chance: random.Random, content: bytearray, _words: Sequence[bytes]) -> None:
    at = _place(chance, content)
    _insert(content, _place(chance, content), bytes(content[at : at + 1 + int(chance.expovariate(0.05))]))


def _put(chance: random.Random, content: bytearray, words: Sequence[bytes]) -> None:
    word = chance.choice(words)
    if len(word) > 64:  # another input: a piece of it
        at = chance.randrange(len(word))
        word = word[at : at + 1 + int(chance.expovariate(0.02))]
    _insert(content, _place(chance, content), word)


def _replace_word(chance: random.Random, content: bytearray, words: Sequence[bytes]) -> None:
    """What stands between two separators gives way to something else."""
    begin = end = _place(chance, content)
    while begin and chr(content[begin - 1]).isalnum():
        begin -= 1
    while end < len(content) and chr(content[end]).isalnum():
        end += 1
    content[begin:end] = chance.choice(words)[:8192]


CHANGES: tuple[Change, ...] = (_flip, _overwrite, _size, _cut, _cut_off, _double, _put, _put, _replace_word)

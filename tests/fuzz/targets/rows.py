"""Rows of a sensor: the first byte chooses how they are read, a byte 30 separates deliveries."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edged.sources.lines import Lines
from edged.sources.rowformat import RowParser, RowSpec
from fuzz.targets import Target

SPECS = (
    RowSpec("json", 0),
    RowSpec("json", 2, fields=("x", "y"), echo=("id",)),
    RowSpec("json", 3, texts=(1,), missing="last", time="time"),
    RowSpec("csv", 0),
    RowSpec("csv", 2, fields=("x", "y"), time="time", echo=("id",)),
    RowSpec("csv", 2, columns=("time", "x", "y"), delimiter=";", missing=0.5),
    RowSpec("csv", 2, texts=(0,)),
    RowSpec("text", 1, texts=(0,)),
)
CSV = b"time,x,y,id\n2014-05-01 00:00,1.5,2,m1\n2014-05-01 00:01,-3e2,.5,m1\n"
CSV_GERMAN = b"1.5.2014 0:09;1.5;2\n1.5.2014 0:10;NaN;2\n"
JSON = b"""{"time": 1398902400, "x": 1, "y": 2.5, "id": "m"}
{"time": "2014-05-01T00:00:00+02:00", "x": null, "y": true}
"""
ARRAYS = b'[[1, 2], [3, 4]]\x1e[1, "a", 3]\x1e{"a": {"b": 1}}\n7\n'
SEEDS = tuple(
    bytes([n]) + body for n, spec in enumerate(SPECS)
    for body in ((CSV, CSV_GERMAN, b"1,2\n3,4\n" * 12) if spec.format == "csv" else (JSON, ARRAYS, JSON * 12))
)  # fmt: skip
TOKENS = (
    b",", b";", b"\t", b"\n", b"\r\n", b'"', b"#", b"\x1e", b"null", b"NaN", b"-Infinity", b"1e400",
    b"true", b"\\u0000", b"time", b"x", b"[", b"]", b"{", b"}", b":", b"0001-01-01T00:00:00+23:59",
    b"9999-12-31T23:59:59-23:59", b"12/31/9999", b"99999999999999999999", b"-1e18", b"\\ud800",
)  # fmt: skip
ARRIVED_S = 1.7e9


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """See `Opener`."""
    yield Target("rows", SEEDS, TOKENS, run)


def run(content: bytes) -> str:
    """The deliveries of one device, as they are and cut into lines as a stream is."""
    spec = SPECS[(content[0] if content else 0) % len(SPECS)]
    deliveries = content[1:].split(b"\x1e")
    good, bad = _read(spec, deliveries)
    lines = Lines()
    _read(spec, [lines.cut(part) for part in deliveries] + [lines.rest()])
    return "rows" if good and not bad else ("some rows" if good else "rejected")


def _read(spec: RowSpec, deliveries: list[bytes]) -> tuple[int, int]:
    parser, good, bad = RowParser(spec), 0, 0
    for delivery in deliveries:
        rows, rejected = parser.parse(delivery, at_s=ARRIVED_S)
        assert rows.numbers.dtype == rows.at_s.dtype == np.float64
        assert rows.numbers.shape[0] == len(rows.at_s)
        assert np.isfinite(rows.numbers).all(), "a number that is none"
        assert np.isfinite(rows.at_s).all(), "a time that is none"
        assert len(rows.texts) in {0, len(rows)}
        assert len(rows.echoes) in {0, len(rows)}
        json.dumps([dict(echo) for echo in rows.echoes], allow_nan=False)
        for one in rejected:
            assert len(one.text) <= 80
            assert "\n" not in one.reason, "a reason of several lines"
            assert len(one.reason) < 1000, "a reason that is a message"
        good, bad = good + len(rows), bad + len(rejected)
    RowParser(spec, parser.headers)
    return good, bad

"""``model.toml`` and ``labels.txt``, which come with a model: the first byte says which."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manifests import CONTRACT

from edged.manifest import read_labels, read_manifest
from fuzz.targets import Target

SEED = CONTRACT.lstrip().encode()
ROWS = b"""task = "tabular"
[input]
fields = ["x", "y"]
window = 256
[output]
threshold = 0.5
error = "mae"
[[golden]]
input = "golden/a.csv"
expect = [{ anomaly = true }, { value = 1.5 }]
"""
TOKENS = (
    b'"', b"=", b"[", b"]", b"{", b"}", b".", b",", b"\n", b"true", b"inf", b"nan", b"0", b"[golden]",
    b"[input]", b"[input.size]", b"expect", b"box", b"2020-01-01", b"''",
)  # fmt: skip


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """See `Opener`."""
    toml, labels = folder / "model.toml", folder / "labels.txt"

    def run(content: bytes) -> str:
        if content[:1] == b"L":
            labels.write_bytes(content[1:])
            json.dumps(read_labels(labels))
            return "labels"
        toml.write_bytes(content[1:])
        manifest = read_manifest(toml)
        assert all(golden.input for golden in manifest.golden)
        return "manifest"

    seeds = (b"T" + SEED, b"T" + ROWS, b"Lcar\ntruck\n\xc3\xbc\n", b"L\xef\xbb\xbfa\r\nb\r\n")
    yield Target("manifest", seeds, TOKENS, run)

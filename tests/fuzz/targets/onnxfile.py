"""An ONNX file before any runtime sees it, and what of it is told to the daemon."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edged.decode.labels import metadata_labels
from edged.errors import EdgedError
from edged.inference.precheck import ModelSummary, precheck
from edged.worker.process import MAX_CONTROL_BYTES
from fuzz.models import handmade
from fuzz.targets import Target

TOKENS = (
    b"location", b"../canary", b"/etc/passwd", b"EPContext", b"com.microsoft", b"ai.onnx.ml", b"names",
    b"stride", b"\x0a\x08location\x12\x09../canary", b"\x70\x01", b"\x7a\x00", b"\xff" * 9 + b"\x01",
    b"\x80" * 10, b"classlabels_strings", b"classlabels_int64s", b"TreeEnsembleClassifier", b"ZipMap",
)  # fmt: skip


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """See `Opener`."""
    path = folder / "model.onnx"

    def run(content: bytes) -> str:
        path.write_bytes(content)
        summary = ModelSummary()
        try:
            precheck(path, summary)
        finally:
            told = json.dumps(
                [summary.metadata, summary.producer, sorted(summary.external_data), summary.class_labels]
            )
            assert len(json.dumps(summary.endings)) < MAX_CONTROL_BYTES
            assert len(told) < MAX_CONTROL_BYTES, "more is told than the daemon listens to"
        try:
            metadata_labels(summary.metadata)
        except EdgedError:
            return "odd labels"
        return "read"

    yield Target("onnx", tuple(handmade().values()), TOKENS, run)

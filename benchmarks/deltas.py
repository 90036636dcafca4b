"""How large the way from one version of a model to the next is: deltas as `edged publish add` makes them, and others.

    python benchmarks/deltas.py [MODEL …]

Each MODEL (default: two bundled ones; name real ones besides) is changed in three ways, as training changes it:

* **head**: the last twentieth of its weights, as when only the head is trained on new classes;
* **steps**: all weights by a thousandth of their layer's spread, as a few small steps of SGD;
* **epoch**: all weights by three hundredths of it, as an epoch of fine-tuning.

Weights of eight bits are changed before they are rounded, so that few of them move by one. Printed for each: bytes of
the tar, of it compressed without the old model, of deltas by Zstandard at three levels and, where ``bsdiff4`` is
installed, by bsdiff; seconds to make and to apply. Writes ``benchmarks/results/deltas.json``.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from edged.manifest import model_files
from edged.modelstore.finding import belongings
from edged.repository.deltas import WORTH, apply_delta, make_delta, zstd
from edged.repository.packing import model_in, pack

ROOT = Path(__file__).parent.parent
BUNDLED = [ROOT / "models" / "parcel-codes" / "1", ROOT / "models" / "parcel-codes-int8" / "1"]
HEAD = 0.05
SPREADS = {"head": 0.03, "steps": 0.001, "epoch": 0.03}
WEIGHTS = {"float32", "float16", "int8", "uint8"}


def changed(path: Path, way: str) -> onnx.ModelProto:
    """A model as further training leaves it."""
    model, chance = onnx.load(path), np.random.default_rng(7)
    weights = [one for one in model.graph.initializer if numpy_helper.to_array(one).dtype.name in WEIGHTS]
    weights = [one for one in weights if numpy_helper.to_array(one).size > 16]
    if way == "head":
        left = HEAD * sum(numpy_helper.to_array(one).size for one in weights)
        head = []
        for one in reversed(weights):
            head.append(one)
            left -= numpy_helper.to_array(one).size
            if left <= 0:
                break
        weights = head
    for one in weights:
        values = numpy_helper.to_array(one)
        moved = values.astype(np.float64)
        moved = moved + chance.normal(size=values.shape) * moved.std() * SPREADS[way]
        if np.issubdtype(values.dtype, np.integer):
            limits = np.iinfo(values.dtype)
            moved = np.clip(np.rint(moved), limits.min, limits.max)
        one.CopyFrom(numpy_helper.from_array(moved.astype(values.dtype), one.name))
    return model


def methods() -> Iterator[tuple[str, Callable[[bytes, bytes], bytes], Callable[[bytes, bytes], bytes]]]:
    """Name, maker, applier."""
    yield "zstd alone", lambda _, new: zstd.compress(new, 19), lambda _, delta: zstd.decompress(delta)
    for level in (3, 12, 19):
        yield (
            f"zstd {level} from the old",
            lambda old, new, level=level: make_delta(old, new, level=level) or b"",
            apply_delta,
        )
    try:
        import bsdiff4
    except ImportError:
        print("bsdiff4 is not installed: no figures of it", file=sys.stderr)
        return
    yield "bsdiff", bsdiff4.diff, bsdiff4.patch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, default=BUNDLED)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "deltas.json")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for path in options.models:
        onnx_file = model_files(path).onnx
        name = path.parent.name if path.name.isdigit() else path.stem
        for way in SPREADS:
            with tempfile.TemporaryDirectory() as folder:
                new_file = Path(folder) / "model.onnx"
                onnx.save(changed(onnx_file, way), new_file)
                others = belongings(onnx_file, str(path))
                old = model_in(pack({"model.onnx": onnx_file, **others}, Path(folder) / "old.tar").tar)
                new = pack({"model.onnx": new_file, **others}, Path(folder) / "new.tar").tar.read_bytes()
            for method, make, apply in methods():
                begun = time.perf_counter()
                delta = make(old, new)
                made = time.perf_counter()
                whole = apply(old, delta)
                ended = time.perf_counter()
                if whole != new:
                    raise SystemExit(f"{name}, {way}, {method}: leads elsewhere")
                rows.append(
                    {
                        "model": name,
                        "change": way,
                        "method": method,
                        "tar_bytes": len(new),
                        "bytes": len(delta),
                        "share": round(len(delta) / len(new), 4),
                        "make_s": round(made - begun, 3),
                        "apply_s": round(ended - made, 3),
                    }
                )
                print(
                    f"{name:<22} {way:<6} {method:<20} {len(delta):>10,} {len(delta) / len(new):>7.1%} "
                    f"{made - begun:>8.2f} s {ended - made:>8.3f} s"
                )
    document = {
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "zstd": zstd.zstd_version,
        "published_below": WORTH,
        "rows": rows,
    }
    options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Measures what edged has to show beside others, and says which targets are met.

    python -m benchmarks.performance [1 2 3 ...] [--quick] [--rounds 5] [--provider cpu] [--peers] [--int8 MODEL]

The sides of a ratio take turns; medians of the rounds' ratios are printed. Processor time is that of all processes of
a side, from outside, between two of its messages: neither its start nor its end is in it. Writes
``benchmarks/results/performance.json`` and the tables of ``docs/performance.md``; with ``--quick`` neither.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.performance import peers
from benchmarks.performance.figures import Figure, keep
from benchmarks.performance.processes import ROOT, Broker, SideFailedError, environment
from benchmarks.performance.setting import ASSETS, Setting
from benchmarks.performance.showings import gates, int8, many, memory, one_camera, sampled, start
from edged.bench.clocks import Others

FAILED = "a side failed"
SHOWINGS: dict[tuple[int, ...], Callable[[Setting], Iterator[Figure]]] = {
    (1, 2): one_camera.shown,
    (3,): sampled.shown,
    (4,): gates.shown,
    (5,): many.shown,
    (6,): int8.shown,
    (7,): start.shown,
    (8,): memory.shown,
}


def main() -> int:
    """1 where a target was missed, or a side failed."""
    options = _options()
    chosen = [numbers for numbers in SHOWINGS if not options.showing or set(numbers) & set(options.showing)]
    _compile()
    began_s, others, figures = time.monotonic(), Others(), []
    with tempfile.TemporaryDirectory(prefix="edged-performance-", dir=options.folder) as name:
        folder = Path(name)
        around = peers.made(options.peers_folder or folder / "peers") if options.peers else peers.none()
        with Broker(folder) as broker:
            setting = Setting(
                folder=folder,
                broker=broker,
                assets=options.assets,
                provider=options.provider,
                rounds=1 if options.quick else options.rounds,
                quick=options.quick,
                peers=around,
                int8=options.int8 and options.int8.resolve(),
                model=options.model.resolve(),
            )
            for numbers in chosen:
                print(f"{' and '.join(map(str, numbers))}:", flush=True)
                for figure in _figures(numbers, setting):
                    print(figure.line(), flush=True)
                    figures.append(figure)
    busy = others.cores()
    print(f"{time.monotonic() - began_s:.0f} s; other programs kept {busy:.2f} cores busy meanwhile")
    if not options.quick:
        told = {key: str(value) for key, value in vars(options).items() if key in {"rounds", "provider"}}
        keep(figures, {**told, "model": options.model.name, "peers": around.versions}, busy_cores=busy)
        subprocess.run([sys.executable, str(ROOT / "docs" / "figures.py")], check=True)
    failed = any(figure.met is False or figure.name == FAILED for figure in figures)
    return 1 if failed else 0


def _figures(numbers: tuple[int, ...], setting: Setting) -> Iterator[Figure]:
    """Those of a showing; where a side fails, those until then, and why."""
    try:
        yield from SHOWINGS[numbers](setting)
    except SideFailedError as error:
        for number in numbers:
            yield Figure(number, FAILED, None, note=str(error))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.performance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "showing", nargs="*", type=int, choices=sorted(sum(SHOWINGS, ())), help="default: all"
    )
    parser.add_argument("--quick", action="store_true", help="one short round: whether it works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--provider", default="cpu", choices=["cpu", "openvino"], help="of both sides")
    parser.add_argument("--peers", action="store_true", help="also openvino-model-api and benchmark_app")
    parser.add_argument("--peers-folder", type=Path, help="where their environment is kept")
    parser.add_argument("--int8", type=Path, help="the int8 twin of the detector")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="real models and videos")
    parser.add_argument("--model", type=Path, help="default: yolox_nano_416 of the assets")
    parser.add_argument("--folder", type=Path, help="where clips and configurations are made")
    options = parser.parse_args()
    options.model = options.model or options.assets / "models" / "yolox_nano_416.onnx"
    if not options.model.is_file():
        parser.error(f"{options.model} is not there: --model or --assets")
    return options


def _compile() -> None:
    """Have the byte code of edged written, as pip does it when it installs."""
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", str(ROOT / "edged")],
        env=environment(),
        check=True,
        cwd=os.sep,
    )


if __name__ == "__main__":
    sys.exit(main())

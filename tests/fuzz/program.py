"""`make fuzz`: every target for a while, from a seed that is printed, and what was found.

    python -m fuzz [TARGET …] [--seed N] [--seconds S] [--mutants N] [--lanes N] [--provider P] [--assets FOLDER]

Targets: those of `fuzz.targets`, `gate`, `media`, `siege`; without any, all. ``--atheris TARGET`` hands one to
libFuzzer where atheris is installed, with the options of libFuzzer behind ``--rest``. What was found is written to
``build/fuzz``, an input a file; the exit code is 1.
"""

import argparse
import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import edged  # noqa: F401  # before onnxruntime can be imported
from fuzz.guidance import Finding, explore, tried
from fuzz.targets import opened, openers

if TYPE_CHECKING:
    from fuzz.gate import Verdict

ROOT = Path(__file__).parents[2]
LARGE = ("gate", "media", "siege")


def main(arguments: list[str]) -> int:
    """See the module."""
    options = _options().parse_args(arguments)
    if options.atheris:
        return _by_atheris(options.atheris, options.rest)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**31)
    print(f"seed {seed}", flush=True)
    found: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        for name in options.targets or [*openers(), *LARGE]:
            with _keeping(scratch, name) as folder:
                line, findings = _run(name, folder, seed, options)
            print(line, flush=True)
            found += findings
    for finding in found:
        print(f"\n{finding.target}: {finding.what}\n    {_kept(finding)}\n{finding.trace}", flush=True)
    return 1 if found else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", choices=[*openers(), *LARGE, []])
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of each target; of gate, unless --mutants are named"
    )
    parser.add_argument("--mutants", type=int, help="of gate, and of media")
    parser.add_argument("--lanes", type=int, default=2, help="of gate: processes at once")
    parser.add_argument("--provider", default="cpu", help="of gate, as in a configuration: openvino,cpu")
    parser.add_argument(
        "--assets",
        type=Path,
        default=Path(os.environ.get("EDGED_ASSETS") or ROOT.parent / "shared" / "assets"),
    )
    parser.add_argument("--atheris", metavar="TARGET", choices=[*openers()])
    parser.add_argument("--rest", nargs=argparse.REMAINDER, default=[], help=argparse.SUPPRESS)
    return parser


def _run(name: str, folder: Path, seed: int, options: argparse.Namespace) -> tuple[str, list[Finding]]:
    if name == "gate":
        from fuzz import gate, models

        assets = options.assets if options.assets.is_dir() else None
        report = gate.besiege(
            models.handmade() | models.real(ROOT, assets),
            folder,
            seed=seed,
            count=options.mutants or 2**31,
            seconds=0.0 if options.mutants else options.seconds,
            lanes=options.lanes,
            providers=tuple(options.provider.split(",")),
            told=_Told(),
        )
        return report.line, report.findings
    if name == "media":
        from fuzz import media

        watched = media.decode_many(folder, seed=seed, seconds=options.seconds, count=options.mutants or 0)
        return watched.line, watched.findings
    if name == "siege":
        from fuzz import siege

        return siege.besiege(folder, seed=seed, seconds=options.seconds)
    with opened(name, folder) as target:
        found = explore(target, seed=seed, seconds=options.seconds)
    return found.line, list(found.findings.values())


class _Told:
    """Prints how far it is, and what was slow or ended its process."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, verdict: "Verdict") -> None:
        self._count += 1
        if self._count % 100 == 0:
            print(f"  {self._count} verdicts", file=sys.stderr, flush=True)
        if verdict.seconds > 20 or "killed the process" in verdict.problem:
            name = f"{verdict.mutant} of {verdict.parent}"
            print(f"  {name}: {verdict.step}: {verdict.problem} ({verdict.seconds:.1f} s)", flush=True)


@contextlib.contextmanager
def _keeping(scratch: str, name: str) -> Iterator[Path]:
    folder = Path(scratch) / name
    folder.mkdir()
    yield folder


def _kept(finding: Finding) -> Path:
    folder = ROOT / "build" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    path = folder / f"{finding.target}-{number}"
    path.write_bytes(finding.content)
    return path


def _by_atheris(name: str, arguments: list[str]) -> int:
    """libFuzzer leads; it ends the process at the first finding."""
    import atheris  # `__main__` has seen to it that it is there

    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, opened(name, Path(scratch)) as target:
        corpus = Path(scratch) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(seed)

        def once(content: bytes) -> None:
            if finding := tried(target, content):
                print(f"{finding.what}\n    {_kept(finding)}\n{finding.trace}", file=sys.stderr)
                raise RuntimeError(finding.what)

        atheris.Setup([sys.argv[0], *arguments, str(corpus)], once)
        atheris.Fuzz()
    return 0

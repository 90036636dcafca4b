"""``edged bench``: what a model costs on this machine, stage by stage, beside the bare runtime."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.answering import providers_of, resolved
from edged.cli.detect import named_as_input
from edged.cli.naming import model_info
from edged.errors import RuntimeMissing, UsageError
from edged.worker.description import LoadRequest

if TYPE_CHECKING:
    from edged.bench.figures import Report

HELP = """Measure throughput and latency by stage on this machine, beside the bare runtime.

Without a model the bundled detector is measured, without a video that of the demo.

Examples:
  edged bench
  edged bench -m yolox_nano.onnx street.mp4 --fps 5
  edged bench -m yolox_nano.onnx --provider cpu --json
"""
MODEL = "parcel-codes"
BUSY = 0.25
"""Cores that others keep busy, from which on figures are not to be trusted."""


def bench(
    video: Annotated[
        str | None, typer.Argument(metavar="[INPUT]", help="A video file; default: that of the demo.")
    ] = None,
    *,
    model: Annotated[
        Path,
        typer.Option("-m", "--model", help="An ONNX file, a folder that holds one, or a bundled model."),
    ] = Path(MODEL),
    provider: Annotated[list[str] | None, typer.Option(help="Provider in order; may be repeated.")] = None,
    fps: Annotated[
        float, typer.Option(min=0.01, max=1000, help="Detections a second of each camera, for the capacity.")
    ] = 5.0,
    seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="For all measurements together; loading comes on top.")
    ] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    import structlog

    from edged.bench.measuring import Wanted, measure
    from edged.bundle import demo_video
    from edged.sources.address import Kind, resolve

    if os.name != "posix":
        raise RuntimeMissing("edged bench", "measures processes as Linux has them", "run it on Linux")
    name = video or str(demo_video())
    with named_as_input():
        kind = resolve(name, "bench").kind
    if kind is not Kind.VIDEO:
        raise UsageError(
            "INPUT", f"{name} is no video file", "record a few seconds of the camera, and name that"
        )
    wanted = Wanted(
        model=Path(resolved(LoadRequest(path=str(model))).path),
        video=name,
        providers=providers_of(provider),
        fps=fps,
        seconds=seconds,
    )
    # The camera is opened again in each round, which is news in a daemon and none here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with _progress() as told:
        report = measure(wanted, lambda worker: model_info(worker.description), told)
    if as_json:
        typer.echo(json.dumps(document(report), indent=2, ensure_ascii=False))
        return
    for line in page(report):
        typer.echo(line)


def document(report: "Report") -> dict[str, Any]:
    """As JSON has it."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rounded(inner) for key, inner in value.items()}
        return round(value, 4) if isinstance(value, float) else value

    beside = {"cameras": report.capacity.cameras, "limit": report.capacity.limit}
    whole = rounded(asdict(report))
    whole["capacity"] |= beside
    whole["cpu_ratio"] = round(report.whole.cpu_ms / report.floor_ms, 4)
    whole["busy"] = report.others > BUSY
    return {"schema": "edged.bench/1", **whole}


def page(report: "Report") -> Iterator[str]:
    """For people, line by line."""
    model, video, capacity = report.model, report.video, report.capacity
    yield f"{'model':<10} {model['path']}, {model['family']} on {model['provider']}, {_threads(model['threads'])}"
    for reason in model["passed_over"]:
        yield f"{'':<10} passed over {reason}"
    rate = f"{video['fps']:g} frames a second"
    yield f"{'video':<10} {video['path']}, {video['width']} × {video['height']}, {rate}"
    packages = ", ".join(f"{name} {version}" for name, version in report.machine["runtime"].items())
    yield f"{'machine':<10} {report.machine['cpu']}, {report.machine['cores']} cores; {packages}"
    yield ""
    yield f"{'stage':<12} {'p50 ms':>9} {'p95 ms':>9} {'CPU ms a frame':>16}"
    for name, one in report.stages.items():
        yield f"{name:<12} {one.p50_ms:>9.2f} {one.p95_ms:>9.2f} {one.cpu_ms:>16.2f}"
    together = sum(one.cpu_ms for one in report.stages.values())
    yield f"{'together':<12} {sum(one.p50_ms for one in report.stages.values()):>9.2f} {'':>9} {together:>16.2f}"
    yield ""
    for bare in dict.fromkeys((report.alone, report.full)):
        what = f"bare session, {bare.at_once} at once"
        yield f"{what:<26} {bare.per_s:>7.1f} a second, {bare.cpu_ms:.2f} ms CPU each"
    whole = report.whole
    yield f"{'everything at once':<26} {whole.per_s:>7.1f} frames a second, {whole.cpu_ms:.2f} ms CPU each"
    ratio = whole.cpu_ms / report.floor_ms
    yield f"{'':<26} {ratio:>7.2f} × the CPU of decoding and the bare session ({report.floor_ms:.2f} ms)"
    yield ""
    yield (
        f"Cameras like this video, {capacity.fps:g} detections a second each: {capacity.cameras} at most. "
        f"The {capacity.limit} is the limit: by the processor {capacity.by_cpu}, by inference {capacity.by_inference}."
    )
    yield f"Medians of {report.rounds} rounds in turns, {report.frames} frames, {report.seconds:.0f} s."
    if report.others > BUSY:
        yield (
            f"Other programs kept {report.others:.1f} of {report.machine['cores']} cores busy meanwhile: times on the "
            "clock and rates are worse than they need be. Run it again on a quiet machine."
        )


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'} an inference"


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """What is being done, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _what, _share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)

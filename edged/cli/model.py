"""``edged model``: look at a model before it is deployed, find one, put one into the store."""

import json
from pathlib import Path
from typing import Annotated

import typer

from edged.cli import catalog
from edged.worker.description import LoadRequest, ModelDescription

app = typer.Typer(
    help="Look at models and get them.\n\nExample: edged model inspect yolox_nano.onnx",
    no_args_is_help=True,
    rich_markup_mode=None,
)


app.command()(catalog.catalog)
app.command()(catalog.add)


@app.callback()
def models() -> None:
    """Look at models and get them."""


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="An ONNX file, or a folder that holds one.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    provider: Annotated[list[str] | None, typer.Option(help="Provider to try; may be repeated.")] = None,
) -> None:
    """Say what a model is: family and why, inputs, outputs, labels, preprocessing, and what really runs it.

    Example: edged model inspect yolox_nano.onnx
    """
    from edged.cli.answering import describe, providers_of

    description = describe(LoadRequest(path=str(path), providers=providers_of(provider)))
    if as_json:
        typer.echo(json.dumps(description.to_dict(), indent=2, ensure_ascii=False))
    else:
        _print_page(description)


def _print_page(model: ModelDescription) -> None:
    recipe = model.input
    shown = ", ".join(model.labels[:12]) + (
        f" … ({len(model.labels)} in all)" if len(model.labels) > 12 else ""
    )
    nodes = ", ".join(f"{count} on {name}" for name, count in model.provider_nodes.items())
    rows = [
        ("file", f"{model.path} ({model.size_bytes:,} bytes)"),
        ("digest", model.digest),
        ("task", model.task),
        ("family", f"{model.family}: {model.why}"),
        *(("note", note) for note in model.notes),
        *(("input", f"{spec.name} {spec.dtype} {list(spec.shape)}") for spec in model.inputs),
        *(("output", f"{spec.name} {spec.dtype} {list(spec.shape)}") for spec in model.outputs),
        (
            "picture",
            f"{recipe.width} × {recipe.height} {recipe.color} {recipe.layout} {recipe.dtype}, "
            f"{recipe.fit.value}, pad {recipe.pad}",
        ),
        ("values", f"(x · {recipe.scale:.6g} − {_triple(recipe.mean)}) / {_triple(recipe.std)}"),
        ("labels", shown or "none: class ids are used"),
        ("kept", f"score ≥ {model.min_score}, IoU {model.iou}, {model.max_detections} at most"),
        ("format", f"opset {_opsets(model)}, IR {model.ir_version}, {model.producer or 'unknown producer'}"),
        ("runtime", ", ".join(f"{name} {version}" for name, version in model.runtime.items())),
        ("provider", f"{model.provider} ({nodes}), asked for {', '.join(model.provider_asked)}"),
        *(("passed over", reason) for reason in model.provider_refused),
        ("threads", f"{model.threads} an inference"),
        ("speed", f"loaded in {model.load_ms:.0f} ms, {model.latency_ms:.1f} ms an inference"),
        *(("metadata", f"{key}: {value[:100]}") for key, value in model.metadata.items()),
    ]
    for name, text in rows:
        typer.echo(f"{name:<12} {text}")


def _triple(values: tuple[float, float, float]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else f"[{', '.join(f'{value:g}' for value in values)}]"


def _opsets(model: ModelDescription) -> str:
    return ", ".join(
        f"{version}" if domain == "ai.onnx" else f"{domain} {version}"
        for domain, version in model.opsets.items()
    )

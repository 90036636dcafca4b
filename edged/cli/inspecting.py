"""``edged model inspect``: what a model is, and where it cannot be served, what is known of it and what is missing."""

import json
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from edged.bundle import model_path
from edged.cli.answering import candidate, providers_of, resolved
from edged.errors import EdgedError, RuntimeMissing
from edged.manifest import model_files
from edged.modelstore import find_at
from edged.worker.choice import Choice
from edged.worker.description import LoadRequest, ModelDescription

_Row = tuple[str, str]

MAX_SHOWN_CHARS = 100
"""Of one value of the metadata."""
OWN_CONTENT_ONLY = "default-src 'self' 'unsafe-inline' data: blob:"
"""Content security policy of the graph's page."""
MAX_SHOWN = 12
"""Labels and operators on the page; all of them are in the JSON."""


def inspect(
    path: Annotated[Path, typer.Argument(help="An ONNX file, a folder that holds one, or a bundled model.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    provider: Annotated[list[str] | None, typer.Option(help="Provider to try; may be repeated.")] = None,
    graph: Annotated[
        bool, typer.Option("--graph", help="Show the graph in a browser, with Netron; until Ctrl-C.")
    ] = False,
) -> None:
    """Say what a model is: family and why, inputs, outputs, labels, preprocessing, and what really runs it.

    A model that cannot be served is described as far as it is known, and what is missing is named.

    Example: edged model inspect yolox_nano.onnx
    """
    known, error = _look(LoadRequest(path=str(path), providers=providers_of(provider)))
    if as_json:
        typer.echo(json.dumps(as_document(known, error), indent=2, ensure_ascii=False))
    else:
        for name, text in _rows(known, error):
            typer.echo(f"{name:<12} {_printable(text)}")
    sys.stdout.flush()
    if graph:
        if error:  # the graph is what helps to see why
            print(f"edged: {error}", file=sys.stderr)
        _show_graph(model_files(find_at(model_path(path)).path).onnx)
        if error:
            raise typer.Exit(error.exit_code)
    if error:
        raise error


def _look(request: LoadRequest) -> tuple[dict[str, Any], EdgedError | None]:
    """All that becomes known of a model, and why it cannot be served.

    Raises:
        InputNotFound: It is not there, so that there is nothing to describe.
        WorkerLost: This machine cannot start a process for it.
    """
    request = resolved(request)
    with candidate(request) as model:
        try:
            return model.load().to_dict(), None
        except EdgedError as error:
            return {"path": request.path} | model.progress.known, error


def as_document(known: Mapping[str, Any], error: EdgedError | None) -> dict[str, Any]:
    """The JSON of a model: the keys of `ModelDescription`, null where nothing is known, and whether it is served."""
    keys = list(ModelDescription.__dataclass_fields__)
    missing = {"problem": error.problem, "remedy": error.remedy} if error else None
    verdict = {"servable": error is None} | ({"missing": missing} if missing else {})
    return {"path": known.get("path")} | verdict | {key: known.get(key) for key in keys if key != "path"}


def _rows(known: Mapping[str, Any], error: EdgedError | None) -> Iterator[_Row]:
    """The page, a row a fact; what is not known has no row."""
    size = f" ({known['size_bytes']:,} bytes)" if "size_bytes" in known else ""
    yield "file", f"{known['path']}{size}"
    if "digest" in known:
        yield "digest", known["digest"]
    yield "servable", "yes" if error is None else f"no: {error.problem}"
    if error and error.remedy:
        yield "remedy", error.remedy
    yield from _understood(known)
    yield from _tensors(known)
    yield from _prepared(known)
    yield from _run(known)
    for key, value in known.get("metadata", {}).items():
        yield "metadata", f"{key}: {value[:MAX_SHOWN_CHARS]}"


def _understood(known: Mapping[str, Any]) -> Iterator[_Row]:
    if "task" in known:
        yield "task", known["task"] if "family" in known else f"{known['task']}: {known['why']}"
    if "family" in known:
        yield "family", f"{known['family']}: {known['why']}"
    for note in known.get("notes", ()):
        yield "note", note


def _tensors(known: Mapping[str, Any]) -> Iterator[_Row]:
    for key, name in (("inputs", "input"), ("outputs", "output"), ("trial", "trial")):
        for spec in known.get(key, ()):
            yield name, f"{spec['name']} {spec['dtype']} {spec['shape']}"


def _prepared(known: Mapping[str, Any]) -> Iterator[_Row]:
    if "input" in known:
        recipe = known["input"]
        if "features" in recipe:
            yield from _rows_taken(recipe)
            if known.get("labels"):
                yield "labels", _listed(known["labels"])
            return
        yield (
            "picture",
            f"{recipe['width']} × {recipe['height']} {recipe['color']} {recipe['layout']} {recipe['dtype']}, "
            f"{recipe['fit']}, pad {recipe['pad']}",
        )
        yield "values", f"(x · {recipe['scale']:.6g} − {_triple(recipe['mean'])}) / {_triple(recipe['std'])}"
    labels = known.get("labels")
    if labels or "input" in known:
        yield "labels", _listed(labels) if labels else "none: class ids are used"
    if "min_score" in known:
        yield (
            "kept",
            f"score ≥ {known['min_score']}, IoU {known['iou']}, {known['max_detections']} at most",
        )


def _rows_taken(recipe: Mapping[str, Any]) -> Iterator[_Row]:
    window = f"windows of {recipe['window']} rows" if recipe["window"] else "windows of any number of rows"
    taken = "each row" if recipe["window"] == 1 else window
    texts = f", {len(recipe['texts'])} of them texts" if recipe["texts"] else ""
    yield "rows", f"{taken}, {recipe['features']} fields{texts}, {recipe['batch']} at once"
    if recipe["names"]:
        yield "fields", _listed(recipe["names"])


def _run(known: Mapping[str, Any]) -> Iterator[_Row]:
    if "opsets" in known or "ir_version" in known:
        opsets = ", ".join(
            f"{version}" if domain == "ai.onnx" else f"{domain} {version}"
            for domain, version in known.get("opsets", {}).items()
        )
        producer = known.get("producer") or "unknown producer"
        yield "format", f"opset {opsets or 'unknown'}, IR {known.get('ir_version') or 'unknown'}, {producer}"
    if known.get("operators"):
        shown = [f"{name} {count}" for name, count in known["operators"].items()]
        yield "nodes", f"{known.get('node_count', 0):,}: {_listed(shown)}"
    if "runtime" in known:
        yield "runtime", ", ".join(f"{name} {version}" for name, version in known["runtime"].items())
    if "provider" in known:
        nodes = ", ".join(f"{count} on {name}" for name, count in known["provider_nodes"].items())
        yield "provider", f"{known['provider']} ({nodes}), asked for {', '.join(known['provider_asked'])}"
        for reason in known["provider_refused"]:
            yield "passed over", reason
    if known.get("choice"):
        choice = Choice.from_dict(known["choice"])
        yield "chosen", choice.text
        for line in choice.lines:
            yield "tried", line
    if "threads" in known:
        yield "threads", f"{known['threads']} an inference"
    if "load_ms" in known:
        inference = f", {known['latency_ms']:.1f} ms an inference" if "latency_ms" in known else ""
        yield "speed", f"loaded in {known['load_ms']:.0f} ms{inference}"


def _listed(values: list[str]) -> str:
    more = f" … ({len(values)} in all)" if len(values) > MAX_SHOWN else ""
    return ", ".join(values[:MAX_SHOWN]) + more


def _triple(values: list[float]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else f"[{', '.join(f'{value:g}' for value in values)}]"


def _printable(text: str) -> str:
    """What a stranger wrote into a file must not move the cursor or colour the terminal."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def _show_graph(onnx: Path) -> None:
    """Serve a model's graph to a browser of this machine until Ctrl-C.

    Netron's page reports its use to its makers and asks a third party where its user is. The policy that goes with
    every answer keeps a browser from both: nothing calls home.

    Raises:
        RuntimeMissing: Netron is not installed.
    """
    try:
        netron = import_module("netron")
    except ImportError as error:
        raise RuntimeMissing("--graph", "needs Netron", "pip install 'edged[netron]'") from error
    plain = BaseHTTPRequestHandler.end_headers

    def end_headers(self: BaseHTTPRequestHandler) -> None:
        self.send_header("Content-Security-Policy", OWN_CONTENT_ONLY)
        plain(self)

    BaseHTTPRequestHandler.end_headers = end_headers  # type: ignore[method-assign]  # its handler is not for us to name
    host, port = netron.start(str(onnx), address=("127.0.0.1", None))
    print(f"http://{host}:{port} until Ctrl-C", file=sys.stderr)
    netron.wait()

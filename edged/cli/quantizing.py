"""``edged model quantize``: the int8 twin of a model, kept only if it sees what the model sees."""

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edged.bundle import model_path
from edged.cli.answering import answering, providers_of, resolved
from edged.cli.stores import ConfigOption, StoreOption, store_folder
from edged.errors import BadInput, CannotWrite, EdgedError, InputNotFound, ModelRejected, UsageError
from edged.urls import redacted
from edged.worker.description import LoadRequest, ModelDescription

if TYPE_CHECKING:
    from edged.worker.answer import Answering
    from edged.worker.gathering import Gathered
    from edged.worker.twin import Judge, Twin

FRAMES, MIN_FRAMES, MAX_FRAMES = 200, 8, 2000
HELD_OUT_EVERY = 4
"""Every fourth frame is not calibrated with: what was agreed on elsewhere is worth nothing."""
MAP_MIN_SCORE = 0.01
"""As `edged model eval`."""

FormName = Literal["auto", "operators", "convolutions"]


def quantize(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="An ONNX file, a folder, a bundled or a stored model.")
    ],
    *,
    calibrate: Annotated[
        list[str],
        typer.Option(metavar="PICTURES|CAMERA", help="Folder of pictures, video or camera; may be repeated."),
    ],
    annotations: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="COCO_JSON IMAGES", help="Measure mAP50 on these, instead of agreement."),
    ] = None,
    max_loss: Annotated[
        float, typer.Option(min=0, max=1, help="Of mAP50 or agreement; beyond it nothing is stored.")
    ] = 0.01,
    frames: Annotated[
        int, typer.Option(min=MIN_FRAMES, max=MAX_FRAMES, help="Frames to use, spread evenly.")
    ] = FRAMES,
    budget: Annotated[
        float, typer.Option(min=0, max=86400, help="Seconds for finding what must stay in float.")
    ] = 300.0,
    form: Annotated[
        FormName, typer.Option(help="What becomes int8, see docs/quantize.md; auto: what is faster here.")
    ] = "auto",
    provider: Annotated[
        list[str] | None, typer.Option(help="Compare on this one; may be repeated; default: all there are.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Store the twin as the next version of this model.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write it into this folder, which must not exist.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Make the int8 twin of a model (QDQ, static), and keep it if it loses no more than --max-loss.

    A stored model gets it as its next version, for the daemon to try. Others get the folder NAME-int8 here.

    Example: edged model quantize vehicles.onnx --calibrate rtsp://10.0.0.5/1 --output vehicles-int8
    """
    from edged.inference.quantgraph import onnx_module

    onnx_module()
    place = _place(model, name, output, store, config)
    with _progress() as say, tempfile.TemporaryDirectory(prefix="edged-quantize-") as folder:
        twin, description, measure = _made(
            place.path,
            calibrate,
            Path(folder),
            annotations=annotations,
            frames=frames,
            providers=provider,
            limits={"max_loss": max_loss, "budget_s": budget, "form": None if form == "auto" else form},
            say=say,
        )
        kept = twin.loss <= max_loss
        stored = _keep(twin, place, Path(folder)) if kept else None
        sizes = (description.size_bytes, twin.path.stat().st_size)
    if as_json:
        document = _document(twin, description, measure, sizes, stored=stored, max_loss=max_loss)
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _print_page(twin, description, measure, sizes, stored)
    if not kept:
        sys.stdout.flush()
        raise BadInput(
            str(place.shown),
            f"loses {twin.loss:.4f} of {measure} in int8, more than {max_loss:g}; nothing was stored",
            "calibrate with more pictures like those it will see, or raise --max-loss or --budget",
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the model is, and where its twin goes.

    Attributes:
        path: As `resolved` takes it.
        shown: As the user wrote it.
        store: The store that gets a version; None for a plain folder.
        name: Of the model in that store, or of the folder of versions.
        folder: The plain folder.
    """

    path: Path
    shown: str
    store: Path | None
    name: str
    folder: Path | None


def _place(
    model: str, name: str | None, output: Path | None, store: Path | None, config: Path | None
) -> _Place:
    """Settles what can be settled before minutes of work."""
    if name is not None and output is not None:
        raise UsageError("--output", "and --name say two places for the twin", "leave one of them away")
    home = store_folder(store, config) if name is not None else None
    try:
        path, known = model_path(Path(model)), True
    except InputNotFound:
        home = home or store_folder(store, config)
        stored = [one for one in (home / model, home / f"{model}.onnx") if one.exists() and "/" not in model]
        if not stored:
            raise
        path, known = stored[0], False
    if output is not None:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise UsageError("--output", f"{output} exists", "name a folder that does not")
        return _Place(path, model, None, "", output)
    if name is not None:
        _check_name(name)
        return _Place(path, model, home, name, None)
    if not known:
        return _Place(path, model, home, model, None)
    resting = Path(resolved(LoadRequest(path=str(path))).path)
    return _Place(path, model, Path.cwd(), f"{_called(resting)}-int8", None)


def _check_name(name: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from edged.sections import Name

    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        allowed = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError("--name", f"is {name!r:.80}", f"allowed: {allowed}") from error


def _called(path: Path) -> str:
    """What a file or a version folder is called after."""
    path = path.resolve()
    path = (
        path.parent if path.name == "model.onnx" else path.with_suffix("") if path.suffix == ".onnx" else path
    )
    return path.parent.name if path.name.isdecimal() else path.name


def _made(
    path: Path,
    inputs: list[str],
    folder: Path,
    *,
    annotations: tuple[Path, Path] | None,
    frames: int,
    providers: list[str] | None,
    limits: dict[str, Any],
    say: Callable[[str], None],
) -> "tuple[Twin, ModelDescription, str]":
    """The twin, what it was made of, and what its accuracy is measured in."""
    from edged.inference.providers import available
    from edged.worker.gathering import gather
    from edged.worker.twin import TwinMaker

    say("loading")
    request = LoadRequest(path=str(path), providers=("cpu",))
    with answering(request) as (_, description):
        recipe = _recipe(description)
    _copy_belongings(description, folder)
    bad: list[EdgedError] = []
    count = 0

    def on_frame() -> None:
        nonlocal count
        count += 1
        say(f"reading pictures, {count}")

    tensors = gather(inputs, recipe, folder, frames=frames, on_frame=on_frame, on_bad=bad.append)
    for error in bad:
        print(redacted(f"edged: {error}"), file=sys.stderr)
    calibration, held = _split(tensors, inputs, whole=annotations is not None)
    if annotations:
        measure, judge, min_score = "mAP50", _map50(*annotations, description), MAP_MIN_SCORE
    else:
        say("looking at what is held out")
        measure = "agreement"
        judge, min_score = _agreement(path, description, held)
    maker = TwinMaker(
        description, calibration, folder, open_model=answering, judge=judge, min_score=min_score, say=say
    )
    asked = providers_of(providers)
    named = available() if "auto" in asked else asked
    return maker.make(providers=named, pace=held, **limits), description, measure


def _recipe(description: ModelDescription) -> Any:
    if description.task not in {"detect", "classify"}:
        raise ModelRejected(
            description.path,
            f"is no model of pictures (task {description.task})",
            "int8 is for detectors and classifiers",
        )
    if description.picture.dtype == "float16":
        raise ModelRejected(description.path, "takes float16", "export it in float32")
    return description.picture


def _split(tensors: "Gathered", inputs: list[str], *, whole: bool) -> "tuple[Gathered, Gathered]":
    """What is calibrated with, and what is held out."""
    if len(tensors) < MIN_FRAMES:
        problem = f"gave {len(tensors)} picture{'s' * (len(tensors) != 1)} only"
        raise BadInput(redacted(inputs[0]), problem, f"calibrate with {MIN_FRAMES} at least, better {FRAMES}")
    positions = range(len(tensors))
    held = positions[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    rest = positions if whole else [one for one in positions if one not in held]
    return tensors.at(rest), tensors.at(held)


def _agreement(path: Path, description: ModelDescription, held: "Gathered") -> "tuple[Judge, float]":
    """Judges by what the float model finds in the frames that are held out."""
    from edged.worker.likeness import NEAR, classifiers_alike, detectors_alike
    from edged.worker.twin import answers_to

    detects = description.task == "detect"
    least = NEAR * description.min_score if detects else 0.0
    with answering(LoadRequest(path=str(path), providers=("cpu",), min_score=least)) as (model, _):
        reference = [one.detections for one in answers_to(model, held)]
    if detects and not any((found.score >= description.min_score).any() for found in reference):
        raise BadInput(
            description.path,
            f"finds nothing in the {len(held)} frames that are held out, so there is nothing to agree on",
            "calibrate with pictures of what it is to find",
        )

    def judge(answers: "Answering", _description: ModelDescription) -> float:
        found = [one.detections for one in answers_to(answers, held)]
        if detects:
            return detectors_alike(reference, found, min_score=description.min_score)
        return classifiers_alike(reference, found)

    return judge, least


def _map50(path: Path, images: Path, description: ModelDescription) -> "Judge":
    """Judges by annotated pictures."""
    from edged.cli.evaluating import find_pictures
    from edged.evaluation import evaluate, match_categories, read_annotations
    from edged.worker.looking import Look, picture_frame

    if description.task != "detect":
        raise UsageError(
            "--annotations", "mAP is of detectors", "leave it away: classifiers are compared by label"
        )
    truth = read_annotations(path)
    files = find_pictures(images, [picture.file_name for picture in truth.images])
    matching = match_categories(description.labels, truth.categories)
    if not any(one is not None for one in matching.category):
        raise BadInput(str(path), "has none of the model's classes", "name its categories as the model does")

    def judge(answers: "Answering", loaded: ModelDescription) -> float:
        look = Look(answers, loaded.picture)
        found = {one.id: look.see(picture_frame(files[one.file_name])).detections for one in truth.images}
        return evaluate(truth, found, matching.category).map50 or 0.0

    return judge


def _copy_belongings(description: ModelDescription, folder: Path) -> None:
    """What is said of the model beside its file, for its twin; the golden entries too."""
    from edged.modelstore.finding import belongings

    onnx = Path(description.path)
    # What was recognised by its numbers might not be by rounded ones.
    facts = f'task = "{description.task}"\nfamily = "{description.family}"\n'
    (folder / "model.toml").write_text(facts, encoding="utf-8")
    for member, source in belongings(onnx, str(onnx)).items():
        target = folder / member
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _keep(twin: "Twin", place: _Place, folder: Path) -> Path:
    """Put the twin and what belongs to it where it was wanted: whole, or not at all."""
    from edged.modelstore.adding import publish
    from edged.modelstore.staging import staging

    home = place.store if place.store is not None else (place.folder or Path()).absolute().parent
    with staging(home) as stage:
        version = stage / "version"
        try:
            version.mkdir()
            shutil.copyfile(twin.path, version / "model.onnx")
            for member in ("model.toml", "labels.txt"):
                if (folder / member).is_file():
                    shutil.copyfile(folder / member, version / member)
            if (folder / "golden").is_dir():
                shutil.copytree(folder / "golden", version / "golden")
            if place.folder is not None:
                if place.folder.is_dir():
                    place.folder.rmdir()  # empty, as was made sure of
                version.rename(place.folder)
                return place.folder
        except OSError as error:
            where = str(place.folder or home)
            raise CannotWrite(
                where, f"cannot be written ({error.strerror or error})", "check the disk"
            ) from error
        return publish(home, place.name, version).path


def _document(
    twin: "Twin",
    description: ModelDescription,
    measure: str,
    sizes: tuple[int, int],
    *,
    stored: Path | None,
    max_loss: float,
) -> dict[str, Any]:
    return {
        "model": {"path": description.path, "digest": description.digest, "family": description.family},
        "form": twin.form,
        "ranges": twin.method,
        "float_nodes": {"head": twin.head, "sensitive": list(twin.left_out)},
        "measure": measure,
        "measured_on": twin.provider,
        "before": twin.before,
        "after": twin.after,
        "loss": twin.loss,
        "max_loss": max_loss,
        "bytes": {"before": sizes[0], "after": sizes[1]},
        "providers": [
            {
                "provider": one.provider,
                "float_ms": one.float_ms,
                "int8_ms": one.int8_ms,
                "ratio": one.ratio,
                "why_not": one.why_not or None,
            }
            for one in twin.speed
        ],
        "stored": str(stored) if stored else None,
        "notes": list(twin.notes),
    }


def _print_page(
    twin: "Twin", description: ModelDescription, measure: str, sizes: tuple[int, int], stored: Path | None
) -> None:
    typer.echo(f"{'model':<10} {description.path}, {description.family}")
    typer.echo(
        f"{'int8':<10} form {twin.form}, ranges by {twin.method}, {measure} measured on {twin.provider}"
    )
    typer.echo(f"{'float':<10} {twin.head} nodes of the head, {len(twin.left_out)} sensitive ones before it")
    for note in twin.notes:
        typer.echo(f"{'note':<10} {note}")
    typer.echo(f"{'':<18} {'before':>12} {'after':>12}")
    typer.echo(f"{measure:<18} {twin.before:>12.4f} {twin.after:>12.4f} {twin.after - twin.before:>+9.4f}")
    typer.echo(f"{'bytes':<18} {sizes[0]:>12,} {sizes[1]:>12,} {sizes[0] / sizes[1]:>8.2f} x as small")
    for one in twin.speed:
        ratio = f"{one.ratio:>8.2f} x as fast" if one.ratio else f"  {one.why_not}"
        typer.echo(f"{one.provider:<18} {_ms(one.float_ms):>12} {_ms(one.int8_ms):>12} {ratio}")
    if stored:
        typer.echo(f"{'stored':<10} {stored}")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ms"


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What goes on, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(file=sys.stderr).status("quantising") as status:
        yield lambda text: status.update(escape(text))

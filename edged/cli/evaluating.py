"""``edged model eval``: how accurate a detector is on annotated pictures, and how long a picture takes."""

import contextlib
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.answering import answering, providers_of
from edged.cli.areas import OVERLAP, Areas, CropOption, OverlapOption, TilesOption
from edged.errors import BadInput, InputNotFound, ModelRejected
from edged.worker.description import LoadRequest, ModelDescription

if TYPE_CHECKING:
    from edged.evaluation import Accuracy, Picture
    from edged.worker.looking import Seen
    from edged.worker.looks import Looks

MIN_SCORE = 0.01
"""Low enough that precision is known at nearly every recall a model can reach. A lower one finds a little more: figures
are only comparable at the same."""


def evaluate(
    path: Annotated[Path, typer.Argument(help="An ONNX file, a folder that holds one, or a bundled model.")],
    annotations: Annotated[Path, typer.Argument(metavar="COCO_JSON", help="Objects in COCO's format.")],
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="Folder of the pictures, at any depth below it.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    provider: Annotated[list[str] | None, typer.Option(help="Provider in order; may be repeated.")] = None,
    min_score: Annotated[
        float,
        typer.Option(min=0, max=1, help="Detections below it do not count; figures are comparable at one."),
    ] = MIN_SCORE,
    crop: CropOption = None,
    tiles: TilesOption = None,
    overlap: OverlapOption = OVERLAP,
) -> None:
    """Say how accurate a detector is: mAP50 and mAP50:95 as pycocotools computes them, and each class.

    Example: edged model eval vehicles.onnx annotations.json pictures/
    """
    from edged.evaluation import evaluate as compare
    from edged.evaluation import match_categories, read_annotations

    areas = Areas.of(crop, tiles, overlap)
    truth = read_annotations(annotations)
    files = find_pictures(images, [picture.file_name for picture in truth.images])
    request = LoadRequest(path=str(path), providers=providers_of(provider), min_score=min_score)
    with answering(request) as (answers, description):
        if description.task != "detect":
            raise ModelRejected(
                description.path, f"is no detector (task {description.task})", "mAP is of detectors"
            )
        matching = match_categories(description.labels, truth.categories)
        if not any(one is not None for one in matching.category):
            raise BadInput(
                str(annotations),
                f"has none of the model's classes ({', '.join(description.labels[:5])} …)",
                "name its categories as the model does, in labels.txt or model.toml",
            )
        look = areas.look(answers, description)
        seen, other = _look_at_all(look, truth.images, files)
    found = {number: one.detections for number, one in seen.items()}
    accuracy = compare(truth, found, matching.category)
    notes = [*matching.notes, *other]
    times = _times(list(seen.values()))
    if as_json:
        document = _document(description, accuracy, times, notes, pictures=len(truth.images))
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    _print_page(description, accuracy, times, notes, pictures=len(truth.images))


def find_pictures(folder: Path, names: list[str]) -> dict[str, Path]:
    """The file of each picture: where its name says, or anywhere below the folder.

    Raises:
        InputNotFound: No such folder, or pictures that are not in it.
        BadInput: A name that several files have.
    """
    if not folder.is_dir():
        raise InputNotFound(str(folder), "no such folder", "name the folder of the pictures")
    below: dict[str, list[PurePosixPath]] = {}
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in files:
            below.setdefault(name, []).append(
                PurePosixPath((Path(place) / name).relative_to(folder).as_posix())
            )
    found: dict[str, Path] = {}
    missing = []
    for name in names:
        pure = PurePosixPath(name)
        known = below.get(pure.name, [])
        same = [one for one in known if one == pure] or [one for one in known if _ends(one, pure)] or known
        if len(same) > 1:
            listed = ", ".join(map(str, same[:3]))
            raise BadInput(
                str(folder), f"has {len(same)} files called {pure.name} ({listed})", "name one folder"
            )
        if same:
            found[name] = folder / same[0]
        else:
            missing.append(name)
    if missing:
        raise InputNotFound(
            str(folder), f"lacks {len(missing)} of {len(names)} pictures ({missing[0]})", "name their folder"
        )
    return found


def _ends(path: PurePosixPath, name: PurePosixPath) -> bool:
    return path.parts[-len(name.parts) :] == name.parts


def _look_at_all(
    look: "Looks", pictures: "tuple[Picture, ...]", files: dict[str, Path]
) -> "tuple[dict[int, Seen], list[str]]":
    """What was seen in each picture by its id, and a note on those of another size than annotated."""
    from edged.worker.looking import picture_frame

    seen, odd = {}, []
    with _progress(len(pictures)) as advance:
        for picture in pictures:
            one = look.see(picture_frame(files[picture.file_name]))
            seen[picture.id] = one
            size = (one.frame.width, one.frame.height)
            if picture.width and picture.height and size != (picture.width, picture.height):
                odd.append(picture.file_name)
            advance()
    if not odd:
        return seen, []
    return seen, [f"{len(odd)} of the pictures have another size than was annotated ({odd[0]})"]


def _times(seen: "list[Seen]") -> dict[str, float]:
    """Milliseconds of a picture, the median of all."""
    taken = {
        "prepare": [one.prepare_ms for one in seen],
        "inference": [one.inference_ms for one in seen],
        "decode": [one.decode_ms for one in seen],
    }
    return {name: round(statistics.median(ms), 3) if ms else 0.0 for name, ms in taken.items()}


def _document(
    model: ModelDescription,
    accuracy: "Accuracy",
    times: dict[str, float],
    notes: list[str],
    *,
    pictures: int,
) -> dict[str, Any]:
    return {
        "model": {
            "path": model.path,
            "digest": model.digest,
            "family": model.family,
            "provider": model.provider,
        },
        "pictures": pictures,
        "objects": sum(one.objects for one in accuracy.classes),
        "min_score": model.min_score,
        "mAP50": accuracy.map50,
        "mAP50_95": accuracy.map50_95,
        "ms": times,
        "classes": [
            {
                "label": one.label,
                "category_id": one.category_id,
                "objects": one.objects,
                "found": one.found,
                "ap50": one.ap50,
                "ap50_95": one.ap50_95,
            }
            for one in accuracy.classes
        ],
        "notes": notes,
    }


def _print_page(
    model: ModelDescription,
    accuracy: "Accuracy",
    times: dict[str, float],
    notes: list[str],
    *,
    pictures: int,
) -> None:
    objects = sum(one.objects for one in accuracy.classes)
    typer.echo(f"{'model':<10} {model.path}, {model.family} on {model.provider}")
    typer.echo(f"{'pictures':<10} {pictures}, {objects} objects")
    typer.echo(f"{'mAP50':<10} {_number(accuracy.map50)}")
    typer.echo(f"{'mAP50:95':<10} {_number(accuracy.map50_95)}")
    typer.echo(f"{'a picture':<10} {', '.join(f'{name} {ms:.1f} ms' for name, ms in times.items())}")
    for note in notes:
        typer.echo(f"{'note':<10} {note}")
    typer.echo(f"{'class':<24} {'objects':>7} {'AP50':>7} {'AP50:95':>8}")
    for one in accuracy.classes:
        if one.objects:
            row = f"{one.label:<24} {one.objects:>7} {_number(one.ap50):>7} {_number(one.ap50_95):>8}"
            typer.echo(row)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("pictures", total=total)
        yield lambda: bar.advance(task)

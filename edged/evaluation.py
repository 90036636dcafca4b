"""How accurate a detector is on annotated pictures: average precision as ``pycocotools`` computes it. Pure NumPy.

For one class and one IoU threshold the detections of all pictures are gone through, best first; each one takes the
object it overlaps most, if that is by at least the threshold and no better detection took it. Precision is then read
at 101 recalls, each the best that is reached at that recall or a higher one; their mean is the average precision (AP).

    mAP50       mean over the classes at an IoU of 0.5
    mAP50:95    mean over the classes and ten thresholds, 0.5 to 0.95

Crowds (``iscrowd``) are no objects: what lies in one is neither right nor wrong. At most 100 detections of a class and
picture count. Source: ``COCOeval`` of https://github.com/cocodataset/cocoapi, all areas; tests compare it to 1e-6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edged.detection import Detections
from edged.errors import BadInput, InputNotFound, NotAllowed

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MAX_DETECTIONS = 100
"""Of one class in one picture."""
MAX_ANNOTATION_BYTES = 1024**3

_SHOWN = 5

Floats = NDArray[np.float64]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Picture(_Table):
    """An annotated picture; its size is 0 where the file does not say it."""

    id: int
    file_name: str
    width: int = 0
    height: int = 0


class Category(_Table):
    """A class of the annotations."""

    id: int
    name: str


class Annotation(_Table):
    """An object; ``bbox`` is x, y, width, height in pixels."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: Annotated[int, Field(ge=0, le=1)] = 0


class Annotations(_Table):
    """What COCO's JSON says, as far as detection is concerned."""

    images: tuple[Picture, ...]
    annotations: tuple[Annotation, ...]
    categories: tuple[Category, ...]


def read_annotations(path: Path) -> Annotations:
    """Read annotations in COCO's format.

    Raises:
        InputNotFound: No such file.
        NotAllowed: It may not be read.
        BadInput: Not readable, no JSON, or not in that format; the text says where.
    """
    try:
        if path.stat().st_size > MAX_ANNOTATION_BYTES:
            raise BadInput(str(path), f"is larger than {MAX_ANNOTATION_BYTES:,} bytes", "split it")
        return Annotations.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputNotFound(str(path), "no such file", "check the path") from error
    except PermissionError as error:
        raise NotAllowed(str(path), "may not be read by this user", "check its permissions") from error
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})", "name the JSON file") from error
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(map(str, detail["loc"])) or "the file"
        raise BadInput(
            str(path), f"is no COCO annotation of objects ({where}: {detail['msg']:.80})", "export it as COCO"
        ) from error


@dataclass(frozen=True, slots=True)
class Matching:
    """Which class of a model is which category.

    Attributes:
        category: Category id of each class, or None.
        notes: Names that only one of the two has.
    """

    category: tuple[int | None, ...]
    notes: tuple[str, ...]


def match_categories(labels: Sequence[str], categories: Sequence[Category]) -> Matching:
    """Bring a model's classes and the categories together: by name, or by number where the model has no names.

    Args:
        labels: A name a class; the class numbers themselves, ``0``, ``1`` …, where nothing names them.
        categories: Of the annotations.
    """
    ids = {category.name: category.id for category in reversed(categories)}  # of two of one name the first
    unnamed = list(labels) == [str(number) for number in range(len(labels))] and not set(labels) & set(ids)
    if unnamed:
        known = {category.id for category in categories}
        found = tuple(number if number in known else None for number in range(len(labels)))
        notes = ["the model has no names: its class numbers are taken for category ids"]
    else:
        found, notes = tuple(ids.get(label) for label in labels), []
    strange = list(dict.fromkeys(label for label, one in zip(labels, found, strict=True) if one is None))
    if strange:
        notes.append(f"classes that the annotations do not have do not count: {_listed(strange)}")
    missing = [category.name for category in categories if category.id not in found]
    if missing:
        notes.append(f"categories that the model does not have count as never found: {_listed(missing)}")
    return Matching(found, tuple(notes))


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """Of one category.

    Attributes:
        category_id: Its id.
        label: Its name.
        objects: Annotated, crowds apart.
        found: Detections of it, of any score.
        ap50: Average precision at an IoU of 0.5; None where there is no object.
        ap50_95: Mean of it over the ten thresholds.
    """

    category_id: int
    label: str
    objects: int
    found: int
    ap50: float | None
    ap50_95: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of a detector on annotated pictures.

    Attributes:
        map50: Mean of ``ap50`` over the categories with objects; None where there are none.
        map50_95: Mean of ``ap50_95``.
        classes: Each category, in the order of their ids.
    """

    map50: float | None
    map50_95: float | None
    classes: tuple[ClassAccuracy, ...]


def evaluate(
    annotations: Annotations, found: Mapping[int, Detections], category: Sequence[int | None]
) -> Accuracy:
    """Compare what was found with what is annotated.

    Args:
        annotations: Pictures and their objects.
        found: Detections by the id of the picture, in its pixels; of a picture that is not there nothing was found.
        category: Category id of each class of the model; None for one that does not count.
    """
    pictures = sorted({picture.id for picture in annotations.images})
    objects = _Objects(annotations)
    hits = {number: _by_category(detections, category) for number, detections in found.items()}
    classes = []
    for one in sorted({category.id: category for category in annotations.categories}.values(), key=_id):
        there = [objects.of(number, one.id) for number in pictures]
        here = [hits.get(number, {}).get(one.id, _NOTHING) for number in pictures]
        precision = average_precision(there, here)
        sure = not np.isnan(precision).any()
        classes.append(
            ClassAccuracy(
                category_id=one.id,
                label=one.name,
                objects=sum(int((~crowd).sum()) for _, crowd in there),
                found=sum(len(score) for _, score in here),
                ap50=float(precision[0]) if sure else None,
                ap50_95=float(precision.mean()) if sure else None,
            )
        )
    return Accuracy(
        _mean([one.ap50 for one in classes]), _mean([one.ap50_95 for one in classes]), tuple(classes)
    )


def average_precision(
    objects: Sequence[tuple[Floats, NDArray[np.bool_]]], found: Sequence[tuple[Floats, Floats]]
) -> Floats:
    """Average precision of one class at each of `IOU_THRESHOLDS`.

    Args:
        objects: Of each picture: boxes float64 (N, 4) as x, y, width, height, and bool (N,), whether it is a crowd.
        found: Of the same pictures: boxes float64 (M, 4) and scores float64 (M,), in any order.

    Returns:
        float64 (10,); NaN where there is no object.
    """
    total = sum(int((~crowd).sum()) for _, crowd in objects)
    if not total:
        return np.full(len(IOU_THRESHOLDS), np.nan)
    scores, right, wrong = [], [], []
    for (boxes, crowd), (hits, score) in zip(objects, found, strict=True):
        order = np.argsort(-score, kind="stable")[:MAX_DETECTIONS]
        scores.append(score[order])
        is_right, is_ignored = _match(hits[order], boxes, crowd)
        right.append(is_right & ~is_ignored)
        wrong.append(~is_right & ~is_ignored)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    true = np.concatenate(right, axis=1)[:, order].cumsum(axis=1, dtype=np.float64)
    false = np.concatenate(wrong, axis=1)[:, order].cumsum(axis=1, dtype=np.float64)
    return np.array([_area(t / total, t / (t + f + np.spacing(1))) for t, f in zip(true, false, strict=True)])


def _area(recall: Floats, precision: Floats) -> float:
    """Mean precision at `RECALLS`, each the best at that recall or a higher one, 0 beyond the last."""
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(envelope[np.searchsorted(recall, RECALLS, side="left")].mean())


def _match(
    hits: Floats, boxes: Floats, crowd: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which detections, best first, take an object, and which lie in a crowd: two of bool (10, M)."""
    limits = IOU_THRESHOLDS[:, np.newaxis]
    overlap = _overlaps(hits, boxes, crowd)
    objects, crowds = overlap[:, ~crowd], overlap[:, crowd]
    taken = np.zeros((len(IOU_THRESHOLDS), objects.shape[1]), bool)
    right = np.zeros((len(IOU_THRESHOLDS), len(hits)), bool)
    ignored = np.zeros_like(right)
    for number in range(len(hits)):
        if objects.shape[1]:
            free = np.where((objects[number] >= limits) & ~taken, objects[number], -1.0)
            best = free.shape[1] - 1 - np.argmax(free[:, ::-1], axis=1)  # of equal ones the last
            right[:, number] = free[np.arange(len(free)), best] >= 0
            taken[right[:, number], best[right[:, number]]] = True
        if crowds.shape[1]:
            ignored[:, number] = ~right[:, number] & (crowds[number].max() >= IOU_THRESHOLDS)
    return right, ignored


def _overlaps(hits: Floats, boxes: Floats, crowd: NDArray[np.bool_]) -> Floats:
    """How much of M boxes lies in each of N: float64 (M, N).

    Intersection over union; with a crowd, intersection over the area of the first.
    """
    hit, box = hits[:, np.newaxis], boxes[np.newaxis]
    shared = np.minimum(hit[..., :2] + hit[..., 2:], box[..., :2] + box[..., 2:])
    shared = np.maximum(shared - np.maximum(hit[..., :2], box[..., :2]), 0.0).prod(axis=-1)
    area = hit[..., 2:].prod(axis=-1)
    union = np.where(crowd, area, area + box[..., 2:].prod(axis=-1) - shared)
    overlap: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return overlap


class _Objects:
    """Annotated objects by picture and category."""

    def __init__(self, annotations: Annotations) -> None:
        self._found: dict[tuple[int, int], list[Annotation]] = {}
        for one in annotations.annotations:
            self._found.setdefault((one.image_id, one.category_id), []).append(one)

    def of(self, picture: int, category: int) -> tuple[Floats, NDArray[np.bool_]]:
        found = self._found.get((picture, category), [])
        boxes = np.array([one.bbox for one in found], np.float64).reshape(-1, 4)
        return boxes, np.array([bool(one.iscrowd) for one in found], bool)


_NOTHING: tuple[Floats, Floats] = (np.zeros((0, 4)), np.zeros(0))


def _by_category(detections: Detections, category: Sequence[int | None]) -> dict[int, tuple[Floats, Floats]]:
    """Boxes (N, 4) as x, y, width, height, and scores (N,), by category id."""
    boxes = detections.xyxy.astype(np.float64)
    boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    lost = -1 - max((one for one in category if one is not None), default=0)
    ids = np.array([lost if one is None else one for one in (*category, None)], np.int64)
    inside = np.clip(detections.class_id, -1, len(category))
    number = ids[np.where(inside < 0, len(category), inside)]
    return {
        int(one): (boxes[number == one], detections.score[number == one].astype(np.float64))
        for one in np.unique(number)
        if one != lost
    }


def _id(category: Category) -> int:
    return category.id


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _listed(names: Sequence[Any]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + more

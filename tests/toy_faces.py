"""Outputs of families of faces, and of detectors over priors.

Each is written as the family's training code encodes what it knows: the inverse of its decoding, from its source.
"""

from collections.abc import Callable, Sequence
from itertools import product
from math import ceil

import numpy as np
from numpy.typing import NDArray
from toy_outputs import Array, Layout, Thing

from edged.manifest import TensorSpec

MIN_BOXES = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))


def nearest_rows(things: Sequence[Thing], centres: NDArray[np.float64]) -> list[int]:
    """A row for each thing, the nearest by its centre that is still free: the finest scale first."""
    taken: list[int] = []
    for thing in things:
        x1, y1, x2, y2 = thing.box
        away = np.abs(centres - ((x1 + x2) / 2, (y1 + y2) / 2)).max(axis=1)
        taken.append(next(int(row) for row in np.argsort(away, kind="stable") if int(row) not in taken))
    return taken


def to_centre(thing: Thing) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = thing.box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def split(table: Array, rows: Sequence[int]) -> list[Array]:
    """A table in one piece a scale."""
    return np.split(table, np.cumsum(rows)[:-1])


# UltraFace: vision/utils/box_utils.py, generate_priors and convert_boxes_to_locations; fd_config.py


def ultraface_priors(height: int, width: int) -> NDArray[np.float64]:
    """Fractions of the input: cx, cy, w, h."""
    priors = []
    for stride, sizes in zip((8, 16, 32, 64), MIN_BOXES, strict=True):
        rows, columns = ceil(height / stride), ceil(width / stride)
        priors += [
            ((x + 0.5) / columns, (y + 0.5) / rows, size / width, size / height)
            for y, x, size in product(range(rows), range(columns), sizes)
        ]
    return np.clip(np.array(priors), 0, 1)


def to_locations(cxcywh: Array, priors: Array) -> Array:
    centres = (cxcywh[:, :2] - priors[:, :2]) / priors[:, 2:] / 0.1
    return np.concatenate([centres, np.log(cxcywh[:, 2:] / priors[:, 2:]) / 0.2], axis=1)


def to_corners(cxcywh: Array) -> Array:
    return np.concatenate([cxcywh[:, :2] - cxcywh[:, 2:] / 2, cxcywh[:, :2] + cxcywh[:, 2:] / 2], axis=1)


def ultraface(things, height, width, classes, rng, raw=False, logits=False):  # type: ignore[no-untyped-def]
    priors, size = ultraface_priors(height, width), np.array([width, height] * 2)
    # Background is what the published model says to a picture of nothing: a shift of centres and smaller boxes.
    offsets = rng.normal(scale=0.8, size=(len(priors), 4)) - (0, 0, 2, 0.5)
    boxes = np.concatenate(
        [
            priors[:, :2] + offsets[:, :2] * 0.1 * priors[:, 2:],
            priors[:, 2:] * np.exp(offsets[:, 2:] * 0.2),
        ],
        axis=1,
    )
    scores = rng.uniform(0.005, 0.02 / classes, (len(priors), classes))
    for row, thing in zip(nearest_rows(things, priors[:, :2] * size[:2]), things, strict=True):
        boxes[row] = np.array(to_centre(thing)) / size
        scores[row, thing.class_id] = thing.score
    scores = np.concatenate([1 - scores.sum(axis=1, keepdims=True), scores], axis=1)
    if logits:
        scores = np.log(scores) + rng.normal(size=(len(scores), 1))
    return [scores[None], (to_locations(boxes, priors) if raw else to_corners(boxes))[None]]


def ultraface_raw(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return ultraface(things, height, width, classes, rng, raw=True)


def ultraface_bare(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    """``is_test=False``: as trained, neither decoded nor softmax applied."""
    return ultraface(things, height, width, classes, rng, raw=True, logits=True)


# YuNet of 2021: OpenCV Zoo, models/face_detection_yunet/yunet.py before 2023


def yunet2021(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    priors = []
    rows, columns = int(int((height + 1) / 2) / 2), int(int((width + 1) / 2) / 2)
    for step, sizes in zip((8, 16, 32, 64), MIN_BOXES, strict=True):
        rows, columns = int(rows / 2), int(columns / 2)
        priors += [
            ((x + 0.5) * step, (y + 0.5) * step, size, size)
            for y, x, size in product(range(rows), range(columns), sizes)
        ]
    table = np.array(priors)
    loc = rng.normal(size=(len(table), 14))
    face, quality = rng.uniform(0, 0.02, len(table)), rng.uniform(-0.2, 1.4, len(table))
    for row, thing in zip(nearest_rows(things, table[:, :2]), things, strict=True):
        loc[row, :4] = to_locations(np.array([to_centre(thing)]), table[row : row + 1])[0]
        face[row], quality[row] = (thing.score**2, 1.3) if row % 2 else (thing.score, thing.score)
    return [loc, np.column_stack([1 - face, face]), quality[:, None]]


# YuNet of 2023: opencv, modules/objdetect/src/face_detect.cpp, postProcess


def yunet(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    cells = np.array(
        [
            (x, y, stride)
            for stride in (8, 16, 32)
            for y, x in product(range(height // stride), range(width // stride))
        ]
    )
    stride = cells[:, 2:]
    cls, obj = rng.uniform(0.3, 0.8, (len(cells), 1)), rng.uniform(0, 1e-3, (len(cells), 1))
    boxes = np.concatenate(
        [rng.normal(0.5, 0.3, (len(cells), 2)), rng.normal(0.8, 0.5, (len(cells), 2))], axis=1
    )
    for row, thing in zip(nearest_rows(things, (cells[:, :2] + 0.5) * stride), things, strict=True):
        cx, cy, wide, high = np.array(to_centre(thing)) / stride[row]
        boxes[row] = (cx - cells[row, 0], cy - cells[row, 1], np.log(wide), np.log(high))
        cls[row], obj[row] = (1.01, thing.score**2) if row % 2 else (thing.score, thing.score)
    keypoints = rng.normal(size=(len(cells), 10))
    counts = [(height // one) * (width // one) for one in (8, 16, 32)]
    return [piece[None] for table in (cls, obj, boxes, keypoints) for piece in split(table, counts)]


def kind_by_kind(write: Callable[..., list[Array]], order: Sequence[int]) -> Callable[..., list[Array]]:
    """The same outputs in another order."""

    def reordered(*arguments):  # type: ignore[no-untyped-def]
        outputs = write(*arguments)
        return [outputs[position] for position in order]

    return reordered


# SCRFD: insightface, detection/scrfd/tools/scrfd.py, forward and distance2bbox


def scrfd(  # type: ignore[no-untyped-def]
    things, height, width, classes, rng, strides=(8, 16, 32), anchors=2, keypoints=True, batched=True
):
    corners = np.array(
        [
            (x * stride, y * stride, stride)
            for stride in strides
            for y, x, _ in product(range(ceil(height / stride)), range(ceil(width / stride)), range(anchors))
        ]
    )
    stride = corners[:, 2:]
    scores = rng.uniform(0, 0.05, (len(corners), 1))
    distances = rng.uniform(-0.003, 3, (len(corners), 4))
    for row, thing in zip(nearest_rows(things, corners[:, :2].astype(float)), things, strict=True):
        (x, y), (x1, y1, x2, y2) = corners[row, :2], thing.box
        distances[row] = np.array([x - x1, y - y1, x2 - x, y2 - y]) / stride[row]
        scores[row] = thing.score
    tables = [scores, distances, *([rng.normal(size=(len(corners), 10))] if keypoints else [])]
    counts = [ceil(height / one) * ceil(width / one) * anchors for one in strides]
    pieces = [piece for table in tables for piece in split(table, counts)]
    return [piece[None] for piece in pieces] if batched else pieces


def scrfd_rank_2(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return scrfd(things, height, width, classes, rng, batched=False)


def scrfd_without_keypoints(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return scrfd(things, height, width, classes, rng, keypoints=False)


def scrfd_five_strides(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return scrfd(things, height, width, classes, rng, strides=(8, 16, 32, 64, 128), anchors=1)


# BlazeFace: MediaPipe's SsdAnchorsCalculator and TensorsToDetectionsCalculator, modules/face_detection

LAYERS = {128: (8, 16, 16, 16), 256: (16, 32, 32, 32), 192: (4,)}
"""Strides by input, two anchors a layer; layers of one stride share their cells. Full range has one anchor in all."""


def blazeface(things, height, width, classes, rng, whole=True):  # type: ignore[no-untyped-def]
    layers = LAYERS[width]
    each = 1 if len(layers) == 1 else 2
    anchors, counts = [], []
    for stride in sorted(set(layers)):
        side, shared = width // stride, each * layers.count(stride)
        anchors += [
            ((x + 0.5) / side, (y + 0.5) / side)
            for y, x, _ in product(range(side), range(side), range(shared))
        ]
        counts.append(side * side * shared)
    centres = np.array(anchors)
    numbers = np.concatenate(
        [
            rng.normal(scale=4, size=(len(centres), 2)),
            rng.uniform(14, 80, (len(centres), 2)),
            rng.normal(scale=12, size=(len(centres), 12)),
        ],
        axis=1,
    )
    scores = rng.uniform(-200, -3, (len(centres), 1))
    for row, thing in zip(nearest_rows(things, centres * width), things, strict=True):
        cx, cy, wide, high = to_centre(thing)
        x, y = centres[row]
        numbers[row, :4] = ((cx / width - x) * width, (cy / height - y) * height, wide, high)
        scores[row] = np.log(thing.score / (1 - thing.score))
    if whole:
        return [numbers[None], scores[None]]
    return [piece[None] for table in (scores, numbers) for piece in split(table, counts)]


def blazeface_split(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return blazeface(things, height, width, classes, rng, whole=False)


def whole_input(name: str, channels_last: bool = False) -> Callable[[int, int], tuple[TensorSpec, ...]]:
    """A picture by this name, float32."""

    def declared(height: int, width: int) -> tuple[TensorSpec, ...]:
        shape = (1, height, width, 3) if channels_last else (1, 3, height, width)
        return (TensorSpec(name, shape, "float32"),)

    return declared


def outputs_at(*positions: int, columns: slice = slice(None)) -> Callable[[list[Array]], list[Array]]:
    """Where boxes are."""
    return lambda outputs: [outputs[position][..., columns] for position in positions]


_ULTRAFACE = {
    "family": "ultraface",
    "classes": 1,
    "names": ("scores", "boxes"),
    "inputs": whole_input("input"),
    "size": (240, 320),
    "sizes": ((240, 320), (480, 640), (96, 128), (120, 160), (360, 480)),
    "boxes": outputs_at(1),
}
_YUNET_NAMES = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32))
_YUNET = {
    "family": "yunet",
    "classes": 1,
    "names": _YUNET_NAMES,
    "inputs": whole_input("input"),
    "size": (320, 320),
    "sizes": ((320, 320), (640, 640), (256, 448), (96, 96)),
    "scores": (0, 1, 2),
    "boxes": outputs_at(6, 7, 8),
}
_SCRFD = {
    "family": "scrfd",
    "classes": 1,
    "inputs": whole_input("input.1"),
    "size": (320, 320),
    "sizes": ((640, 640), (320, 320), (256, 448), (384, 640), (96, 96)),
    "scores": (0, 1, 2),
    "boxes": outputs_at(3, 4, 5),
}
_BLAZEFACE = {
    "family": "blazeface",
    "classes": 1,
    "size": (128, 128),
    "sizes": ((128, 128), (256, 256)),
    "scores": (1,),
    "boxes": outputs_at(0, columns=slice(4)),
}

LAYOUTS: tuple[Layout, ...] = (
    Layout("ultraface", write=ultraface, **_ULTRAFACE),
    Layout("ultraface, offsets", write=ultraface_raw, **_ULTRAFACE),
    Layout("ultraface, offsets and logits", write=ultraface_bare, **_ULTRAFACE),
    Layout("ultraface, halves", write=ultraface, dtype="float16", **_ULTRAFACE),
    Layout("ultraface, two classes", write=ultraface, **(_ULTRAFACE | {"classes": 2})),
    Layout("ultraface, three classes, offsets", write=ultraface_raw, **(_ULTRAFACE | {"classes": 3})),
    Layout(
        "yunet2021",
        "yunet2021",
        yunet2021,
        classes=1,
        names=("loc", "conf", "iou"),
        inputs=whole_input("input"),
        size=(120, 160),
        sizes=((120, 160), (240, 320), (320, 320), (480, 640)),
        scores=(1,),
        boxes=outputs_at(0, columns=slice(4)),
    ),
    Layout("yunet", write=yunet, **_YUNET),
    Layout("yunet, halves", write=yunet, dtype="float16", **_YUNET),
    Layout(
        "yunet, a stride after the other",
        write=kind_by_kind(yunet, (0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11)),
        **(
            _YUNET
            | {
                "names": tuple(f"output{n}" for n in range(12)),
                "scores": (0, 4, 8),
                "boxes": outputs_at(2, 6, 10),
            }
        ),
    ),
    Layout("scrfd", write=scrfd, names=tuple(f"out{n}" for n in range(9)), **_SCRFD),
    Layout(
        "scrfd, without the batch",
        write=scrfd_rank_2,
        names=("448", "471", "494", "451", "474", "497", "454", "477", "500"),
        **_SCRFD,
    ),
    Layout(
        "scrfd, without keypoints",
        write=scrfd_without_keypoints,
        names=("score_8", "score_16", "score_32", "bbox_8", "bbox_16", "bbox_32"),
        **_SCRFD,
    ),
    Layout(
        "scrfd, five strides",
        write=scrfd_five_strides,
        **(_SCRFD | {"scores": tuple(range(5)), "boxes": outputs_at(5, 6, 7, 8, 9)}),
    ),
    Layout(
        "blazeface",
        write=blazeface,
        names=("regressors", "classificators"),
        inputs=whole_input("input", channels_last=True),
        **_BLAZEFACE,
    ),
    Layout("blazeface, from PyTorch", write=blazeface, names=("r", "c"), **_BLAZEFACE),
    Layout(
        "blazeface, an output a scale",
        write=blazeface_split,
        names=("Identity:0", "Identity_1:0", "Identity_2:0", "Identity_3:0"),
        inputs=whole_input("input:0", channels_last=True),
        **(_BLAZEFACE | {"size": (256, 256), "scores": (0, 1), "boxes": outputs_at(2, 3, columns=slice(4))}),
    ),
    Layout(
        "blazeface, full range",
        write=blazeface,
        names=("reshaped_regressor_face_4", "reshaped_classifier_face_4"),
        inputs=whole_input("input", channels_last=True),
        **(_BLAZEFACE | {"size": (192, 192), "sizes": ((192, 192),)}),
    ),
)

"""Outputs as models of each family would give them, made from objects that are known.

`LAYOUTS` is the one table of families: a row says how known objects are written into a family's outputs, so that every
test of the table runs over all of them. A new family adds a row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.decode.family import Evidence
from edged.decode.grid import Grid, make_grid
from edged.decode.labels import COCO
from edged.manifest import TensorSpec

Array = NDArray[Any]
CLASSES = 80


@dataclass(frozen=True)
class Thing:
    """A known object in model pixels."""

    box: tuple[float, float, float, float]
    class_id: int
    score: float


@dataclass(frozen=True)
class Layout:
    """How a family writes.

    ``write(things, height, width, classes, rng)`` gives the outputs, called ``names`` (or output0, output1 …).
    ``inputs(height, width)`` are those that the model declares; ``scores`` are the positions of the outputs that hold
    them, and ``boxes`` gives the part of the outputs that holds boxes. ``tolerance_px`` is what the family's own
    arithmetic rounds. A family that is told from another by a person only has ``said``: it must be named.
    """

    name: str
    family: str
    write: Callable[[Sequence[Thing], int, int, int, np.random.Generator], list[Array]]
    overlapping: bool = True
    labels: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    classes: int = CLASSES
    dtype: str = "float32"
    names: tuple[str, ...] = ()
    inputs: Callable[[int, int], tuple[TensorSpec, ...]] | None = None
    size: tuple[int, int] = (416, 416)
    sizes: tuple[tuple[int, int], ...] = ((416, 416), (640, 640), (256, 448), (640, 384), (96, 96))
    tolerance_px: float = 0.01
    scores: tuple[int, ...] = (0,)
    boxes: Callable[[list[Array]], list[Array]] = lambda outputs: [
        outputs[0].reshape(outputs[0].shape[-2:])[:, :4]
    ]
    counts_classes: bool = True
    said: bool = False

    def declared(self, height: int, width: int) -> tuple[TensorSpec, ...]:
        """The inputs."""
        if self.inputs:
            return self.inputs(height, width)
        return (TensorSpec("images", (1, 3, height, width), self.dtype),)

    def output_names(self, outputs: Sequence[Array]) -> list[str]:
        """A name an output."""
        return list(self.names) or [f"output{n}" for n, _ in enumerate(outputs)]

    def outputs(
        self, things: Sequence[Thing], height: int | None = None, width: int | None = None
    ) -> list[Array]:
        """What a model of this layout says to a picture of these things; whole numbers stay whole."""
        height, width = height or self.size[0], width or self.size[1]
        made = self.write(things, height, width, self.classes, np.random.default_rng(len(things)))
        return [array.astype(self.dtype if array.dtype.kind == "f" else array.dtype) for array in made]

    def evidence(self, height: int | None = None, width: int | None = None, **changes: Any) -> Evidence:
        """What is known of a model of this layout, its trial a picture of nothing."""
        height, width = height or self.size[0], width or self.size[1]
        trial = tuple(self.outputs([], height, width))
        known: dict[str, Any] = {
            "inputs": self.declared(height, width),
            "outputs": tuple(
                TensorSpec(name, ("batch", *[None] * (one.ndim - 1)), str(one.dtype))
                for name, one in zip(self.output_names(trial), trial, strict=True)
            ),
            "metadata": self.metadata,
            "labels": self.labels,
            "height": height,
            "width": width,
            "trial": trial,
        }
        return Evidence(**(known | changes))


def evidence_of(*trial: Array, height: int = 416, width: int = 416, **changes: Any) -> Evidence:
    """Evidence of a model with these trial outputs and nothing else known."""
    known: dict[str, Any] = {
        "inputs": (TensorSpec("images", (1, 3, height, width), "float32"),),
        "outputs": tuple(TensorSpec(f"output{n}", one.shape, str(one.dtype)) for n, one in enumerate(trial)),
        "metadata": {},
        "labels": (),
        "height": height,
        "width": width,
        "trial": trial,
    }
    return Evidence(**(known | changes))


def cells_with(
    things: Sequence[Thing], grid: Grid, classes: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A row a cell: cxcywh in pixels near each cell, and class scores near nothing; things in the cells they lie in."""
    count = len(grid.stride)
    stride = grid.stride[:, None]
    centres = (grid.cells + 0.5 + rng.normal(scale=0.4, size=(count, 2))) * stride
    boxes = np.concatenate([centres, stride * rng.uniform(0.8, 6, (count, 2))], axis=1)
    scores = rng.uniform(0, 0.02, (count, classes))
    taken: set[int] = set()
    for thing in things:
        x1, y1, x2, y2 = thing.box
        centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
        away = np.abs((grid.cells + 0.5) * stride - centre).max(axis=1) / grid.stride
        row = next(int(r) for r in np.argsort(away, kind="stable") if int(r) not in taken)
        taken.add(row)
        boxes[row] = (*centre, x2 - x1, y2 - y1)
        scores[row, thing.class_id] = thing.score
    return boxes.astype(np.float32), scores.astype(np.float32)


def _objectness(things_scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 where something is, little elsewhere: score = objectness * class."""
    return np.where(things_scores.max(axis=1, keepdims=True) > 0.1, 1.0, 0.05).astype(np.float32)


def yolox_raw(things, height, width, classes, rng, strides=(8, 16, 32)):  # type: ignore[no-untyped-def]
    grid = make_grid(height, width, strides)
    boxes, scores = cells_with(things, grid, classes, rng)
    stride = grid.stride[:, None]
    raw = np.concatenate([boxes[:, :2] / stride - grid.cells, np.log(boxes[:, 2:] / stride)], axis=1)
    return [np.concatenate([raw, _objectness(scores), scores], axis=1)[None]]


def yolox_raw_p6(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return yolox_raw(things, height, width, classes, rng, strides=(8, 16, 32, 64))


def yolox_decoded(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores = cells_with(things, make_grid(height, width, (8, 16, 32)), classes, rng)
    return [np.concatenate([boxes, _objectness(scores), scores], axis=1)[None]]


def yolov6(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores = cells_with(things, make_grid(height, width, (8, 16, 32)), classes, rng)
    return [np.concatenate([boxes, np.ones((len(boxes), 1)), scores], axis=1)[None]]


def yolov5(things, height, width, classes, rng, strides=(8, 16, 32), extra=0):  # type: ignore[no-untyped-def]
    boxes, scores = cells_with(things, make_grid(height, width, strides, anchors=3), classes, rng)
    masks = rng.normal(size=(len(boxes), extra))
    outputs = [np.concatenate([boxes, _objectness(scores), scores, masks], axis=1)[None]]
    if extra:
        outputs.append(rng.normal(size=(1, extra, height // 4, width // 4)))
    return outputs


def yolov5_p6(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return yolov5(things, height, width, classes, rng, strides=(8, 16, 32, 64))


def yolov5_seg(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return yolov5(things, height, width, classes, rng, extra=32)


def yolov8(things, height, width, classes, rng, strides=(8, 16, 32), extra=0, fractions=False):  # type: ignore[no-untyped-def]
    boxes, scores = cells_with(things, make_grid(height, width, strides), classes, rng)
    if fractions:
        boxes = boxes / np.array([width, height] * 2)
    rest = rng.uniform(0, 1.05 if fractions else width, (len(boxes), extra))
    return [np.concatenate([boxes, scores, rest], axis=1).T[None]]


def yolov8_p2(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return yolov8(things, height, width, classes, rng, strides=(4, 8, 16, 32))


def yolov8_fractions(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return yolov8(things, height, width, classes, rng, fractions=True)


def yolov8_pose(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return yolov8(things, height, width, classes, rng, extra=51)


def yolov8_pose_fractions(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return yolov8(things, height, width, classes, rng, extra=51, fractions=True)


def yolov8_seg(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, prototypes = yolov8(things, height, width, classes, rng, extra=32)[0], rng.normal(size=(32,))
    return [boxes, np.broadcast_to(prototypes[None, :, None, None], (1, 32, height // 4, width // 4))]


def yolov8_turned(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return [yolov8(things, height, width, classes, rng)[0].transpose(0, 2, 1)]


def end2end(things, height, width, classes, rng, count=300, fractions=False, extra=0):  # type: ignore[no-untyped-def]
    corner = rng.uniform(0, 0.5, (count, 2)) * (width, height)
    rows = np.concatenate(
        [
            corner,
            corner + rng.uniform(0.02, 0.5, (count, 2)) * (width, height),
            rng.uniform(0, 0.02, (count, 1)),
            rng.integers(0, classes, (count, 1)),
            rng.uniform(0, width, (count, extra)),
        ],
        axis=1,
    )
    for row, thing in zip(rows, things, strict=False):
        row[:6] = (*thing.box, thing.score, thing.class_id)
    if fractions:
        rows[:, :4] /= (width, height, width, height)
    return [rows[None]]


def end2end_fractions(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return end2end(things, height, width, classes, rng, fractions=True)


def end2end_pose(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return end2end(things, height, width, classes, rng, extra=51)


def end2end_padded(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    rows = np.zeros((1, 300, 6))
    for row, thing in zip(rows[0], things, strict=False):
        row[:] = (*thing.box, thing.score, thing.class_id)
    return [rows]


def end2end_padded_fractions(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    rows = end2end_padded(things, height, width, classes, rng)[0]
    rows[..., :4] /= (width, height, width, height)
    return [rows]


def squeezed(write):  # type: ignore[no-untyped-def]
    return lambda *arguments: [output[0] for output in write(*arguments)]


def first_rows(outputs: list[Array]) -> list[Array]:
    """Where the first output has its boxes in rows of (4 + C, N)."""
    return [outputs[0].reshape(outputs[0].shape[-2:])[:4]]


_POSE = {"task": "pose", "kpt_shape": "[17, 3]", "names": "{0: 'person'}"}
_ULTRALYTICS = {"task": "detect", "stride": "32"}

LAYOUTS = (
    Layout("yolox", "yolox", yolox_raw),
    Layout("yolox, one class", "yolox", yolox_raw, classes=1),
    Layout("yolox, halves", "yolox", yolox_raw, dtype="float16"),
    Layout("yolox, P6", "yolox", yolox_raw_p6),
    Layout("yolox, decoded in the graph", "yolox", yolox_decoded),
    Layout("yolox, decoded, three labels", "yolox", yolox_decoded, labels=("a", "b", "c"), classes=3),
    Layout("yolox, without the batch", "yolox", squeezed(yolox_raw)),
    Layout("yolov6", "yolov6", yolov6),
    Layout("yolov6, two classes", "yolov6", yolov6, classes=2),
    Layout("yolov5", "yolov5", yolov5),
    Layout("yolov5, one class", "yolov5", yolov5, classes=1),
    Layout("yolov5, halves", "yolov5", yolov5, dtype="float16"),
    Layout("yolov5, P6", "yolov5", yolov5_p6),
    Layout("yolov5, segmentation", "yolov5", yolov5_seg),
    Layout("yolov8", "yolov8", yolov8, boxes=first_rows),
    Layout("yolov8, with metadata", "yolov8", yolov8, boxes=first_rows, labels=COCO, metadata=_ULTRALYTICS),
    Layout("yolov8, one class", "yolov8", yolov8, boxes=first_rows, classes=1),
    Layout("yolov8, halves", "yolov8", yolov8, boxes=first_rows, dtype="float16"),
    Layout("yolov8, fractions", "yolov8", yolov8_fractions, boxes=first_rows),
    Layout("yolov8, P2", "yolov8", yolov8_p2, boxes=first_rows),
    Layout(
        "yolov8, pose", "yolov8", yolov8_pose, boxes=first_rows, classes=1, metadata=_POSE, labels=("person",)
    ),
    Layout("yolov8, pose without metadata, pixels", "yolov8", yolov8_pose, boxes=first_rows, classes=1),
    Layout(
        "yolov8, pose, one label",
        "yolov8",
        yolov8_pose_fractions,
        boxes=first_rows,
        classes=1,
        labels=("person",),
    ),
    Layout("yolov8, segmentation", "yolov8", yolov8_seg, boxes=first_rows),
    Layout("yolov8, turned over", "yolov8", yolov8_turned),
    Layout("yolov8, turned, two labels", "yolov8", yolov8_turned, classes=2, labels=("a", "b")),
    Layout("end2end", "end2end", end2end, overlapping=False, counts_classes=False),
    Layout("end2end, fractions", "end2end", end2end_fractions, overlapping=False, counts_classes=False),
    Layout("end2end, halves", "end2end", end2end, overlapping=False, counts_classes=False, dtype="float16"),
    Layout("end2end, pose", "end2end", end2end_pose, overlapping=False, counts_classes=False),
    Layout(
        "end2end, nothing in the trial", "end2end", end2end_padded, overlapping=False, counts_classes=False
    ),
    Layout(
        "end2end, nothing, fractions",
        "end2end",
        end2end_padded_fractions,
        overlapping=False,
        counts_classes=False,
    ),
)

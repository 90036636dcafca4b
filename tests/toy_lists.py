"""Outputs of families that list what they found, a query or a row an object."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from toy_outputs import Array, Layout, Thing

from edged.manifest import TensorSpec

QUERIES = 50


def chosen(
    things: Sequence[Thing], height: int, width: int, classes: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Boxes xyxy in pixels (50, 4), scores (50,) and classes (50,); behind the things, weak boxes anywhere."""
    corner = rng.uniform(0, 0.5, (QUERIES, 2)) * (width, height)
    boxes = np.concatenate([corner, corner + rng.uniform(0.05, 0.4, (QUERIES, 2)) * (width, height)], axis=1)
    scores, labels = rng.uniform(0, 0.05, QUERIES), rng.integers(0, classes, QUERIES)
    for row, thing in enumerate(things):
        boxes[row], scores[row], labels[row] = thing.box, thing.score, thing.class_id
    return boxes, scores, labels


def batched(*outputs: Array) -> list[Array]:
    return [output[None] for output in outputs]


def ssd(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores, labels = chosen(things, height, width, classes, rng)
    return batched(boxes / (width, height, width, height), (labels + 1).astype(np.int64), scores)


def tfod(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores, labels = chosen(things, height, width, classes, rng)
    fractions = boxes[:, [1, 0, 3, 2]] / (height, width, height, width)
    return [*batched(fractions, (labels + 1).astype(np.float32), scores), np.float32([QUERIES])]


def customvision(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores, labels = chosen(things, height, width, classes, rng)
    return batched(boxes / (width, height, width, height), labels.astype(np.int64), scores)


def rcnn(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores, labels = chosen(things, height, width, classes, rng)
    return [boxes, (labels + 1).astype(np.int64), scores]


def mask_rcnn(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return [*rcnn(things, height, width, classes, rng), rng.random((QUERIES, 1, 28, 28))]


def rtdetr(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores, labels = chosen(things, height, width, classes, rng)
    return batched(labels.astype(np.int64), boxes, scores)


def squeezed(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return [output[0] for output in rtdetr(things, height, width, classes, rng)]


def queries(things, height, width, classes, rng, columns):  # type: ignore[no-untyped-def]
    """Probabilities (50, columns) and centres and sizes in fractions (50, 4)."""
    boxes, scores, labels = chosen(things, height, width, classes, rng)
    chances = np.full((QUERIES, columns), 1e-3)
    chances[np.arange(QUERIES), labels] = scores
    centres = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
    return chances, centres / (width, height, width, height)


def logit(chances: Array) -> Array:
    return np.log(chances / (1 - chances))


def detr(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    """Softmax over COCO's own numbers 0 to 90 and no object; number 0 was never used."""
    chances, boxes = queries(things, height, width, classes, rng, classes)
    whole = np.concatenate([np.full((QUERIES, 1), 1e-6), chances, np.zeros((QUERIES, 1))], axis=1)
    whole[:, -1] = 1 - whole.sum(axis=1)
    return batched(np.log(np.maximum(whole, 1e-6)), boxes)


def sigmoid_queries(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    chances, boxes = queries(things, height, width, classes, rng, classes)
    return batched(logit(chances), boxes)


def rfdetr(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    """A sigmoid a column, COCO's own numbers 0 to 90."""
    chances, boxes = queries(things, height, width, classes, rng, classes)
    return batched(boxes, logit(np.concatenate([np.full((QUERIES, 1), 1e-3), chances], axis=1)))


def retinanet(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    """Nine anchors a cell at five strides; a thing is told by the cell and the anchor that are most like it."""
    strides = (8, 16, 32, 64, 128)
    extents = [(-(-height // stride), -(-width // stride)) for stride in strides]
    scores = [rng.uniform(0, 0.02, (9, classes, *extent)) for extent in extents]
    boxes = [rng.normal(scale=0.1, size=(9, 4, *extent)) for extent in extents]
    for thing in things:
        x1, y1, x2, y2 = thing.box
        middle, size = np.array([(x1 + x2) / 2, (y1 + y2) / 2]), np.array([x2 - x1, y2 - y1])
        level, anchor, sides = min(
            (
                (
                    level,
                    3 * scale + shape,
                    stride * 4 * 2 ** (scale / 3) * np.array([ratio**-0.5, ratio**0.5]) + 1,
                )
                for level, stride in enumerate(strides)
                for scale in range(3)
                for shape, ratio in enumerate((1.0, 2.0, 0.5))
            ),
            key=lambda one: np.abs(np.log(size / one[2])).sum(),
        )
        stride = strides[level]
        column, row = np.minimum(middle // stride, np.array(extents[level][::-1]) - 1).astype(int)
        away = middle - (np.array([column, row]) * stride + stride / 2 + 0.5)
        boxes[level][anchor, :, row, column] = [*(away / sides), *np.log(size / sides)]
        scores[level][anchor, thing.class_id, row, column] = thing.score
    return [*(one.reshape(1, -1, *one.shape[2:]) for one in (*scores, *boxes))]


def float_input(name: str, *, batch: bool = True):  # type: ignore[no-untyped-def]
    return lambda height, width: (
        TensorSpec(name, (1, 3, height, width) if batch else (3, height, width), "float32"),
    )


def with_sizes(height: int, width: int) -> tuple[TensorSpec, ...]:
    return (*float_input("images")(height, width), TensorSpec("orig_target_sizes", (1, 2), "int64"))


def uint8(height: int, width: int) -> tuple[TensorSpec, ...]:
    return (TensorSpec("input_tensor", (1, height, width, 3), "uint8"),)


_LIST = Layout(
    "list", "", ssd, overlapping=False, size=(320, 320), sizes=((320, 320), (256, 448)), scores=(2,),
    boxes=lambda outputs: [outputs[0]], counts_classes=False, tolerance_px=0.05,
)  # fmt: skip
_QUERY = replace(
    _LIST, scores=(0,), boxes=lambda outputs: [outputs[1]], counts_classes=True, tolerance_px=0.05
)
_TFOD = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")

LAYOUTS: tuple[Layout, ...] = (
    replace(_LIST, name="ssd", family="ssd", names=("bboxes", "labels", "scores"), inputs=float_input("image")),
    replace(_LIST, name="tfod", family="tfod", write=tfod, names=_TFOD, inputs=uint8),
    replace(
        _LIST, name="tfod, of TensorFlow 1", family="tfod", write=tfod, inputs=uint8,
        names=tuple(f"{name}:0" for name in _TFOD),
    ),
    replace(
        _LIST, name="tfod, three labels", family="tfod", write=tfod, names=_TFOD, inputs=uint8, labels=("a", "b", "c"),
        classes=3,
    ),
    replace(
        _LIST, name="customvision", family="customvision", write=customvision, labels=("a", "b", "c"), classes=3,
        names=("detected_boxes", "detected_classes", "detected_scores"), inputs=float_input("image_tensor"),
    ),
    replace(
        _LIST, name="torchvision", family="torchvision", write=rcnn, names=("boxes", "labels", "scores"),
        inputs=float_input("images", batch=False),
    ),
    replace(
        _LIST, name="automl", family="automl", write=rcnn, names=("boxes_0", "labels_0", "scores_0"),
        inputs=float_input("input"),
    ),
    replace(
        _LIST, name="faster r-cnn of the zoo", family="maskrcnn-benchmark", write=rcnn, names=("6379", "6381", "6383"),
        inputs=float_input("image", batch=False),
    ),
    replace(
        _LIST, name="mask r-cnn of the zoo", family="maskrcnn-benchmark", write=mask_rcnn,
        names=("6568", "6570", "6572", "6887"), inputs=float_input("image", batch=False),
    ),
    replace(
        _LIST, name="rtdetr", family="rtdetr", write=rtdetr, names=("labels", "boxes", "scores"), inputs=with_sizes,
        boxes=lambda outputs: [outputs[1]],
    ),
    replace(
        _LIST, name="rtdetr, squeezed", family="rtdetr", write=squeezed, names=("labels", "boxes", "scores"),
        inputs=with_sizes, boxes=lambda outputs: [outputs[1]],
    ),
    replace(
        _QUERY, name="rtdetr of Hugging Face", family="rtdetr", write=sigmoid_queries, names=("logits", "pred_boxes"),
        inputs=float_input("pixel_values"),
    ),
    replace(
        _QUERY, name="detr", family="detr", write=detr, names=("pred_logits", "pred_boxes"), classes=90,
    ),
    replace(
        _QUERY, name="rfdetr", family="rfdetr", write=rfdetr, names=("dets", "labels"), inputs=float_input("input"),
        classes=90, scores=(1,), boxes=lambda outputs: [outputs[0]],
    ),
    Layout(
        "retinanet", "retinanet", retinanet, size=(320, 320), sizes=((320, 320), (480, 640)), tolerance_px=0.05,
        scores=(0, 1, 2, 3, 4), boxes=lambda outputs: outputs[5:],
    ),
)  # fmt: skip

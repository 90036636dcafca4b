"""Outputs of families that leave anchors and cells to the reader: the inverse of their own decoding.

Sources are named in the families' files; everything is written here from theirs, not from edged's.
"""

import numpy as np
from toy_outputs import Layout

from edged.manifest import TensorSpec


def logit(chance):  # type: ignore[no-untyped-def]
    chance = np.clip(chance, 1e-5, 1 - 1e-5)  # sigmoid never reaches the edge of a cell
    return np.log(chance / (1 - chance))


def sigmoid(value):  # type: ignore[no-untyped-def]
    return 1 / (1 + np.exp(-value))


def middle_and_size(thing):  # type: ignore[no-untyped-def]
    x1, y1, x2, y2 = thing.box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def nearest(thing, anchors):  # type: ignore[no-untyped-def]
    """Level and number of the anchor whose sides differ least, by factor: anchors (levels, n, 2) in pixels."""
    _, _, width, height = middle_and_size(thing)
    ratio = np.array([width, height]) / np.array(anchors, float)
    worst = np.maximum(ratio, 1 / ratio).max(axis=-1)
    return np.unravel_index(int(worst.argmin()), worst.shape)


# --- YOLOv3 of the ONNX Model Zoo: what its NMS chose


def yolov3(things, height, width, classes, rng, strides=(32, 16, 8), tiny=False):  # type: ignore[no-untyped-def]
    count = 3 * sum((height // stride) * (width // stride) for stride in strides)
    upper_left = rng.uniform(0, 0.7, (count, 2)) * (height, width)
    boxes = np.concatenate([upper_left, upper_left + rng.uniform(2, 60, (count, 2))], axis=1)
    scores = rng.uniform(0, 0.02, (classes, count))
    indices = np.zeros((len(things), 3), np.int32)
    for number, (thing, row) in enumerate(zip(things, rng.permutation(count), strict=False)):
        x1, y1, x2, y2 = thing.box
        boxes[row], scores[thing.class_id, row] = (y1, x1, y2, x2), thing.score
        indices[number] = (0, thing.class_id, row)
    return [boxes[None], scores[None], indices[None] if tiny else indices]


def yolov3_tiny(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return yolov3(things, height, width, classes, rng, strides=(32, 16), tiny=True)


def with_image_shape(height: int, width: int) -> tuple[TensorSpec, ...]:
    picture = TensorSpec("input_1", (1, 3, height, width), "float32")
    return picture, TensorSpec("image_shape", (1, 2), "float32")


ZOO_YOLOV3 = (
    "yolonms_layer_1/ExpandDims_1:0",
    "yolonms_layer_1/ExpandDims_3:0",
    "yolonms_layer_1/concat_2:0",
)
ZOO_TINY_YOLOV3 = ("yolonms_layer_1", "yolonms_layer_1:1", "yolonms_layer_1:2")


# --- YOLOv4 of the ONNX Model Zoo: [1, H, W, 3, 85], sigmoid applied to scores alone

WIDE_ANCHORS = (
    ((12, 16), (19, 36), (40, 28)),
    ((36, 75), (76, 55), (72, 146)),
    ((142, 110), (192, 243), (459, 401)),
)
"""Of YOLOv4, and of YOLOv7."""


def yolov4(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    strides, xyscale = (8, 16, 32), (1.2, 1.1, 1.05)
    heads = []
    for stride in strides:
        shape = (1, height // stride, width // stride, 3)
        coordinates = rng.normal(size=(*shape, 4))
        chances = rng.uniform(0.0001, 0.02, (*shape, 1 + classes))
        heads.append(np.concatenate([coordinates, chances], axis=-1))
    for thing in things:
        cx, cy, w, h = middle_and_size(thing)
        level, anchor = nearest(thing, WIDE_ANCHORS)
        stride, scale = strides[level], xyscale[level]
        x, y = int(cx / stride), int(cy / stride)
        row = heads[level][0, y, x, anchor]
        row[0] = logit((cx / stride - x + 0.5 * (scale - 1)) / scale)
        row[1] = logit((cy / stride - y + 0.5 * (scale - 1)) / scale)
        row[2:4] = np.log(np.array([w, h]) / WIDE_ANCHORS[level][anchor])
        row[4], row[5 + thing.class_id] = 0.97, thing.score / 0.97
    return heads


def nhwc(height: int, width: int) -> tuple[TensorSpec, ...]:
    return (TensorSpec("input_1:0", (1, height, width, 3), "float32"),)


# --- YOLOv5 and YOLOv7 without their decoding: [1, 3, H, W, 85] a level, or all of them in one table

ANCHORS_V5 = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)


def raw_heads(things, height, width, classes, rng, anchors=ANCHORS_V5):  # type: ignore[no-untyped-def]
    strides = (8, 16, 32)
    heads = []
    for stride in strides:
        shape = (1, 3, height // stride, width // stride)
        heads.append(
            np.concatenate(
                [
                    rng.normal(size=(*shape, 2)),
                    rng.normal(scale=0.6, size=(*shape, 2)),
                    rng.normal(-7, 0.7, (*shape, 1)),
                    rng.normal(-5, 1, (*shape, classes)),
                ],
                axis=-1,
            )
        )
    for thing in things:
        cx, cy, w, h = middle_and_size(thing)
        level, anchor = nearest(thing, anchors)
        stride = strides[level]
        x, y = int(cx / stride), int(cy / stride)
        row = heads[level][0, anchor, y, x]
        row[0:2] = logit((np.array([cx / stride - x, cy / stride - y]) + 0.5) / 2)
        row[2:4] = logit(np.sqrt(np.array([w, h]) / anchors[level][anchor]) / 2)
        row[4], row[5 + thing.class_id] = logit(0.97), logit(thing.score / 0.97)
    return heads


def raw_heads_v7(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return raw_heads(things, height, width, classes, rng, WIDE_ANCHORS)


def activated_heads(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return [sigmoid(head) for head in raw_heads(things, height, width, classes, rng)]


def coarsest_first(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return raw_heads(things, height, width, classes, rng)[::-1]


def yolov5_lite(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    heads = activated_heads(things, height, width, classes, rng)
    return [np.concatenate([head.reshape(1, -1, 5 + classes) for head in heads], axis=1)]


# --- YOLOv2's grid: [1, 5 * (5 + C), H / 32, W / 32]

TINY_YOLOV2 = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))
CUSTOM_VISION = ((0.573, 0.677), (1.87, 2.06), (3.34, 5.47), (7.88, 3.53), (9.77, 9.17))


def grid_of(things, height, width, classes, rng, anchors=TINY_YOLOV2, placed=False):  # type: ignore[no-untyped-def]
    rows, columns = height // 32, width // 32
    grid = rng.normal(size=(5, 5 + classes, rows, columns))
    grid[:, 4] -= 7
    for thing in things:
        cx, cy, w, h = middle_and_size(thing)
        _, anchor = nearest(thing, [np.array(anchors) * 32])
        x, y = int(cx / 32), int(cy / 32)
        cell = grid[anchor, :, y, x]
        cell[0], cell[1] = logit(cx / 32 - x), logit(cy / 32 - y)
        cell[2], cell[3] = np.log(np.array([w, h]) / 32 / anchors[anchor])
        chance = 1.0
        if classes > 1:
            chance = 0.97
            others = np.exp(np.delete(cell[5:], thing.class_id)).sum()
            cell[5 + thing.class_id] = logit(chance) + np.log(others)
        cell[4] = logit(thing.score / chance)
    if placed:
        grid[:, :2] = sigmoid(grid[:, :2])
    return [grid.reshape(1, -1, rows, columns)]


def custom_vision(things, height, width, classes, rng, placed=False):  # type: ignore[no-untyped-def]
    return grid_of(things, height, width, classes, rng, CUSTOM_VISION, placed)


def custom_vision_placed(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return custom_vision(things, height, width, classes, rng, placed=True)


def picture_called(name, dtype="float32"):  # type: ignore[no-untyped-def]
    return lambda height, width: (TensorSpec(name, ("None", 3, height, width), dtype),)


def coordinates_last(outputs: list[np.ndarray]) -> list[np.ndarray]:
    return [output[..., :4] for output in outputs]


def coordinates_of_grid(outputs: list[np.ndarray]) -> list[np.ndarray]:
    return [outputs[0].reshape(5, -1, *outputs[0].shape[2:])[:, :4]]


BGR_255 = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"}
HEADS = {"scores": (0, 1, 2), "boxes": coordinates_last}
GRID = {"boxes": coordinates_of_grid}
TINY = GRID | {"names": ("grid",), "inputs": picture_called("image"), "classes": 20}
AZURE = GRID | {"names": ("model_outputs0",), "inputs": picture_called("data")}

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "yolov3",
        "yolov3",
        yolov3,
        overlapping=False,
        names=ZOO_YOLOV3,
        inputs=with_image_shape,
        scores=(1,),
    ),
    Layout(
        "yolov3, tiny",
        "yolov3",
        yolov3_tiny,
        overlapping=False,
        names=ZOO_TINY_YOLOV3,
        inputs=with_image_shape,
        scores=(1,),
    ),
    Layout(
        "yolov4", "yolov4", yolov4, names=("Identity:0", "Identity_1:0", "Identity_2:0"), inputs=nhwc, **HEADS
    ),
    Layout("yolov5-lite", "yolov5raw", yolov5_lite, names=("output",)),
    Layout("yolov5-lite, halves", "yolov5raw", yolov5_lite, names=("output",), dtype="float16"),
    Layout("yolov5, heads", "yolov5raw", raw_heads, said=True, names=("output", "404", "687"), **HEADS),
    Layout("yolov5, heads, one class", "yolov5raw", raw_heads, said=True, classes=1, **HEADS),
    Layout("yolov5, heads, coarsest first", "yolov5raw", coarsest_first, said=True, **HEADS),
    Layout("yolov5, heads with sigmoid", "yolov5raw", activated_heads, said=True, **HEADS),
    Layout("yolov7, heads", "yolov7raw", raw_heads_v7, said=True, names=("output", "516", "528"), **HEADS),
    Layout("tinyyolov2", "tinyyolov2", grid_of, **TINY),
    Layout("tinyyolov2, renamed", "tinyyolov2", grid_of, said=True, classes=20, **GRID),
    Layout("customvision-grid", "customvision-grid", custom_vision, classes=3, metadata=BGR_255, **AZURE),
    Layout("customvision-grid, 20 classes", "customvision-grid", custom_vision, classes=20, **AZURE),
    Layout("customvision-grid, one class", "customvision-grid", custom_vision, classes=1, **AZURE),
    Layout("customvision-grid, placed", "customvision-grid", custom_vision_placed, classes=3, **AZURE),
    Layout("customvision-grid, renamed", "customvision-grid", custom_vision, said=True, classes=20, **GRID),
    Layout(
        "customvision-grid, halves",
        "customvision-grid",
        custom_vision,
        classes=3,
        dtype="float16",
        **AZURE | {"inputs": picture_called("data", "float16")},
    ),
)

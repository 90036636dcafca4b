"""Outputs of families that give a head a scale, or leave the cells to the reader: the inverse of their own decoding.

Sources are named in the families' files; everything is written here from theirs, not from edged's.
"""

from collections.abc import Callable

import numpy as np
from toy_outputs import Layout, cells_with

from edged.decode.grid import make_grid
from edged.manifest import TensorSpec

BINS = 8


def logit(chance):  # type: ignore[no-untyped-def]
    return np.log(chance / (1 - chance))


def centre_of(thing):  # type: ignore[no-untyped-def]
    x1, y1, x2, y2 = thing.box
    return (x1 + x2) / 2, (y1 + y2) / 2


# --- NanoDet and PicoDet: distributions


def distribution_of(distances):  # type: ignore[no-untyped-def]
    """Logits over bins 0 … 7 whose softmax has these means: (4,) to (32,)."""
    chances = np.full((4, BINS), 1e-9)
    for side, distance in zip(chances, distances, strict=True):
        low = min(int(distance), BINS - 2)
        side[low] += 1 - (distance - low)
        side[low + 1] += distance - low
    return np.log(np.maximum(chances, 1e-9)).ravel()


def distributions(things, height, width, classes, rng, strides, within):  # type: ignore[no-untyped-def]
    """Scores and sides a level: things on the finest level whose bins reach their sides, in the nearest cell."""
    levels, points = [], []
    for stride in strides:
        columns, rows = -(-width // stride), -(-height // stride)
        points.append(
            [((x + within) * stride, (y + within) * stride) for y in range(rows) for x in range(columns)]
        )
        count = columns * rows
        levels.append(
            [rng.uniform(0.001, 0.02, (count, classes)), rng.normal(scale=1.5, size=(count, 4 * BINS))]
        )
    for thing in things:
        x1, y1, x2, y2 = thing.box
        for (scores, sides), of_level, stride in zip(levels, points, strides, strict=True):
            away = np.abs(np.array(of_level) - centre_of(thing)).max(axis=1)
            row = int(away.argmin())
            x, y = of_level[row]
            distances = np.array([x - x1, y - y1, x2 - x, y2 - y]) / stride
            if distances.min() >= 0 and distances.max() <= BINS - 1:
                scores[row, thing.class_id], sides[row] = thing.score, distribution_of(distances)
                break
        else:
            raise AssertionError(f"no level of {strides} reaches the sides of {thing}")
    return levels


def nanodet_pairs(things, height, width, classes, rng, strides=(8, 16, 32)):  # type: ignore[no-untyped-def]
    levels = distributions(things, height, width, classes, rng, strides, within=0.5)
    return [scores[None] for scores, _ in levels] + [sides[None] for _, sides in levels]


def nanodet_v1(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    levels = distributions(things, height, width, classes, rng, (8, 16, 32), within=0.5)
    return [np.concatenate([np.concatenate(level, axis=1) for level in levels])[None]]


def nanodet_plus(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    levels = distributions(things, height, width, classes, rng, (8, 16, 32, 64), within=0.0)
    return [np.concatenate([np.concatenate(level, axis=1) for level in levels])[None]]


def picodet_heads(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return nanodet_pairs(things, height, width, classes, rng, strides=(8, 16, 32, 64))


def sides_after(classes: int = 80) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    return lambda outputs: [outputs[0][..., classes:]]


# --- FastestDet


def fastestdet(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    rows, columns = height // 16, width // 16
    objectness = rng.uniform(0.001, 0.02, (1, rows, columns))
    box = rng.normal(size=(4, rows, columns))
    raised = np.exp(rng.normal(size=(classes, rows, columns)))
    chances = raised / raised.sum(axis=0)
    for thing in things:
        (cx, cy), (x1, y1, x2, y2) = centre_of(thing), thing.box
        x, y = int(cx // 16), int(cy // 16)
        sure = 1.0 if classes == 1 else 0.97
        chances[:, y, x] = (1 - sure) / max(1, classes - 1)
        chances[thing.class_id, y, x] = sure
        objectness[0, y, x] = (thing.score / sure**0.4) ** (1 / 0.6)
        box[:, y, x] = (
            np.arctanh(cx / 16 - x),
            np.arctanh(cy / 16 - y),
            logit((x2 - x1) / width),
            logit((y2 - y1) / height),
        )
    return [np.concatenate([objectness, box, chances])[None]]


# --- YOLO-FastestV2


ANCHORS = np.array(
    [[[12.64, 19.39], [37.88, 51.48], [55.71, 138.31]], [[126.91, 78.23], [131.57, 214.55], [279.92, 258.87]]]
)


def yolo_fastestv2(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    outputs = []
    for stride in (16, 32):
        cells = (height // stride, width // stride)
        outputs += [
            rng.normal(size=(1, 12, *cells)),
            rng.normal(-6, 0.5, size=(1, 3, *cells)),
            rng.normal(size=(1, classes, *cells)),
        ]
    for thing in things:
        (cx, cy), (x1, y1, x2, y2) = centre_of(thing), thing.box
        size = np.array([x2 - x1, y2 - y1])
        level, anchor = np.unravel_index(np.abs(np.log(size / ANCHORS)).max(axis=2).argmin(), (2, 3))
        box, objectness, scores = outputs[3 * level : 3 * level + 3]
        stride = (16, 32)[level]
        x, y = int(cx // stride), int(cy // stride)
        centre = (np.array([cx, cy]) / stride - (x, y) + 0.5) / 2
        box[0, 4 * anchor : 4 * anchor + 4, y, x] = logit(
            np.concatenate([centre, np.sqrt(size / ANCHORS[level, anchor]) / 2])
        )
        scores[0, :, y, x] = 0
        scores[0, thing.class_id, y, x] = 10
        sure = np.exp(10) / (np.exp(10) + classes - 1)
        objectness[0, anchor, y, x] = logit(thing.score / sure)
    return outputs


def yolo_fastestv2_applied(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    maps = yolo_fastestv2(things, height, width, classes, rng)
    outputs = []
    for box, objectness, scores in (maps[:3], maps[3:]):
        raised = np.exp(scores)
        parts = [
            1 / (1 + np.exp(-box)),
            1 / (1 + np.exp(-objectness)),
            raised / raised.sum(axis=1, keepdims=True),
        ]
        outputs.append(np.concatenate(parts, axis=1).transpose(0, 2, 3, 1))
    return outputs


# --- PaddleDetection and YOLO-NAS: corners


def corners(things, height, width, classes, rng, strides):  # type: ignore[no-untyped-def]
    boxes, scores = cells_with(things, make_grid(height, width, strides), classes, rng)
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1), scores


def ppyoloe_no_nms(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores = corners(things, height, width, classes, rng, (32, 16, 8))
    return [boxes[None], scores.T[None]]


def ppyoloe_no_post(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores = corners(things, height, width, classes, rng, (32, 16, 8))
    return [np.concatenate([boxes, scores], axis=1)[None]]


def picodet_no_nms(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores = corners(things, height, width, classes, rng, (8, 16, 32, 64))
    return [boxes[None], scores.T[None]]


def yolonas_raw(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, scores = corners(things, height, width, classes, rng, (8, 16, 32))
    return [boxes[None], scores[None]]


# --- lists


def listed(things, height, width, classes, rng, others=12):  # type: ignore[no-untyped-def]
    """x1, y1, x2, y2, score, class: the things, and some that are hardly believed."""
    corner = rng.uniform(0, 0.5, (others, 2)) * (width, height)
    size = rng.uniform(0.02, 0.5, (others, 2)) * (width, height)
    rows = [
        corner,
        corner + size,
        rng.uniform(0.01, 0.02, (others, 1)),
        rng.integers(0, classes, (others, 1)),
    ]
    said = np.array([(*thing.box, thing.score, thing.class_id) for thing in things]).reshape(-1, 6)
    return np.concatenate([said, np.concatenate(rows, axis=1)])


def paddle_rows(things, height, width, classes, rng, others=12):  # type: ignore[no-untyped-def]
    rows = listed(things, height, width, classes, rng, others)
    return [rows[:, [5, 4, 0, 1, 2, 3]], np.array([len(rows)], np.int32)]


def paddle_only_things(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return paddle_rows(things, height, width, classes, rng, others=0)


def yolonas_flat(things, height, width, classes, rng, others=0):  # type: ignore[no-untyped-def]
    rows = listed(things, height, width, classes, rng, others)
    return [np.concatenate([np.zeros((len(rows), 1)), rows], axis=1)]


def yolonas_batch(things, height, width, classes, rng, most=100, padding=-1.0):  # type: ignore[no-untyped-def]
    rows = listed(things, height, width, classes, rng, others=3)
    padded = np.concatenate([rows, np.full((most - len(rows), 6), padding)])
    return [
        np.array([[len(rows)]], np.int64),
        padded[None, :, :4],
        padded[None, :, 4],
        padded[None, :, 5].astype(np.int64),
    ]


def efficientdet(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    rows = listed(things, height, width, classes, rng)
    padding = np.tile([0.0, 0, 0, 0, 0, 0, 1], (100 - len(rows), 1))
    said = np.column_stack([np.zeros(len(rows)), rows[:, [1, 0, 3, 2, 4]], rows[:, 5] + 1])
    return [np.concatenate([said, padding])[None]]


def paddle_inputs(height: int, width: int) -> tuple[TensorSpec, ...]:
    return (
        TensorSpec("image", (1, 3, height, width), "float32"),
        TensorSpec("scale_factor", (1, 2), "float32"),
    )


def older_paddle_inputs(height: int, width: int) -> tuple[TensorSpec, ...]:
    return (TensorSpec("im_shape", (1, 2), "float32"), *paddle_inputs(height, width))


def picture_of_bytes(height: int, width: int) -> tuple[TensorSpec, ...]:
    return (TensorSpec("input", (1, 3, height, width), "uint8"),)


def image_arrays(height: int, width: int) -> tuple[TensorSpec, ...]:
    return (TensorSpec("image_arrays:0", (1, height, width, 3), "uint8"),)


def own(position: int, columns: slice = slice(None)) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    return lambda outputs: [outputs[position][..., columns]]


NANODET_SIZES = ((416, 416), (320, 320), (256, 448), (416, 320), (96, 96))
NANODET_NAMES = ("792", "814", "836", "795", "817", "839")
STRIDE_NAMES = tuple(f"{kind}_pred_stride_{stride}" for kind in ("cls", "dis") for stride in (8, 16, 32))
NMS_NAMES = ("multiclass_nms3_0.tmp_0", "multiclass_nms3_0.tmp_2")
BATCH_NAMES = tuple(
    f"graph2_{name}" for name in ("num_predictions", "pred_boxes", "pred_scores", "pred_classes")
)
SIZE_352 = ((352, 352),)

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "nanodet-m",
        "nanodet",
        nanodet_pairs,
        names=NANODET_NAMES,
        scores=(0, 1, 2),
        boxes=lambda outputs: outputs[3:],
        sizes=NANODET_SIZES,
    ),
    Layout(
        "nanodet-m, names of strides, one class",
        "nanodet",
        nanodet_pairs,
        names=STRIDE_NAMES,
        scores=(0, 1, 2),
        boxes=lambda outputs: outputs[3:],
        classes=1,
        sizes=NANODET_SIZES,
    ),
    Layout(
        "nanodet-m, as many classes as numbers of a box, halves",
        "nanodet",
        nanodet_pairs,
        names=NANODET_NAMES,
        scores=(0, 1, 2),
        boxes=lambda outputs: outputs[3:],
        classes=32,
        dtype="float16",
        sizes=NANODET_SIZES,
    ),
    Layout("nanodet 1.0", "nanodet", nanodet_v1, names=("output",), boxes=sides_after(), sizes=NANODET_SIZES),
    Layout("nanodet-plus", "nanodet", nanodet_plus, names=("output",), boxes=sides_after()),
    Layout(
        "nanodet-plus, three classes, halves",
        "nanodet",
        nanodet_plus,
        names=("output",),
        boxes=sides_after(3),
        classes=3,
        labels=("a", "b", "c"),
        dtype="float16",
    ),
    Layout(
        "fastestdet", "fastestdet", fastestdet, names=("758",), boxes=lambda outputs: [outputs[0][:, 1:5]]
    ),
    Layout(
        "fastestdet, one class",
        "fastestdet",
        fastestdet,
        classes=1,
        boxes=lambda outputs: [outputs[0][:, 1:5]],
    ),
    Layout(
        "fastestdet, halves",
        "fastestdet",
        fastestdet,
        dtype="float16",
        boxes=lambda outputs: [outputs[0][:, 1:5]],
    ),
    Layout(
        "yolo-fastestv2",
        "yolo-fastestv2",
        yolo_fastestv2,
        names=("777", "778", "779", "780", "781", "782"),
        scores=(1, 2, 4, 5),
        boxes=lambda outputs: [outputs[0], outputs[3]],
        size=(352, 352),
        sizes=SIZE_352,
    ),
    Layout(
        "yolo-fastestv2, applied",
        "yolo-fastestv2",
        yolo_fastestv2_applied,
        names=("794", "796"),
        scores=(0, 1),
        boxes=lambda outputs: [one[..., :12] for one in outputs],
        size=(352, 352),
        sizes=SIZE_352,
    ),
    *(
        layout
        for family in ("ppyoloe", "ppyoloe-plus", "picodet")
        for layout in (
            Layout(
                f"{family}, rows",
                family,
                paddle_rows,
                names=NMS_NAMES,
                inputs=paddle_inputs,
                overlapping=False,
                counts_classes=False,
                said=True,
                scores=(0,),
                boxes=own(0, slice(2, None)),
            ),
            Layout(
                f"{family}, rows, nothing in the trial, older inputs",
                family,
                paddle_only_things,
                names=NMS_NAMES,
                inputs=older_paddle_inputs,
                overlapping=False,
                counts_classes=False,
                said=True,
                scores=(0,),
                boxes=own(0, slice(2, None)),
            ),
        )
    ),
    *(
        layout
        for family in ("ppyoloe", "ppyoloe-plus")
        for layout in (
            Layout(
                f"{family}, without NMS",
                family,
                ppyoloe_no_nms,
                names=("tmp_17", "concat_14.tmp_0"),
                inputs=paddle_inputs,
                said=True,
                scores=(1,),
                boxes=own(0),
            ),
            Layout(
                f"{family}, without post-processing",
                family,
                ppyoloe_no_post,
                names=("concat_15.tmp_0",),
                said=True,
                boxes=own(0, slice(4)),
            ),
        )
    ),
    Layout(
        "picodet, without NMS",
        "picodet",
        picodet_no_nms,
        names=("tmp_16", "concat_4.tmp_0"),
        inputs=paddle_inputs,
        scores=(1,),
        boxes=own(0),
    ),
    Layout(
        "picodet, without post-processing",
        "picodet",
        picodet_heads,
        names=tuple(f"transpose_{n}.tmp_0" for n in (0, 2, 4, 6, 1, 3, 5, 7)),
        scores=(0, 1, 2, 3),
        boxes=lambda outputs: outputs[4:],
    ),
    Layout(
        "yolonas, batch",
        "yolonas",
        yolonas_batch,
        names=BATCH_NAMES,
        inputs=picture_of_bytes,
        overlapping=False,
        counts_classes=False,
        scores=(2,),
        boxes=own(1),
    ),
    Layout(
        "yolonas, flat",
        "yolonas",
        lambda *known: yolonas_flat(*known, others=9),
        names=("graph2_flat_predictions",),
        inputs=picture_of_bytes,
        overlapping=False,
        counts_classes=False,
        boxes=own(0, slice(1, 5)),
    ),
    Layout(
        "yolonas, flat, nothing in the trial, two labels",
        "yolonas",
        yolonas_flat,
        names=("flat_predictions",),
        inputs=picture_of_bytes,
        overlapping=False,
        counts_classes=False,
        classes=2,
        labels=("a", "b"),
        boxes=own(0, slice(1, 5)),
    ),
    Layout("yolonas, without NMS", "yolonas", yolonas_raw, names=("904", "913"), scores=(1,), boxes=own(0)),
    Layout(
        "yolonas, without NMS, four classes, halves",
        "yolonas",
        yolonas_raw,
        names=("904", "913"),
        classes=4,
        dtype="float16",
        scores=(1,),
        boxes=own(0),
    ),
    Layout(
        "efficientdet",
        "efficientdet",
        efficientdet,
        names=("detections:0",),
        inputs=image_arrays,
        overlapping=False,
        counts_classes=False,
        classes=90,
        boxes=own(0, slice(1, 5)),
        size=(512, 512),
        sizes=((512, 512), (768, 1280), (320, 320)),
    ),
)

"""Outputs of families that list what they found, or answer query by query, several outputs by name.

Sources are named in the families' files; everything is written here from theirs, not from edged's.
"""

import numpy as np
from toy_outputs import Layout

from edged.decode.labels import COCO_90
from edged.manifest import TensorSpec

ALIKE = ("a", "b", "c")


def listed(things, height, width, classes, rng, count=0, first=1, fractions=False, yx=False):  # type: ignore[no-untyped-def]
    """Boxes (N, 4), labels (N,) and scores (N,): the things, and others of little score."""
    corner = rng.uniform(0, 0.5, (count, 2)) * (width, height)
    boxes = np.concatenate([corner, corner + rng.uniform(0.02, 0.5, (count, 2)) * (width, height)], axis=1)
    boxes = np.concatenate([np.array([thing.box for thing in things]).reshape(-1, 4), boxes])
    labels = np.array([thing.class_id for thing in things] + list(rng.integers(0, classes, count)), np.int64)
    scores = np.concatenate([[thing.score for thing in things], rng.uniform(0, 0.1, count)])
    if fractions:
        boxes = boxes / (width, height, width, height)
    if yx:
        boxes = boxes[:, [1, 0, 3, 2]]
    return boxes, labels + first, scores


# --- lists with a batch


def ssd(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, labels, scores = listed(things, height, width, classes, rng, count=40, fractions=True)
    return [boxes[None], labels[None], scores[None]]


def padded(rows, total):  # type: ignore[no-untyped-def]
    """The row, filled up with zeros."""
    filled = np.zeros((total, *rows.shape[1:]), rows.dtype)
    filled[: len(rows)] = rows
    return filled[None]


def tfod_of(things, height, width, classes, rng, first=1):  # type: ignore[no-untyped-def]
    boxes, labels, scores = listed(things, height, width, classes, rng, 20, first, fractions=True, yx=True)
    number = np.array([len(boxes)], np.float32)
    return number, padded(boxes, 100), padded(scores, 100), padded(labels.astype(np.float32), 100)


def tfod(*arguments):  # type: ignore[no-untyped-def]
    return list(tfod_of(*arguments))


def tfod_with_more(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    number, boxes, scores, labels = tfod_of(things, height, width, classes, rng)
    raw, masks = rng.normal(size=(1, 1917, 4)), rng.uniform(size=(1, 100, 33, 33))
    return [boxes, labels, masks, rng.uniform(size=(1, 100, classes + 1)), scores, number, raw]


def tfod_lite(*arguments):  # type: ignore[no-untyped-def]
    number, boxes, scores, labels = tfod_of(*arguments, first=0)
    scores = scores.copy()
    scores[0, int(number[0]) :] = 0.99  # what stands behind the number means nothing
    return [boxes, labels, scores, number]


def customvision(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, labels, scores = listed(
        things, height, width, classes, rng, count=64 - len(things), first=0, fractions=True
    )
    return [boxes[None], labels[None], scores[None]]


def pictures(dtype, *, name, channels_last=False, open_size=False):  # type: ignore[no-untyped-def]
    def declared(height, width):  # type: ignore[no-untyped-def]
        sides = (None, None) if open_size else (height, width)
        shape = (1, *sides, 3) if channels_last else (1, 3, *sides)
        return (TensorSpec(name, shape, dtype),)

    return declared


# --- lists without a batch


def rcnn(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, labels, scores = listed(things, height, width, classes, rng, count=5)
    return [boxes, labels, scores]


def rcnn_found_nothing(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return list(listed(things, height, width, classes, rng))


def retina(*arguments):  # type: ignore[no-untyped-def]
    boxes, labels, scores = rcnn(*arguments)
    return [boxes, scores, labels]


def mask_rcnn(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    found = rcnn(things, height, width, classes, rng)
    return [*found, rng.uniform(size=(len(found[0]), 1, height, width))]


def keypoint_rcnn(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    found = rcnn(things, height, width, classes, rng)
    return [*found, rng.uniform(size=(len(found[0]), 17, 3)), rng.normal(size=(len(found[0]), 17))]


def zoo_mask_rcnn(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    found = rcnn(things, height, width, classes, rng)
    return [*found, rng.uniform(size=(len(found[0]), 1, 28, 28))]


def without_batch(name):  # type: ignore[no-untyped-def]
    return lambda height, width: (TensorSpec(name, (3, height, width), "float32"),)


NAMED, MASKED = ("boxes", "labels", "scores"), ("boxes", "labels", "scores", "masks")
FASTER, MASK = ("6379", "6381", "6383"), ("6568", "6570", "6572", "6887")


# --- queries


def queries(things, height, width, classes, rng, count=100):  # type: ignore[no-untyped-def]
    """Boxes as centre and size in fractions, (Q, 4), and chances (Q, C): things at some of the queries."""
    boxes = np.concatenate([rng.uniform(0.2, 0.8, (count, 2)), rng.uniform(0.02, 0.4, (count, 2))], axis=1)
    chances = rng.uniform(1e-4, 0.01, (count, classes)) / 4
    for row, thing in zip(rng.permutation(count), things, strict=False):
        x1, y1, x2, y2 = np.array(thing.box) / (width, height, width, height)
        boxes[row] = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        chances[row] = 1e-5
        chances[row, thing.class_id] = thing.score
    return boxes, chances


def coco_columns(chances, first=1):  # type: ignore[no-untyped-def]
    """A column before them that was never used."""
    return np.concatenate([np.full((len(chances), first), 1e-6), chances], axis=1)


def softmax_logits(chances, rng):  # type: ignore[no-untyped-def]
    """Logits of these chances, and of no object."""
    rest = 1 - chances.sum(axis=1, keepdims=True)
    return np.log(np.concatenate([chances, rest], axis=1)) + rng.normal(size=(len(chances), 1))


def logits(chances):  # type: ignore[no-untyped-def]
    return np.log(chances / (1 - chances))


def detr(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, chances = queries(things, height, width, classes, rng)
    return [softmax_logits(coco_columns(chances), rng)[None], boxes[None]]


def detr_panoptic(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return [*detr(things, height, width, classes, rng), rng.normal(size=(1, 100, height // 4, width // 4))]


def detr_of_own(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, chances = queries(things, height, width, classes, rng)
    return [softmax_logits(chances, rng)[None], boxes[None]]


def deformable_detr(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, chances = queries(things, height, width, classes, rng, count=300)
    return [logits(coco_columns(chances))[None], boxes[None]]


def sigmoid_queries(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, chances = queries(things, height, width, classes, rng, count=300)
    return [logits(chances)[None], boxes[None]]


def rfdetr(*arguments):  # type: ignore[no-untyped-def]
    scores, boxes = deformable_detr(*arguments)
    return [boxes, scores]


def rfdetr_of_own(*arguments):  # type: ignore[no-untyped-def]
    scores, boxes = sigmoid_queries(*arguments)
    return [boxes, scores]


def rfdetr_masks(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    return [*rfdetr(things, height, width, classes, rng), rng.normal(size=(1, 300, height // 4, width // 4))]


def hugging_face(height, width):  # type: ignore[no-untyped-def]
    picture = TensorSpec("pixel_values", (1, 3, height, width), "float32")
    return (picture, TensorSpec("pixel_mask", (1, height, width), "int64"))


def rtdetr(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, labels, scores = listed(things, height, width, classes, rng, count=300 - len(things), first=0)
    return [labels[None], boxes[None], scores[None]]


def rtdetr_squeezed(*arguments):  # type: ignore[no-untyped-def]
    return [one[0] for one in rtdetr(*arguments)]


def rtdetr_joined(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    boxes, chances = queries(things, height, width, classes, rng, count=300)
    return [np.concatenate([boxes, chances], axis=1)[None]]


def with_sizes(dtype):  # type: ignore[no-untyped-def]
    return lambda height, width: (
        TensorSpec("images", (1, 3, height, width), dtype),
        TensorSpec("orig_target_sizes", (1, 2), "int64"),
    )


# --- maps relative to anchors: retinanet-examples, generate_anchors and box2delta

RETINA_STRIDES = (8, 16, 32, 64, 128)


def anchors_of(stride):  # type: ignore[no-untyped-def]
    """x1, y1, x2, y2 of the nine anchors of the first cell; the shape changes fastest."""
    anchors = []
    for scale in (4.0, 4 * 2 ** (1 / 3), 4 * 2 ** (2 / 3)):
        for ratio in (1.0, 2.0, 0.5):
            wide = np.sqrt(stride * stride / ratio)
            size = np.array([wide, wide * ratio]) * scale
            anchors.append([*(0.5 * (stride - size)), *(0.5 * (stride + size))])
    return np.array(anchors)


def overlap_of(box, others):  # type: ignore[no-untyped-def]
    corner = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.clip(corner, 0, None).prod(axis=1)
    return shared / ((box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared)


def retinanet(things, height, width, classes, rng):  # type: ignore[no-untyped-def]
    levels = []
    for stride in RETINA_STRIDES:
        rows, columns = -(-height // stride), -(-width // stride)
        scores = rng.uniform(0, 0.02, (9, classes, rows, columns))
        levels.append([scores, rng.normal(scale=0.1, size=(9, 4, rows, columns)), anchors_of(stride)])
    for thing in things:
        x1, y1, x2, y2 = thing.box
        box = np.array([x1, y1, x2 - 1, y2 - 1])  # the last pixel, not the edge behind it
        best = (0.0, 0, 0, 0, 0)
        for number, (stride, (scores, _, anchors)) in enumerate(zip(RETINA_STRIDES, levels, strict=True)):
            for y, x in np.ndindex(*scores.shape[2:]):
                overlaps = overlap_of(box, anchors + np.array([x, y, x, y]) * stride)
                anchor = int(overlaps.argmax())
                best = max(best, (float(overlaps[anchor]), number, anchor, y, x))
        _, number, anchor, y, x = best
        scores, boxes, anchors = levels[number]
        of_cell = anchors[anchor] + np.array([x, y, x, y]) * RETINA_STRIDES[number]
        sizes, wanted = of_cell[2:] - of_cell[:2] + 1, box[2:] - box[:2] + 1
        middle, wanted_middle = of_cell[:2] + 0.5 * sizes, box[:2] + 0.5 * wanted
        scores[anchor, thing.class_id, y, x] = thing.score
        boxes[anchor, :, y, x] = [*((wanted_middle - middle) / sizes), *np.log(wanted / sizes)]
    maps = [(scores, boxes) for scores, boxes, _ in levels]
    scored = [scores.reshape(1, -1, *scores.shape[2:]) for scores, _ in maps]
    return scored + [boxes.reshape(1, 36, *boxes.shape[2:]) for _, boxes in maps]


def second(outputs):  # type: ignore[no-untyped-def]
    return [outputs[1]]


def first(outputs):  # type: ignore[no-untyped-def]
    return [outputs[0]]


_UINT8 = pictures("uint8", name="image_tensor:0", channels_last=True)
_TFOD = ("num_detections", "detection_boxes", "detection_scores", "detection_classes")
_TFOD_MORE = (
    "detection_boxes", "detection_classes", "detection_masks", "detection_multiclass_scores", "detection_scores",
    "num_detections", "raw_detection_boxes",
)  # fmt: skip
_TFLITE = "TFLite_Detection_PostProcess"
_PICTURE = pictures("float32", name="input")


def in_order(name, family, write, **more):  # type: ignore[no-untyped-def]
    """A row whose outputs do not count the classes and need no NMS."""
    more = {"overlapping": False, "counts_classes": False, "scores": (2,), "boxes": first} | more
    return Layout(name, family, write, **more)


def answered(name, family, write, **more):  # type: ignore[no-untyped-def]
    """A row of queries, logits first."""
    more = {"overlapping": False, "boxes": second, "tolerance_px": 0.05} | more
    return Layout(name, family, write, **more)


LAYOUTS = (
    in_order("ssd", "ssd", ssd, names=("bboxes", "labels", "scores"), size=(1200, 1200)),
    in_order("ssd, labels", "ssd", ssd, names=("bboxes", "labels", "scores"), classes=3, labels=ALIKE),
    in_order(
        "tfod", "tfod", tfod, names=tuple(f"{n}:0" for n in _TFOD), inputs=_UINT8, classes=90, boxes=second
    ),
    in_order(
        "tfod, no colons", "tfod", tfod, names=_TFOD, inputs=_UINT8, classes=3, labels=ALIKE, boxes=second
    ),
    in_order(
        "tfod, more outputs", "tfod", tfod_with_more, names=_TFOD_MORE, inputs=_UINT8, scores=(4,), classes=90
    ),
    in_order(
        "tfod, TensorFlow Lite",
        "tfod",
        tfod_lite,
        names=(_TFLITE, *(f"{_TFLITE}:{n}" for n in (1, 2, 3))),
        inputs=pictures("float32", name="normalized_input_image_tensor", channels_last=True),
        classes=90,
    ),
    in_order(
        "customvision",
        "customvision",
        customvision,
        names=("detected_boxes", "detected_classes", "detected_scores"),
        classes=3,
        labels=ALIKE,
    ),
    in_order(
        "customvision, without labels",
        "customvision",
        customvision,
        names=("detected_boxes", "detected_classes", "detected_scores"),
        dtype="float16",
    ),
    in_order("torchvision, a batch of one", "torchvision", rcnn, names=NAMED, classes=90, said=True),
    in_order(
        "torchvision, no batch", "torchvision", rcnn, names=NAMED, classes=90, inputs=without_batch("images")
    ),
    in_order(
        "torchvision, nothing in the trial",
        "torchvision",
        rcnn_found_nothing,
        names=NAMED,
        classes=90,
        inputs=without_batch("images"),
    ),
    in_order(
        "torchvision, RetinaNet",
        "torchvision",
        retina,
        names=("boxes", "scores", "labels"),
        classes=90,
        scores=(1,),
        inputs=without_batch("images"),
    ),
    in_order(
        "torchvision, three labels",
        "torchvision",
        rcnn,
        names=NAMED,
        classes=3,
        labels=ALIKE,
        inputs=without_batch("images"),
    ),
    in_order("torchvision, without names", "torchvision", rcnn, classes=90),
    in_order(
        "torchvision, neither names nor batch", "torchvision", rcnn, inputs=without_batch("image"), said=True
    ),
    in_order(
        "torchvision, masks",
        "torchvision",
        mask_rcnn,
        names=MASKED,
        classes=90,
        inputs=without_batch("images"),
    ),
    in_order("torchvision, masks without names", "torchvision", mask_rcnn, inputs=without_batch("images")),
    in_order("torchvision, keypoints", "torchvision", keypoint_rcnn, classes=1),
    in_order("automl, a batch of one", "automl", rcnn, names=NAMED, classes=3, labels=ALIKE, said=True),
    in_order(
        "automl, numbered", "automl", rcnn, names=tuple(f"{n}_0" for n in NAMED), classes=3, labels=ALIKE
    ),
    in_order("automl, masks", "automl", mask_rcnn, names=tuple(f"{n}_0" for n in MASKED), inputs=_PICTURE),
    in_order(
        "automl, RetinaNet",
        "automl",
        retina,
        names=("boxes_0", "scores_0", "labels_0"),
        scores=(1,),
        inputs=_PICTURE,
    ),
    in_order(
        "Faster R-CNN of the zoo", "maskrcnn-benchmark", rcnn, names=FASTER, inputs=without_batch("image")
    ),
    in_order(
        "Mask R-CNN of the zoo",
        "maskrcnn-benchmark",
        zoo_mask_rcnn,
        names=MASK,
        inputs=without_batch("image"),
    ),
    in_order(
        "maskrcnn-benchmark, other numbers",
        "maskrcnn-benchmark",
        rcnn,
        names=("1", "2", "3"),
        inputs=without_batch("image"),
        said=True,
    ),
    Layout(
        "retinanet",
        "retinanet",
        retinanet,
        names=tuple(f"output{n}" for n in range(1, 11)),
        size=(480, 640),
        sizes=((480, 640), (256, 384)),
        scores=(0, 1, 2, 3, 4),
        boxes=lambda outputs: outputs[5:],
        tolerance_px=0.05,
    ),
    Layout(
        "retinanet, one class",
        "retinanet",
        retinanet,
        classes=1,
        size=(256, 256),
        sizes=((256, 256),),
        scores=(0, 1, 2, 3, 4),
        boxes=lambda outputs: outputs[5:],
        tolerance_px=0.05,
    ),
    answered("detr", "detr", detr, names=("pred_logits", "pred_boxes"), classes=90),
    answered(
        "detr, masks", "detr", detr_panoptic, names=("pred_logits", "pred_boxes", "pred_masks"), classes=90
    ),
    answered(
        "detr, Hugging Face", "detr", detr, names=("logits", "pred_boxes"), inputs=hugging_face, classes=90
    ),
    answered(
        "detr, three labels", "detr", detr_of_own, names=("logits", "pred_boxes"), classes=3, labels=ALIKE
    ),
    answered("deformable detr", "detr", deformable_detr, names=("pred_logits", "pred_boxes"), classes=90),
    answered(
        "conditional detr, three labels",
        "detr",
        sigmoid_queries,
        names=("logits", "pred_boxes"),
        inputs=hugging_face,
        classes=3,
        labels=ALIKE,
    ),
    answered(
        "deformable detr, three labels",
        "detr",
        sigmoid_queries,
        names=("pred_logits", "pred_boxes"),
        classes=3,
        labels=ALIKE,
        said=True,
    ),
    in_order(
        "rtdetr",
        "rtdetr",
        rtdetr,
        names=("labels", "boxes", "scores"),
        inputs=with_sizes("float32"),
        boxes=second,
    ),
    in_order(
        "rtdetr, without the batch",
        "rtdetr",
        rtdetr_squeezed,
        names=("labels", "boxes", "scores"),
        inputs=with_sizes("float32"),
        boxes=second,
    ),
    in_order(
        "rtdetr, three labels, halves",
        "rtdetr",
        rtdetr,
        names=("labels", "boxes", "scores"),
        inputs=with_sizes("float16"),
        boxes=second,
        classes=3,
        labels=ALIKE,
        dtype="float16",
    ),
    answered("rtdetr, Hugging Face", "rtdetr", sigmoid_queries, names=("logits", "pred_boxes")),
    answered(
        "rtdetr, three labels, Hugging Face",
        "rtdetr",
        sigmoid_queries,
        names=("logits", "pred_boxes"),
        classes=3,
        labels=ALIKE,
        said=True,
    ),
    Layout("rtdetr, Ultralytics", "rtdetr", rtdetr_joined, overlapping=False, tolerance_px=0.05),
    Layout(
        "rtdetr, Ultralytics, two labels",
        "rtdetr",
        rtdetr_joined,
        overlapping=False,
        classes=2,
        labels=("a", "b"),
        tolerance_px=0.05,
        metadata={"task": "detect", "description": "Ultralytics rtdetr-l model"},
    ),
    answered(
        "rfdetr",
        "rfdetr",
        rfdetr,
        names=("dets", "labels"),
        classes=90,
        scores=(1,),
        boxes=first,
        size=(560, 560),
    ),
    answered(
        "rfdetr, masks",
        "rfdetr",
        rfdetr_masks,
        names=("dets", "labels", "masks"),
        classes=90,
        scores=(1,),
        boxes=first,
        labels=COCO_90,
    ),
    answered(
        "rfdetr, three labels",
        "rfdetr",
        rfdetr_of_own,
        names=("dets", "labels"),
        classes=3,
        labels=ALIKE,
        scores=(1,),
        boxes=first,
    ),
)

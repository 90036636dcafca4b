"""Names of classes: from the file's metadata, or COCO's 80 where a model has 80 classes and no names."""

import ast
from collections.abc import Mapping, Sequence

from edged.errors import ModelRejected

MAX_NAMES_CHARS = 1024**2
MAX_NAMES = 20_000

# fmt: off
COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag",
    "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat",
    "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork",
    "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog",
    "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv",
    "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)
# fmt: on
"""The order of COCO's 80 classes in every detector of these families."""

_NOT_USED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
_REST = iter(COCO)
COCO_90 = tuple("N/A" if number in _NOT_USED else next(_REST) for number in range(1, 91))
"""COCO's own numbers 1 to 90, the first at 0; ten of them were never used (TensorFlow, torchvision, DETR)."""

VOC = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The 20 classes of PASCAL VOC."""


def metadata_labels(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The names an exporter wrote into the file.

    Ultralytics and YOLOv5 write ``names`` as a Python literal, ``{0: 'person', 1: 'bicycle'}`` or a list.

    Returns:
        A name a class, in order; empty where there is no such key.

    Raises:
        ModelRejected: The key is there and cannot be read, so that other names would be a guess.
    """
    text = metadata.get("names", "").strip()
    if not text:
        return ()
    if len(text) > MAX_NAMES_CHARS:
        raise _unreadable(f"longer than {MAX_NAMES_CHARS} characters")
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise _unreadable("no Python literal") from error
    if isinstance(names, dict):
        keys = {str(key): value for key, value in names.items()}
        if any(str(position) not in keys for position in range(len(names))):
            raise _unreadable(f"its {len(names)} keys are not 0 to {len(names) - 1}")
        names = [keys[str(position)] for position in range(len(names))]
    if not isinstance(names, (list, tuple)) or len(names) > MAX_NAMES:
        raise _unreadable(f"not a list of at most {MAX_NAMES} names")
    return tuple(str(name) for name in names)


def _unreadable(problem: str) -> ModelRejected:
    return ModelRejected(
        "model", f"metadata 'names' cannot be read ({problem})", "name them in model.toml: labels = [...]"
    )


def resolve_labels(
    labels: Sequence[str], class_count: int, usual: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names to publish, and notes on where they come from.

    Args:
        labels: What the user or the file says; empty where none does.
        class_count: Of the outputs; 0 where they do not say.
        usual: Names of the family's published models, or empty.

    Returns:
        A name a class (empty where the count is not known and nothing names them), and the
        notes.

    Raises:
        ModelRejected: There are names, and not as many as classes.
    """
    if labels:
        if class_count and len(labels) != class_count:
            raise ModelRejected(
                "model",
                f"has {class_count} classes, its labels name {len(labels)}",
                "correct labels in model.toml or labels.txt",
            )
        return tuple(labels), ()
    if usual and class_count in {0, len(usual)}:
        shown = f"{usual[0]}, {usual[1]} …" if len(usual) > 1 else usual[0]
        return tuple(usual), (f"nothing names its classes: those of the published models are used ({shown})",)
    if class_count == len(COCO):
        return COCO, ("nothing names its 80 classes: COCO's names are used",)
    ids = tuple(str(class_id) for class_id in range(class_count))
    return ids, ("nothing names its classes: their numbers are used; labels.txt or model.toml can name them",)

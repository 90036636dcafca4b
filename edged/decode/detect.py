"""Which family a model is of, decided once when it is loaded.

Every family is asked. One answer is taken; two are a question for a person, as is none. Shapes alone do not
decide: families share them, so each looks at what a trial run gave.
"""

from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from edged.decode.blazeface import BlazeFace
from edged.decode.classify import Classify
from edged.decode.customvision import CustomVision
from edged.decode.detr import Detr
from edged.decode.efficientdet import EfficientDet
from edged.decode.end2end import EndToEnd
from edged.decode.family import Evidence, Family, Recognition
from edged.decode.fastestdet import FastestDet
from edged.decode.labels import resolve_labels
from edged.decode.nanodet import NanoDet
from edged.decode.ppdet import PicoDet, PPYoloE, PPYoloEPlus
from edged.decode.rcnn import AutoML, MaskRcnnBenchmark, Torchvision
from edged.decode.retinanet import RetinaNet
from edged.decode.rfdetr import RfDetr
from edged.decode.rtdetr import RtDetr
from edged.decode.scrfd import Scrfd
from edged.decode.ssd import Ssd
from edged.decode.tfod import TensorFlowObjectDetection
from edged.decode.tinyyolov2 import CustomVisionGrid, TinyYoloV2
from edged.decode.ultraface import UltraFace
from edged.decode.yolofastestv2 import YoloFastestV2
from edged.decode.yolonas import YoloNas
from edged.decode.yolov3 import YoloV3
from edged.decode.yolov4 import YoloV4
from edged.decode.yolov5 import YoloV5
from edged.decode.yolov5raw import YoloV5Raw, YoloV7Raw
from edged.decode.yolov6 import YoloV6
from edged.decode.yolov8 import YoloV8
from edged.decode.yolox import YoloX
from edged.decode.yunet import YuNet
from edged.decode.yunet2021 import YuNet2021
from edged.errors import ModelRejected

# Their order decides only which of several sentences a refused model gets: that of the first that has one.
FAMILIES: tuple[Family, ...] = (
    YoloX(),
    YoloV5Raw(),
    YoloV7Raw(),
    YoloV5(),
    YoloV6(),
    YoloV8(),
    EndToEnd(),
    YoloV3(),
    YoloV4(),
    TinyYoloV2(),
    CustomVisionGrid(),
    FastestDet(),
    YoloFastestV2(),
    NanoDet(),
    PPYoloE(),
    PPYoloEPlus(),
    PicoDet(),
    YoloNas(),
    EfficientDet(),
    Ssd(),
    TensorFlowObjectDetection(),
    Torchvision(),
    AutoML(),
    MaskRcnnBenchmark(),
    RetinaNet(),
    Detr(),
    RtDetr(),
    RfDetr(),
    CustomVision(),
    YuNet(),
    YuNet2021(),
    Scrfd(),
    BlazeFace(),
    UltraFace(),
    Classify(),
)

_ALIASES = {
    "yolov7": "yolov5",
    "yolov9": "yolov8",
    "yolo11": "yolov8",
    "yolov11": "yolov8",
    "yolo12": "yolov8",
    "yolov12": "yolov8",
    "yolov10": "end2end",
    "yolov5-lite": "yolov5raw",
    "yolov5lite": "yolov5raw",
    "yolov3-tiny": "yolov3",
    "tiny-yolov3": "yolov3",
    "tiny-yolov2": "tinyyolov2",
    "yolov2-tiny": "tinyyolov2",
    "yolofastestv2": "yolo-fastestv2",
    "nanodet-m": "nanodet",
    "nanodet-plus": "nanodet",
    "pp-yoloe": "ppyoloe",
    "pp-yoloe+": "ppyoloe-plus",
    "ppyoloe+": "ppyoloe-plus",
    "ppyolo": "ppyoloe",
    "pp-yolo": "ppyoloe",
    "pp-picodet": "picodet",
    "yolo-nas": "yolonas",
    "yunet2022": "yunet2021",
    "yunet2023": "yunet",
    "insightface": "scrfd",
    "ultraface-320": "ultraface",
    "ultraface-640": "ultraface",
    "ssd-mobilenet": "tfod",
    "rt-detr": "rtdetr",
    "rtdetrv2": "rtdetr",
    "d-fine": "rtdetr",
    "dfine": "rtdetr",
    "deim": "rtdetr",
    "deimv2": "rtdetr",
    "rf-detr": "rfdetr",
    "yolos": "detr",
    "deformable-detr": "detr",
    "conditional-detr": "detr",
    "table-transformer": "detr",
}
"""Names by which people know a layout; YOLO26 has two and is told by its outputs."""

_OTHER_TASKS = {
    "obb": "finds oriented boxes, which would be wrong as upright ones",
    "semantic": "colours areas",
    "depth": "estimates depth",
}


def recognise(evidence: Evidence, family: str | None = None) -> Recognition:
    """Say what a model is.

    Args:
        evidence: What is known of it.
        family: Name from ``model.toml``: only this one is asked.

    Raises:
        ModelRejected: No such family, no model of one, two that it may be, or labels or a task that do not fit; the
            error says what settles it. The subject is ``model``: the caller knows the file.
    """
    asked = FAMILIES if family is None else (_named(family),)
    if family is not None:
        evidence = replace(evidence, named=asked[0].name)
    _refuse_others(evidence)
    answers = [(one, one.recognise(evidence)) for one in asked]
    found = _of_task(
        [answer for _, answer in answers if isinstance(answer, Recognition)], evidence.task or ""
    )
    if len(found) > 1:
        names = " or ".join(answer.family for answer in found)
        line = " or ".join(f'family = "{answer.family}"' for answer in found)
        raise ModelRejected(
            "model", f"may be {names} ({_outputs(evidence)})", f"say which in model.toml: {line}"
        )
    if not found:
        raise _unknown(evidence, [answer for _, answer in answers if isinstance(answer, str)], family)
    resolve_labels(evidence.labels, found[0].class_count, found[0].usual_labels)
    return found[0]


def _of_task(found: list[Recognition], task: str) -> list[Recognition]:
    """Those of the task that ``model.toml`` names, or all where it names none."""
    of_task = [one for one in found if not task or one.task == task]
    if found and not of_task:
        noun = "detector" if found[0].task == "detect" else "classifier"
        raise ModelRejected(
            "model",
            f'is a {noun} ({found[0].why}), and model.toml says task = "{task}"',
            "correct task and family there, or leave them out",
        )
    return of_task


def _named(name: str) -> Family:
    known = {one.name: one for one in FAMILIES}
    key = _ALIASES.get(name.lower(), name.lower())
    if key in known:
        return known[key]
    near = get_close_matches(key, [*known, *_ALIASES], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    raise ModelRejected("model", f"unknown family {name!r} in model.toml", hint)


def _refuse_others(evidence: Evidence) -> None:
    """What no family needs to look at."""
    task = evidence.metadata.get("task", "")
    if task in _OTHER_TASKS:
        raise ModelRejected(
            "model", f"{_OTHER_TASKS[task]} (task {task!r})", "this version serves detectors and classifiers"
        )
    for spec, output in zip(evidence.outputs, evidence.trial, strict=False):
        if output.dtype.kind == "f" and not np.isfinite(output).all():
            raise ModelRejected(
                "model",
                f"gave NaN or infinity in {spec.name!r} on a trial run",
                "export it anew, or in float32",
            )


def _unknown(evidence: Evidence, reasons: list[str], family: str | None) -> ModelRejected:
    known = f"the {len(FAMILIES)} families served, and how each is known, are in docs/models.md"
    if reasons:
        settled_by_hand = [reason for reason in reasons if "model.toml" in reason]
        problem, _, remedy = (settled_by_hand or reasons)[0].partition("; ")
        return ModelRejected("model", problem, remedy or known)
    wanted = f"is not of the family {family!r}" if family else "is no detector of a known family"
    return ModelRejected("model", f"{wanted}: {_looks_like(evidence)}", known)


def _looks_like(evidence: Evidence) -> str:
    shapes = [output.shape for output in evidence.trial]
    if len(shapes) == 1 and len(shapes[0]) == 4:
        return f"{_outputs(evidence)} is one map over the picture, as segmentation and undecoded models give"
    return f"its outputs are {_outputs(evidence)}"


def _outputs(evidence: Evidence) -> str:
    parts = [
        f"{spec.name} {list(output.shape)}"
        for spec, output in zip(evidence.outputs, evidence.trial, strict=False)
    ]
    return ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")

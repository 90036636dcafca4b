"""Real models on real pictures: what comes out is what independent reference decoders found (``expected.json``)."""

import json
import os
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np
import onnxruntime
import pytest

from edged.decode.detect import recognise
from edged.decode.family import Evidence
from edged.decode.labels import metadata_labels, resolve_labels
from edged.decode.nms import suppress
from edged.detection import Detections
from edged.errors import ModelRejected
from edged.frame import Frame, PixelLayout
from edged.manifest import InputRecipe, TensorSpec
from edged.preprocess import Preparer

pytestmark = pytest.mark.assets

SERVED = {
    "yolox_nano_416": "yolox",
    "yolov5n_dyn_fp16": "yolov5",
    "yolov5lite_e_320_raw": "yolov5raw",
    "yolov8n_640_dynint8": "yolov8",
    "yolov10n_640_e2e_dynint8": "end2end",
    "yolo26n_person_256_qdq": "yolov8",
    "yolo11n_person_640_qdq_w4w8": "yolov8",
    "yolo26n_pose_256_qdq": "yolov8",
    "fastestdet_352": "fastestdet",
    "yolo_fastestv2_352": "yolo-fastestv2",
    "nanodet_m_416": "nanodet",
    "scrfd_2.5g_kps_640": "scrfd",
    "ultraface_rfb_320": "ultraface",
    "ultraface_rfb_320_raw": "ultraface",
    "yunet_n_320": "yunet",
    "yunet_n_dynamic": "yunet",
    "yunet2021_120x160": "yunet2021",
    "deimv2_atto_320_dynint8": "rtdetr",
}
REFUSED = {
    "hostile/mnist_classifier.onnx": "classifier",
    "hostile/segmentation_not_detector.onnx": "one map",
}
OPEN_SIZE_PX = 640
MIN_SCORE, IOU = 0.3, 0.45  # of the reference decoders
SAME_PLACE, SURE = 0.7, 0.7
DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int64)": "int64"}


class Model:
    """A session of the CPU provider, and what is known of it."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 2
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        first, *others = self.session.get_inputs()
        shape = [1, *(size if isinstance(size, int) else OPEN_SIZE_PX for size in first.shape[1:])]
        feeds = {first.name: texture(shape).astype(DTYPES[first.type])}
        self.beside = {other.name: np.array([shape[:1:-1]], np.int64) for other in others}
        feeds |= self.beside
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.evidence = Evidence(
            inputs=specs(self.session.get_inputs()),
            outputs=specs(self.session.get_outputs()),
            metadata=metadata,
            labels=metadata_labels(metadata),
            height=shape[2],
            width=shape[3],
            trial=tuple(self.session.run(None, feeds)),
        )


def specs(tensors: list[Any]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(one.name, tuple(one.shape), DTYPES[one.type]) for one in tensors)


def texture(shape: list[int]) -> np.ndarray:
    """Waves and noise, 0-1."""
    rng = np.random.default_rng(0)
    waves = cv2.resize(rng.random((8, 8, 3), np.float32), tuple(shape[:1:-1]), interpolation=cv2.INTER_CUBIC)
    noise = rng.random((shape[2], shape[3], 3), np.float32)
    picture = np.clip(0.7 * waves + 0.3 * noise, 0, 1)
    return picture.transpose(2, 0, 1)[None, : shape[1]]


@pytest.fixture(scope="module", params=SERVED, ids=str)
def served(request: pytest.FixtureRequest, assets: Path) -> tuple[str, Model, dict[str, Any]]:
    expected = json.loads((assets / "expected.json").read_text())["models"][request.param]
    return request.param, Model(assets / "models" / f"{request.param}.onnx"), expected


def test_a_real_model_finds_what_the_reference_found(
    served: tuple[str, Model, dict[str, Any]], assets: Path
) -> None:
    name, model, expected = served
    recognition = recognise(model.evidence)
    assert recognition.family == SERVED[name]
    labels, _ = resolve_labels(model.evidence.labels, recognition.class_count, recognition.usual_labels)
    filled = recognition.input
    recipe = InputRecipe(
        model.evidence.height, model.evidence.width, dtype=model.evidence.inputs[0].dtype,
        color=filled.color, scale=filled.scale, fit=filled.fit, pad=filled.pad,
        mean=filled.mean, std=filled.std,
    )  # fmt: skip
    preparer, tensor = Preparer(recipe), np.empty(recipe.shape, recipe.dtype)
    tolerance = 0.15 if "int8" in name or "qdq" in name else 0.02
    assert expected["images"]
    for picture, objects in expected["images"].items():
        transform = preparer.prepare(read(assets, picture), tensor)
        outputs = model.session.run(None, {model.evidence.inputs[0].name: tensor} | model.beside)
        found = recognition.decoder(outputs, MIN_SCORE)
        if recognition.overlapping:
            found = suppress(found, iou=IOU, max_detections=300)
        found = Detections(transform.to_frame(found.xyxy), found.score, found.class_id)
        compare(found, labels, objects, tolerance, f"{name} on {picture}")


def read(assets: Path, name: str) -> Frame:
    paths = (assets / "images" / folder / name for folder in ("", "coco8", "coco_val"))
    path = next(path for path in paths if path.is_file())
    picture = cv2.imread(str(path))
    assert picture is not None
    return Frame(name, 0, 0.0, 0.0, picture.shape[1], picture.shape[0], PixelLayout.BGR, (picture,))


def compare(
    found: Detections, labels: tuple[str, ...], objects: list[dict[str, Any]], tolerance: float, where: str
) -> None:
    """The fair check of the assets' README."""
    matched: set[int] = set()
    for expected in objects:
        same = [
            index
            for index in range(len(found))
            if (len(labels) == 1 or labels[found.class_id[index]] == expected["label"])
            and overlap(found.xyxy[index], expected["box"]) >= SAME_PLACE
        ]
        assert same or not expected["must"], f"{where}: no {expected}"
        matched.update(same)
        nearest = min((abs(float(found.score[index]) - expected["score"]) for index in same), default=0.0)
        assert nearest <= tolerance or not expected["must"], f"{where}: score of {expected} is {nearest} away"
    for index in range(len(found)):
        assert index in matched or found.score[index] <= SURE, f"{where}: {found.xyxy[index]} is not expected"


def overlap(first: Any, second: Any) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return float(shared / (sum(areas) - shared))


@pytest.mark.parametrize(("file", "says"), REFUSED.items(), ids=list(REFUSED))
def test_what_no_family_decodes_is_refused_in_one_line(assets: Path, file: str, says: str) -> None:
    model = Model(assets / file)
    with pytest.raises(ModelRejected, match=says) as refused:
        recognise(model.evidence)
    assert "\n" not in str(refused.value)


def test_a_pose_model_says_that_its_keypoints_are_left_out(assets: Path) -> None:
    recognition = recognise(Model(assets / "models" / "yolo26n_pose_256_qdq.onnx").evidence)
    assert recognition.class_count == 1
    assert recognition.notes == ("its keypoints are left out, boxes only",)

"""A model loaded, tried on a picture, understood, and ready to answer: what runs inside a worker.

The steps are those of the contract's gate as far as a detector needs them: readable → shapes → provider → warm-up.
"""

import ast
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edged.decode.detect import recognise
from edged.decode.family import Evidence, Recognition
from edged.decode.labels import metadata_labels, resolve_labels
from edged.decode.nms import suppress
from edged.detection import Detections
from edged.errors import InferenceFailed, ModelRejected
from edged.inference.precheck import precheck
from edged.inference.providers import available, installed_packages
from edged.inference.session import Session
from edged.manifest import (
    InputManifest,
    InputRecipe,
    Manifest,
    PerChannel,
    TensorSpec,
    model_files,
    read_labels,
    read_manifest,
)
from edged.worker.answer import Answer
from edged.worker.description import LoadRequest, ModelDescription

MIN_SCORE, IOU, MAX_DETECTIONS = 0.25, 0.45, 300
LIKELY_SIZES = (640, 416, 320, 512, 256, 224)
"""Tried in this order where a model leaves its size open; many such models run only at the size they were traced at."""
MAX_INPUT_VALUES = 64 * 1024**2
WARM_UP_RUNS = 3


class LoadedModel:
    """One model version in this process.

    `answer` may be called from as many threads as the request said.

    Attributes:
        description: What it is and what it really runs on.
    """

    def __init__(self, request: LoadRequest) -> None:
        """Load, try and understand a model.

        Raises:
            InputNotFound: No such file.
            ModelRejected: It cannot be read, run, or understood; the text says which and what to do.
            RuntimeMissing: No ONNX Runtime, or a required provider is not there.
        """
        files = model_files(Path(request.path))
        summary = precheck(files.onnx)
        manifest = read_manifest(files.manifest)
        if manifest.task not in {None, "detect"}:
            raise ModelRejected(
                str(files.onnx), f"is for the task {manifest.task!r}", "this version serves detectors only"
            )
        labels = manifest.labels or read_labels(files.labels) or metadata_labels(summary.metadata)
        started = time.perf_counter()
        self._session = self._open(request, files.onnx)
        load_ms = (time.perf_counter() - started) * 1000
        picture = _picture_input(self._session.inputs, files.onnx)
        self._session, recipe, trial = self._try_sizes(
            request, files.onnx, picture, manifest, summary.metadata
        )
        self._input_name = picture.name
        evidence = Evidence(
            inputs=self._session.inputs,
            outputs=self._session.outputs,
            metadata=summary.metadata,
            labels=labels,
            height=recipe.height,
            width=recipe.width,
            trial=tuple(trial),
        )
        try:
            self._recognition = recognise(evidence, manifest.family)
            names, label_notes = resolve_labels(labels, self._recognition.class_count)
        except ModelRejected as error:
            raise ModelRejected(str(files.onnx), error.problem, error.remedy) from error
        recipe = _filled(recipe, self._recognition, manifest.input)
        output = manifest.output
        self._min_score = next(s for s in (request.min_score, output.min_score, MIN_SCORE) if s is not None)
        self._iou, self._max_detections = output.iou or IOU, output.max_detections or MAX_DETECTIONS
        report = self._session.provider
        self.description = ModelDescription(
            path=str(files.onnx),
            digest=summary.digest,
            size_bytes=summary.size_bytes,
            task="detect",
            family=self._recognition.family,
            why=self._recognition.why,
            notes=(*self._recognition.notes, *label_notes),
            labels=names,
            input=recipe,
            input_name=picture.name,
            inputs=self._session.inputs,
            outputs=self._session.outputs,
            min_score=self._min_score,
            iou=self._iou,
            max_detections=self._max_detections,
            opsets=summary.opsets,
            ir_version=summary.ir_version,
            producer=summary.producer,
            metadata=summary.metadata,
            provider_asked=report.asked,
            provider=report.in_use,
            provider_nodes=report.nodes,
            provider_refused=report.refused,
            providers_available=available(),
            runtime=installed_packages(),
            load_ms=round(load_ms, 1),
            latency_ms=round(self._warm_up(recipe), 3),
        )

    def answer(self, tensor: NDArray[Any]) -> Answer:
        """What the model finds.

        Args:
            tensor: Of the recipe's shape and dtype.

        Raises:
            InferenceFailed: The runtime raised an error, or the outputs are not finite.
        """
        started = time.perf_counter()
        outputs = self._session.run({self._input_name: tensor})
        inferred = time.perf_counter()
        detections = self._decoded(outputs)
        decoded = time.perf_counter()
        return Answer(detections, (inferred - started) * 1000, (decoded - inferred) * 1000)

    def _decoded(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        candidates = self._recognition.decoder(outputs, self._min_score)
        if self._recognition.overlapping:
            return suppress(candidates, iou=self._iou, max_detections=self._max_detections)
        order = np.argsort(-candidates.score, kind="stable")[: self._max_detections]
        return candidates.take(order)

    @staticmethod
    def _open(request: LoadRequest, path: Path) -> Session:
        return Session(
            path,
            providers=request.providers,
            require=request.require_provider,
            threads=request.threads,
            callers=request.callers,
        )

    def _try_sizes(
        self, request: LoadRequest, path: Path, picture: TensorSpec, manifest: Manifest, metadata: Any
    ) -> tuple[Session, InputRecipe, list[NDArray[Any]]]:
        """The first size at which the model runs, and what it said to a textured picture there."""
        session, failure = self._session, ""
        for height, width in _sizes(picture, manifest.input, metadata, path):
            recipe = _recipe(picture, manifest.input, height, width, path)
            try:
                return session, recipe, session.run({picture.name: _texture(recipe)})
            except InferenceFailed as error:
                failure = failure or error.problem
                session = self._open(request, path)  # a failed run can spoil the session for the next
        raise ModelRejected(
            str(path),
            f"does not run on a picture ({failure})",
            "say [input] size = [height, width] in model.toml",
        )

    def _warm_up(self, recipe: InputRecipe) -> float:
        """Milliseconds of one inference, the least of a few."""
        tensor = _texture(recipe)
        return min(self.answer(tensor).inference_ms for _ in range(WARM_UP_RUNS))


def _picture_input(inputs: Sequence[TensorSpec], path: Path) -> TensorSpec:
    if len(inputs) != 1:
        names = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in inputs)
        raise ModelRejected(
            str(path),
            f"is no detector of a known family: it wants {len(inputs)} inputs ({names})",
            "export it with a picture as its only input",
        )
    spec = inputs[0]
    if len(spec.shape) != 4 or spec.dtype not in {"float32", "float16", "uint8"}:
        raise ModelRejected(
            str(path),
            f"is no detector: its input {spec.name!r} is {spec.dtype} {list(spec.shape)}, not a picture",
            "a detector takes float32, float16 or uint8 of [1, 3, height, width] or [1, height, width, 3]",
        )
    if isinstance(spec.shape[0], int) and spec.shape[0] != 1:
        raise ModelRejected(
            str(path),
            f"takes batches of {spec.shape[0]} pictures",
            "export it with batch 1 or a dynamic batch",
        )
    return spec


def _layout(spec: TensorSpec, given: InputManifest, path: Path) -> tuple[Literal["NCHW", "NHWC"], int]:
    """Where the channels stand, and how many there are."""
    first, last = spec.shape[1], spec.shape[3]
    if given.layout == "NHWC" or (given.layout is None and first not in {1, 3} and last in {1, 3}):
        layout, channels = "NHWC", last
    else:
        layout, channels = "NCHW", first
    count = channels if isinstance(channels, int) else 3
    if count not in {1, 3}:
        raise ModelRejected(
            str(path),
            f"takes pictures of {count} channels ({list(spec.shape)})",
            "a detector takes 3, or 1 for grey pictures",
        )
    return ("NHWC" if layout == "NHWC" else "NCHW"), count


def _sizes(spec: TensorSpec, given: InputManifest, metadata: Any, path: Path) -> list[tuple[int, int]]:
    """Heights and widths to try, best evidence first."""
    layout, _ = _layout(spec, given, path)
    declared = spec.shape[2:4] if layout == "NCHW" else spec.shape[1:3]
    height, width = (side if isinstance(side, int) and side > 0 else None for side in declared)
    if height and width:
        return [(height, width)]
    if given.size:
        return [given.size]
    likely = [(size, size) for size in LIKELY_SIZES]
    traced = _image_size(metadata)
    return [(height or h, width or w) for h, w in ([traced, *likely] if traced else likely)]


def _image_size(metadata: Any) -> tuple[int, int] | None:
    """Ultralytics' ``imgsz``, height before width."""
    try:
        size = ast.literal_eval(str(metadata.get("imgsz", ""))[:64])
        height, width = (size, size) if isinstance(size, int) else size
        return (int(height), int(width)) if 8 <= min(height, width) <= max(height, width) <= 8192 else None
    except (ValueError, SyntaxError, TypeError):
        return None


def _recipe(spec: TensorSpec, given: InputManifest, height: int, width: int, path: Path) -> InputRecipe:
    """The shape and type of the input; how it is filled is settled once the family is known."""
    layout, channels = _layout(spec, given, path)
    if height * width * channels > MAX_INPUT_VALUES:
        raise ModelRejected(
            str(path), f"takes pictures of {width} × {height} pixels", "export it for a smaller input"
        )
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    if spec.dtype == "float16":
        dtype = "float16"
    elif spec.dtype == "uint8":
        dtype = "uint8"
    return InputRecipe(height, width, channels=channels, layout=layout, dtype=dtype)


def _filled(recipe: InputRecipe, recognition: Recognition, given: InputManifest) -> InputRecipe:
    """The recipe with the family's way of filling the input, overridden by ``model.toml``."""
    usual = recognition.input
    raw = recipe.dtype == "uint8"
    return InputRecipe(
        height=recipe.height,
        width=recipe.width,
        channels=recipe.channels,
        layout=recipe.layout,
        dtype=recipe.dtype,
        color="GRAY" if recipe.channels == 1 else given.color or usual.color,
        scale=given.scale if given.scale is not None else (1.0 if raw else usual.scale),
        mean=_triple(given.mean, (0.0, 0.0, 0.0) if raw else usual.mean),
        std=_triple(given.std, (1.0, 1.0, 1.0) if raw else usual.std),
        fit=given.fit or usual.fit,
        pad=given.pad if given.pad is not None else usual.pad,
    )


def _triple(given: PerChannel | None, usual: tuple[float, float, float]) -> tuple[float, float, float]:
    if given is None:
        return usual
    return (given, given, given) if isinstance(given, int | float) else given


def _texture(recipe: InputRecipe) -> NDArray[Any]:
    """A picture with edges, gradients and grain, the same every time: values 0–1, or 0–255 for uint8."""
    y, x = np.mgrid[0 : recipe.height, 0 : recipe.width].astype(np.float32)
    waves = np.stack([np.sin(x / (5 + 3 * c)) * np.cos(y / (7 + 2 * c)) for c in range(recipe.channels)])
    grain = np.random.default_rng(2025).random(waves.shape, np.float32)
    picture = np.clip(0.5 + 0.3 * waves + 0.2 * (grain - 0.5) + 0.2 * ((x // 32 + y // 32) % 2), 0, 1)
    if recipe.dtype == "uint8":
        picture = picture * 255
    if recipe.layout == "NHWC":
        picture = picture.transpose(1, 2, 0)
    return np.ascontiguousarray(picture[np.newaxis], dtype=np.dtype(recipe.dtype))

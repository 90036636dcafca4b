"""A model loaded, tried on a picture, understood, and ready to answer: what runs inside a worker.

The steps are those of the contract's gate as far as a detector needs them: readable → shapes → provider → warm-up.
"""

import time
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.decode.detect import recognise
from edged.decode.family import Evidence, Recognition
from edged.decode.labels import metadata_labels, resolve_labels
from edged.decode.nms import suppress
from edged.detection import Detections
from edged.errors import InferenceFailed, ModelRejected
from edged.inference.precheck import ModelSummary, precheck
from edged.inference.providers import available, installed_packages
from edged.inference.session import Session
from edged.machine import cores
from edged.manifest import InputRecipe, Manifest, model_files, read_labels, read_manifest
from edged.worker.agreement import MAX_DIFFERENCE, difference
from edged.worker.answer import Answer
from edged.worker.companions import fill_companions
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.picture import filled, picture_input, recipes, texture

MIN_SCORE, IOU, MAX_DETECTIONS = 0.25, 0.45, 300
WARM_UP_RUNS = 3
SLOW_MS = 40.0
"""One thread costs the least CPU an inference; a model slower than this on the CPU provider gets its share of cores."""


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
        self._request = request
        files = model_files(Path(request.path))
        self._path = files.onnx
        summary = precheck(files.onnx)
        manifest = read_manifest(files.manifest)
        if manifest.task == "tabular":
            raise self._rejected(
                "is for rows of a sensor (task tabular)", "this version serves pictures only"
            )
        labels = manifest.labels or read_labels(files.labels) or self._named_in(summary)
        self._threads = request.threads or 1
        self._without: dict[str, str] = {}
        started = time.perf_counter()
        self._session = self._open()
        load_ms = (time.perf_counter() - started) * 1000
        picture = picture_input(self._session.inputs, files.onnx)
        self._picture, self._beside = picture, [s for s in self._session.inputs if s is not picture]
        self._companions: dict[str, NDArray[Any]] = {}
        recipe, trial = self._settle(recipes(picture, manifest.input, summary.metadata, files.onnx))
        self._recognition, names, notes = self._understand(recipe, trial, labels, summary, manifest)
        recipe = filled(recipe, self._recognition.input, manifest.input, summary.metadata)
        self._wanted = self._wanted_classes(names)
        if manifest.golden:
            notes = (*notes, "its golden pictures are not tried by this version")
        output = manifest.output
        scores = (request.min_score, output.min_score, self._recognition.min_score, MIN_SCORE)
        self._min_score = next(score for score in scores if score is not None)
        self._iou, self._max_detections = output.iou or IOU, output.max_detections or MAX_DETECTIONS
        latency_ms = self._warm_up(recipe)
        report = self._session.provider
        self.description = ModelDescription(
            path=str(files.onnx),
            digest=summary.digest,
            size_bytes=summary.size_bytes,
            task=self._recognition.task,
            family=self._recognition.family,
            why=self._recognition.why,
            notes=notes,
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
            threads=self._threads,
            load_ms=round(load_ms, 1),
            latency_ms=round(latency_ms, 3),
        )

    def answer(self, tensor: NDArray[Any]) -> Answer:
        """What the model finds.

        Args:
            tensor: Of the recipe's shape and dtype.

        Raises:
            InferenceFailed: The runtime raised an error, or the outputs are not finite.
        """
        started = time.perf_counter()
        outputs = self._session.run(self._feeds(tensor))
        inferred = time.perf_counter()
        detections = self._decoded(outputs)
        decoded = time.perf_counter()
        return Answer(detections, (inferred - started) * 1000, (decoded - inferred) * 1000)

    def _feeds(self, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The picture, uint8 or float (1, …), and what stands beside it."""
        return {self._picture.name: tensor if len(self._picture.shape) == 4 else tensor[0]} | self._companions

    def _decoded(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        candidates = self._recognition.decoder(outputs, self._min_score)
        if self._wanted is not None:
            candidates = candidates.take(np.isin(candidates.class_id, self._wanted))
        if self._recognition.overlapping:
            return suppress(candidates, iou=self._iou, max_detections=self._max_detections)
        order = np.argsort(-candidates.score, kind="stable")[: self._max_detections]
        return candidates.take(order)

    def _wanted_classes(self, names: Sequence[str]) -> NDArray[np.int32] | None:
        """Numbers of the classes to keep; None for all."""
        numbers = [number for label in self._request.labels for number in self._classes_called(label, names)]
        return np.array(numbers, np.int32) if self._request.labels else None

    def _classes_called(self, label: str, names: Sequence[str]) -> list[int]:
        if label in names:
            return [number for number, name in enumerate(names) if name == label]
        if not names and label.isdecimal():
            return [int(label)]
        near = get_close_matches(label, names, n=1)
        known = ", ".join(names[:10]) or "no names: write class numbers"
        hint = f"did you mean {near[0]!r}?" if near else f"it knows {known}"
        raise self._rejected(f"does not know the label {label!r} that is to be kept", hint)

    def _rejected(self, problem: str, remedy: str) -> ModelRejected:
        return ModelRejected(str(self._path), problem, remedy)

    def _named_in(self, summary: ModelSummary) -> tuple[str, ...]:
        try:
            return metadata_labels(summary.metadata)
        except ModelRejected as error:
            raise self._rejected(error.problem, error.remedy) from error

    def _open(self) -> Session:
        return Session(
            self._path,
            providers=self._request.providers,
            require=self._request.require_provider,
            threads=self._threads,
            callers=self._request.callers,
            without=self._without,
        )

    def _settle(self, candidates: Sequence[InputRecipe]) -> tuple[InputRecipe, list[NDArray[Any]]]:
        """The first shape at which the model runs, its answer there, and a provider whose answer is right."""
        while True:
            recipe, trial = self._try(candidates)
            chosen = self._session.provider.chosen
            wrong = difference(self._reference(recipe, trial), trial)
            if wrong <= MAX_DIFFERENCE:
                return recipe, trial
            fault = f"answers otherwise than the CPU provider (deviation {wrong:.0%})"
            if self._request.require_provider:
                raise self._rejected(
                    f"{chosen} {fault}", "export it in float32, or let another provider run it"
                )
            self._without[chosen] = fault
            self._session = self._open()

    def _reference(self, recipe: InputRecipe, trial: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """What the CPU provider answers to the same picture; the answer itself where it cannot be asked."""
        if self._session.provider.chosen == "cpu":
            return trial
        try:
            return Session(self._path, providers=["cpu"]).run(self._feeds(texture(recipe)))
        except (ModelRejected, InferenceFailed):
            return trial

    def _try(self, candidates: Sequence[InputRecipe]) -> tuple[InputRecipe, list[NDArray[Any]]]:
        """The first shape at which the model runs, and what it said to a textured picture there."""
        problem = ""
        for recipe in candidates:
            self._companions = fill_companions(self._beside, recipe, self._path)
            try:
                return recipe, self._session.run(self._feeds(texture(recipe)))
            except InferenceFailed as error:
                problem = problem or error.problem
                self._session = self._open()  # a failed run can spoil the session for the next
        raise self._rejected(
            f"does not run on a picture ({problem})", "say [input] size = [height, width] in model.toml"
        )

    def _understand(
        self,
        recipe: InputRecipe,
        trial: Sequence[NDArray[Any]],
        labels: tuple[str, ...],
        summary: ModelSummary,
        manifest: Manifest,
    ) -> tuple[Recognition, tuple[str, ...], tuple[str, ...]]:
        """The family, a name a class, and what a user should know."""
        evidence = Evidence(
            inputs=self._session.inputs,
            outputs=self._session.outputs,
            metadata=summary.metadata,
            labels=labels,
            height=recipe.height,
            width=recipe.width,
            trial=tuple(trial),
            task=manifest.task,
        )
        try:
            recognition = recognise(evidence, manifest.family)
            names, notes = resolve_labels(labels, recognition.class_count, recognition.usual_labels)
        except ModelRejected as error:
            raise self._rejected(error.problem, error.remedy) from error
        return recognition, names, (*recognition.notes, *notes)

    def _warm_up(self, recipe: InputRecipe) -> float:
        """Milliseconds of one inference, the least of a few; settles how many threads it gets."""
        tensor = texture(recipe)
        share = cores() // self._request.callers
        slow_ms = self.answer(tensor).inference_ms
        if (
            slow_ms > SLOW_MS
            and share > 1
            and not self._request.threads
            and self._session.provider.in_use == "cpu"
        ):
            self._threads = share
            self._session = self._open()
        return min(self.answer(tensor).inference_ms for _ in range(WARM_UP_RUNS))

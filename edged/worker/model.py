"""A model loaded, tried on a picture, understood, and ready to answer: what runs inside a worker.

The steps are those of the contract's gate that a worker goes through: readable → shapes → provider → warm-up. Each is
told to the journal with what became known in it, so that a model which stops in between has been described up to there.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
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
from edged.manifest import (
    InputRecipe,
    Manifest,
    TensorSpec,
    model_files,
    read_labels,
    read_manifest,
)
from edged.worker.agreement import MAX_DIFFERENCE, difference
from edged.worker.answer import Answer
from edged.worker.companions import fill_companions
from edged.worker.description import LoadRequest, ModelDescription, plain
from edged.worker.journal import Journal
from edged.worker.picture import filled, picture_input, recipes, texture
from edged.worker.tabular import tabular_evidence

MIN_SCORE, IOU, MAX_DETECTIONS = 0.25, 0.45, 300
WARM_UP_RUNS = 3
SLOW_MS = 40.0
"""One thread costs the least CPU an inference; a model slower than this on the CPU provider gets its share of cores."""
MAX_COUNTED, MAX_NAME_CHARS = 100, 100
"""Of operators and opsets, in a description."""


class LoadedModel:
    """One model version in this process.

    `answer` may be called from as many threads as the request said.

    Attributes:
        description: What it is and what it really runs on.
    """

    def __init__(self, request: LoadRequest, journal: Journal | None = None) -> None:
        """Load, try and understand a model.

        Args:
            request: Which, and how.
            journal: Hears of each step and of all that becomes known.

        Raises:
            InputNotFound: No such file.
            ModelRejected: It cannot be read, run, or understood; the text says which and what to do.
            RuntimeMissing: No ONNX Runtime, or a required provider is not there.
        """
        self._request = request
        self._journal = journal or Journal()
        self._known: dict[str, Any] = {}
        self._threads = request.threads or 1
        self._without: dict[str, str] = {}
        self._companions: dict[str, NDArray[Any]] = {}
        with self._journal.step("readable"):
            summary, manifest, labels = self._read()
        with self._journal.step("provider" if request.require_provider else "readable"):
            self._session = self._load()
        with self._journal.step("shapes"):
            self._refuse_rows(summary, manifest)
            self._picture = picture_input(self._session.inputs, self._path)
            self._beside = [spec for spec in self._session.inputs if spec is not self._picture]
            recipe, trial = self._try(recipes(self._picture, manifest.input, summary.metadata, self._path))
            reference = self._reference(recipe, trial)
            self._recognition, names = self._understand(recipe, reference, labels, summary, manifest)
            recipe = filled(recipe, self._recognition.input, manifest.input, summary.metadata)
            self._wanted = self._wanted_classes(names)
            output = manifest.output
            scores = (request.min_score, output.min_score, self._recognition.min_score, MIN_SCORE)
            self._min_score = next(score for score in scores if score is not None)
            self._iou, self._max_detections = output.iou or IOU, output.max_detections or MAX_DETECTIONS
            self._know(
                input=recipe, min_score=self._min_score, iou=self._iou, max_detections=self._max_detections
            )
        with self._journal.step("provider"):
            self._agree(recipe, trial, reference)
        with self._journal.step("warm-up"):
            latency_ms = self._warm_up(recipe)
            self._know(threads=self._threads, latency_ms=round(latency_ms, 3))
        self.description = ModelDescription(**self._known, step_ms=self._journal.progress.step_ms)

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

    def _know(self, **facts: Any) -> None:
        """Keep what the description will say, and tell it."""
        self._known |= facts
        self._journal.know(**plain(facts))

    def _read(self) -> tuple[ModelSummary, Manifest, tuple[str, ...]]:
        """What the files say; of a broken model what could be read is told all the same."""
        files = model_files(Path(self._request.path))
        self._path = files.onnx
        self._know(path=str(files.onnx))
        summary = ModelSummary()
        try:
            precheck(files.onnx, summary)
        finally:
            self._know_summary(summary)
        if self._request.digest not in {"", summary.digest}:
            raise self._rejected(
                "is another file than the one that was accepted", "it is tried as a new version"
            )
        manifest = read_manifest(files.manifest)
        labels = manifest.labels or read_labels(files.labels) or self._named_in(summary)
        self._know(labels=labels)
        return summary, manifest, labels

    def _know_summary(self, summary: ModelSummary) -> None:
        facts = {
            "digest": summary.digest,
            "size_bytes": summary.size_bytes,
            "opsets": _bounded(summary.opsets),
            "ir_version": summary.ir_version,
            "producer": summary.producer,
            "metadata": summary.metadata,
            "external_data": sorted(summary.external_data),
            "node_count": summary.node_count,
            "operators": _bounded(summary.operators),
        }
        self._know(**{name: fact for name, fact in facts.items() if fact or summary.node_count})

    def _load(self) -> Session:
        """The first session; a model that gets none is described without."""
        self._know(provider_asked=self._request.providers, runtime=installed_packages())
        started = time.perf_counter()
        session = self._open()
        load_ms = (time.perf_counter() - started) * 1000
        self._know(
            inputs=session.inputs,
            outputs=session.outputs,
            load_ms=round(load_ms, 1),
            providers_available=available(),
        )
        return session

    def _refuse_rows(self, summary: ModelSummary, manifest: Manifest) -> None:
        why = "model.toml says so" if manifest.task == "tabular" else None
        if manifest.task is None:
            why = tabular_evidence(self._session.inputs, self._session.outputs, summary.operators)
        if why:
            self._know(task="tabular", why=why)
            raise self._rejected(
                f"is for rows of a sensor (tabular: {why})", "this version serves pictures only"
            )

    def _open(self) -> Session:
        session = Session(
            self._path,
            providers=self._request.providers,
            require=self._request.require_provider,
            threads=self._threads,
            callers=self._request.callers,
            without=self._without,
        )
        report = session.provider
        self._know(provider=report.in_use, provider_nodes=report.nodes, provider_refused=report.refused)
        return session

    def _agree(
        self, recipe: InputRecipe, trial: list[NDArray[Any]], reference: Sequence[NDArray[Any]]
    ) -> None:
        """Pass over providers until one gives the right answer."""
        while (wrong := difference(reference, trial)) > MAX_DIFFERENCE:
            chosen = self._session.provider.chosen
            fault = f"answers otherwise than the CPU provider (deviation {wrong:.0%})"
            if self._request.require_provider:
                raise self._rejected(
                    f"{chosen} {fault}", "export it in float32, or let another provider run it"
                )
            self._without[chosen] = fault
            self._session = self._open()
            _, trial = self._try([recipe])

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
            self._know(input_name=self._picture.name)
            try:
                trial = self._session.run(self._feeds(texture(recipe)))
            except InferenceFailed as error:
                problem = problem or error.problem
                self._session = self._open()  # a failed run can spoil the session for the next
                continue
            outputs = zip(self._session.outputs, trial, strict=True)
            self._know(trial=tuple(TensorSpec(o.name, tuple(a.shape), str(a.dtype)) for o, a in outputs))
            return recipe, trial
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
    ) -> tuple[Recognition, tuple[str, ...]]:
        """The family, and a name a class."""
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
        golden = ("its golden pictures are tried by `edged model test` only",) if manifest.golden else ()
        self._know(
            task=recognition.task,
            family=recognition.family,
            why=recognition.why,
            labels=names,
            notes=(*recognition.notes, *notes, *golden),
        )
        return recognition, names

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


def _bounded(counts: Mapping[str, int]) -> dict[str, int]:
    """The greatest, with names of a sane length: a stranger's file may hold any number of any."""
    return {name[:MAX_NAME_CHARS]: count for name, count in Counter(counts).most_common(MAX_COUNTED)}

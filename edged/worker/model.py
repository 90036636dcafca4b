"""A model of pictures, loaded, tried on one, understood, and ready to answer: what runs inside a worker.

The steps are those of the contract's gate that a worker goes through: readable → shapes → provider → warm-up. Each is
told to the journal with what became known in it, so that a model which stops in between has been described up to there.
"""

import time
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.decode.detect import recognise
from edged.decode.family import Evidence, Recognition
from edged.decode.labels import resolve_labels
from edged.decode.nms import suppress
from edged.detection import Detections
from edged.errors import InferenceFailed, ModelRejected
from edged.machine import cores
from edged.manifest import InputRecipe, TensorSpec
from edged.worker.agreement import MAX_DIFFERENCE, difference
from edged.worker.answer import Answer
from edged.worker.batching import choose, measure, split
from edged.worker.choosing import choose_session
from edged.worker.companions import beside, fill_companions
from edged.worker.description import LoadRequest
from edged.worker.journal import Journal
from edged.worker.opening import Opened
from edged.worker.picture import filled, picture_input, recipes, texture, unused
from edged.worker.wire import Reply, pack_answers, unpack_pictures

MIN_SCORE, IOU, MAX_DETECTIONS = 0.25, 0.45, 300
SLOW_MS = 40.0
"""One thread costs the least CPU an inference; a model slower than this on the CPU provider gets its share of cores."""


class LoadedModel:
    """One model version in this process.

    `answer` may be called from as many threads as the request said.

    Attributes:
        description: What it is and what it really runs on.
    """

    def __init__(
        self, request: LoadRequest, journal: Journal | None = None, *, opened: Opened | None = None
    ) -> None:
        """Load, try and understand a model.

        Args:
            request: Which, and how.
            journal: Hears of each step and of all that becomes known.
            opened: The same, where it has a session already.

        Raises:
            InputNotFound: No such file.
            ModelRejected: It cannot be read, run, or understood; the text says which and what to do.
            RuntimeMissing: No ONNX Runtime, or a required provider is not there.
        """
        self._opened = opened = opened or Opened(request, journal)
        self._companions: dict[str, NDArray[Any]] = {}
        manifest, summary = opened.manifest, opened.summary
        with opened.journal.step("shapes"):
            self._picture = picture_input(opened.session.inputs, opened.path)
            self._beside = [spec for spec in opened.session.inputs if spec is not self._picture]
            recipe, trial = self._try(recipes(self._picture, manifest.input, summary.metadata, opened.path))
            reference = self._reference(recipe, trial)
            self._recognition, names = self._understand(recipe, reference)
            recipe = filled(recipe, self._recognition.input, manifest.input, summary.metadata)
            self._wanted = self._wanted_classes(names)
            output = manifest.output
            scores = (request.min_score, output.min_score, self._recognition.min_score, MIN_SCORE)
            self._min_score = next(score for score in scores if score is not None)
            self._floor = min(self._min_score, 1.0 if request.low_score is None else request.low_score)
            self._iou, self._max_detections = output.iou or IOU, output.max_detections or MAX_DETECTIONS
            opened.know(
                input=recipe, min_score=self._min_score, iou=self._iou, max_detections=self._max_detections
            )
        with opened.journal.step("provider"):
            self._agree(recipe, trial, reference)
            choose_session(opened, lambda: self._feeds(texture(recipe)), reference)
        with opened.journal.step("warm-up"):
            latency_ms = self._warm_up(recipe, reference)
            threads = opened.session.tuning.threads or opened.threads
            opened.know(threads=threads, latency_ms=round(latency_ms, 3))
            self._settle_batch(recipe)
        texture.cache_clear()
        self.description = opened.described()

    def serve(self, tensor: NDArray[Any], body: bytes) -> Reply:
        """One request of the daemon's: some of the pictures in a lane's memory."""
        first, count = unpack_pictures(body)
        found, inference_ms, decode_ms = self._infer(tensor[first : first + count])
        return Reply(inference_ms, decode_ms, pack_answers(found))

    def answer(self, tensor: NDArray[Any]) -> Answer:
        """What the model finds.

        Args:
            tensor: Of the recipe's shape and dtype.

        Raises:
            InferenceFailed: The runtime raised an error, or the outputs are not finite.
        """
        (found,), inference_ms, decode_ms = self._infer(tensor)
        return Answer(found, inference_ms, decode_ms)

    def _infer(self, tensor: NDArray[Any]) -> tuple[list[Detections], float, float]:
        """What is found in each picture of a tensor (N, …), and milliseconds of inference and of decoding."""
        started = time.perf_counter()
        outputs = self._opened.session.run(self._feeds(tensor))
        inferred = time.perf_counter()
        parts = [outputs] if len(tensor) == 1 else split(outputs, len(tensor))
        if parts is None:
            raise InferenceFailed(str(self._opened.path), "outputs do not have a row for each picture", "")
        found = [self._decoded(part) for part in parts]
        decoded = time.perf_counter()
        return found, (inferred - started) * 1000, (decoded - inferred) * 1000

    def _feeds(self, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The pictures, uint8 or float (N, …), and what stands beside them."""
        pictures = tensor if len(self._picture.shape) == 4 else tensor[0]
        return {self._picture.name: pictures} | beside(self._companions, len(tensor))

    def _decoded(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        candidates = self._recognition.decoder(outputs, self._floor)
        if self._wanted is not None:
            candidates = candidates.take(np.isin(candidates.class_id, self._wanted))
        if self._recognition.overlapping:
            return suppress(candidates, iou=self._iou, max_detections=self._max_detections)
        order = np.argsort(-candidates.score, kind="stable")[: self._max_detections]
        return candidates.take(order)

    def _wanted_classes(self, names: Sequence[str]) -> NDArray[np.int32] | None:
        """Numbers of the classes to keep; None for all."""
        wanted = self._opened.request.labels
        numbers = [number for label in wanted for number in self._classes_called(label, names)]
        return np.array(numbers, np.int32) if wanted else None

    def _classes_called(self, label: str, names: Sequence[str]) -> list[int]:
        if label in names:
            return [number for number, name in enumerate(names) if name == label]
        if not names and label.isdecimal():
            return [int(label)]
        near = get_close_matches(label, names, n=1)
        known = ", ".join(names[:10]) or "no names: write class numbers"
        hint = f"did you mean {near[0]!r}?" if near else f"it knows {known}"
        raise self._opened.misfit(f"does not know the label {label!r} that is to be kept", hint)

    def _agree(
        self, recipe: InputRecipe, trial: list[NDArray[Any]], reference: Sequence[NDArray[Any]]
    ) -> None:
        """Pass over providers until one gives the right answer."""
        while (wrong := difference(reference, trial)) > MAX_DIFFERENCE:
            if self._opened.forget():
                _, trial = self._try([recipe])
                continue
            chosen = self._opened.session.provider.chosen
            fault = f"answers otherwise than the CPU provider (deviation {wrong:.0%})"
            if self._opened.requires:
                raise self._opened.rejected(
                    f"{chosen} {fault}", "export it in float32, or let another provider run it"
                )
            self._opened.without[chosen] = fault
            self._opened.open_again()
            _, trial = self._try([recipe])

    def _reference(self, recipe: InputRecipe, trial: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """What the CPU provider answers to the same picture; the answer itself where it cannot be asked."""
        if self._opened.session.provider.chosen == "cpu" or self._opened.recalls(trial):
            return trial
        try:
            return self._opened.session_on(["cpu"]).run(self._feeds(texture(recipe)))
        except (ModelRejected, InferenceFailed):
            return trial

    def _try(self, candidates: Sequence[InputRecipe]) -> tuple[InputRecipe, list[NDArray[Any]]]:
        """The first shape at which the model runs, and what it said to a textured picture there."""
        problem = ""
        for recipe in candidates:
            self._companions = fill_companions(self._beside, recipe, self._opened.path)
            self._opened.know(input_name=self._picture.name)
            feeds = self._feeds(texture(recipe))
            started = time.perf_counter()
            try:
                trial = self._opened.session.run(feeds)
            except InferenceFailed as error:
                problem = problem or error.problem
                self._opened.open_again()  # a failed run can spoil the session for the next
                continue
            self._trial_ms = (time.perf_counter() - started) * 1000
            outputs = zip(self._opened.session.outputs, trial, strict=True)
            self._opened.know(
                trial=tuple(TensorSpec(o.name, tuple(a.shape), str(a.dtype)) for o, a in outputs)
            )
            return recipe, trial
        if self._opened.forget():
            return self._try(candidates)
        raise self._opened.rejected(
            f"does not run on a picture ({problem})", "say [input] size = [height, width] in model.toml"
        )

    def _understand(
        self,
        recipe: InputRecipe,
        trial: Sequence[NDArray[Any]],
    ) -> tuple[Recognition, tuple[str, ...]]:
        """The family, and a name a class."""
        summary, manifest, labels = self._opened.summary, self._opened.manifest, self._opened.labels
        evidence = Evidence(
            inputs=self._opened.session.inputs,
            outputs=self._opened.session.outputs,
            metadata=summary.metadata,
            labels=labels,
            height=recipe.height,
            width=recipe.width,
            trial=tuple(trial),
            task=manifest.task,
            endings=summary.endings,
        )
        try:
            recognition = recognise(evidence, manifest.family)
            names, notes = resolve_labels(labels, recognition.class_count, recognition.usual_labels)
        except ModelRejected as error:
            raise self._opened.rejected(error.problem, error.remedy) from error
        golden = ("its golden pictures are tried by `edged model test` only",) if manifest.golden else ()
        self._opened.know(
            task=recognition.task,
            family=recognition.family,
            why=recognition.why,
            labels=names,
            notes=(*recognition.notes, *notes, *unused(recipe, manifest.input), *golden),
        )
        return recognition, names

    def _settle_batch(self, recipe: InputRecipe) -> None:
        """How many pictures go into one inference."""
        request, shape = self._opened.request, self._picture.shape
        measured: dict[int, float] = {}
        if request.batch > 1 and len(shape) == 4 and not isinstance(shape[0], int):
            try:
                measured.update(
                    measure(
                        lambda tensor: self._opened.session.run(self._feeds(tensor)),
                        recipe,
                        most=request.batch,
                        max_ms=request.max_batch_ms,
                    )
                )
            except InferenceFailed:
                self._opened.open_again()  # a failed run can spoil the session for the next
        batch = choose(measured, max_ms=request.max_batch_ms)
        self._opened.know(batch=batch, batch_ms={str(size): ms for size, ms in measured.items()})

    def _warm_up(self, recipe: InputRecipe, outputs: Sequence[NDArray[Any]]) -> float:
        """Milliseconds of one inference, the least of a few; settles how many threads it gets.

        Args:
            recipe: Of the input.
            outputs: Of the trial; they are decoded too, before anyone waits for an answer.
        """
        tensor = texture(recipe)
        share = cores() // self._opened.request.callers
        self._decoded(outputs)
        # The trial came cold: a model that was not slow then is not slow.
        slow_ms = self._trial_ms if self._trial_ms <= SLOW_MS else self.answer(tensor).inference_ms
        if (
            slow_ms > SLOW_MS
            and share > 1
            and not self._opened.request.threads
            and not self._opened.known.get("choice")
            and self._opened.session.provider.in_use == "cpu"
        ):
            self._opened.threads = share
            self._opened.open_again()
        runs = self._opened.request.warm_runs
        return min((self.answer(tensor).inference_ms for _ in range(runs)), default=slow_ms)

"""A model of rows, loaded, tried, understood, and ready to score: what runs inside a worker.

The steps are those of `edged.worker.model`. What a model is tried on is made up; a model that refuses it, because it
knows its texts, is tried on its golden rows instead. It is given several windows at once only if it says the same to
each of them alone.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.decode.tabular import RowEvidence, RowRecognition, recognise_rows
from edged.errors import InferenceFailed, ModelRejected
from edged.manifest import TensorSpec
from edged.rows import Scores
from edged.worker.agreement import MAX_DIFFERENCE, difference
from edged.worker.choosing import choose_session
from edged.worker.description import RowUse
from edged.worker.fields import RowPlan, lane_values, plan_rows, trial_windows
from edged.worker.goldenrows import golden_windows
from edged.worker.opening import Opened
from edged.worker.wire import Reply, Texts, pack_scores, unpack_request

TRIED = 3
"""Windows of the trial: more than one, so that a batch axis shows."""
WARM_UP_RUNS = 3
BATCH_MS = 200.0
"""One inference takes about so long at most, however many windows would fit: others wait, and a deadline stands."""
GROWTH = 4
_ALONE = "answers otherwise to several windows at once: each is scored alone"
_UNUSED = "min_score and labels are not used: they choose among what is found in pictures"


@dataclass(frozen=True, slots=True)
class _Trial:
    """What was put in, and what came out."""

    fed: NDArray[Any]
    texts: Texts
    outputs: list[NDArray[Any]]


class RowModel:
    """One model version in this process. `score` may be called from as many threads as the request said.

    Attributes:
        description: What it is and what it really runs on.
    """

    def __init__(self, opened: Opened, why: str) -> None:
        """Try and understand a model.

        Args:
            opened: With a session.
            why: It is one of rows.

        Raises:
            ModelRejected: It cannot be run or understood, or takes other rows than the sensors give.
        """
        self._opened, self._why = opened, why
        opened.know(task="tabular", why=why, min_score=0.0, iou=0.0, max_detections=0)
        with opened.journal.step("shapes"):
            self._plan = self._planned()
            trial, reference, self._recognition = self._understood()
            opened.know(input=self._plan.recipe, input_name=self._plan.inputs[0].name)
        with opened.journal.step("provider"):
            self._agree(trial, reference)
            choose_session(opened, lambda: self._plan.feeds(trial.fed, trial.texts), reference)
        with opened.journal.step("warm-up"):
            latency_ms = self._warm_up(trial)
            self._bound_batch(trial, latency_ms)
            threads = opened.session.tuning.threads or opened.threads
            opened.know(input=self._plan.recipe, threads=threads, latency_ms=round(latency_ms, 3))
            opened.know(batch=1, batch_ms={})
        self.description = opened.described()

    def serve(self, memory: NDArray[Any], body: bytes) -> Reply:
        """One request of the daemon's: its numbers stand in the lane's memory."""
        windows, rows, texts = unpack_request(body)
        numbers = self._plan.recipe.features - len(self._plan.recipe.texts)
        values = memory[: windows * rows * numbers].reshape(windows, rows, numbers)
        inference_ms, decode_ms, scores = self.score(values, texts)
        return Reply(inference_ms, decode_ms, pack_scores(scores))

    def score(
        self, numbers: NDArray[Any], texts: Sequence[Sequence[Sequence[str]]] = ()
    ) -> tuple[float, float, Scores]:
        """What the model says about windows: milliseconds in the runtime and of reading its outputs, and the scores.

        Args:
            numbers: (N, W, F): of the fields that are numbers; N at most the recipe's batch.
            texts: For each window its rows' texts; empty where the model takes none.

        Raises:
            InferenceFailed: The runtime raised an error, or the outputs are not finite.
        """
        started = time.perf_counter()
        fed = self._plan.scaled(numbers)
        outputs = self._opened.session.run(self._plan.feeds(fed, texts))
        inferred = time.perf_counter()
        scores = self._recognition.decoder(outputs, fed)
        decoded = time.perf_counter()
        return (inferred - started) * 1000, (decoded - inferred) * 1000, scores

    def _planned(self) -> RowPlan:
        opened = self._opened
        try:
            return self._plan_for(opened.request.rows)
        except ModelRejected as error:
            try:
                self._plan_for(())
            except ModelRejected:
                raise opened.rejected(error.problem, error.remedy) from error
            raise opened.misfit(error.problem, error.remedy) from error

    def _plan_for(self, uses: Sequence[RowUse]) -> RowPlan:
        opened = self._opened
        return plan_rows(opened.session.inputs, opened.manifest.input, opened.summary.metadata, uses)

    def _understood(self) -> tuple[_Trial, list[NDArray[Any]], RowRecognition]:
        """A trial, what the CPU provider says to it, and how that is read; settles whether it takes a batch."""
        problem: ModelRejected | None = None
        notes: tuple[str, ...] = ()
        for trial in self._try():
            reference = self._reference(trial)
            try:
                recognition = self._understand(trial.fed, reference)
            except ModelRejected as error:
                problem = problem or error
                continue
            if len(trial.fed) > 1 and not self._says_the_same_alone(trial, recognition):
                notes = (_ALONE,)
                continue
            self._bound(len(trial.fed) if len(trial.fed) == 1 else self._plan.recipe.batch)
            self._know(recognition, trial, notes)
            return trial, reference, recognition
        raise problem or self._opened.rejected("does not run on a row alone", "export it again")

    def _try(self) -> Iterator[_Trial]:
        """Run it on made-up rows, else on golden ones: on several windows at once where it has that axis, and on one.

        Raises:
            ModelRejected: It runs on none of them.
        """
        problem, ran = "", False
        for numbers, texts in self._trial_rows():
            for count in dict.fromkeys((len(numbers), 1)):
                try:
                    trial = self._run(numbers[:count], texts[:count])
                except InferenceFailed as error:
                    problem = problem or error.problem
                    self._opened.open_again()  # a failed run can spoil the session for the next
                    continue
                ran = True
                yield trial
            if ran:
                return
        if self._opened.forget():
            yield from self._try()
            return
        raise self._opened.rejected(
            f"does not run on a row ({problem})",
            "correct [input] in model.toml, or name a file of rows that it takes in [[golden]]",
        )

    def _trial_rows(self) -> Iterator[tuple[NDArray[np.float64], Texts]]:
        opened, recipe, uses = self._opened, self._plan.recipe, self._opened.request.rows
        count = min(TRIED, recipe.batch)
        yield trial_windows(self._plan, uses, count)
        golden = golden_windows(opened.path, opened.manifest, recipe, uses)
        if golden:
            numbers, texts = golden
            yield np.repeat(numbers, count, axis=0), tuple(texts) * count

    def _run(self, numbers: NDArray[np.float64], texts: Texts) -> _Trial:
        fed = self._plan.scaled(numbers)
        return _Trial(fed, texts, self._opened.session.run(self._plan.feeds(fed, texts)))

    def _reference(self, trial: _Trial) -> list[NDArray[Any]]:
        """What the CPU provider says to the same rows; the answer itself where it cannot be asked."""
        if self._opened.session.provider.chosen == "cpu" or self._opened.recalls(trial.outputs):
            return trial.outputs
        try:
            return self._opened.session_on(["cpu"]).run(self._plan.feeds(trial.fed, trial.texts))
        except (ModelRejected, InferenceFailed):
            return trial.outputs

    def _understand(self, fed: NDArray[Any], outputs: list[NDArray[Any]]) -> RowRecognition:
        opened = self._opened
        session, output = opened.session, opened.manifest.output
        evidence = RowEvidence(
            inputs=session.inputs,
            outputs=session.outputs,
            trial=tuple(outputs),
            fed=fed,
            operators=opened.summary.operators,
            metadata=opened.summary.metadata,
            labels=opened.labels,
            class_labels=tuple(opened.summary.class_labels),
            family=opened.manifest.family,
            threshold=output.threshold,
            error=output.error,
        )
        try:
            recognition = recognise_rows(evidence)
            recognition.decoder(outputs, fed)
        except (ModelRejected, InferenceFailed) as error:
            raise opened.rejected(error.problem, error.remedy) from error
        return recognition

    def _says_the_same_alone(self, trial: _Trial, recognition: RowRecognition) -> bool:
        """Whether each window of a trial gets the same answer alone; a few exports mix the windows of a batch."""
        try:
            together = recognition.decoder(trial.outputs, trial.fed)
            for n in range(len(trial.fed)):
                fed, texts = trial.fed[n : n + 1], trial.texts[n : n + 1]
                outputs = self._opened.session.run(self._plan.feeds(fed, texts))
                if _apart(together.part(n, n + 1), recognition.decoder(outputs, fed)) > MAX_DIFFERENCE:
                    return False
        except InferenceFailed:
            return False
        return True

    def _know(self, recognition: RowRecognition, trial: _Trial, notes: tuple[str, ...]) -> None:
        opened = self._opened
        if opened.request.labels or opened.request.min_score is not None:
            notes += (_UNUSED,)
        outputs = zip(opened.session.outputs, trial.outputs, strict=True)
        opened.know(
            family=recognition.family,
            why=f"{self._why}; {recognition.why}",
            labels=recognition.labels,
            notes=(*recognition.notes, *notes),
            trial=tuple(
                TensorSpec(o.name, a.shape, o.dtype if a.dtype == object else str(a.dtype))
                for o, a in outputs
            ),
        )

    def _agree(self, trial: _Trial, reference: Sequence[NDArray[Any]]) -> None:
        """Pass over providers until one gives the right answer."""
        opened, outputs = self._opened, trial.outputs
        while (wrong := difference(reference, outputs)) > MAX_DIFFERENCE:
            if opened.forget():
                outputs = opened.session.run(self._plan.feeds(trial.fed, trial.texts))
                continue
            chosen = opened.session.provider.chosen
            fault = f"answers otherwise than the CPU provider (deviation {wrong:.0%})"
            if opened.requires:
                raise opened.rejected(
                    f"{chosen} {fault}", "export it in float32, or let another provider run it"
                )
            opened.without[chosen] = fault
            outputs = opened.open_again().run(self._plan.feeds(trial.fed, trial.texts))

    def _warm_up(self, trial: _Trial) -> float:
        """Milliseconds of one window alone, the least of a few."""
        try:
            return min([self._timed(trial, 1) for _ in range(1 + WARM_UP_RUNS)][1:])
        except InferenceFailed as error:
            raise self._opened.rejected(error.problem, "export it again") from error

    def _bound_batch(self, trial: _Trial, taken_ms: float) -> None:
        """No more windows at once than take `BATCH_MS`: ever more are tried, as long as they must take less."""
        count = 1
        while count < self._plan.recipe.batch and GROWTH * taken_ms < BATCH_MS:
            count = min(GROWTH * count, self._plan.recipe.batch)
            try:
                taken_ms = self._timed(trial, count)
            except InferenceFailed:
                self._opened.open_again()
                self._bound(count // GROWTH)
                return
        self._bound(int(count * max(1.0, BATCH_MS / max(taken_ms, 0.001))))

    def _timed(self, trial: _Trial, count: int) -> float:
        """Milliseconds of so many windows at once."""
        feeds = self._plan.feeds(np.repeat(trial.fed[:1], count, axis=0), tuple(trial.texts[:1]) * count)
        started = time.perf_counter()
        self._opened.session.run(feeds)
        return (time.perf_counter() - started) * 1000

    def _bound(self, windows: int) -> None:
        recipe = self._plan.recipe
        batch = min(windows, recipe.batch)
        values = lane_values(recipe.window, recipe.features - len(recipe.texts), batch)
        self._plan = replace(self._plan, recipe=replace(recipe, batch=batch, values=values))


def _apart(one: Scores, other: Scores) -> float:
    """How far two answers to a window are from each other, as `difference` has it; infinity for another class."""
    if list(one.names) != list(other.names):
        return float("inf")
    if not one.scores.size and not np.array_equal(one.class_id, other.class_id):
        return float("inf")
    return difference(_arrays(one), _arrays(other))


def _arrays(scores: Scores) -> list[NDArray[Any]]:
    return [scores.scores, scores.values, np.array(_numbers(list(scores.outputs)))]


def _numbers(value: Any) -> list[float]:
    """All numbers in nested lists and maps, in order."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return [number for inner in value for number in _numbers(inner)]
    return [float(value)] if isinstance(value, int | float) else []

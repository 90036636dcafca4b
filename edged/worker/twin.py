"""The int8 twin of a model, from calibration to a verdict: what `edged model quantize` does between its files.

    prepare ─ calibrate ─ choose form ─ choose ranges ─ loss within the limit? ─ yes ─ compare on each provider
                                             └─ no: measure each part's sensitivity, leave the worst in float, again

Accuracy while searching is measured on the CPU provider, whose answers are the reference everywhere (`agreement`).
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edged.errors import EdgedError, RuntimeMissing
from edged.inference.quantgraph import FloatGraph, blocks_of, float_graph
from edged.inference.quantizing import Form, errors_by_block, forms_of, ranges_of, write_int8
from edged.inference.quantranges import METHODS, Method, Probe, Range, Spread, observe
from edged.inference.quantsearch import Part, ordered, search, worst
from edged.worker.answer import Answer, Answering
from edged.worker.companions import fill_companions
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.gathering import Gathered

Open = Callable[[LoadRequest], AbstractContextManager[tuple[Answering, ModelDescription]]]
"""Loads a model; `edged.cli.answering.answering`."""
Judge = Callable[[Answering, ModelDescription], float]
"""How accurate a loaded model is, 0 to 1."""
Say = Callable[[str], None]

ROUNDS, RUNS = 9, 5
"""Of timing: float and int8 in turn; the median counts."""
TELLING = 4
"""Pictures on which the sensitivity of a part is measured."""
FINE_SHARE = 0.9
"""Parts that make this share of the error are measured node by node."""
MAX_LEFT_OUT = 0.5
"""Of the parts, in float, beyond which int8 is not worth having."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of one inference on one provider, medians.

    Attributes:
        provider: As asked for.
        float_ms: Of the model; None where this provider does not run it.
        int8_ms: Of its twin; None where this provider does not run it, or answers otherwise than the CPU provider.
        why_not: The reason for a None.
    """

    provider: str
    float_ms: float | None
    int8_ms: float | None
    why_not: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times faster the twin is."""
        return self.float_ms / self.int8_ms if self.float_ms and self.int8_ms else None


@dataclass(frozen=True, slots=True)
class Twin:
    """What came out.

    Attributes:
        path: The int8 file.
        form: See `edged.inference.quantizing`.
        method: How the ranges were chosen.
        left_out: Names of the nodes that stay in float, beside the head.
        head: How many nodes the head has.
        provider: Where the twin's accuracy was measured: on the one on which it is fastest.
        before: Accuracy of the model.
        after: Of the twin.
        speed: Of both, on each provider.
        notes: What a user should know.
    """

    path: Path
    form: Form
    method: Method
    left_out: tuple[str, ...]
    head: int
    provider: str
    before: float
    after: float
    speed: tuple[Speed, ...]
    notes: tuple[str, ...]

    @property
    def loss(self) -> float:
        """Of accuracy; not below 0."""
        return max(0.0, self.before - self.after)


class TwinMaker:
    """Makes the twin of one model. Owned by one thread."""

    def __init__(
        self,
        description: ModelDescription,
        calibration: Gathered,
        folder: Path,
        *,
        open_model: Open,
        judge: Judge,
        min_score: float | None,
        say: Say,
    ) -> None:
        """Prepare and calibrate.

        Args:
            description: Of the float model.
            calibration: Tensors of its recipe.
            folder: For files on the way.
            open_model: Loads a model.
            judge: Says how accurate a loaded model is.
            min_score: With which models are loaded to be judged.
            say: Told what is going on.

        Raises:
            ModelRejected: It cannot be quantised.
            RuntimeMissing: No ``onnx``.
        """
        self._description, self._folder = description, folder
        self._open, self._judge, self._min_score, self._say = open_model, judge, min_score, say
        self._source = Path(description.path)
        self._made, self._provider, self._ran_on = 0, "cpu", ""
        say("preparing")
        self._graph: FloatGraph = float_graph(self._source)
        self._feeds = _Feeds(description)
        say(f"calibrating on {len(calibration)} pictures")
        probe = Probe(self._graph, folder)
        feeds = (self._feeds.of(tensor) for tensor in calibration)
        self._seen: dict[str, Spread] = observe(probe, feeds, count=len(calibration))
        self._telling = [self._feeds.of(tensor) for tensor in calibration.first(TELLING)]

    def make(
        self,
        *,
        providers: Sequence[str],
        pace: Gathered,
        form: Form | None,
        max_loss: float,
        budget_s: float,
    ) -> Twin:
        """The best twin within the limits; its loss may be too great all the same.

        Args:
            providers: To compare on.
            pace: Tensors to time with.
            form: The only form to try; None = the one that is faster here.
            max_loss: Of accuracy.
            budget_s: For searching what stays in float; what was begun is finished.
        """
        self._provider = "cpu"
        before = self._accuracy(self._source)
        forms: tuple[Form, ...] = (form,) if form else forms_of(self._graph)
        chosen, self._provider = self._faster(forms, providers, pace)
        best_path, method, after = self._best_ranges(chosen, before, max_loss)
        left_out: tuple[str, ...] = ()
        if before - after > max_loss:
            deadline_s = time.monotonic() + budget_s
            best_path, left_out, after = self._leave_out(
                chosen, method, (best_path, after), before=before, max_loss=max_loss, deadline_s=deadline_s
            )
        speed = tuple(self._compare(best_path, provider, pace) for provider in providers)
        ratios = [one.ratio for one in speed if one.ratio]
        notes = self._graph.notes
        if ratios and max(ratios) < 1:
            notes = (*notes, "the twin is slower than the model on every provider here")
        head = len(self._graph.head)
        return Twin(best_path, chosen, method, left_out, head, self._ran_on, before, after, speed, notes)

    def _write(self, form: Form, ranges: dict[str, Range], left_out: Sequence[str] = ()) -> Path:
        self._made += 1
        path = self._folder / f"twin-{self._made}.onnx"
        write_int8(self._graph, ranges, path, form=form, source=self._source, left_out=left_out)
        self._describe(path)
        return path

    def _describe(self, path: Path) -> None:
        """What else was said of the model is said of its twin, too: labels, task, how it is filled."""
        for name, suffix in (("model.toml", ".toml"), ("labels.txt", ".labels.txt")):
            if (self._folder / name).is_file():
                path.with_suffix(suffix).write_bytes((self._folder / name).read_bytes())

    def _accuracy(self, path: Path) -> float:
        request = LoadRequest(path=str(path), providers=(self._provider,), min_score=self._min_score)
        with self._open(request) as (answers, description):
            self._ran_on = description.provider
            return self._judge(answers, description)

    def _faster(self, forms: tuple[Form, ...], providers: Sequence[str], pace: Gathered) -> tuple[Form, str]:
        """The form whose best provider takes the least time, and that provider."""
        if len(forms) == len(providers) == 1:
            return forms[0], providers[0]
        best: dict[tuple[Form, str], float] = {(forms[0], providers[0]): float("inf")}
        for form in forms:
            self._say(f"timing the form {form}")
            path = self._write(form, ranges_of(self._seen, METHODS[0]))
            for one in (self._compare(path, provider, pace) for provider in providers):
                if one.int8_ms:
                    best[form, one.provider] = one.int8_ms
        return min(best, key=lambda way: best[way])

    def _best_ranges(self, form: Form, before: float, max_loss: float) -> tuple[Path, Method, float]:
        """The way to choose ranges that loses least; the first one that is within the limit."""
        found: list[tuple[float, Path, Method]] = []
        for method in METHODS:
            self._say(f"trying ranges by {method}")
            path = self._write(form, ranges_of(self._seen, method))
            found.append((self._accuracy(path), path, method))
            if before - found[-1][0] <= max_loss:
                break
        after, path, method = max(found, key=lambda one: one[0])
        return path, method, after

    def _leave_out(
        self,
        form: Form,
        method: Method,
        so_far: tuple[Path, float],
        *,
        before: float,
        max_loss: float,
        deadline_s: float,
    ) -> tuple[Path, tuple[str, ...], float]:
        """The twin with the most sensitive parts in float, the names of their nodes, and its accuracy."""
        ranges = ranges_of(self._seen, method)
        parts = self._by_sensitivity(form, ranges, deadline_s)
        paths: dict[int, tuple[Path, float]] = {0: so_far}

        def attempt(count: int) -> float:
            self._say(f"leaving out {count} of {len(parts)} sensitive parts")
            path = self._write(form, ranges, [name for part in parts[:count] for name in part])
            paths[count] = (path, self._accuracy(path))
            return before - paths[count][1]

        found = search(
            int(len(parts) * MAX_LEFT_OUT) or 1,
            attempt,
            max_loss=max_loss,
            first=before - so_far[1],
            in_time=lambda: time.monotonic() < deadline_s,
        )
        names = tuple(name for part in parts[: found.left_out] for name in part)
        path, after = paths[found.left_out]
        return path, names, after

    def _by_sensitivity(self, form: Form, ranges: dict[str, Range], deadline_s: float) -> list[Part]:
        """The parts that matter, the most sensitive first: blocks, then the nodes of the worst blocks."""
        blocks = self._measured(form, ranges, self._graph, deadline_s - (deadline_s - time.monotonic()) / 2)
        suspects = [self._graph.blocks[number] for number in worst(blocks, FINE_SHARE)]
        single = [
            part
            for part in blocks_of(self._graph.model, self._graph.head, most=10**6)
            if _within(part, suspects)
        ]
        fine = self._measured(form, ranges, replace(self._graph, blocks=tuple(single)), deadline_s)
        rest = [
            (block, error)
            for block, error in zip(self._graph.blocks, blocks, strict=False)
            if block not in suspects
        ]
        known = [*zip(single, fine, strict=False), *rest]
        return ordered([part for part, _ in known], [error for _, error in known])

    def _measured(
        self, form: Form, ranges: dict[str, Range], graph: FloatGraph, deadline_s: float
    ) -> list[float]:
        count = 0

        def on_block() -> bool:
            nonlocal count
            count += 1
            self._say(f"measuring sensitivity, {count} of {len(graph.blocks)} parts")
            return time.monotonic() < deadline_s

        return errors_by_block(
            graph, ranges, self._telling, self._folder, form=form, source=self._source, on_block=on_block
        )

    def _compare(self, path: Path, provider: str, pace: Gathered) -> Speed:
        """Both in turn on one provider; each in one thread where the provider lets one choose."""
        self._say(f"timing on {provider}")
        with ExitStack() as stack:
            sides: list[Answering] = []
            for file in (self._source, path):
                request = LoadRequest(path=str(file), providers=(provider,), require_provider=True, threads=1)
                try:
                    sides.append(stack.enter_context(self._open(request))[0])
                except RuntimeMissing as error:
                    return Speed(provider, None, None, error.problem)
                except EdgedError as error:
                    if file == path and sides:
                        return Speed(provider, _median(sides[0], pace), None, error.problem)
                    return Speed(provider, None, None, error.problem)
            medians = [[_median(side, pace) for side in sides] for _ in range(ROUNDS)]
        float_ms, int8_ms = (statistics.median(one[side] for one in medians) for side in (0, 1))
        return Speed(provider, float_ms, int8_ms)


class _Feeds:
    """From the tensor of a picture to all inputs of the model."""

    def __init__(self, description: ModelDescription) -> None:
        self._name = description.input_name
        self._spec = next(spec for spec in description.inputs if spec.name == self._name)
        others = [spec for spec in description.inputs if spec is not self._spec]
        self._beside = fill_companions(others, description.picture, Path(description.path))

    def of(self, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {self._name: tensor if len(self._spec.shape) == 4 else tensor[0]} | self._beside


def answers_to(model: Answering, tensors: Iterable[NDArray[Any]]) -> Iterator[Answer]:
    """What a model says to tensors, one after the other."""
    for tensor in tensors:
        model.tensor(0)[...] = tensor
        yield model.answer(0)


def _median(model: Answering, pace: Gathered) -> float:
    return statistics.median(one.inference_ms for one in answers_to(model, pace.first(RUNS)))


def _within(part: Part, blocks: Sequence[Part]) -> bool:
    return any(part[0] in block for block in blocks)

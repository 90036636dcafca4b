"""One version on its way through the gate, in the process that will serve it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edged.errors import EdgedError, InferenceFailed, WorkerLost
from edged.lifecycle.ledger import Version
from edged.manifest import InputRecipe, RowRecipe
from edged.sections import ModelSettings
from edged.worker.client import WorkerProcess
from edged.worker.description import LoadRequest, ModelDescription
from edged.worker.gate import Gate, Step
from edged.worker.keeper import Worker

SLOWER, SLOWER_MS = 3.0, 10.0
"""A version that takes so many times, and so many milliseconds more than the serving one, would not pass probation."""
TIMED = 5


class Trial:
    """A version that is being tried. It begins at once; `stop` or use its worker.

    Attributes:
        version: What is tried.
        worker: With the process that loads it, and serves if it passes.
        reply: Answers who asked for no more than a trial, or None where it is to serve.
        timed: Whether it was compared with what serves; for who owns the trial.
    """

    def __init__(
        self,
        name: str,
        version: Version,
        request: LoadRequest,
        section: ModelSettings,
        *,
        on_change: Callable[[], None],
        on_lost: Callable[["Worker", str], None],
        reply: Callable[["Trial"], None] | None = None,
    ) -> None:
        self.version, self.reply = version, reply
        self._section = section
        self._fields = next((use.fields for use in request.rows if use.fields), ())
        self._gate = Gate(Path(request.path), quiet_s=0.0)
        self._process: WorkerProcess | None = None
        self.timed = False
        self._told = ""
        self._replied = False
        self.worker: Worker = Worker(
            name,
            request,
            version=version.number,
            timeout_s=section.timeout,
            prove=self._prove,
            on_change=on_change,
            on_lost=lambda how: on_lost(self.worker, how),
        )
        self.worker.start()

    @property
    def settled(self) -> bool:
        """Whether it is known how it ends."""
        return self.worker.settled(0.0)

    @property
    def error(self) -> EdgedError | None:
        """Why the version is not to serve."""
        return self.worker.error

    @property
    def steps(self) -> tuple[Step, ...]:
        """What each step of the gate said until now."""
        return tuple(self._gate.steps)

    @property
    def step(self) -> str:
        """The one that is being taken, or that failed."""
        told = self._process.progress.step if self._process and self._process.progress.step else ""
        for step in self._gate.steps:
            if step.verdict == "failed":
                return step.name
        done = [step.name for step in self._gate.steps if step.verdict in {"passed", "none"}]
        rest = [step.name for step in self._gate.steps if step.name not in done]
        return told if told in rest else (rest[0] if rest else "swap")

    def tell_step(self, step: str = "") -> bool:
        """Whether it is at another step than when this was asked last."""
        before, self._told = self._told, step or self.step
        return before != self._told

    def answer_asker(self) -> None:
        """Tell who asked for no more than a trial how it went, once."""
        if self.reply and not self._replied:
            self._replied = True
            self.reply(self)

    def answer(self) -> dict[str, Any]:
        """What was found out, for who asked for no more than that."""
        steps = [
            {"step": one.name, "verdict": one.verdict, "ms": one.ms, "note": one.note} for one in self.steps
        ]
        if self.settled and self.error is None:
            return {"ok": True, "version": self.version.number, "steps": steps}
        error = str(self.error) if self.error else "it was not tried to the end"
        return {"ok": False, "error": error, "version": self.version.number, "steps": steps}

    def _prove(self, process: WorkerProcess) -> ModelDescription:
        """In the worker's thread."""
        self._process = process
        self._gate.files(digest=self.version.digest or None)
        description = self._gate.load(process)
        process.timeout_s = self._section.timeout or process.timeout_s
        self._gate.golden(process, description, self._fields)
        return description


def slower(trial: Trial, usual_ms: float | None, section: ModelSettings) -> str:
    """Why a version that passed is too slow to serve, or nothing.

    The best of a few inferences counts, so that a busy machine is not taken for a slow model.

    Args:
        trial: Passed.
        usual_ms: What the version that serves takes; None = unknown.
        section: A ``max_latency`` there takes the place of the comparison.
    """
    process, description = trial.worker.current(0.0), trial.worker.description
    limit_ms = section.max_latency * 1000 if section.max_latency else None
    if limit_ms is None and usual_ms is not None:
        limit_ms = max(SLOWER * usual_ms, usual_ms + SLOWER_MS)
    if process is None or description is None or limit_ms is None or description.latency_ms <= limit_ms:
        return ""
    try:
        best_ms = min(_once_ms(process, description) for _ in range(TIMED))
    except InferenceFailed as error:
        return (
            "" if isinstance(description.input, RowRecipe) else error.problem
        )  # rows of nothing may be none
    except WorkerLost:
        return ""  # which says nothing about how quick it is
    if best_ms <= limit_ms:
        return ""
    if section.max_latency:
        return f"takes {best_ms:.1f} ms an inference, max_latency is {limit_ms:.0f} ms"
    return f"takes {best_ms:.1f} ms an inference, the serving version {usual_ms:.1f} ms"


def _once_ms(process: WorkerProcess, description: ModelDescription) -> float:
    """Milliseconds of one inference; of rows that may have texts, as measured while warming up."""
    recipe = description.input
    if isinstance(recipe, InputRecipe):
        return process.answer(0).inference_ms
    if recipe.texts:
        return description.latency_ms
    return process.score(0, np.zeros((1, recipe.window or 1, recipe.features))).inference_ms

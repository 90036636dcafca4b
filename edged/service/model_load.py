"""What a model did since the start, and how busy that made it. Pure but for `totals_of`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edged import machine
from edged.lifecycle import ServedModel

if TYPE_CHECKING:
    from edged.mqtt.shapes.health import ModelHealthShape


@dataclass(frozen=True, slots=True)
class ModelTotals:
    """Since the start; of all that were served under this name.

    Attributes:
        name: As configured.
        callers: Inferences at once, now.
        inferences: Answered.
        inference_s: In the runtime.
        late: Frames that were dropped because it had no time for them.
        cpu_s: Of each process that it has now, by process id.
        restarts: Processes that ended by themselves.
    """

    name: str
    callers: int
    inferences: float = 0
    inference_s: float = 0.0
    late: float = 0
    cpu_s: Mapping[int, float] = field(default_factory=dict)
    restarts: int = 0

    def health(self, before: "ModelTotals | None", seconds: float) -> "ModelHealthShape":
        """Of the last ``seconds``, before which it stood as ``before``; what is new did all its work in them."""
        from edged.mqtt.shapes.health import ModelHealthShape  # noqa: PLC0415  # a start has no time for it

        before = before or ModelTotals(self.name, self.callers)
        inferences = max(0.0, self.inferences - before.inferences)
        busy_s = max(0.0, self.inference_s - before.inference_s)
        cpu_s = spent_s(self.cpu_s, before.cpu_s)
        return ModelHealthShape(
            name=self.name,
            utilisation_percent=round(100 * busy_s / (self.callers * seconds), 1),
            callers=self.callers,
            inferences_per_s=round(inferences / seconds, 2),
            inference_ms=round(1000 * busy_s / inferences, 3) if inferences else None,
            cpu_percent=round(100 * cpu_s / seconds, 1),
            late_per_s=round(max(0.0, self.late - before.late) / seconds, 2),
            restarts=self.restarts,
        )


def spent_s(now: Mapping[int, float], before: Mapping[int, float]) -> float:
    """Processor time that processes took since; of one that ended meanwhile nothing is known.

    >>> spent_s({1: 5.0, 3: 2.0}, {1: 4.5, 2: 60.0})
    2.5
    """
    return sum(max(0.0, cpu_s - before.get(pid, 0.0)) for pid, cpu_s in now.items())


def work_of(model: ServedModel) -> dict[Any, float]:
    """What is counted of a model while it lives."""
    pipeline = model.pipeline
    return {
        "inferences": pipeline.inferences if pipeline else 0,
        "inference_s": pipeline.inference_s if pipeline else 0.0,
        "late": pipeline.late if pipeline else 0,
        "losses": model.losses,
        "swaps": model.swaps,
    }


def totals_of(model: ServedModel, work: Mapping[Any, float]) -> ModelTotals | None:
    """How a model stands; None where it was never served.

    Args:
        model: That is served now.
        work: `work_of` all that were served under its name.
    """
    pipeline = model.pipeline
    if pipeline is None:
        return None
    return ModelTotals(
        name=model.name,
        callers=pipeline.count,
        inferences=work.get("inferences", 0),
        inference_s=work.get("inference_s", 0.0),
        late=work.get("late", 0),
        cpu_s={pid: machine.usage([pid]).cpu_s for pid in model.pids},
        restarts=int(work.get("losses", 0)),
    )

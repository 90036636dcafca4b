"""How busy each model was since it was asked last."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edged import machine
from edged.lifecycle import ServedModel
from edged.mqtt.payloads import ModelHealthShape
from edged.pipeline import Callers


@dataclass(frozen=True, slots=True)
class _Totals:
    """Since the start."""

    pipeline: Callers[Any]
    inferences: int
    inference_s: float
    late: int
    cpu_s: float


class ModelLoads:
    """Keeps what each model had done by the last report. Owned by one thread."""

    def __init__(self) -> None:
        self._before: dict[str, _Totals] = {}

    def report(self, models: Iterable[ServedModel], seconds: float) -> tuple[ModelHealthShape, ...]:
        """Of those that are served, for the last ``seconds``; what is new did all its work in them."""
        now: dict[str, _Totals] = {}
        for model in models:
            if pipeline := model.pipeline:
                cpu_s = machine.usage(model.pids).cpu_s
                now[model.name] = _Totals(
                    pipeline, pipeline.inferences, pipeline.inference_s, pipeline.late, cpu_s
                )
        before, self._before = self._before, now
        return tuple(_shape(name, totals, before.get(name), seconds) for name, totals in now.items())


def _shape(name: str, now: _Totals, before: _Totals | None, seconds: float) -> ModelHealthShape:
    if before is None or before.pipeline is not now.pipeline:
        before = _Totals(now.pipeline, 0, 0.0, 0, 0.0)
    inferences, busy_s = now.inferences - before.inferences, now.inference_s - before.inference_s
    callers = now.pipeline.count
    return ModelHealthShape(
        name=name,
        utilisation_percent=round(100 * busy_s / (callers * seconds), 1),
        callers=callers,
        inferences_per_s=round(inferences / seconds, 2),
        inference_ms=round(1000 * busy_s / inferences, 3) if inferences else None,
        cpu_percent=round(
            100 * max(0.0, now.cpu_s - before.cpu_s) / seconds, 1
        ),  # a process may be another one
        late_per_s=round((now.late - before.late) / seconds, 2),
    )

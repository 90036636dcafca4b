"""What was chosen where the user left it to edged, and by how much: plain data that travels as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Tried:
    """One way to run the model.

    Attributes:
        name: For a person: ``openvino:CPU f32, 1 thread``.
        provider: ``openvino:CPU``.
        threads: Of one inference; 0 = as the provider likes.
        precision: Of OpenVINO's arithmetic.
        integers: Whether quantised layers may be computed in integers.
        ms: Between two finished inferences, with all callers busy, on a machine as busy as when the first one was
            measured; None where it was not measured.
        cpu_ms: Processor time of one inference, of all threads together; None where it was not measured.
        problem: Why it took no part; empty where it did.
    """

    name: str
    provider: str
    threads: int
    precision: str
    integers: bool
    ms: float | None = None
    cpu_ms: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of several ways serves.

    Attributes:
        name: Of the one that was chosen, as in ``tried``.
        measure: What it was chosen for.
        callers: Inferences at once while it was measured.
        tried: All, in the order of trying; the first is the CPU provider with the fewest threads.
        recalled: Whether this was measured at an earlier start.
    """

    name: str
    measure: Literal["latency", "throughput"]
    callers: int
    tried: tuple[Tried, ...]
    recalled: bool = False

    @property
    def text(self) -> str:
        """One line for a person."""
        first = self.tried[0]
        chosen = {one.name: one for one in self.tried}[self.name]
        others = len(self.tried) - 1
        measured = f"for {self.measure}{', from the cache' if self.recalled else ''}"
        if chosen is first:
            many = f"none of {others} others is better" if others > 1 else "the other is not better"
            return f"{self.name} ({_figures(first)}): {many}, measured {measured}"
        if not (first.ms and chosen.ms):
            return f"{self.name}, measured {measured}"
        return (
            f"{self.name}: {first.ms / chosen.ms:.2f} × {first.name} "
            f"({_figures(chosen)} against {_figures(first)}), measured {measured}"
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each that was tried."""
        return tuple(
            f"{one.name}: {one.problem or _figures(one)}{' ← chosen' if one.name == self.name else ''}"
            for one in self.tried
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Choice":
        """From JSON values."""
        return cls(**{**values, "tried": tuple(Tried(**one) for one in values["tried"])})


def _figures(one: Tried) -> str:
    if one.ms is None or one.cpu_ms is None:
        return "not measured"
    return f"{one.ms:.1f} ms, CPU {one.cpu_ms:.1f}" if one.ms < 1000 else f"{one.ms:.0f} ms"

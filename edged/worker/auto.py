"""What ``auto`` among the providers comes to for one model: remembered from an earlier start, else to be measured."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from edged import __version__
from edged.inference.precheck import ModelSummary
from edged.inference.providers import automatic, available, installed_packages
from edged.inference.tuning import Tuning, rivals
from edged.machine import cores, cpu_name
from edged.worker.choice import Choice
from edged.worker.description import LoadRequest
from edged.worker.remembered import Remembered, recall, remember, sketch

QUANTISED = ("QuantizeLinear", "DequantizeLinear")


class Auto:
    """One model's.

    Attributes:
        plain: The CPU provider with the fewest threads: the reference, and the one to beat.
        tuning: How its session is to be made, as far as is known.
        choice: How that was chosen; None until it was.
    """

    def __init__(self, request: LoadRequest, summary: ModelSummary) -> None:
        """See what was chosen at an earlier start.

        Args:
            request: Which model, and how.
            summary: Of its file.
        """
        self._how = Tuning("", 0, request.callers, request.arithmetic, request.throughput)
        self._threads = (request.threads,) if request.threads else _threads(request.callers)
        self._quantised = any(name in summary.operators for name in QUANTISED)
        self.plain = replace(self._how, provider="cpu", threads=self._threads[0], precision="f32")
        self._key = {
            "edged": __version__,
            "digest": summary.digest,
            "processor": cpu_name(),
            "cores": cores(),
            "packages": installed_packages(),
            "callers": request.callers,
            "threads": request.threads,
            "throughput": request.throughput,
            "precision": request.arithmetic,
        }
        self._remembered = recall(self._key)
        self.tuning = self._remembered.tuning if self._remembered else self.plain
        self.choice = self._remembered.choice if self._remembered else None

    @property
    def is_recalled(self) -> bool:
        """Whether it was chosen at an earlier start."""
        return self._remembered is not None

    @property
    def available(self) -> tuple[str, ...]:
        """Providers that this installation offers; remembered, so that no plugin is loaded to list them."""
        return self._remembered.available if self._remembered else available()

    def agrees(self, outputs: Sequence[NDArray[Any]]) -> bool:
        """Whether what is remembered answered so."""
        return self._remembered is not None and self._remembered.agrees(outputs)

    def forget(self) -> None:
        """What was remembered is no good: choose anew."""
        self._remembered, self.tuning, self.choice = None, self.plain, None

    def rivals(self) -> tuple[Tuning, ...]:
        """What to choose among; the first is `plain`."""
        return rivals(automatic(), self._how, threads=self._threads, quantised=self._quantised)

    def settle(
        self, tuning: Tuning, choice: Choice, answer: Sequence[NDArray[Any]], *, hampered: bool
    ) -> str:
        """Keep what was chosen.

        Args:
            tuning: How its session is made.
            choice: How it was chosen.
            answer: To the input that it was tried on.
            hampered: Whether cores or memory were short meanwhile; then it is kept for a while only.

        Returns:
            Why it cannot be kept for the next start; else empty.
        """
        self.tuning, self.choice = tuning, choice
        return remember(self._key, Remembered(tuning, choice, sketch(answer), available(), hampered=hampered))


def _threads(callers: int) -> tuple[int, ...]:
    """One, and a caller's share of the cores where that is more."""
    return tuple(dict.fromkeys((1, max(1, cores() // callers))))

"""How many inferences of a model at once, and of how many pictures. Pure, but for the number of cores."""

from dataclasses import dataclass

from edged.lifecycle.demand import Demand
from edged.machine import cores
from edged.sections import ModelSettings

ROW_CALLERS = 2
"""Of rows always so many, so that one more sensor changes nothing."""
MOST = 8
"""Pictures to one inference that are tried, unless the configuration names a number."""
BATCH_SHARE = 0.25
"""Of the least `max_age` of all cameras that an inference of several pictures may take: frames wait for it, too."""


@dataclass(frozen=True, slots=True)
class Running:
    """How a model is run.

    Attributes:
        callers: Inferences at once.
        batch: Pictures to one inference at most, if that pays.
        max_batch_ms: That such an inference may take.
    """

    callers: int
    batch: int = 1
    max_batch_ms: float = 0.0

    @classmethod
    def of(cls, section: ModelSettings, demand: Demand, *, batches: bool = True) -> "Running":
        """What a configuration asks for.

        Args:
            section: Of the model.
            demand: What cameras or sensors want of it.
            batches: Whether it may be a model that takes several pictures; otherwise what is said of batches is the
                same for all demands.
        """
        if demand.serves == "rows":
            return cls(section.callers or ROW_CALLERS)
        quick = section.optimize == "latency"
        # A camera that wants every frame has its next one looked at beside the last.
        busy = max(1, min(demand.feeds + demand.eager, cores()))
        callers = section.callers or (1 if quick else busy)
        # Other callers take frames too; and rounded up, so that one camera more seldom has the model load again.
        wanted = 1 << (-(-demand.tensors // callers) - 1).bit_length()
        batch = min(section.batch or MOST, wanted)
        if not batches or batch == 1:
            return cls(callers)
        return cls(callers, batch, 1000 * BATCH_SHARE * demand.max_age_s)

"""What is wanted of a model by those that name it."""

import math
from dataclasses import dataclass
from typing import Literal

from edged.worker.request import RowUse


@dataclass(frozen=True, slots=True)
class Demand:
    """Who uses a model, and for what.

    Attributes:
        feeds: How many cameras or sensors.
        serves: What they show it.
        rows: The sensors, where it is rows.
        tensors: That one frame of each camera makes, tiles among them.
        max_age_s: Of the camera whose frames may be least old; infinite of rows.
        eager: How many cameras want every frame looked at.
        low_score: Down to which cameras want detections, for tracks and for what is blurred; 1 = none does.
    """

    feeds: int = 1
    serves: Literal["pictures", "rows"] = "pictures"
    rows: tuple[RowUse, ...] = ()
    tensors: int = 1
    max_age_s: float = math.inf
    eager: int = 0
    low_score: float = 1.0

    def fits(self, served: "Demand") -> bool:
        """Whether a model that serves another demand serves this one: of rows, none that it was not tried with."""

        def kinds(demand: "Demand") -> set[tuple[tuple[str, ...], int, bool]]:
            return {(use.fields, use.window, use.fixed) for use in demand.rows}

        low = self.low_score >= served.low_score
        return self.serves == served.serves and kinds(self) <= kinds(served) and low

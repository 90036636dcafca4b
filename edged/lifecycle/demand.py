"""What is wanted of a model by those that name it."""

from dataclasses import dataclass
from typing import Literal

from edged.worker.description import RowUse


@dataclass(frozen=True, slots=True)
class Demand:
    """Who uses a model, and for what.

    Attributes:
        feeds: How many cameras or sensors.
        serves: What they show it.
        rows: The sensors, where it is rows.
    """

    feeds: int = 1
    serves: Literal["pictures", "rows"] = "pictures"
    rows: tuple[RowUse, ...] = ()

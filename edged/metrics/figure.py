"""The value of one metric at one moment. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edged.metrics.catalog import Metric


@dataclass(frozen=True, slots=True)
class Buckets:
    """A distribution as it stands.

    Attributes:
        counts: In each bucket, not cumulative; one more than there are bounds.
        sum_s: Of all, in seconds.
    """

    counts: Sequence[float]
    sum_s: float


class Figure(NamedTuple):
    """The value of one series; of a histogram its buckets."""

    metric: Metric
    labels: tuple[str, ...]
    value: float | Buckets

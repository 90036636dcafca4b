"""How long a batch of tensors will take from its turn to its results, learned from those before it. Pure.

The mean and the deviation are smoothed as TCP smooths round-trip times (RFC 6298, section 2), and twice the deviation
is added: what is begun should be in time.
"""

from dataclasses import dataclass

MEAN_GAIN, DEVIATION_GAIN, DEVIATIONS = 1 / 8, 1 / 4, 2.0


@dataclass(slots=True)
class _Smoothed:
    mean_s: float
    deviation_s: float

    def learn(self, took_s: float) -> None:
        self.deviation_s += DEVIATION_GAIN * (abs(took_s - self.mean_s) - self.deviation_s)
        self.mean_s += MEAN_GAIN * (took_s - self.mean_s)

    @property
    def bound_s(self) -> float:
        return self.mean_s + DEVIATIONS * self.deviation_s


class ExpectedTime:
    """Of batches of any size.

    >>> expected = ExpectedTime()
    >>> expected.learn(2, 0.1)
    >>> expected.of(1), expected.of(4)
    (0.1, 0.2)
    """

    def __init__(self) -> None:
        """Nothing is known."""
        self._known: dict[int, _Smoothed] = {}

    def learn(self, tensors: int, took_s: float) -> None:
        """A batch of so many tensors took so long."""
        known = self._known.get(tensors)
        if known:
            known.learn(took_s)
        else:
            self._known[tensors] = _Smoothed(took_s, 0.0)

    def of(self, tensors: int) -> float:
        """Seconds of a batch of so many, 0 while nothing is known.

        Where none of this size was seen yet, as of the next larger one, or in proportion to a smaller.
        """
        larger = min((size for size in self._known if size >= tensors), default=0)
        if larger:
            return self._known[larger].bound_s
        smaller = max(self._known, default=0)
        return self._known[smaller].bound_s * tensors / smaller if smaller else 0.0

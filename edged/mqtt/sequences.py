"""Which numbers of a source never came, where two lanes bring them.

What is new (live) may overtake what waited for the broker (replayed), as ``docs/mqtt.md`` says under Delivery::

    live      97 98 99 · · · · · · · · · · 112 113      114       115
    replayed                 100 101 102           103 … 109 … 111

Each lane has its order. So 103 to 111 are no gap while the backlog comes, and none afterwards; had 110 been dropped, it
would be the only one. A daemon that starts again counts from 0, and its backlog may hold results of the run before:
those never count against the new one. Where a message does not say enough, too few are called missing, not too many.

Pure. Numbers come without duplicates; of one source and one model, because each model has its own order.
"""


class Sequences:
    """Counts the numbers that are missing between the first and the last of each run.

    Attributes:
        missing: So many have not come, those that may still come in the backlog among them.

    Args:
        connected: Whether it is known that the device is connected: it said ``online``.
    """

    def __init__(self, *, connected: bool = False) -> None:
        self.missing = 0
        self._connected = connected
        self._first: int | None = None
        self._top = 0
        self._replayed: int | None = None
        """The last of the backlog since the device connected."""

        self._overtook: int | None = None
        """The first live one since then: the backlog of this run ends before it."""

        self._behind = False
        """The backlog is of an earlier run than the live ones."""

        self._anew = False
        """The device has started again, and nothing is known to be of the new run yet."""

    @property
    def coming(self) -> int:
        """How many of the missing ones the backlog, as far as is known, has not reached yet."""
        if self._behind or self._replayed is None or self._overtook is None or self._first is None:
            return 0
        if self._replayed < self._first:
            return 0
        return min(max(self._overtook - self._replayed - 1, 0), self.missing)

    def connected(self) -> None:
        """The device has connected: what it replays from now on was made before, what is live after."""
        self._connected = True
        self._replayed = self._overtook = None
        self._behind = self._anew

    def restarted(self) -> None:
        """The device has started again: live ones count from 0, the backlog begins with the run before."""
        if self._first is not None:
            self._anew = self._behind = True

    def live(self, number: int) -> None:
        """Take the number of a result that did not wait."""
        if self._first is None:
            self._begin(number)
        elif self._anew or number < self._top:
            self._begin(number)
            self._behind = True
        else:
            self._extend(number)
        if self._connected and self._overtook is None:
            self._overtook = number

    def replayed(self, number: int) -> None:
        """Take the number of a result that had waited for the broker."""
        last, self._replayed = self._replayed, number
        if last is not None and number < last:
            # The backlog goes on with a later run: that of the live ones, if any of them came yet.
            if self._anew or not self._behind:
                self._begin(number)
                self._behind = False
                return
            self._behind, last = False, None
        if self._overtook is not None and number > self._overtook:
            self._behind = True
        if self._behind or (self._first is not None and number < self._first):
            # Nothing else is known there, so only what the lane itself leaves out.
            self.missing += 0 if last is None else max(number - last - 1, 0)
        elif self._first is None:
            self._begin(number)
        elif number > self._top:
            self._extend(number)
        elif self._first < number < self._top:
            self.missing = max(self.missing - 1, 0)

    def _begin(self, number: int) -> None:
        self._first = self._top = number
        self._overtook = None
        self._anew = False

    def _extend(self, number: int) -> None:
        self.missing += max(number - self._top - 1, 0)
        self._top = max(self._top, number)

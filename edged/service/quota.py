"""How many messages a camera may send: detections and updates of events share it, starts and ends do not count."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from edged.service.bucket import TokenBucket

Kind = Literal["detections", "updates"]
KINDS: tuple[Kind, ...] = ("detections", "updates")
BURST_S = 2.0
"""Messages of so many seconds may be sent at once."""


class Quota:
    """Of one camera. Any thread may call.

    Attributes:
        withheld: Messages that were kept back, by kind.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """There is no limit yet.

        Args:
            clock: Seconds that only go on.
        """
        self.withheld: Counter[Kind] = Counter()
        self._clock, self._lock = clock, threading.Lock()
        self._per_s: float | None = None
        self._bucket: TokenBucket | None = None

    def under(self, per_s: float | None) -> None:
        """So many a second from now on; None = as many as there are."""
        with self._lock:
            if per_s != self._per_s:
                self._per_s = per_s
                self._bucket = (
                    None if per_s is None else TokenBucket(burst=max(1, round(per_s * BURST_S)), per_s=per_s)
                )

    def detections(self) -> bool:
        """Whether a message of detections may be sent; one that may not is gone."""
        return self._take("detections", first=True)

    def update(self, first: bool) -> bool:
        """Whether an update may be sent; one that may not is asked for again.

        Args:
            first: It was not asked for before.
        """
        return self._take("updates", first=first)

    def _take(self, kind: Kind, *, first: bool) -> bool:
        if self._bucket is None:
            return True
        with self._lock:
            allowed = self._bucket is None or self._bucket.take(self._clock())
            if not allowed and first:
                self.withheld[kind] += 1
            return allowed

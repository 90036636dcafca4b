"""Who is to be told once a message no longer depends on this process's memory alone.

    expect(key) ─→ waits ── settle(key): saved, delivered or given up ─→ due ── tell ─→ called, once

The owner holds a lock around everything but `tell`, which calls strangers and so is called without it.
"""

from collections import deque
from collections.abc import Callable, Iterable

import structlog

Settled = Callable[[], None]
"""Called once, by any thread; must not block."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Settling:
    """What `append` was given for messages that wait, by their key. Most messages are given nothing."""

    def __init__(self) -> None:
        self._waiting: dict[int, Settled] = {}
        self._due: deque[Settled] = deque()

    def expect(self, key: int, settled: Settled | None) -> None:
        """A message with this key is there."""
        if settled is not None:
            self._waiting[key] = settled

    def settle(self, keys: Iterable[int]) -> None:
        """These are saved, delivered or given up; of what is so already nothing comes again."""
        if not self._waiting:
            return
        for key in keys:
            if (settled := self._waiting.pop(key, None)) is not None:
                self._due.append(settled)

    def settle_keyless(self, settled: Settled | None) -> None:
        """A message was given up before it had a key."""
        if settled is not None:
            self._due.append(settled)

    def tell(self) -> None:
        """Call all that are due; without the lock, and from as many threads as there are."""
        while self._due:
            try:
                settled = self._due.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                settled()
            except Exception as error:  # noqa: BLE001  # one listener's bug must not cost the others
                _log.error("a listener of the outbox failed", exc_info=error)

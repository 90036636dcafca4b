"""Ending several things at once within one deadline."""

import threading
import time
from collections.abc import Callable, Iterable


def in_parallel(actions: Iterable[Callable[[], object]], name: str) -> list[threading.Thread]:
    """Begin each action in a thread of this name; `join` them."""
    threads = [threading.Thread(target=action, name=name, daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    return threads


def join(threads: Iterable[threading.Thread], deadline_s: float) -> None:
    """Wait for threads until a moment of the monotonic clock."""
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.monotonic()))

"""Ends the wait of a source's thread for its descriptor, from any other thread."""

import contextlib
import os
import select
import threading


class Waker:
    """A wait that can be ended. Made, used and closed by the thread that waits; only `wake` is for all.

    A wake-up is not lost: it ends the present wait, or the next one.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._lock, self._closed = threading.Lock(), False

    def wake(self) -> None:
        """End the wait."""
        with self._lock:
            if not self._closed:
                with contextlib.suppress(BlockingIOError):  # full of wake-ups: one is enough
                    os.write(self._writer, b"!")

    def wait(self, descriptor: int, timeout_s: float) -> bool:
        """Wait until ``descriptor`` can be read without waiting, also where that says that it has ended.

        Returns:
            False where the time was up, or `wake` was called, before it could.
        """
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        poll.register(descriptor, select.POLLIN)
        ready = {number for number, _ in poll.poll(max(0.0, timeout_s) * 1000)}
        if self._reader in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 4096)
        return descriptor in ready

    def close(self) -> None:
        """Let go of the pipe; closing twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._reader)
                os.close(self._writer)

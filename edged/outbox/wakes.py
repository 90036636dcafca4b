"""Those who want to know that there is something new."""

from collections.abc import Callable


class Wakes:
    """Called one after the other, by whoever has the news. Any thread may subscribe."""

    def __init__(self) -> None:
        self._all: tuple[Callable[[], None], ...] = ()

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called with all news; it must not block.

        Returns:
            What ends that.
        """
        self._all = (*self._all, wake)

        def end() -> None:
            self._all = tuple(other for other in self._all if other != wake)

        return end

    def __call__(self) -> None:
        """There is something new."""
        for wake in self._all:
            wake()

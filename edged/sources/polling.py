"""A server that gives one picture for each request: what is known of it, and how many bad answers it may give. Pure."""

from edged.sources.packets import StreamTraits

MISSES = 3
"""So many requests in a row without a picture, and the camera is offline."""


class Polling:
    """Of one camera, from picture to picture; it belongs to the camera's thread.

    Attributes:
        traits: Of the picture that came last; None while the camera is no such server, or is away.
    """

    def __init__(self, timeout_s: float) -> None:
        """Args: timeout_s: Longest time without a picture, unless fewer requests than `MISSES` were made in it."""
        self.traits: StreamTraits | None = None
        self._timeout_s = timeout_s
        self._came_s, self._misses = 0.0, 0

    def came(self, traits: StreamTraits, now_s: float) -> None:
        """A request was answered by a picture."""
        self.traits, self._came_s, self._misses = traits, now_s, 0

    def ended(self) -> None:
        """It is no such server, or it is away: the next failure is a loss."""
        self.traits, self._misses = None, 0

    def overlooks(self, asked_s: float, now_s: float) -> bool:
        """Note a request without a picture.

        Args:
            asked_s: When it was made.
            now_s: When it had failed; a server that was silent for the whole time-out is away.

        Returns:
            Whether it is one bad answer among good ones, after which the next picture is asked for.
        """
        if self.traits is None or now_s - asked_s >= self._timeout_s * 0.95:
            return False
        self._misses += 1
        return self._misses < MISSES or now_s - self._came_s < self._timeout_s

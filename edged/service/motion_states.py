"""Whether something moves before each camera, as the topic ``motion`` says it. Pure: the time is given."""

from collections.abc import Collection
from typing import Literal

OnOff = Literal["ON", "OFF"]


class MotionStates:
    """Of all cameras that can tell. `ON` at once, `OFF` after a while without motion.

    >>> states = MotionStates()
    >>> states.see("front", True, 10.0, off_delay_s=5.0), states.see("front", False, 14.9, off_delay_s=5.0)
    ('ON', 'ON')
    >>> states.see("front", False, 15.0, off_delay_s=5.0)
    'OFF'
    """

    def __init__(self) -> None:
        """Nothing has moved yet."""
        self._moved_s: dict[str, float] = {}

    def see(self, camera: str, moving: bool, now_s: float, *, off_delay_s: float) -> OnOff:
        """What is to be said of a camera.

        Args:
            camera: Its name.
            moving: Whether something moves now.
            now_s: On any clock that goes on.
            off_delay_s: From the last motion to ``OFF``.
        """
        if moving:
            self._moved_s[camera] = now_s
        moved_s = self._moved_s.get(camera)
        return "ON" if moving or (moved_s is not None and now_s - moved_s < off_delay_s) else "OFF"

    def forget_all_but(self, cameras: Collection[str]) -> list[str]:
        """Forget those that are gone; returns them."""
        gone = [name for name in self._moved_s if name not in cameras]
        for name in gone:
            del self._moved_s[name]
        return gone

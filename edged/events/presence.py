"""Whether an object is in a zone: not by one frame, but by several. Pure.

        inside for so long            outside for so long
out ──────────────────────→ in ──────────────────────────→ out
                            └ loiters after `loitering_s`
"""

from edged.zones import Zone

KNOWN_FRAMES = 3
"""An object was seen in so many frames before it is sure enough to be spoken of; they count for its first zones."""


class Presence:
    """One object and one zone.

    Attributes:
        inside: Whether it is in it.
        loiters: Whether it has been there longer than asked for.
    """

    __slots__ = ("_differs_frames", "_differs_s", "_entered_s", "inside", "loiters", "zone")

    def __init__(self, zone: Zone, known_s: float) -> None:
        """It was not seen inside yet.

        Args:
            zone: Which.
            known_s: When the object was seen first: where it is then found inside, it has been since.
        """
        self.zone = zone
        self.inside = self.loiters = False
        self._differs_frames, self._differs_s = KNOWN_FRAMES - 1, known_s
        self._entered_s = known_s

    def see(self, inside: bool, at_s: float) -> bool:
        """It was found inside or outside; returns whether `inside` has changed."""
        if inside == self.inside:
            self._differs_frames = 0
            return False
        if not self._differs_frames:
            self._differs_s = at_s
        self._differs_frames += 1
        zone = self.zone
        if self._differs_frames < zone.inertia_frames or at_s - self._differs_s < zone.inertia_s:
            return False
        self.inside, self._entered_s, self._differs_frames = inside, self._differs_s, 0
        self.loiters = self.loiters and inside
        return True

    def begins_to_loiter(self, at_s: float) -> bool:
        """Whether it has just stayed for so long."""
        asked_s = self.zone.loitering_s
        if asked_s is None or self.loiters or not self.inside or at_s - self._entered_s < asked_s:
            return False
        self.loiters = True
        return True

    def under(self, zone: Zone) -> None:
        """The zone was configured otherwise; where the object is stays known."""
        self.zone = zone

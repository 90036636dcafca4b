"""Which picture is made next. Pure: the time is given.

One waits for each object, the best; the first of an object goes at once, better ones now and then. What there is no
room for goes unmade, the oldest first.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from enum import Enum, auto

from edged.snapshots.shot import Shot

BETTER_EVERY_S = 5.0
"""Of one object."""
MAX_BYTES = 64 << 20
"""Of pixels that wait, of all cameras."""
MAX_WAITING = 64
MAX_KNOWN = 1024
"""Objects of which is remembered when their last picture was made."""
MAX_WAIT_S = 60.0
"""A picture that could not be made for so long is none of now."""
LOOK_S = 5.0
"""So long a picture waits for models to look at its frame."""


class Sight(Enum):
    """Whether it is known what must not be seen in a picture."""

    KNOWN = auto()
    NOT_YET = auto()
    NEVER = auto()


class Waiting:
    """Of all cameras. Not synchronised.

    Attributes:
        dropped: Pictures that were not made, by camera and why: ``full`` (no room), ``rate`` (too many a minute),
            ``unseen`` (nobody knows what is to be blurred).
    """

    def __init__(self, sight: Callable[[Shot], Sight], may_go: Callable[[str, float], bool]) -> None:
        """Nothing waits.

        Args:
            sight: Whether it is known what must not be seen in a picture.
            may_go: Whether a camera may have a picture now; called once for each that is taken.
        """
        self._sight, self._may_go = sight, may_go
        self._shots: OrderedDict[tuple[str, str], Shot] = OrderedDict()
        self._made_s: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._bytes = 0
        self.dropped: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._shots)

    def put(self, shot: Shot) -> None:
        """A better one of its object; what waited of it is not needed any more."""
        key = (shot.camera, shot.event.id)
        self._remove(key)
        self._shots[key] = shot
        self._bytes += shot.size_bytes
        while len(self._shots) > MAX_WAITING or (self._bytes > MAX_BYTES and len(self._shots) > 1):
            oldest = next(iter(self._shots))
            self._drop(oldest, "full")

    def take(self, now_s: float, *, last: bool = False) -> Shot | None:
        """The next that is due; None = none is.

        Args:
            now_s: On the clock of `Shot.taken_s`.
            last: There is no later: better pictures are due at once.
        """
        held = set[str]()
        for key, shot in list(self._shots.items()):
            if shot.camera in held or (now_s < self._due_s(key) and not last):
                continue
            age_s, sight = now_s - shot.taken_s, self._sight(shot)
            if sight is Sight.NEVER or (sight is Sight.NOT_YET and age_s > LOOK_S):
                self._drop(key, "unseen")
            elif age_s > MAX_WAIT_S:
                self._drop(key, "rate")
            elif sight is Sight.KNOWN and self._may_go(shot.camera, now_s):
                self._remove(key)
                self._remember(key, now_s)
                return shot
            elif sight is Sight.KNOWN:
                held.add(shot.camera)
        return None

    def next_s(self) -> float | None:
        """When the next may be due, on the clock of `take`; None = nothing waits."""
        return min((self._due_s(key) for key in self._shots), default=None)

    def forget(self, camera: str) -> None:
        """Nothing of this camera is to be made."""
        for key in [key for key in self._shots if key[0] == camera]:
            self._remove(key)

    def _due_s(self, key: tuple[str, str]) -> float:
        return self._made_s.get(key, -math.inf) + BETTER_EVERY_S

    def _remember(self, key: tuple[str, str], now_s: float) -> None:
        self._made_s[key] = now_s
        self._made_s.move_to_end(key)
        if len(self._made_s) > MAX_KNOWN:
            self._made_s.popitem(last=False)

    def _drop(self, key: tuple[str, str], why: str) -> None:
        self._remove(key)
        self.dropped[key[0], why] += 1

    def _remove(self, key: tuple[str, str]) -> None:
        if shot := self._shots.pop(key, None):
            self._bytes -= shot.size_bytes

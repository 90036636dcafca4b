"""Whose frame is looked at next. Pure: no clock, no thread.

Start-time fair queueing (Goyal, Vin, Cheng, 1996). A feed has a virtual time at which its next turn begins. A turn
moves it on by the tensors that it takes, divided by the weight of the feed, and the feed that is least far goes next:
so feeds that always have a frame share the model in the proportion of their weights, whatever tiles their frames are
cut into. (Every tensor of a model is as much work, and counting is steadier than timing.) A feed that had no frame for
a while begins where the others are by then: it is served at once, and gets nothing for what it did not ask for.

Several frames of a feed may be in work at once, with as many callers; what came of one is handed on when nothing of an
earlier frame is open any more.
"""

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edged.frame import Frame
from edged.geometry import Region
from edged.pipeline.callers import MAX_ATTEMPTS
from edged.worker.description import ModelDescription

if TYPE_CHECKING:
    from edged.pipeline.batch import Result

AT_ONCE = 4
"""Frames of a feed that may be in work, or wait for an earlier one to come to its end."""
RegionsOf = Callable[[Frame, ModelDescription], tuple[Region, ...]]
"""Where a model is to look in a frame."""


@dataclass(slots=True)
class Spent:
    """What a feed's frames took, since the start.

    Attributes:
        frames: That were looked at.
        queue_s: They waited for their turns.
        prepare_cpu_s: Of processor time, to prepare tensors.
        inference_s: In the runtime; of a batch, the share.
    """

    frames: int = 0
    queue_s: float = 0.0
    prepare_cpu_s: float = 0.0
    inference_s: float = 0.0


@dataclass(slots=True, eq=False)
class Feed:
    """One camera's frames on their way to one model: an inbox for one frame.

    Attributes:
        source: Name of the camera.
        emit: Called with each result, in order, by a caller's thread; says whether it was published.
        max_age_s: A frame that cannot be published before it is older than this is dropped when its turn comes;
            infinite for recordings.
        lossless: The camera waits until its frame was taken, instead of replacing it.
        weight: Its share of a busy model, beside those of the other feeds; above 0.
        regions: Where to look; None = at the whole frame.
        counts: Frames by what became of them: ``published``, ``withheld`` (not worth a message), and dropped:
            ``full``, ``stale``, ``unreadable``, ``failed``, ``lost``, ``ended`` (with its camera or its model).
        spent: What its frames took until now.
    """

    source: str
    emit: Callable[["Result"], bool]
    max_age_s: float = math.inf
    lossless: bool = False
    weight: float = 1.0
    regions: RegionsOf | None = None
    counts: Counter[str] = field(default_factory=Counter)
    spent: Spent = field(default_factory=Spent)
    closed: bool = False
    _frame: Frame | None = None
    _arrived_s: float = 0.0
    _turns: deque["Turn"] = field(
        default_factory=deque
    )  # taken and not dealt with, in the order of their frames
    _again: deque["Turn"] = field(default_factory=deque)  # those among them that wait to be taken once more
    _handing_on: bool = False
    _virtual: float = 0.0  # time at which its next turn begins
    _served_s: float = -math.inf
    _warned_s: float = -math.inf

    @property
    def _is_waiting(self) -> bool:
        if not self._turns:
            return self._frame is not None
        running = [turn for turn in self._turns if turn.outcome is None and turn not in self._again]
        if any(turn.attempts for turn in running):
            return False  # what may have killed a process is alone in it
        if self._again:
            return not (running and self._again[0].attempts)
        return self._frame is not None and len(self._turns) < AT_ONCE

    @property
    def is_over(self) -> bool:
        """Whether it takes nothing more and nothing of it is in work, so that its counts stay as they are."""
        return self.closed and self._is_idle

    @property
    def _is_idle(self) -> bool:
        return not self._turns and self._frame is None

    def _next(self) -> "Turn | None":
        """What is taken next: what is tried again before the newer frame."""
        if self._again:
            return self._again.popleft()
        if self._frame is None:
            return None
        turn = Turn(self, self._frame, self._arrived_s)
        self._frame = None
        self._turns.append(turn)
        return turn

    def _waits_again(self, turn: "Turn") -> None:
        """A turn was not come to an end with, and waits once more; in its place."""
        waiting = {*self._again, turn}
        self._again = deque(one for one in self._turns if one in waiting)


@dataclass(slots=True, eq=False)
class Turn:
    """A frame whose turn has come, and the feed that is busy with it.

    Attributes:
        feed: Where it waited.
        frame: What to look at.
        arrived_s: When it came into the inbox, on the monotonic clock.
        regions: Where to look, a tensor each; empty = at the whole frame, in one.
        attempts: How often a process died over it.
        outcome: What came of it, from `Turns.settle` on.
    """

    feed: Feed
    frame: Frame
    arrived_s: float
    regions: tuple[Region, ...] = ()
    attempts: int = 0
    outcome: Any = None

    @property
    def tensors(self) -> int:
        """That it takes."""
        return len(self.regions) or 1

    def _is_too_late(self, now_s: float, expected_s: float) -> bool:
        """Whether the frame would be older than allowed once it was looked at.

        One that came so late that none of this camera can be in time is looked at all the same: what is expected may
        be wrong, and a result that is dropped is told of in the log.
        """
        captured_s, max_age_s = self.frame.captured_monotonic_s, self.feed.max_age_s
        if now_s - captured_s > max_age_s:
            return True
        waited = now_s - captured_s + expected_s > max_age_s
        return waited and not self.attempts and self.arrived_s - captured_s + expected_s <= max_age_s


class Turns:
    """Which feed is served next, and whose results may be handed on: those of a feed in the order of its frames.

    Not synchronised: its owner holds a lock around every call.

    Attributes:
        feeds: That are served.
        late: Frames that were dropped because the model had no time for them, since the start.
    """

    def __init__(self) -> None:
        self.feeds: list[Feed] = []
        self.late = 0
        self._virtual = self._furthest = 0.0  # of the turn that was taken last, and of any feed
        self._moved: deque[Feed] = deque()  # feeds whose oldest turn may be another one, or settled

    def put(self, feed: Feed, frame: Frame, now_s: float) -> None:
        """Lay a frame into a feed's inbox; what lay there is dropped and counted."""
        if feed._frame is not None:
            self._drop(feed, "full")
        elif feed._is_idle:
            if self.idle:
                self._virtual = self._furthest  # nobody waits, so nobody is behind
            feed._virtual = max(feed._virtual, self._virtual)
        feed._frame, feed._arrived_s = frame, now_s

    def take(
        self, now_s: float, expected_s: float = 0.0, *, model: ModelDescription | None = None
    ) -> Turn | None:
        """The next frame; it ends with `settle`, `give_back` or `hand_back`.

        Frames that are too old, or would be when they were looked at, are dropped on the way.

        Args:
            now_s: On the monotonic clock.
            expected_s: From now to the result of the next frame, as far as is known.
            model: What will look at it; None = something that always looks at the whole frame.
        """
        while feed := self._first():
            turn = feed._next()
            if turn is None:
                continue
            if turn._is_too_late(now_s, expected_s):
                self._leave(turn, "stale")
                continue
            turn.regions = feed.regions(turn.frame, model) if feed.regions and model else ()
            self._virtual = max(self._virtual, feed._virtual)
            feed._served_s = now_s
            self._charge(turn, 1)
            return turn
        return None

    def take_along(
        self, now_s: float, expected_s: float, room: int, *, model: ModelDescription | None = None
    ) -> Turn | None:
        """The next frame, if it goes into one inference with others: as `take`, but it may stay for a later turn.

        Args:
            now_s: On the monotonic clock.
            expected_s: From now to the result of all of them.
            room: Tensors that there is room for.
            model: What will look at it; None = something that always looks at the whole frame.

        Returns:
            None where nothing waits; where the next one has killed a process, and so has to go alone; or where it takes
            more tensors than there is room for, or only comes too late in company.
        """
        feed = self._first()
        if feed is None:
            return None
        if feed._again:
            next_one = feed._again[0]
        elif feed._frame is not None:
            next_one = Turn(feed, feed._frame, feed._arrived_s)
        else:
            return None
        if next_one.attempts or next_one._is_too_late(now_s, expected_s):
            return None
        if feed.regions and model and len(feed.regions(next_one.frame, model)) > room:
            return None
        return self.take(now_s, expected_s, model=model)

    def settle(self, turn: Turn, outcome: Any) -> None:
        """Something came of a turn; `due` says when it may be handed on."""
        turn.outcome = outcome
        self._moved.append(turn.feed)

    def due(self) -> Turn | None:
        """A turn that is settled, as are all before it in its feed; to be handed on, and then to be `done` with.

        There is one of a feed at a time.
        """
        while self._moved:
            feed = self._moved.popleft()
            if feed._turns and feed._turns[0].outcome is not None and not feed._handing_on:
                feed._handing_on = True
                return feed._turns[0]
        return None

    def done(self, turn: Turn, outcome: str) -> None:
        """What came of the turn was handed on, or dropped."""
        turn.feed._handing_on = False
        turn.feed.counts[outcome] += 1
        self.late += outcome == "stale"
        self._forget(turn)

    def hand_back(self, turn: Turn) -> None:
        """A frame was not looked at after all: it waits on, unless a newer one came."""
        self._charge(turn, -1)
        if turn.feed.closed:
            self._end(turn)
        elif turn.feed._frame is None or turn.feed.lossless:
            turn.feed._waits_again(turn)
        else:
            self._leave(turn, "full")

    def give_back(self, turn: Turn) -> bool:
        """The worker died over this frame: it, or the newer one that waits, goes to the next.

        Returns:
            False if the frame was tried often enough and is given up.
        """
        feed = turn.feed
        turn.attempts += 1
        if turn.attempts >= MAX_ATTEMPTS or feed.closed:
            feed.counts["lost"] += 1
            self._forget(turn)
            return False
        if feed._frame is not None and not feed.lossless:
            self._leave(turn, "full")
        else:
            feed._waits_again(turn)
        return True

    def leave(self, feed: Feed) -> None:
        """Serve a feed no more: what waits in it is dropped and counted, what is in work ends where it is."""
        feed.closed = True
        if feed in self.feeds:
            self.feeds.remove(feed)
        for turn in list(feed._again):
            self._end(turn)
        feed._again.clear()
        if feed._frame is not None:
            feed._frame = None
            feed.counts["ended"] += 1

    @property
    def waiting(self) -> int:
        """How many feeds' turn may come."""
        return sum(feed._is_waiting for feed in self.feeds)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in work."""
        return all(feed._is_idle for feed in self.feeds)

    def _leave(self, turn: Turn, reason: str) -> None:
        """A frame that was taken is dropped."""
        self._drop(turn.feed, reason)
        self._forget(turn)

    def _end(self, turn: Turn) -> None:
        """A frame was taken from a feed that is no more, and nobody will take it again."""
        turn.feed.counts["ended"] += 1
        self._forget(turn)

    def _forget(self, turn: Turn) -> None:
        turn.feed._turns.remove(turn)
        self._moved.append(turn.feed)

    def _drop(self, feed: Feed, reason: str) -> None:
        feed.counts[reason] += 1
        self.late += 1

    def _first(self) -> Feed | None:
        waiting = [feed for feed in self.feeds if feed._is_waiting]
        return min(waiting, key=lambda feed: (feed._virtual, feed._served_s), default=None)

    def _charge(self, turn: Turn, sign: int) -> None:
        turn.feed._virtual += sign * turn.tensors / turn.feed.weight
        self._furthest = max(self._furthest, turn.feed._virtual)

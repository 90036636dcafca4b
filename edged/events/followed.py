"""One object from its start to its end: what is known of it, what happened to it, and when that may be told. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edged.event import Box, Change, Event, Kind, Moment, Reason, View, What
from edged.events.path import Path
from edged.events.presence import Presence
from edged.zones import Zone

EDGE = 0.02
"""Of the frame's side: a box that comes so near to it is at the edge of the picture."""
BETTER = 1.1
"""A view must be so many times as good as the best one so far."""


@dataclass(frozen=True, slots=True)
class BookOptions:
    """How much is told.

    Attributes:
        update_every_s: Updates of one object come so often at most, in the long run.
        burst: So many may come at once before that.
        picture_every_s: An update that only says that there is a better picture comes so often at most.
    """

    update_every_s: float = 1.0
    burst: int = 4
    picture_every_s: float = 5.0


class Followed:
    """An object that is followed.

    Attributes:
        id: Of its events.
        track_id: Of its track.
        label: Of its class.
        seen: As it was seen last.
        best: Its best view.
        best_score: Its highest.
        stationary: Whether it stands still.
        zones: In which it is.
        nets: How often it has crossed each line, ``in`` less ``out``, and not been clear of it yet.
        crossings: Of each line by name, ``in`` and ``out``, since its start.
    """

    def __init__(
        self,
        event_id: str,
        track_id: int,
        label: str,
        *,
        first: Moment,
        view: View,
        best_score: float,
        stationary: bool,
        zones: Sequence[Zone],
        lines: int,
        options: BookOptions,
    ) -> None:
        """It is spoken of from now on.

        Args:
            event_id: Unique for ever.
            track_id: Of its track.
            label: Of its class.
            first: When it was seen first.
            view: As it is seen now.
            best_score: Its highest so far.
            stationary: Whether it stands still.
            zones: That there are.
            lines: How many there are.
            options: How much is told.
        """
        self.id, self.track_id, self.label = event_id, track_id, label
        self.seen = self.best = view
        self.best_score, self.stationary = best_score, stationary
        self.nets = [0] * lines
        self._first, self._options = first, options
        self._quality = quality(view)
        self._path = Path(_anchor(view.box))
        self.zones: tuple[str, ...] = ()
        self._presences = {zone.name: Presence(zone, first.at_s) for zone in zones}
        self._ever: dict[str, None] = {}
        self._changes: list[Change] = []
        self._tokens = float(options.burst)
        self._held = False
        self._told_s = self._pictured_s = view.moment.at_s

    def see(self, view: View, best_score: float, *, inside: Sequence[bool]) -> bool:
        """It was detected; whether this is its best view so far, by far.

        Args:
            view: As it was.
            best_score: Its highest so far.
            inside: Of each zone, in the order of their configuration, whether it is in it as far as place goes.
        """
        moment = view.moment
        self.seen, self.best_score = view, best_score
        self._path.go(_anchor(view.box), math.hypot(moment.width, moment.height))
        for presence, place in zip(self._presences.values(), inside, strict=True):
            counts = place and best_score >= presence.zone.min_score
            if presence.see(counts, moment.at_s):
                self._note("entered" if presence.inside else "left", presence.zone.name)
                self._place()
                if presence.inside:
                    self._ever[presence.zone.name] = None
        least = BETTER * self._quality
        if _size_and_score(view) < least or (good := quality(view)) < least:
            return False
        self._quality, self.best = good, view
        return True

    def goes_on(self, at_s: float, *, stationary: bool) -> None:
        """Time has gone on, whether it was detected or not."""
        if stationary != self.stationary:
            self.stationary = stationary
            self._note("stationary" if stationary else "moving")
        for name in self.zones:
            if self._presences[name].begins_to_loiter(at_s):
                self._note("loitering", name)

    def crossed(self, line: str, times: int) -> None:
        """It has crossed a line: ``in`` where ``times`` is above 0, else ``out``."""
        direction = "in" if times > 0 else "out"
        self._changes += [Change("crossed", line, direction)] * abs(times)

    def under(self, zones: Sequence[Zone], nets: Sequence[int]) -> None:
        """There are other zones or lines from now on.

        Args:
            zones: All of them; one that has the name of one before has the object in it as before.
            nets: As the attribute.
        """
        known, self._presences = self._presences, {}
        for zone in zones:
            presence = known.get(zone.name) or Presence(zone, self.seen.moment.at_s)
            presence.under(zone)
            self._presences[zone.name] = presence
        self._place()
        self.nets = list(nets)

    def start(self) -> Event:
        """The first that is said of it: where it is already is no change."""
        self._changes = []
        return self._event("start")

    def update(self, at_s: float, may_tell: Callable[[bool], bool]) -> Event | None:
        """What happened since it was spoken of last, if it may be told now; else it is told later.

        Args:
            at_s: Now.
            may_tell: Whether it may, asked once it is worth it; whether this is the first time that it is asked.
        """
        options = self._options
        better = self.best.moment.at_s > self._pictured_s
        picture = better and at_s - self._pictured_s >= options.picture_every_s
        if not (self._changes or picture):
            return None
        self._tokens = min(
            options.burst, self._tokens + max(0.0, at_s - self._told_s) / options.update_every_s
        )
        self._told_s = max(self._told_s, at_s)
        if self._tokens < 1:
            return None
        if not may_tell(not self._held):
            self._held = True
            return None
        self._held = False
        self._tokens -= 1
        return self._event("update")

    def end(self, reason: Reason | None = None) -> Event:
        """The last that is said of it.

        Args:
            reason: None = what its last view says.
        """
        return self._event("end", reason or ("left" if at_edge(self.seen) else "lost"))

    def now(self) -> Event:
        """As an update would say it, which is not told."""
        return self._event("update", quiet=True)

    def _place(self) -> None:
        self.zones = tuple([name for name, presence in self._presences.items() if presence.inside])

    def _note(self, what: What, where: str = "") -> None:
        self._changes.append(Change(what, where))

    def _event(self, kind: Kind, reason: Reason | None = None, *, quiet: bool = False) -> Event:
        changes: tuple[Change, ...] = ()
        if not quiet:
            better = self.best.moment.at_s > self._pictured_s
            changes = (*self._changes, *([Change("picture")] if better and kind != "start" else []))
            self._changes, self._pictured_s = [], self.best.moment.at_s
        return Event(
            kind=kind,
            id=self.id,
            track_id=self.track_id,
            label=self.label,
            seen=self.seen,
            first=self._first,
            best=self.best,
            best_score=self.best_score,
            zones=self.zones,
            zones_ever=tuple(self._ever),
            loitering=tuple(name for name, presence in self._presences.items() if presence.loiters),
            stationary=self.stationary,
            path=self._path.points,
            changes=changes,
            reason=reason,
        )


def quality(view: View) -> float:
    """How good a picture of the object it makes: large, sure, and not cut off at the edge of the frame."""
    return _size_and_score(view) * (0.5 if at_edge(view) else 1.0)


def _size_and_score(view: View) -> float:
    """The quality at most."""
    x1, y1, x2, y2 = view.box
    share = max(0.0, x2 - x1) * max(0.0, y2 - y1) / (view.moment.width * view.moment.height)
    return view.score * math.sqrt(share)


def at_edge(view: View) -> bool:
    """Whether the object reaches the edge of the picture."""
    x1, y1, x2, y2 = view.box
    width, height = view.moment.width, view.moment.height
    near_x, near_y = EDGE * width, EDGE * height
    return x1 <= near_x or y1 <= near_y or x2 >= width - near_x or y2 >= height - near_y


def _anchor(box: Box) -> tuple[float, float]:
    """Where it stands."""
    return ((box[0] + box[2]) / 2, box[3])

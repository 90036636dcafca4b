"""The thread ``updates``: asks when it is due or told to, downloads what it may, and says how far it is.

    due, or asked ─→ refresh ─→ choose ─→ answer who asked ─→ download ─→ into the store ─→ due again later
                         └─────────── not reached, or refused: say so, what serves serves on ──────────┘

It may hang on the network for as long as it likes: nobody waits for it, and the process goes on without it.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from edged.errors import EdgedError, Unreachable
from edged.heartbeat import Heartbeat
from edged.offers import Offer
from edged.sections import UpdatesSettings
from edged.updates import schedule
from edged.updates.choosing import Box, Choice
from edged.updates.holdings import Holdings
from edged.updates.progress import Progress, State, Steps
from edged.updates.rounds import Client, Rounds, is_weather, worded

STUCK_S, PATIENCE_S = 300.0, 3600.0
"""A thread that has not gone on for so long hangs: a large model is flushed to a slow card in that time. A box that
cannot be updated any more is started anew, but not soon: it works."""
MAX_ASKED = 64
WAIT_S = 1.0
"""Between two looks at whether the thread before this one has ended."""

log = structlog.get_logger()

Asked = Callable[[EdgedError | None], None]
"""Called once: None when it is known what is offered, or why it is not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a thread works by; another one needs another thread.

    Attributes:
        section: ``[updates]``.
        device: Name of this box.
        store: The folder of models.
    """

    section: UpdatesSettings
    device: str
    store: Path


class Listener(Protocol):
    """Who is told; called from the thread."""

    def told(self, name: str, progress: Progress) -> None:
        """How far a model is."""
        ...

    def checked(self, result: str) -> None:
        """The repository was asked: ``ok``, ``refused`` or ``unreachable``."""
        ...

    def arrived(self, count: int) -> None:
        """Bytes of a download have come."""
        ...

    def alarmed(self, why: str) -> None:
        """Something did not stand its check."""
        ...


class UpdateThread:
    """Owned by the main thread. Any thread may `ask`."""

    def __init__(
        self,
        plan: Plan,
        listener: Listener,
        *,
        open_client: Callable[[Callable[[], bool]], Client],
        box: Callable[[], Box],
        models: Callable[[], Mapping[str, int | None]],
        before: "UpdateThread | None" = None,
    ) -> None:
        """Begin.

        Args:
            plan: What to work by.
            listener: Who is told.
            open_client: Makes the door to the repository, in the thread; given what says when to stop.
            box: What this box is, now.
            models: Those that are updated from afar, now, and the version that each is pinned to.
            before: Must have ended first: two of them would be in each other's way.
        """
        self._plan, self._listener, self._before = plan, listener, before
        self._open_client, self._box, self._models = open_client, box, models
        self._window = schedule.Window.read(plan.section.window)
        self._lock, self._wake, self._stopping = threading.Lock(), threading.Event(), threading.Event()
        self._asked: deque[tuple[str | None, Asked]] = deque()
        self._forced: set[str] = set()
        self._rounds: Rounds | None = None
        self._failures, self._was_told = 0, ""
        self._fetching, self._again = "", False
        self._heart = Heartbeat(STUCK_S, patience_s=PATIENCE_S)
        self._thread = threading.Thread(target=self._run, name="updates", daemon=True)
        self._thread.start()

    @property
    def plan(self) -> Plan:
        """What it works by."""
        return self._plan

    def ask(self, name: str | None, asked: Asked) -> bool:
        """Look now, and download whatever the window says.

        Args:
            name: Of a model; None = all that are not pinned.
            asked: Called once, unless this says False: it ends, or too many ask.
        """
        with self._lock:
            if self._stopping.is_set() or len(self._asked) >= MAX_ASKED:
                return False
            self._asked.append((name, asked))
        self._wake.set()
        return True

    def halt(self) -> None:
        """Begin nothing any more; what is being downloaded breaks off, and goes on later from there."""
        self._stopping.set()
        self._wake.set()

    def join(self, timeout_s: float) -> bool:
        """After `halt`, wait for the end; False if that took longer."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # The thread

    def _run(self) -> None:
        try:
            with self._heart:
                while self._before and not self._before.join(WAIT_S):
                    self._heart.mark(WAIT_S)
                self._before = None
                self._keep()
        finally:
            self._answer(self._take_asked(), Unreachable("updates", "were ended", "try again later"))

    def _keep(self) -> None:
        due_s = time.monotonic() + self._first_s()
        while not self._stopping.is_set():
            wait_s = max(0.0, due_s - time.monotonic())
            self._heart.mark(wait_s)
            self._wake.wait(wait_s)
            self._wake.clear()
            self._heart.mark()
            if not self._stopping.is_set() and (self._asked or time.monotonic() >= due_s):
                waits = self._round()
                due_s = time.monotonic() + (0.0 if self._again else self._pause_s(waits))
                self._again = False

    def _first_s(self) -> float:
        section, holdings = self._plan.section, Holdings(self._plan.store)
        urgent = any(holdings.is_empty(name) for name in self._models())
        return schedule.first_s(section.interval, _chance(), urgent=urgent)

    def _pause_s(self, waits: bool) -> float:
        """Until the next round.

        Args:
            waits: Something waits for the window.
        """
        interval_s, chance = self._plan.section.interval, _chance()
        pause_s = schedule.next_s(interval_s, chance, failures=self._failures)
        if waits and self._window:
            opens_s = schedule.opens_in_s(self._window, time.time(), time.localtime)
            pause_s = min(pause_s, opens_s + schedule.spread_s(self._window, interval_s, chance))
        return pause_s

    def _round(self) -> bool:
        """Ask, choose, download; whether something waits for the window."""
        asked, models = self._take_asked(), self._models()
        self._force([name for name, _ in asked], models)
        try:
            rounds, choices = self._look(models)
        except EdgedError as error:
            self._missed(error, models)
            self._answer(asked, error)
            return False
        except Exception as error:  # nothing of an update may end the daemon
            log.error("a bug in updates", exc_info=error)
            self._failures += 1
            self._answer(asked, EdgedError("updates", f"a bug of edged: {error!r}"))
            return False
        self._met()
        wanted = self._sort(rounds, choices)
        self._answer(asked, None)
        self._forced &= {name for name, choice in choices.items() if choice.state == "wanted"}
        if all(self._fetch(rounds, name, offer) for name, offer in wanted.items()):
            self._failures = 0
        return any(choice.state == "wanted" and self._is_closed(name) for name, choice in choices.items())

    def _look(self, models: Mapping[str, int | None]) -> tuple[Rounds, dict[str, Choice]]:
        if self._rounds is None:
            self._rounds = Rounds(self._open_client(self._must_stop), self._plan.store)
        section = self._plan.section
        channels = {name: section.channels.get(name, section.channel) for name in models}
        return self._rounds, self._rounds.look(channels, self._box())

    def _sort(self, rounds: Rounds, choices: Mapping[str, Choice]) -> dict[str, Offer]:
        """Tell what was chosen; what is to be downloaded now, by model."""
        now = {}
        for name, choice in choices.items():
            progress, offer = _chosen(choice), choice.offer
            if choice.state == "wanted" and offer:
                held = "" if name in self._forced else rounds.held_back(offer, time.monotonic())
                if held:
                    progress = Progress("refused", offer.version, reason=held)
                elif why := self._why_not_now(name):
                    progress = Progress("offered", offer.version, reason=why)
                else:
                    now[name] = offer
            self._tell(name, progress)
        return now

    def _fetch(self, rounds: Rounds, name: str, offer: Offer) -> bool:
        """Download one; False where the next one would not come either."""
        if self._stopping.is_set():
            return False
        began_s, steps = time.monotonic(), Steps()
        self._tell(name, Progress("downloading", offer.version, done_bytes=0, of_bytes=offer.length))
        self._fetching = name
        try:
            rounds.take(offer, partial(self._arrived, name, offer, steps), began_s)
        except EdgedError as error:
            return self._broke_off(name, offer, error)
        except Exception as error:  # likewise
            log.error("a bug in updates", model=name, version=offer.version, exc_info=error)
            self._failures += 1
            return False
        finally:
            self._fetching = ""
        self._forced.discard(name)
        self._tell(name, Progress("staged", offer.version))
        seconds = round(time.monotonic() - began_s, 1)
        log.info(
            "update in the store", model=name, version=offer.version, bytes=offer.length, seconds=seconds
        )
        return True

    def _broke_off(self, name: str, offer: Offer, error: EdgedError) -> bool:
        """Say why; whether the next one may be tried."""
        if self._stopping.is_set():
            return False
        why = worded(error)
        if not is_weather(error):
            self._forced.discard(name)
            self._tell(name, Progress("refused", offer.version, reason=why))
            self._listener.alarmed(str(error))
            return True
        if later := self._why_not_now(name):  # we broke it off
            self._tell(name, Progress("offered", offer.version, reason=later))
            return True
        self._failures += 1
        self._tell(name, Progress("unreachable", offer.version, reason=why))
        log.warning("update broke off", model=name, version=offer.version, why=why)
        return False

    def _arrived(self, name: str, offer: Offer, steps: Steps, done_bytes: int, of_bytes: int) -> None:
        self._heart.mark()
        self._answer_meanwhile()
        if count := steps.arrived(done_bytes, of_bytes):
            self._listener.arrived(count)
        if steps.tells(done_bytes, of_bytes, time.monotonic()):
            self._tell(name, Progress("downloading", offer.version, done_bytes=done_bytes, of_bytes=of_bytes))

    def _must_stop(self) -> bool:
        """Asked by the client again and again, in threads of its own, too: those say nothing of this one."""
        if threading.get_ident() == self._heart.thread_id:
            self._heart.mark()
            self._answer_meanwhile()
        return self._stopping.is_set() or bool(self._fetching and self._is_closed(self._fetching))

    def _why_not_now(self, name: str) -> str:
        """Why a version that is offered is not downloaded; empty if it may be."""
        pinned = self._models().get(name)
        if pinned is not None:
            return f"version {pinned} is pinned; cmd/model/update takes the pin away"
        if self._is_closed(name):
            return f"waits for {self._plan.section.window}, local time"
        return ""

    def _is_closed(self, name: str) -> bool:
        return (
            self._window is not None
            and name not in self._forced
            and not self._window.is_open(time.localtime())
        )

    # What is told

    def _missed(self, error: EdgedError, models: Mapping[str, int | None]) -> None:
        """The repository was not reached, or did not stand its check."""
        if self._stopping.is_set():
            return
        weather, why = is_weather(error), worded(error)
        self._failures = self._failures + 1 if weather else 0
        state: State = "unreachable" if weather else "refused"
        self._listener.checked(state)
        for name in models:
            self._tell(name, Progress(state, reason=why))
        if self._was_told == why:
            return
        self._was_told = why
        if weather:
            log.warning("updates out of reach", why=why)
        else:
            log.error("updates refused", why=why)
            self._listener.alarmed(str(error))

    def _met(self) -> None:
        self._listener.checked("ok")
        if self._was_told:
            self._was_told = ""
            log.info("updates within reach again")

    def _tell(self, name: str, progress: Progress) -> None:
        if not self._stopping.is_set():
            self._listener.told(name, progress)

    # Who asks

    def _take_asked(self) -> list[tuple[str | None, Asked]]:
        with self._lock:
            asked, self._asked = list(self._asked), deque()
        return asked

    def _force(self, asked: Iterable[str | None], models: Mapping[str, int | None]) -> None:
        """What was asked for is downloaded now."""
        for name in asked:
            self._forced |= {name} if name else {one for one, pinned in models.items() if pinned is None}

    def _answer(self, asked: Iterable[tuple[str | None, Asked]], error: EdgedError | None) -> None:
        for _, reply in asked:
            reply(error)

    def _answer_meanwhile(self) -> None:
        """During a download it is known what is offered; what else was asked for comes in a round right after."""
        if self._asked and self._fetching:
            asked = self._take_asked()
            self._force([name for name, _ in asked], self._models())
            self._again = self._again or any(name != self._fetching for name, _ in asked)
            self._answer(asked, None)


def _chance() -> float:
    return random.random()  # noqa: S311  # it spreads a fleet, and hides nothing


def _chosen(choice: Choice) -> Progress:
    """What a choice says of itself, before anything is done about it."""
    states: dict[str, State] = {
        "wanted": "offered",
        "there": "staged",
        "refused": "refused",
        "nothing": "checked",
    }
    version = choice.offer.version if choice.offer else None
    return Progress(states[choice.state], version, reason=choice.reason)

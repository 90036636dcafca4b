"""What people want of a model: a version served, the one before, the newest, one tried, a list; and what they hear.

Which version serves is pinned in the store, so that it outlives edged. A pin that leads nowhere is moved back. To want
the newest takes the pin away.
"""

import queue
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from edged.errors import EdgedError, InputNotFound, ModelRejected
from edged.lifecycle.ledger import Ledger, Version
from edged.lifecycle.seat import Seat

log = structlog.get_logger()

Reply = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for.

    Attributes:
        verb: ``activate``, ``rollback``, ``update``, ``test`` or ``list``.
        version: Which, where one is needed; of an update, what served when it was asked for.
        reply: Called once.
        pinned: What was pinned before.
    """

    verb: str
    version: int | None
    reply: Reply
    pinned: int | None = None


class Wishes:
    """Owned by the model's thread; only `put` is for others."""

    def __init__(
        self,
        name: str,
        seat: Seat,
        ledger: Ledger,
        *,
        test: Callable[[Version, Reply], None],
        asked_for: Callable[[Version], None],
        newest: Callable[[], None],
    ) -> None:
        """Nobody wants anything yet.

        Args:
            name: Of the model.
            seat: Who serves.
            ledger: What there is.
            test: Begins a trial that somebody only wants to know about.
            asked_for: Makes way for a version that was just pinned.
            newest: Has the store looked at, and makes way for the newest version.
        """
        self._name, self._seat, self._ledger = name, seat, ledger
        self._test, self._asked_for, self._newest = test, asked_for, newest
        self._waiting: queue.SimpleQueue[Wish] = queue.SimpleQueue()
        self._asked: Wish | None = None
        self._updates: list[Wish] = []
        self._activated: Wish | None = None

    def put(self, verb: str, version: int | None, reply: Reply) -> None:
        """Take a wish; called from any thread."""
        self._waiting.put(Wish(verb, version, reply))

    def obey(self) -> None:
        """Begin what was asked for since the last call."""
        while not self._waiting.empty():
            wish = self._waiting.get()
            try:
                self._grant(wish)
            except EdgedError as error:
                wish.reply({"ok": False, "error": str(error)})
            except Exception as error:  # whoever asked is told, whatever it is
                log.error("a bug in a command", model=self._name, verb=wish.verb, exc_info=error)
                wish.reply({"ok": False, "error": f"a bug of edged: {error!r}"})

    def served(self) -> None:
        """Another version serves: who asked for it is told."""
        asked, active = self._asked, self._seat.active
        if asked is None or active is None or asked.version != active.version.number:
            return
        self._asked, self._activated = None, asked
        version = active.version
        asked.reply({"ok": True, "model": self._name, "version": version.number, "digest": version.digest})

    def found(self) -> None:
        """The store was looked at: what was asked for may be gone."""
        asked = self._asked
        if asked and asked.version not in self._ledger.found:
            self.disappoint(asked.version, f"version {asked.version} is not there any more")

    def disappoint(self, number: int | None, why: str) -> None:
        """A version cannot be had: who asked for it is told, and what was pinned before is pinned again."""
        asked = self._asked
        if asked is None or asked.version != number:
            return
        self._asked = None
        self._pin_again(asked.pinned)
        asked.reply({"ok": False, "error": why})

    def looked(self, candidate: Version | None) -> None:
        """What serves is chosen: who asked for the newest is told what it is.

        Args:
            candidate: What is being tried, or None.
        """
        updates, self._updates = self._updates, []
        for wish in updates:
            wish.reply(self._newest_now(wish, candidate))

    def proved(self) -> None:
        """The version that serves has passed its probation: a pin to it stays."""
        self._activated = None

    def failed(self, number: int) -> None:
        """A version has failed its probation: a pin to it is moved back."""
        activated, self._activated = self._activated, None
        if activated and activated.version == number == self._ledger.pinned:
            self._pin_again(activated.pinned)

    def refuse(self, why: str) -> None:
        """Nothing is done any more: everybody is told."""
        while not self._waiting.empty():
            self._waiting.get().reply({"ok": False, "error": why})
        self._forget_asked(why)
        updates, self._updates = self._updates, []
        for wish in updates:
            wish.reply({"ok": False, "error": why})

    def _grant(self, wish: Wish) -> None:
        if wish.verb == "list":
            wish.reply(self._listing())
        elif wish.verb == "test":
            self._test(self._ledger.find(wish.version), wish.reply)
        elif wish.verb == "update":
            self._update(wish)
        else:
            self._activate(wish)

    def _activate(self, wish: Wish) -> None:
        """Pin a version, which the next look at the store puts into service."""
        ledger = self._ledger
        version = ledger.find(self._previous() if wish.verb == "rollback" else wish.version)
        self._forget_asked(f"version {version.number} was asked for instead")
        pinned = ledger.pinned
        ledger.pin(version.number)
        ledger.forgive(version.number)  # a person wants it tried again
        log.info("version asked for", model=self._name, version=version.number, by=wish.verb)
        self._asked = replace(wish, version=version.number, pinned=pinned)
        self._asked_for(version)
        self.served()

    def _update(self, wish: Wish) -> None:
        """Take the pin away, so that the next look at the store puts the newest version into service."""
        self._ledger.pin(None)
        self._forget_asked("the newest version was asked for instead")
        self._activated = None
        log.info("newest version asked for", model=self._name)
        active = self._seat.active
        self._updates.append(replace(wish, version=active.version.number if active else None))
        self._newest()

    def _newest_now(self, wish: Wish, candidate: Version | None) -> dict[str, Any]:
        """What somebody who asked for the newest is told."""
        active = self._seat.active
        answer: dict[str, Any] = {"ok": True, "model": self._name}
        if candidate:
            note = f"version {candidate.number} is being tried; see model/{self._name}/state"
            return answer | {
                "version": candidate.number,
                "digest": candidate.digest,
                "state": "trying",
                "note": note,
            }
        if active is None:
            return {"ok": False, "error": f"models.{self._name}: nothing can be served; see its state"}
        version = active.version
        note = "nothing newer" if version.number == wish.version else f"version {version.number} serves now"
        return answer | {
            "version": version.number,
            "digest": version.digest,
            "state": "serving",
            "note": "; ".join([note, *self._not_served(version.number)]),
        }

    def _not_served(self, active: int) -> list[str]:
        """Newer versions, and why they do not serve."""
        ledger = self._ledger
        rejected = {n: f"was rejected ({one.step}: {one.reason})" for n, one in ledger.rejections.items()}
        waiting = {number: f"has not arrived yet ({why})" for number, why in ledger.waiting.items()}
        newer = rejected | waiting
        return [f"version {number} {newer[number]}" for number in sorted(newer) if number > active]

    def _forget_asked(self, why: str) -> None:
        asked, self._asked = self._asked, None
        if asked:
            asked.reply({"ok": False, "error": why})

    def _previous(self) -> int:
        """The version to go back to."""
        subject, previous = f"models.{self._name}", self._seat.previous
        if previous is None:
            raise InputNotFound(subject, "has no previous version", "activate one by its number")
        if self._ledger.is_rejected(previous):
            problem = f"version {previous.number}, the previous one, was rejected"
            raise ModelRejected(subject, problem, "activate it by its number to try it again")
        return previous.number

    def _pin_again(self, number: int | None) -> None:
        try:
            self._ledger.pin(number)
        except EdgedError as error:
            log.warning("the pin was not moved back", model=self._name, error=str(error))

    def _listing(self) -> dict[str, Any]:
        seat, ledger = self._seat, self._ledger
        return {
            "ok": True,
            "model": self._name,
            "active": seat.active.version.number if seat.active else None,
            "previous": seat.previous.number if seat.previous else None,
            "pinned": ledger.pinned,
            "versions": sorted(ledger.home.look()),
            "waiting": {str(number): why for number, why in ledger.waiting.items()},
            "rejected": {str(n): f"{one.step}: {one.reason}" for n, one in ledger.rejections.items()},
        }

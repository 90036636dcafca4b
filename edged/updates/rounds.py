"""One round after the other: ask what is offered, choose, download, and put it into the store by a rename.

What is in the store from then on is the lifecycle's: gate, swap, probation, rolling back, as for a folder that somebody
dropped in. Nothing here touches what serves.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from edged.errors import CannotWrite, EdgedError, NotAllowed, Unreachable
from edged.modelstore.adding import publish
from edged.offers import Offer
from edged.updates.alone import alone
from edged.updates.choosing import Box, Choice, choose
from edged.updates.holdings import Holdings

HOLD_S, MAX_HOLD_S = 900.0, 86400.0
"""A package that did not stand its check is not downloaded again for so long; each time twice as long."""


class Client(Protocol):
    """The door to the repository. Called by one thread."""

    def refresh(self) -> tuple[Offer, ...]:
        """Every offer that the keys signed.

        Raises:
            UpdateRefused, UpdateUnreachable: There is none to be believed, or to be had.
        """
        ...

    def fetch(self, offer: Offer, holding: Mapping[str, Path], progress: Callable[[int, int], None]) -> Path:
        """The folder of a version in the store's staging, whole and checked.

        Raises:
            UpdateRefused, UpdateUnreachable: It does not stand its check, or cannot be had.
        """
        ...


class Rounds:
    """Owned by one thread."""

    def __init__(self, client: Client, store: Path) -> None:
        """Nothing was asked yet.

        Args:
            client: The door to the repository.
            store: The folder of models.
        """
        self._client, self._store, self._holdings = client, store, Holdings(store)
        self._held: dict[str, tuple[int, float, str]] = {}

    def look(self, channels: Mapping[str, str], box: Box) -> dict[str, Choice]:
        """Ask, and choose for each model.

        Args:
            channels: By model.
            box: That asks.

        Raises:
            UpdateRefused, UpdateUnreachable: As `Client.refresh`.
        """
        offers = self._client.refresh()
        signed = {offer.sha256 for offer in offers}
        self._held = {sha256: hold for sha256, hold in self._held.items() if sha256 in signed}
        return {name: self._choose(name, channel, offers, box) for name, channel in channels.items()}

    def _choose(self, name: str, channel: str, offers: tuple[Offer, ...], box: Box) -> Choice:
        if self._holdings.is_single_file(name):
            there = f"conflict: {name}.onnx is a single file in the store; move it to {name}/1/model.onnx"
            newest = max(
                (offer for offer in offers if (offer.name, offer.channel) == (name, channel)),
                key=lambda offer: offer.version,
                default=None,
            )
            return Choice("refused" if newest else "nothing", newest, there)
        return choose(name, channel, offers, self._holdings.look(name), box)

    def held_back(self, offer: Offer, now_s: float) -> str:
        """Why a download is not tried again yet; empty if it may be.

        Args:
            offer: That was chosen.
            now_s: On the monotonic clock.
        """
        _, until_s, why = self._held.get(offer.sha256, (0, 0.0, ""))
        return why if now_s < until_s else ""

    def take(self, offer: Offer, progress: Callable[[int, int], None], now_s: float) -> None:
        """Download a version and put it into the store.

        Args:
            offer: That was chosen.
            progress: Told bytes here and bytes in all.
            now_s: On the monotonic clock.

        Raises:
            UpdateRefused, UpdateUnreachable, NotAllowed, CannotWrite: It did not get into the store.
        """
        name = offer.name
        _require_writable(self._store / name)
        try:
            with alone(self._store):
                if self._holdings.look(name).digests.get(offer.version) == offer.digest:
                    return  # one that shares the store was first
                held = self._holdings.files(name) if offer.deltas else {}
                folder = self._client.fetch(offer, held, progress)
                publish(self._store, name, folder, number=offer.version)
        except EdgedError as error:
            if not is_weather(error):
                tries = self._held.get(offer.sha256, (0, 0.0, ""))[0] + 1
                hold_s = min(MAX_HOLD_S, HOLD_S * 2.0 ** min(tries - 1, 30))
                self._held[offer.sha256] = (tries, now_s + hold_s, worded(error))
            raise
        self._held.pop(offer.sha256, None)


def _require_writable(folder: Path) -> None:
    """A model that somebody else put there would be downloaded in vain, again and again."""
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise NotAllowed(str(folder), "may not be written by this user", "give it to the user of edged")


def is_weather(error: EdgedError) -> bool:
    """Whether an error passes by itself; any other is an alarm, for a person to look at."""
    return isinstance(error, Unreachable | CannotWrite)


def worded(error: EdgedError) -> str:
    """An error in one line, its reason first."""
    known = "disk" if isinstance(error, CannotWrite) else "unreachable" if is_weather(error) else "setup"
    return f"{getattr(error, 'reason', known)}: {error}"

"""A repository without a network: what a box would be offered, and folders that come as if they were downloaded."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edged.offers import Delta, Needs, Offer, delta_target, target_of
from edged.updates.choosing import Box

BOX = Box("box", "0.1.0", ("cpu",), 2**30)


def offer_of(name: str, version: int, content: bytes, *, deltas: bool = False, **changes: Any) -> Offer:
    """What a publisher would sign of a model with this file."""
    sha256 = hashlib.sha256(content).hexdigest()
    given: dict[str, Any] = {
        "name": name,
        "version": version,
        "channel": "stable",
        "rollout": 1.0,
        "digest": f"sha256:{sha256}",
        "unpacked_bytes": len(content),
        "needs": Needs(),
        "deltas": (Delta("sha256:" + "1" * 64, delta_target(name, 1, version)),) if deltas else (),
        "target": target_of(name, version),
        "length": len(content),
        "sha256": sha256,
    }
    CONTENTS[sha256] = content
    return Offer(**{**given, **changes})


CONTENTS: dict[str, bytes] = {}
"""Of the packages that were offered, by digest."""


class FakeClient:
    """Implements `edged.updates.rounds.Client`.

    Attributes:
        offers: What is signed.
        out_of_reach: Raised by `refresh`.
        error: Raised by `fetch`.
        refreshes: How often it was asked.
        fetched: What was downloaded.
        held: What the box held each time.
        may_go_on: A download waits for it, at half of its bytes.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        self.offers: tuple[Offer, ...] = ()
        self.out_of_reach: Exception | None = None
        self.error: Exception | None = None
        self.refreshes = 0
        self.fetched: list[tuple[str, int]] = []
        self.held: list[Mapping[str, Path]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.stopping: Callable[[], bool] = lambda: False
        self.broken_off: Exception = RuntimeError("nobody said what a download that is stopped raises")

    def refresh(self) -> tuple[Offer, ...]:
        self.refreshes += 1
        if self.out_of_reach:
            raise self.out_of_reach
        return self.offers

    def fetch(self, offer: Offer, holding: Mapping[str, Path], progress: Callable[[int, int], None]) -> Path:
        self.held.append(holding)
        progress(0, offer.length)
        progress(offer.length // 2, offer.length)
        while not self.may_go_on.wait(0.01):
            if self.stopping():
                raise self.broken_off
        if self.error:
            raise self.error
        folder = self.store / ".updates" / f"{offer.name}-{offer.version}"
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(CONTENTS[offer.sha256])
        progress(offer.length, offer.length)
        self.fetched.append((offer.name, offer.version))
        return folder

"""A box that takes updates: its folders, its clock, and what it did."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from signed_repository import NOW_S

from edged.errors import UpdateRefused, UpdateUnreachable
from edged.offers import Offer
from edged.updates.client import UpdateClient
from edged.updates.floor import places
from edged.updates.rate import Limits

QUICK = Limits(
    answer_s=5,
    silence_s=5,
    refresh_s=20,
    min_rate_bytes_s=8192,
    rate_window_s=0.5,
    grace_s=10,
    tries=3,
    pause_s=0.01,
)


class Box:
    """One box.

    Attributes:
        now_s: What its clock says.
        stopping: Somebody wants it to stop.
        seen: Progress that was told.
    """

    def __init__(self, folder: Path, url: str, root: bytes) -> None:
        self.state, self.store, self.root = folder / "state", folder / "store", folder / "root.json"
        self.store.mkdir(parents=True)
        self.root.write_bytes(root)
        (self.store / "parcels" / "1").mkdir(parents=True)
        (self.store / "parcels" / "1" / "model.onnx").write_bytes(b"what serves")
        self.url, self.now_s, self.limits = url, NOW_S, QUICK
        self.stopping: Callable[[], bool] = lambda: False
        self.max_rate: float | None = None
        self.seen: list[tuple[int, int]] = []
        self.client = self.restart()

    def restart(self) -> UpdateClient:
        """As after a start of the program."""
        self.client = UpdateClient(
            self.url,
            self.root,
            state=self.state,
            store=self.store,
            max_rate_bytes_s=self.max_rate,
            stopping=lambda: self.stopping(),  # noqa: PLW0108  # tests put another one there
            clock=lambda: self.now_s,
            limits=self.limits,
        )
        return self.client

    def fetch(self, offer: Offer, holding: Mapping[str, Path] | None = None) -> Path:
        return self.client.fetch(offer, holding or {}, lambda count, of: self.seen.append((count, of)))

    def take(self) -> Path:
        """Look, and fetch the only offer."""
        (offer,) = self.client.refresh()
        return self.fetch(offer)

    def refuses(self, reason: str, act: Callable[[], object] | None = None) -> UpdateRefused:
        """An alarm of this reason; nothing gets into the store."""
        with pytest.raises(UpdateRefused) as caught:
            (act or self.client.refresh)()
        assert caught.value.reason == reason, caught.value
        assert "\n" not in str(caught.value)
        self.serves_on()
        return caught.value

    def waits(self, reason: str, act: Callable[[], object] | None = None) -> UpdateUnreachable:
        """The weather, of this reason; nothing gets into the store."""
        with pytest.raises(UpdateUnreachable) as caught:
            (act or self.client.refresh)()
        assert caught.value.reason == reason, caught.value
        assert "\n" not in str(caught.value)
        self.serves_on()
        return caught.value

    def serves_on(self) -> None:
        """What the store shows is what it showed before, and no part of a version stands in its folder of staging."""
        shown = sorted(
            str(path.relative_to(self.store))
            for path in self.store.rglob("*")
            if ".updates" not in path.parts
        )
        assert shown == ["parcels", "parcels/1", "parcels/1/model.onnx"]
        staging = self.store / ".updates"
        assert not staging.is_dir() or not [path for path in staging.iterdir() if path.is_dir()]

    @property
    def parts(self) -> list[Path]:
        return sorted((self.store / ".updates").glob("*.part"))

    @property
    def metadata(self) -> Path:
        return self.state / "updates" / "metadata"

    @property
    def floors(self) -> tuple[Path, Path]:
        return places(self.state, self.store / ".updates")

    def floor(self, place: int = 0) -> dict[str, int]:
        """Versions that one of its floors holds."""
        found = json.loads(self.floors[place].read_text())["floor"]["marks"]
        return {role: mark["version"] for role, mark in found.items()}

    def wipe_metadata(self) -> None:
        shutil.rmtree(self.metadata)

    def empty_metadata(self, keep: int = 0) -> None:
        """As a power cut leaves files that were never flushed."""
        for path in self.metadata.rglob("*.json"):
            path.write_bytes(path.read_bytes()[:keep])

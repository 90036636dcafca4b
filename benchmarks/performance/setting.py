"""What every showing is given."""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.performance import clips
from benchmarks.performance.peers import Peers
from benchmarks.performance.processes import ROOT, Broker

ASSETS = Path(os.environ.get("EDGED_ASSETS", ROOT.parent / "shared" / "assets"))


@dataclass(frozen=True, slots=True)
class Setting:
    """What every showing is given.

    Attributes:
        folder: For what is made in this run.
        broker: Real, on loopback.
        assets: Real models and videos.
        provider: Of both sides where it is the same.
        rounds: How often the sides take turns.
        quick: Only whether it works: short, few rounds.
        peers: Others that do the same work.
        int8: The int8 twin of the detector; None = what needs it is left out.
        model: The detector.
    """

    folder: Path
    broker: Broker
    assets: Path
    provider: str
    rounds: int
    quick: bool
    peers: Peers
    int8: Path | None
    model: Path

    @property
    def walking(self) -> Path:
        """A street, 768 × 432 at 10 frames a second, one person at a time."""
        return self.assets / "videos" / "one_by_one_person.mp4"

    def seconds(self, usual: float, quick: float) -> float:
        """How long."""
        return quick if self.quick else usual

    def clip(self) -> tuple[Path, int]:
        """The beginning of `walking`, and how many frames it has."""
        frames = 120 if self.quick else 400
        return clips.cut(self.walking, self.folder / f"walking-{frames}.mp4", frames), frames

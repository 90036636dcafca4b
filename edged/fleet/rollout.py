"""How far one version of a model has come among all boxes. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edged.fleet.boxes import Box, ModelOn

Stage = Literal[
    "active", "probation", "staged", "downloading", "offered", "refused", "unreachable", "later", "waiting"
]
STAGES: tuple[Stage, ...] = (
    "active",
    "probation",
    "staged",
    "downloading",
    "offered",
    "refused",
    "unreachable",
    "later",
    "waiting",
)
MAX_REASONS = 20


@dataclass(frozen=True, slots=True)
class Rollout:
    """A version among the boxes that have the model.

    Attributes:
        name: Of the model.
        version: Of it.
        boxes: That have the model.
        offline: Of them, those that are not there now.
        stages: How many are at each: ``active``: it serves, and its probation is over; ``probation``: it serves;
            ``staged``, ``downloading``, ``offered``, ``refused`` (rolled back and rejected ones among them),
            ``unreachable``: as the box says; ``later``: a later version serves; ``waiting``: nothing is known of it
            there.
        reasons: Of those refused or unreachable, the most frequent first.
        refused: Names of the boxes, the first few.
    """

    name: str
    version: int
    boxes: int
    offline: int
    stages: dict[Stage, int]
    reasons: dict[str, int]
    refused: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the boxes, those that serve it or a later one: 0–1; 0 without any box."""
        served = sum(self.stages.get(stage, 0) for stage in ("active", "probation", "later"))
        return served / self.boxes if self.boxes else 0.0


def rollout(boxes: Iterable[Box], name: str, version: int) -> Rollout:
    """Count.

    Args:
        boxes: All of them.
        name: Of the model.
        version: That is rolled out.
    """
    stages, reasons = Counter[Stage](), Counter[str]()
    refused: list[str] = []
    offline = total = 0
    for box in boxes:
        model = box.models.get(name)
        if model is None:
            continue
        total += 1
        offline += box.status != "online"
        stage, reason = stage_of(model, version)
        stages[stage] += 1
        if reason:
            reasons[reason] += 1
        if stage == "refused":
            refused.append(box.device)
    return Rollout(
        name,
        version,
        total,
        offline,
        {stage: stages[stage] for stage in STAGES if stages[stage]},
        dict(reasons.most_common(MAX_REASONS)),
        tuple(sorted(refused)[:MAX_REASONS]),
    )


def stage_of(model: ModelOn, version: int) -> tuple[Stage, str]:
    """Where a version is on a box, and why where that is a failure."""
    if model.version == version:
        return ("probation" if model.probation else "active"), ""
    if version in model.rejected:
        return "refused", model.rejected[version]
    if model.version is not None and model.version > version:
        return "later", ""
    if model.offered == version:
        stage: Stage = next((one for one in STAGES if one == model.update), "waiting")
        return stage, model.reason if stage in {"refused", "unreachable"} else ""
    if model.update == "unreachable":
        return "unreachable", model.reason
    return "waiting", ""

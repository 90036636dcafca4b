"""What becomes of each file of the service. Decided from what is wanted and what is there; nothing is touched here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edged.installation.stamp import is_as_written, stamped

Outcome = Literal["written", "updated", "unchanged", "kept", "removed", "absent"]


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the service.

    Attributes:
        path: Absolute, on the machine that is to run the service.
        text: What is to stand in it, without a stamp.
        mode: Of the file.
        ours: A newer edged may replace it as long as nobody changed it, and take it away. False: once it is there it
            belongs to the operator.
    """

    path: str
    text: str
    mode: int = 0o644
    ours: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a file.

    Attributes:
        path: Of it.
        outcome: written, updated and removed are to be done; the others leave all as it is.
        text: To be written, with its stamp; empty where nothing is.
        mode: Of what is written.
        why: For a person, of what is kept.
    """

    path: str
    outcome: Outcome
    text: str = ""
    mode: int = 0o644
    why: str = ""

    @property
    def changes(self) -> bool:
        """Whether it does something."""
        return self.outcome in {"written", "updated", "removed"}


def installing(parts: list[Part], there: Mapping[str, str]) -> list[Step]:
    """What to do so that the service is there.

    Args:
        parts: The files of it.
        there: Path to text, of those files that exist.
    """
    return [_installing(part, there.get(part.path)) for part in parts]


def _installing(part: Part, found: str | None) -> Step:
    text = stamped(part.text) if part.ours else part.text
    if found is None:
        return Step(part.path, "written", text, part.mode)
    if found == text:
        return Step(part.path, "unchanged")
    if not part.ours:
        return Step(part.path, "kept", why="it is yours")
    if is_as_written(found):
        return Step(part.path, "updated", text, part.mode)
    return Step(
        part.path, "kept", why="changed by hand; `systemctl edit edged` is the way that updates leave alone"
    )


def removing(parts: list[Part], there: Mapping[str, str], *, purge: bool) -> list[Step]:
    """What to do so that the service is gone.

    Args:
        parts: The files that it may have.
        there: Path to text, of those files that exist.
        purge: Also what a person changed.
    """
    steps = []
    for part in parts:
        found = there.get(part.path)
        if found is None:
            steps.append(Step(part.path, "absent"))
        elif purge or (part.ours and is_as_written(found)):
            steps.append(Step(part.path, "removed"))
        else:
            why = "changed by hand; --purge removes it" if part.ours else "--purge removes it"
            steps.append(Step(part.path, "kept", why=why))
    return steps

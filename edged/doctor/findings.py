"""A finding: what was looked at, what was seen there, and the one command or edit that mends it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from edged.errors import ConfigurationError, Unreachable
from edged.urls import redacted

SCHEMA = "edged.doctor/1"
WRONG = ConfigurationError.exit_code
"""The exit code where the configuration or the installation is wrong."""
AWAY = Unreachable.exit_code
"""The exit code where a server is out of reach."""


class Status(Enum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        kind: Stable, for programs: ``broker-unreachable``.
        area: ``broker``, ``cameras`` …
        status: How bad it is.
        subject: The thing: a package, a file, ``cameras.front``. Carries no secret.
        seen: What was seen of it. Carries no secret.
        remedy: One command or one edit; empty where nothing has to be done.
        exit_code: Of a command that finds it; 0 unless it is an error.
    """

    kind: str
    area: str
    status: Status
    subject: str
    seen: str
    remedy: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that can be found.

    Attributes:
        name: As in `Finding`.
        area: As in `Finding`.
        status: As in `Finding`.
        meaning: What it says, for the page of the documentation.
        remedy: With ``{names}`` that a finding fills in; empty where nothing has to be done.
        exit_code: As in `Finding`.
    """

    name: str
    area: str
    status: Status
    meaning: str
    remedy: str = ""
    exit_code: int = 0

    def found(self, subject: str, seen: str, *, instead: str = "", **names: object) -> Finding:
        """A finding of this kind; in no part of it a password of an address is shown.

        Args:
            subject: The thing.
            seen: What was seen of it.
            instead: A remedy that fits better than the usual one.
            names: What stands in the usual remedy.
        """
        remedy = instead or self.remedy.format(**names)
        subject, seen, remedy = (_shown(text) for text in (subject, seen, remedy))
        return Finding(self.name, self.area, self.status, subject, seen, remedy, self.exit_code)


def _shown(text: str) -> str:
    """One line, without a password, and without what would move the cursor of a terminal."""
    line = " ".join(redacted(text).split())
    return "".join(letter if letter.isprintable() else "·" for letter in line)


def exit_code(findings: Iterable[Finding]) -> int:
    """Of the command: what is wrong here counts more than what is out of reach.

    >>> exit_code([])
    0
    """
    codes = {finding.exit_code for finding in findings}
    return next((code for code in (WRONG, AWAY) if code in codes), 0)


def worst(findings: Iterable[Finding]) -> Status:
    """How bad it is altogether."""
    order = list(Status)
    return max((finding.status for finding in findings), key=order.index, default=Status.OK)


def document(findings: Iterable[Finding], *, version: str, configuration: str | None) -> Mapping[str, Any]:
    """The JSON object.

    Args:
        findings: In the order of the report.
        version: Of edged.
        configuration: The file that was read; None where there is none.
    """
    listed = list(findings)
    return {
        "schema": SCHEMA,
        "version": version,
        "configuration": configuration,
        "status": worst(listed).value,
        "exit_code": exit_code(listed),
        "findings": [
            {
                "kind": one.kind,
                "area": one.area,
                "status": one.status.value,
                "subject": one.subject,
                "seen": one.seen,
                "remedy": one.remedy,
            }
            for one in listed
        ],
    }

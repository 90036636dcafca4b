"""Writes the table of ``doctor.md`` anew, from ``edged.doctor.kinds``.

``python docs/findings.py`` writes; with ``--check`` it writes nothing and ends with 1 where something would change.
"""

import sys
from pathlib import Path

from generate import renew

from edged.doctor.kinds import ALL

PAGE = Path(__file__).parent / "doctor.md"


def table() -> str:
    """A row a kind, in the order of the report."""
    lines = ["| kind | status | exit | seen | remedy |", "|---|---|---|---|---|"]
    for kind in ALL:
        remedy = kind.remedy.format_map(_Words())
        cells = (f"`{kind.name}`", kind.status.value, str(kind.exit_code or ""), kind.meaning, remedy)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


class _Words(dict[str, str]):
    """What stands in the place of what a finding fills in."""

    def __missing__(self, name: str) -> str:
        return "as said" if name in {"do", "edit"} else name.upper()


def main() -> int:
    """Write the page, or say whether it is up to date."""
    return renew(PAGE, lambda: {"findings": table()}, "make docs")


if __name__ == "__main__":
    sys.exit(main())

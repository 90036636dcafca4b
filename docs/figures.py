"""Writes the tables of ``performance.md`` anew, from ``benchmarks/results/performance.json``.

``python docs/figures.py`` writes; with ``--check`` it writes nothing and ends with 1 where something would change.

What stands between ``<!-- generated: figures -->`` and ``<!-- end -->`` is generated; the rest is written by hand.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generate import renew

PAGE = Path(__file__).parent / "performance.md"
RESULTS = Path(__file__).parent.parent / "benchmarks" / "results" / "performance.json"
TITLES = {
    "1": "One camera, every frame",
    "2": "Beside what others do of the same",
    "3": "A 1080p camera of which five frames a second are looked at",
    "4": "Motion gates",
    "5": "Many cameras",
    "6": "The int8 twin",
    "7": "Start to first detection",
    "8": "Memory",
}
NOTHING = "Nothing was measured yet: `make bench`.\n"


def figures_of(results: Mapping[str, Any]) -> str:
    """All tables in Markdown, a heading and a table a showing."""
    showings = results.get("showings", {})
    return "\n".join(_showing(number, showings[number]) for number in sorted(showings, key=int)) or NOTHING


def _showing(number: str, runs: Mapping[str, Any]) -> str:
    """A table a provider."""
    lines = [f"### {number}. {TITLES[number]}"]
    for run in runs.values():
        lines += ["", _about(run), "", "| measured | value | target | met | |", "|---|---|---|---|---|"]
        lines += _rows(run["figures"])
    return "\n".join(lines) + "\n"


def _rows(figures: list[Mapping[str, Any]]) -> Iterator[str]:
    for figure in figures:
        value = "–" if figure["value"] is None else f"{figure['value']:.3g} {figure['unit']}".strip()
        target = ""
        if figure["target"] is not None:
            target = f"{'at least' if figure['at_least'] else 'at most'} {figure['target']:g}"
        met = {True: "yes", False: "no", None: ""}[figure["met"]]
        yield f"| {_cell(figure['name'])} | {value} | {target} | {met} | {_cell(figure['note'])} |"


def _about(showing: Mapping[str, Any]) -> str:
    machine, options = showing["machine"], showing["options"]
    packages = ", ".join(f"{name} {one}" for name, one in machine["packages"].items())
    flags = " ".join(machine["flags"]) or "none of AVX2, AVX-512, VNNI, AMX"
    peers = options.get("peers") or {}
    beside = ", ".join(f"{name} {one}" for name, one in peers.items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores ({flags}), {machine['system']}, Python {machine['python']}; "
        f"{packages}{f'; peers: {beside}' if beside else ''}. Model {options['model']}, provider "
        f"{options['provider']}, {options['rounds']} rounds; other programs kept {showing['others_busy_cores']:g} "
        "cores busy meanwhile."
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def tables() -> dict[str, str]:
    """Of what was measured last."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    return {"figures": figures_of(results)}


def main() -> int:
    """Write the page, or say whether it is up to date."""
    return renew(PAGE, tables, "python docs/figures.py")


if __name__ == "__main__":
    sys.exit(main())

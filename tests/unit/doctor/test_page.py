"""The page of the documentation holds to the code."""

import subprocess
import sys
from pathlib import Path

from edged.doctor import kinds

ROOT = Path(__file__).parents[3]


def test_the_table_of_the_page_is_up_to_date_and_has_every_kind() -> None:
    command = [sys.executable, "docs/findings.py", "--check"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert [kind.name for kind in kinds.ALL if f"| `{kind.name}` |" not in page] == []
    assert {f"`{kind.area}`" for kind in kinds.ALL} <= set(page.replace(",", " ").split())

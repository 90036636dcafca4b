"""What docs/reliability.md names is there: tests, files and faults."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
TESTS = sorted(set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", PAGE)))


@pytest.mark.parametrize(("file", "name"), TESTS, ids=[name for _, name in TESTS])
def test_each_test_that_it_names_exists(file: str, name: str) -> None:
    assert re.search(rf"^ *def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file} has no {name}"


def test_each_file_that_it_names_exists() -> None:
    files = set(re.findall(r"(?:tests|benchmarks)/[\w/]+\.py", PAGE))
    assert len(files) > 10
    assert not [file for file in files if not (ROOT / file).is_file()]


def test_each_fault_that_it_names_exists() -> None:
    source = (ROOT / "tests" / "soak" / "faults.py").read_text()
    named = {name for line in re.findall(r"--only ([a-z_ ]+)", PAGE) for name in line.split()}
    assert named
    assert not [name for name in named if f"\ndef {name}(" not in source]


def test_each_line_of_the_scoreboard_is_there_once() -> None:
    assert re.findall(r"^\| (R\d+) \|", PAGE, re.MULTILINE) == [f"R{n}" for n in range(1, 21)]

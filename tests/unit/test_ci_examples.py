"""The examples for continuous integration can be read, their scripts too, and call commands that are there."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from edged.cli import program

FOLDER = Path(__file__).parents[2] / "configs" / "ci"
FILES = sorted(FOLDER.glob("*.yml"))
VALUES = {"VERSION": "3", "ROLLOUT": "10%"}


def scripts(node: Any) -> Iterator[str]:
    """Every script of a pipeline, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"run", "bash", "script", "inlineScript"} and isinstance(value, str):
                yield value
            else:
                yield from scripts(value)
    elif isinstance(node, list):
        for one in node:
            yield from scripts(one)


def commands(path: Path) -> list[list[str]]:
    """Every call of ours, with values in place of variables."""
    found = []
    for script in scripts(yaml.safe_load(path.read_text(encoding="utf-8"))):
        for line in re.findall(r"edged publish [^;\n]+", script):
            known = re.sub(r"\$\{\{.*?\}\}|\$\(\w+\)", "https://example.org", line)
            whole = re.sub(r"\$(\w+)", lambda match: VALUES.get(match[1], "name"), known)
            found.append(shlex.split(whole)[1:])
    return found


def test_there_are_examples_for_both() -> None:
    assert [path.name for path in FILES] == ["azure-pipelines.yml", "github-actions.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_calls_what_there_is(path: Path) -> None:
    called = commands(path)
    assert {words[1] for words in called} == {"add", "widen", "withdraw", "refresh", "verify"}
    group: Any = typer.main.get_command(program("publish"))
    for words in called:
        publish = group.commands["publish"]
        publish.commands[words[1]].make_context(words[1], words[2:])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_scripts_of_an_example_are_shell(path: Path) -> None:
    for script in scripts(yaml.safe_load(path.read_text(encoding="utf-8"))):
        plain = re.sub(r"\$\{\{.*?\}\}|\$\(\w+\)", "value", script)
        done = subprocess.run(["bash", "-n"], input=plain, text=True, capture_output=True)
        assert done.returncode == 0, f"{script}\n{done.stderr}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_brings_the_timestamp_last_and_knows_no_key_of_the_root(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "--root-key" not in text
    order = [text.rindex(one) for one in ("metadata/timestamp.json", "edged publish verify")]
    assert order == sorted(order)
    assert text.index("edged publish verify updates") < order[0]

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged import cli
from edged.cli.plain import PlainRun, plain_run

LINES = [
    ["run"],
    ["run", "--once"],
    ["run", "-c", "edged.toml"],
    ["run", "--config", "edged.toml"],
    ["run", "-c", "edged.toml", "--once"],
    ["run", "--once", "-c", "edged.toml"],
]


class EndedError(Exception):
    pass


@pytest.fixture
def served(monkeypatch):
    """What was served, by whichever way the command line was read."""
    asked = []

    def serve_file(config, *, once):
        asked.append(PlainRun(config, once))
        return 0

    def end_process(code):
        raise EndedError(code)

    for module in ("edged.cli.run", "edged.cli.serving"):
        monkeypatch.setattr(f"{module}.serve_file", serve_file)
        monkeypatch.setattr(f"{module}.end_process", end_process)
    return asked


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_plain_line_means_what_the_parser_reads_in_it(line, served):
    with pytest.raises(EndedError):
        cli.program("run")(line)
    with pytest.raises(EndedError):
        cli._command("run", line)
    assert served == [plain_run(line)] * 2


@pytest.mark.parametrize(
    "line",
    [
        ["run", "-c"],
        ["run", "-c", "--once"],
        ["run", "-cedged.toml"],
        ["run", "--config=edged.toml"],
        ["run", "-c", "a.toml", "-c", "b.toml"],
        ["run", "-c", "-"],
        ["run", "--once", "--once"],
        ["run", "edged.toml"],
        ["run", "--help"],
        ["run", "--camera", "a.mp4", "--model", "m.onnx"],
        ["--once", "run"],
        ["detect"],
        [],
    ],
    ids=" ".join,
)
def test_whatever_looks_different_is_for_the_parser(line):
    assert plain_run(line) is None


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(["run", "-c", "--config", "--once", "edged.toml", "--mqtt", "-"]), max_size=5)
)
def test_only_a_file_and_once_are_ever_read(line):
    plain = plain_run(["run", *line])
    assert plain is None or sorted(line) == sorted(
        ([next(one for one in line if one in {"-c", "--config"}), str(plain.config)] if plain.config else [])
        + (["--once"] if plain.once else [])
    )


def test_the_file_is_the_one_that_was_named():
    assert plain_run(["run", "-c", "dir/a b.toml"]) == PlainRun(Path("dir/a b.toml"), False)

"""A process of its own is asked: its answer, its crash, its silence."""

from pathlib import Path

import pytest

from edged.doctor.probes import child
from edged.doctor.probes.child import NoAnswerError, NotAskedError, ask


@pytest.fixture
def answers(tmp_path: Path, monkeypatch):
    """Has the process import a module of ours, whose function ``answer`` has this body."""
    program = child.PROGRAM.replace(
        "import sys, json;", f"import sys, json; sys.path.append({str(tmp_path)!r});"
    )
    monkeypatch.setattr(child, "PROGRAM", program)

    def write(body: str) -> str:
        (tmp_path / "odd_module.py").write_text(f"def answer(question, early):\n    {body}\n")
        return "odd_module"

    return write


def test_an_answer_comes_through_whatever_else_is_printed(answers) -> None:
    module = answers("print('noise'); return {'told': question, 'early': early}")
    assert ask(module, ["a", 1], timeout_s=20) == {"told": ["a", 1], "early": False}


def test_a_crash_is_named_by_its_signal(answers) -> None:
    with pytest.raises(NoAnswerError, match="ended with SIGSEGV"):
        ask(answers("import os; os.kill(os.getpid(), 11)"), None, timeout_s=20)


def test_an_exception_is_named_by_its_line(answers) -> None:
    with pytest.raises(NoAnswerError, match="ended with RuntimeError: odd"):
        ask(answers("raise RuntimeError('odd')"), None, timeout_s=20)


def test_silence_is_no_statement_about_what_was_asked(answers) -> None:
    with pytest.raises(NotAskedError, match="no answer within"):
        ask(answers("import time; time.sleep(60)"), None, timeout_s=0.3)


def test_the_program_finds_edged_wherever_it_is_started(answers) -> None:
    module = answers("import edged.doctor; return {'found': edged.__file__}")
    assert Path(ask(module, None, timeout_s=20)["found"]).parent.name == "edged"

from pathlib import Path

import pytest

from edged.service import state
from edged.service.state import state_folder
from edged.settings import LoadedSettings, check_settings, load_settings

CAMERA = '[cameras.front]\nurl = "clip.mp4"\nmodels = ["m"]\n'


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("EDGED_STATE__PATH", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(state, "SYSTEM", tmp_path / "system")


def loaded(path: Path, text: str = CAMERA) -> LoadedSettings:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return load_settings(path)


def test_a_folder_that_is_named_counts_from_the_configuration(tmp_path: Path) -> None:
    assert (
        state_folder(loaded(tmp_path / "edged.toml", CAMERA + '[state]\npath = "kept"\n'))
        == tmp_path / "kept"
    )


def test_systemds_folder_comes_before_what_is_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/of-unit:{tmp_path}/second")
    assert state_folder(loaded(tmp_path / "edged.toml")) == tmp_path / "of-unit"


def test_the_usual_configuration_has_the_usual_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "USUAL_CONFIG", tmp_path / "edged.toml")
    assert state_folder(loaded(tmp_path / "edged.toml")) == tmp_path / "system"


def test_each_configuration_has_a_folder_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "box.toml", tmp_path / "b" / "box.toml"
    folders = [state_folder(loaded(path)) for path in (one, other, one)]
    assert folders[0] == folders[2] != folders[1]
    assert folders[0].parent == tmp_path / "system" / "instances"
    assert folders[0].name.startswith("box-")


def test_a_changed_broker_keeps_the_folder_and_so_what_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    before = state_folder(loaded(path))
    assert state_folder(loaded(path, CAMERA + '[mqtt]\nurl = "mqtt://other"\n')) == before


def test_without_a_file_the_command_line_names_the_instance() -> None:
    def given(url: str) -> LoadedSettings:
        return check_settings({"cameras": {"camera": {"url": url, "models": ["m"]}}}, name="command line")

    assert state_folder(given("a.mp4")) == state_folder(given("a.mp4")) != state_folder(given("b.mp4"))


def test_who_may_not_write_there_gets_a_folder_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state.os, "access", lambda *_: False)
    assert state_folder(loaded(tmp_path / "box.toml")).is_relative_to(tmp_path / "home" / "edged")

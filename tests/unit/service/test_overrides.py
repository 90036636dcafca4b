import json
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edged.service import overrides
from edged.service.overrides import NOTHING, CameraOverride, Overrides

OFF = CameraOverride(enabled=False)
SCORE = CameraOverride(min_score=0.5)


def written(folder: Path) -> object:
    return json.loads((folder / "overrides.json").read_text())


def test_nothing_is_read_or_made_before_something_is_switched(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "box"
    with capture_logs() as lines:
        assert Overrides(folder).of("front") == NOTHING
    assert not folder.exists()
    assert lines == []


def test_what_was_switched_outlives_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "box"
    here = Overrides(folder)
    assert here.put("front", OFF) == ""
    assert here.put("back", SCORE) == ""
    assert written(folder) == {"cameras": {"back": {"min_score": 0.5}, "front": {"enabled": False}}}
    again = Overrides(folder)
    assert (again.of("front"), again.of("back")) == (OFF, SCORE)
    assert list(folder.iterdir()) == [folder / "overrides.json"]


def test_what_is_as_configured_again_is_not_kept(tmp_path: Path) -> None:
    here = Overrides(tmp_path)
    here.put("front", OFF)
    assert here.put("front", NOTHING) == ""
    assert written(tmp_path) == {"cameras": {}}


def test_the_same_again_is_not_written_again(tmp_path: Path) -> None:
    here = Overrides(tmp_path)
    here.put("front", OFF)
    before = (tmp_path / "overrides.json").stat().st_ino
    assert here.put("front", OFF) == ""
    assert (tmp_path / "overrides.json").stat().st_ino == before


def test_cameras_that_are_not_configured_any_more_are_forgotten(tmp_path: Path) -> None:
    here = Overrides(tmp_path)
    here.put("front", OFF)
    here.put("gone", OFF)
    here.forget_all_but(["front", "new"])
    assert here.of("gone") == NOTHING
    assert written(tmp_path) == {"cameras": {"front": {"enabled": False}}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"cameras": []}',
        b'{"cameras": {"front": {"enabled": "no"}}}',
        b'{"cameras": {"front": {"min_score": 7}}}',
        b'{"cameras": {"front": {"min_score": NaN}}}',
        b" " * (overrides.MAX_BYTES + 1),
    ],
)
def test_a_damaged_file_is_set_aside_with_one_warning(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "overrides.json"
    path.write_bytes(content)
    with capture_logs() as lines:
        here = Overrides(tmp_path)
    assert here.of("front") == NOTHING
    assert [line["log_level"] for line in lines] == ["warning"]
    assert lines[0]["file"] == str(tmp_path / "overrides.json.damaged")
    assert (tmp_path / "overrides.json.damaged").read_bytes() == content
    assert not path.exists()
    assert here.put("front", OFF) == ""
    assert Overrides(tmp_path).of("front") == OFF


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "overrides.json")
    with capture_logs() as lines:
        assert Overrides(tmp_path).of("front") == NOTHING
    assert [line["reason"] for line in lines] == ["is no file"]


def test_keys_of_a_later_version_do_not_matter(tmp_path: Path) -> None:
    text = '{"schema": 2, "cameras": {"front": {"enabled": false, "fps": 3}}}'
    (tmp_path / "overrides.json").write_text(text)
    assert Overrides(tmp_path).of("front") == OFF


def test_a_folder_that_cannot_be_written_is_said_and_it_counts_until_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    here = Overrides(tmp_path / "file" / "box")
    problem = here.put("front", OFF)
    assert problem == f"{tmp_path}/file/box/overrides.json cannot be written (Not a directory)"
    assert here.of("front") == OFF
    assert here.put("front", OFF) == problem, "the same again is no success"


def test_a_full_disk_leaves_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Overrides(tmp_path)
    here.put("front", OFF)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as here_only:
        here_only.setattr(os, "fsync", full)
        assert "No space left" in here.put("back", OFF)
    assert written(tmp_path) == {"cameras": {"front": {"enabled": False}}}
    assert here.put("back", OFF) == ""
    assert list(tmp_path.iterdir()) == [tmp_path / "overrides.json"]


def test_what_a_power_cut_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".overrides.json.0a1b2c3d").write_text("{")
    with capture_logs() as lines:
        Overrides(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert lines == []

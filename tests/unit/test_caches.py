import os

import pytest

from edged.caches import cache_folder, keep_newest


def test_the_folder_is_systemds_then_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("choices") == tmp_path / "edged" / "choices"
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/edged:/var/cache/other")
    assert str(cache_folder("choices")) == "/var/cache/edged/choices"
    monkeypatch.delenv("CACHE_DIRECTORY")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # ignored, as the XDG base directory specification says
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("choices") == tmp_path / ".cache" / "edged" / "choices"


@pytest.fixture
def files(tmp_path):
    """Of ten bytes each, written one day after the other; the first was read last."""
    for day, name in enumerate(("a", "b", "c", "d"), 1):
        (tmp_path / name).write_bytes(b"0123456789")
        os.utime(tmp_path / name, (day * 86_400, day * 86_400))
    os.utime(tmp_path / "a", (9 * 86_400, 86_400))
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_used_longest_ago_goes_first(files):
    keep_newest(files, most_bytes=25)
    assert names(files) == ["a", "d"]


def test_so_many_stay(files):
    keep_newest(files, most_files=3)
    assert names(files) == ["a", "c", "d"]


def test_what_is_within_the_bounds_stays(files):
    keep_newest(files, most_bytes=40, most_files=4)
    assert names(files) == ["a", "b", "c", "d"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        keep_newest(tmp_path / "none", most_files=1)

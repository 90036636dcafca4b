"""A target that comes in several pieces."""

import errno
import hashlib

import pytest

from edged.errors import UpdateUnreachable
from edged.updates.partial import Part, cannot_write

CONTENT = b"0123456789" * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def _part(folder) -> Part:
    return Part(folder, len(CONTENT), DIGEST)


def test_it_goes_on_where_it_ended(tmp_path):
    with _part(tmp_path) as part:
        part.begin('"tag"')
        part.append(CONTENT[:300])
    with _part(tmp_path) as part:
        assert (part.count, part.tag, part.is_whole()) == (300, '"tag"', False)
        part.append(CONTENT[300:])
        assert part.is_right()
        part.flush()
    assert part.path.read_bytes() == CONTENT
    assert part.path.name == f"{DIGEST}.part"
    with _part(tmp_path) as part:
        assert part.is_right()


def test_what_is_whole_and_wrong_is_not_right(tmp_path):
    with _part(tmp_path) as part:
        part.append(bytes(len(CONTENT)))
        assert part.is_whole()
        assert not part.is_right()
        part.restart()
        part.append(CONTENT)
        assert part.is_right()


def test_what_is_longer_than_was_signed_is_forgotten(tmp_path):
    (tmp_path / f"{DIGEST}.part").write_bytes(CONTENT + b"x")
    with _part(tmp_path) as part:
        assert part.count == 0


@pytest.mark.parametrize("tag", ["", "x" * 300, "a\nb", "ä"])
def test_a_name_that_no_header_can_carry_is_not_kept(tmp_path, tag):
    with _part(tmp_path) as part:
        part.begin(tag)
        part.append(b"0")
        assert part.tag == ""
    (tmp_path / f"{DIGEST}.part.tag").write_bytes(b"\xff\n")
    with _part(tmp_path) as part:
        assert part.tag == ""


def test_nothing_is_left_where_nothing_came(tmp_path):
    with _part(tmp_path) as part:
        part.begin('"tag"')
    assert list(tmp_path.iterdir()) == []
    with _part(tmp_path) as part:
        part.append(CONTENT)
        part.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_is_the_weather(tmp_path):
    with pytest.raises(UpdateUnreachable) as caught:
        _part(tmp_path / "missing")
    assert caught.value.reason == "cannot write"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "disk full"),
        (errno.EDQUOT, "disk full"),
        (errno.EFBIG, "disk full"),
        (errno.EROFS, "cannot write"),
    ],
)
def test_a_full_disk_is_told_from_one_that_cannot_be_written(tmp_path, number, reason):
    assert cannot_write(tmp_path / "x", OSError(number, "no")).reason == reason

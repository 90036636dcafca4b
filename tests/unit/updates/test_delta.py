"""The tar of a new version from the model that a box holds."""

import hashlib
import random

import pytest
from signed_repository import delta_of

from edged.updates.delta import MAX_BYTES, NoDelta, apply, worth
from edged.updates.partial import Part

OLD = random.Random(1).randbytes(300_000)
NEW = OLD[:100_000] + b"another head" + OLD[110_000:]


@pytest.fixture
def part(tmp_path):
    with Part(tmp_path, len(NEW), hashlib.sha256(NEW).hexdigest()) as part:
        yield part


def _files(tmp_path, delta: bytes, old: bytes = OLD):
    (tmp_path / "delta").write_bytes(delta)
    (tmp_path / "old").write_bytes(old)
    return tmp_path / "delta", tmp_path / "old"


def test_the_old_file_and_the_difference_make_the_new_one(tmp_path, part):
    delta = delta_of(OLD, NEW)
    assert len(delta) < 0.01 * len(NEW)
    part.append(b"what had come of the tar itself")
    apply(*_files(tmp_path, delta), part, lambda: False)
    assert part.is_right()


@pytest.mark.parametrize(
    ("delta", "old"),
    [
        (b"", OLD),
        (b"no zstd", OLD),
        (delta_of(OLD, NEW)[:-5], OLD),
        (delta_of(OLD, NEW), NEW),
        (delta_of(OLD, NEW), b""),
        (delta_of(OLD, NEW + b"x"), OLD),
        (delta_of(OLD, bytes(20_000_000)), OLD),
    ],
    ids=["empty", "not zstd", "cut", "another old", "empty old", "longer", "a bomb"],
)
def test_what_does_not_become_what_was_signed_leaves_nothing(tmp_path, part, delta, old):
    with pytest.raises(NoDelta):
        apply(*_files(tmp_path, delta, old), part, lambda: False)
    assert part.count == 0


def test_an_old_model_that_is_gone(tmp_path, part):
    with pytest.raises(NoDelta):
        apply(_files(tmp_path, delta_of(OLD, NEW))[0], tmp_path / "gone", part, lambda: False)


def test_who_wants_to_stop_is_heard(tmp_path, part):
    with pytest.raises(NoDelta, match="stops"):
        apply(*_files(tmp_path, delta_of(OLD, NEW)), part, lambda: True)


def test_a_delta_is_taken_where_it_is_shorter_and_memory_holds_both():
    assert worth(10, 100, 100, 0)
    assert not worth(100, 100, 100, 0)
    assert worth(10, 100, 100, 400)
    assert not worth(10, 100, 100, 399)
    assert worth(10, MAX_BYTES // 2, MAX_BYTES // 2, 0)
    assert not worth(10, MAX_BYTES // 2, MAX_BYTES // 2 + 1, 0)

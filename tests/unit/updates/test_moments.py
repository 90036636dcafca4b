"""When metadata was signed."""

from datetime import UTC, datetime

import pytest

from edged.updates.moments import LONGEST_S, SIGNED_AT, signed_at, written

EXPIRES = datetime(2026, 12, 1, tzinfo=UTC)
SAID = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)


def test_what_is_written_is_read():
    assert written(SAID.timestamp() + 0.9) == "2026-11-24T01:02:03Z"
    for role in ("root", "timestamp"):
        assert signed_at(role, {SIGNED_AT: written(SAID.timestamp())}, EXPIRES) == SAID.timestamp()


@pytest.mark.parametrize(
    "said", [None, 7, "", "yesterday", "2026-11-24T01:02:03+01:00", "2027-01-01T00:00:00Z"]
)
def test_what_is_no_moment_or_after_its_own_end_is_not_believed(said):
    assert signed_at("timestamp", {SIGNED_AT: said}, EXPIRES) == EXPIRES.timestamp() - LONGEST_S
    assert signed_at("root", {SIGNED_AT: said}, EXPIRES) == 0


def test_nothing_was_signed_before_1970():
    assert signed_at("timestamp", {}, datetime(1970, 1, 2, tzinfo=UTC)) == 0

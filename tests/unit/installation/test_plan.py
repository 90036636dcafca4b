"""What becomes of each file: decided from what is wanted and what is there."""

import pytest

from edged.installation.plan import Part, installing, removing
from edged.installation.stamp import stamped

UNIT = Part("/etc/systemd/system/edged.service", "[Service]\nWatchdogSec=30\n")
FILE = Part("/etc/edged/edged.toml", "# nothing yet\n", mode=0o640, ours=False)
OLDER = stamped("[Service]\n")
CHANGED = stamped(UNIT.text).replace("30", "60")


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (None, "written"),
        (stamped(UNIT.text), "unchanged"),
        (OLDER, "updated"),
        (CHANGED, "kept"),
        ("", "kept"),
    ],
)
def test_a_unit_is_renewed_unless_a_person_changed_it(found, outcome):
    (step,) = installing([UNIT], {} if found is None else {UNIT.path: found})
    assert step.outcome == outcome
    assert step.text == (stamped(UNIT.text) if step.changes else "")
    assert bool(step.why) == (outcome == "kept")


@pytest.mark.parametrize(
    ("found", "outcome"), [(None, "written"), (FILE.text, "unchanged"), ("device = 'a'", "kept")]
)
def test_a_configuration_is_written_once_and_then_the_operators(found, outcome):
    (step,) = installing([FILE], {} if found is None else {FILE.path: found})
    assert (step.outcome, step.text) == (outcome, FILE.text if outcome == "written" else "")
    assert outcome != "written" or step.mode == 0o640


@pytest.mark.parametrize(
    ("part", "found", "purge", "outcome"),
    [
        (UNIT, None, False, "absent"),
        (UNIT, OLDER, False, "removed"),
        (UNIT, CHANGED, False, "kept"),
        (UNIT, CHANGED, True, "removed"),
        (FILE, FILE.text, False, "kept"),
        (FILE, FILE.text, True, "removed"),
        (FILE, None, True, "absent"),
    ],
)
def test_what_a_person_made_is_left_unless_it_is_purged(part, found, purge, outcome):
    (step,) = removing([part], {} if found is None else {part.path: found}, purge=purge)
    assert step.outcome == outcome
    assert step.changes == (outcome == "removed")


def test_a_second_installation_over_the_first_changes_nothing():
    first = installing([UNIT, FILE], {})
    second = installing([UNIT, FILE], {step.path: step.text for step in first})
    assert [step.outcome for step in second] == ["unchanged", "unchanged"]

"""A file as edged wrote it is told from one that a person changed."""

from hypothesis import given
from hypothesis import strategies as st

from edged.installation.stamp import is_as_written, stamped

LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@given(LINES)
def test_what_was_written_is_recognised(text):
    assert is_as_written(stamped(text))
    assert stamped(text).startswith(text)


@given(LINES, st.integers(0), st.characters(exclude_categories=["Cs"]))
def test_any_other_sign_anywhere_makes_it_a_persons(text, place, sign):
    written = stamped(text)
    place %= len(written)
    changed = written[:place] + sign + written[place + 1 :]
    assert is_as_written(changed) == (changed == written)


def test_a_line_added_at_the_end_or_no_stamp_at_all_makes_it_a_persons():
    assert not is_as_written(stamped("a\n") + "b\n")
    assert not is_as_written("a\n")
    assert not is_as_written("")

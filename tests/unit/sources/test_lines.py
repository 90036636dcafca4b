import hypothesis
from hypothesis import strategies as st

from edged.sources.lines import Lines
from edged.sources.rowvalues import MAX_ROW_BYTES


@hypothesis.given(st.lists(st.binary(max_size=9)))
def test_pieces_come_out_as_whole_lines_and_nothing_is_lost(pieces):
    lines = Lines()
    whole = [lines.cut(piece) for piece in pieces]
    assert all(not block or block.endswith(b"\n") for block in whole)
    assert lines.unfinished_bytes == len(b"".join(pieces).rpartition(b"\n")[2])
    assert b"".join(whole) + lines.rest() == b"".join(pieces)


def test_nothing_is_held_after_the_rest_was_taken():
    lines = Lines()
    assert lines.cut(b"1,2") == b""
    assert (lines.rest(), lines.rest(), lines.unfinished_bytes) == (b"1,2", b"", 0)


def test_a_stream_that_is_met_inside_a_line_begins_with_the_next():
    lines = Lines(inside=True)
    assert lines.cut(b"lf a line") == b""
    assert lines.cut(b"\n1,2\n3") == b"1,2\n"


def test_a_line_that_is_too_long_is_passed_on_in_part_and_counted_in_full():
    lines = Lines()
    assert lines.cut(b"1\n") == b"1\n"
    assert lines.cut(b"x" * MAX_ROW_BYTES) == b""
    assert lines.cut(b"yz") == b"x" * MAX_ROW_BYTES + b"y\n"
    assert lines.cut(b"more") == b""
    assert lines.unfinished_bytes == MAX_ROW_BYTES + 6
    assert lines.rest() == b""
    assert lines.cut(b"2\n") == b"2\n"


def test_a_line_of_just_the_bound_is_a_line():
    lines = Lines()
    assert lines.cut(b"x" * MAX_ROW_BYTES + b"\n2\n") == b"x" * MAX_ROW_BYTES + b"\n2\n"

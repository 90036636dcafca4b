import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.outbox import Gap
from edged.outbox.gaps import HEAD_BYTES, Gaps, id_of


def test_drops_of_a_topic_for_a_reason_are_one_gap_from_its_first_to_its_last():
    gaps = Gaps()
    for number in range(3):
        gaps.add("a", b'{"id":"%d"}' % number, "full")
    gaps.add("b", b'{"id":"9"}', "full")
    gaps.add("a", b'{"id":"8"}', "old")
    assert list(gaps) == [
        Gap("a", "full", 3, "0", "2"),
        Gap("b", "full", 1, "9", "9"),
        Gap("a", "old", 1, "8", "8"),
    ]


def test_what_was_taken_is_told_once():
    gaps = Gaps([Gap("a", "full", 2, "0", "1")])
    assert gaps
    assert gaps.take() == [Gap("a", "full", 2, "0", "1")]
    assert not gaps
    assert gaps.take() == []


def test_a_message_without_an_id_neither_hides_the_first_nor_the_last():
    gaps = Gaps()
    for payload in (b"nothing", b'{"id":"1"}', b'{"id":"2"}', b"nothing"):
        gaps.add("a", payload, "disk")
    assert list(gaps) == [Gap("a", "disk", 4, "1", "2")]


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"", ""),
        (b"\xff\x00", ""),
        (b'{"schema":"edged.detections/1","id": "01K"}', "01K"),
        (b'{"id":"a\\"b"}', ""),
        (b'{"id":""}', ""),
        (b'{"id":"' + b"x" * 65 + b'"}', ""),
        (b" " * HEAD_BYTES + b'{"id":"1"}', ""),
        (b'{"id":"\xff"}', "\ufffd"),
    ],
)
def test_an_id_is_looked_for_in_the_head_of_a_payload(payload: bytes, found: str):
    assert id_of(payload) == found


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["full", "old"]), st.integers(1, 9))))
def test_no_drop_is_counted_twice_or_not_at_all(drops: list[tuple[str, str, int]]):
    gaps, told = Gaps(), 0
    for index, (topic, reason, count) in enumerate(drops):
        gaps.merge(Gap(topic, reason, count, "", ""))  # type: ignore[arg-type]
        if index % 3 == 2:
            told += sum(gap.count for gap in gaps.take())
    assert told + sum(gap.count for gap in gaps) == sum(count for _, _, count in drops)

"""Whatever is published under ``cmd/``: one answer at most, and one that can be published."""

import json

from fuzz.examples import examples
from fuzz.targets import commands
from hypothesis import given, settings
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(["front", "m"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["name", "version", "enabled", "min_score", "max_width", "quality"])
    | st.text(max_size=4),
    VALUES,
    max_size=4,
)
VERBS = st.sampled_from([*commands.ASKED, "", "+", "#", "a/+/b", "\x00", "x" * 65_000, "\u2028"]) | st.text(
    max_size=8
)
REPLIES = st.sampled_from(
    ["", "me/1", "edged/box/cmd/ping", "edged/box/cmd", "#", "a/+", "x" * 600]
) | st.text(max_size=8)
PAYLOADS = (
    ARGUMENTS.map(lambda value: json.dumps(value).encode())
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=40)
)


@settings(max_examples=examples(150), deadline=None)
@given(verb=VERBS, reply_to=REPLIES, payload=PAYLOADS)
def test_any_message_gets_an_answer_that_can_be_sent_or_none(verb, reply_to, payload):
    topic = commands.TOPICS.command("").encode() + verb.encode(errors="replace")
    parts = [topic, reply_to.encode(errors="replace")]
    content = b"\x01".join([*(part.replace(b"\x01", b"") for part in parts), payload])
    assert commands.run(content) in {"refused", "wrong", "obeyed"}  # and what is asserted there


def test_right_ones_are_obeyed():
    assert {commands.run(seed) for seed in commands.SEEDS} == {"obeyed"}

"""What a signed target says of itself."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import BadInput
from edged.offers import (
    MAX_DELTAS,
    Delta,
    Needs,
    Offer,
    delta_target,
    draw,
    read_offer,
    target_of,
    written,
)

OLD, NEW, TAR = "sha256:" + "a" * 64, "sha256:" + "b" * 64, "c" * 64
OFFER = Offer(
    name="vehicles",
    version=3,
    channel="stable",
    rollout=0.1,
    digest=NEW,
    unpacked_bytes=123,
    needs=Needs("0.1.0", ("openvino", "openvino:GPU"), 2**30),
    deltas=(Delta(OLD, "models/vehicles/3.from-2.zst"),),
    target="models/vehicles/3.tar",
    length=10240,
    sha256=TAR,
)


def _read(custom: Any, target: str = OFFER.target) -> Offer:
    return read_offer(target, OFFER.length, OFFER.sha256, custom)


def test_what_was_written_is_read_back() -> None:
    assert _read(written(OFFER)) == OFFER


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}", fullmatch=True)


@settings(max_examples=50)
@given(names, st.integers(1, 10**9 - 1), st.integers(0, 10**6), st.integers(0, MAX_DELTAS))
def test_any_offer_survives_its_metadata(name: str, version: int, millionths: int, deltas: int) -> None:
    offer = replace(
        OFFER,
        name=name,
        version=version,
        rollout=millionths / 10**6,
        target=target_of(name, version),
        deltas=tuple(Delta(OLD, delta_target(name, old, version)) for old in range(1, deltas + 1)),
    )
    assert _read(written(offer), offer.target) == offer


def test_keys_of_a_later_edged_are_passed_over() -> None:
    custom = written(OFFER) | {"colour": "blue"}
    custom["needs"]["npu"] = True
    custom["deltas"][0]["algorithm"] = "best"
    assert _read(custom) == OFFER


def test_what_is_not_needed_may_be_left_out() -> None:
    custom = written(OFFER)
    del custom["needs"], custom["deltas"]
    assert _read(custom) == replace(OFFER, needs=Needs(), deltas=())


def test_a_later_format_asks_for_a_newer_edged() -> None:
    with pytest.raises(BadInput, match=r"models/vehicles/3\.tar: .*needs a newer edged"):
        _read(written(OFFER) | {"edged": 2})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("edged", None),
        ("edged", True),
        ("name", "../vehicles"),
        ("name", "people"),
        ("version", None),
        ("version", 3.0),
        ("channel", ""),
        ("channel", "a/b"),
        ("rollout", "1.5"),
        ("rollout", "nan"),
        ("rollout", "-0"),
        ("rollout", 0.1),
        ("rollout", True),
        ("rollout", None),
        ("digest", "sha256:12"),
        ("digest", "b" * 64),
        ("unpacked_bytes", 0),
        ("unpacked_bytes", 10**30),
        ("needs", []),
        ("needs", {"edged": "newest"}),
        ("needs", {"providers": "cpu"}),
        ("needs", {"providers": ["a b"]}),
        ("needs", {"memory_bytes": -1}),
        ("deltas", {}),
        ("deltas", [[]]),
        ("deltas", [{"from": OLD, "target": "models/vehicles/4.from-2.zst"}]),
        ("deltas", [{"from": OLD, "target": "models/vehicles/../../3.from-2.zst"}]),
        ("deltas", [{"from": "old", "target": "models/vehicles/3.from-2.zst"}]),
        ("deltas", [{"from": OLD, "target": "models/vehicles/3.from-2.zst"}] * (MAX_DELTAS + 1)),
    ],
)
def test_a_key_out_of_bounds_is_named_with_its_target(key: str, value: Any) -> None:
    custom = written(OFFER) | {key: value}
    with pytest.raises(BadInput) as caught:
        _read({name: one for name, one in custom.items() if one is not None})
    assert OFFER.target in str(caught.value)
    assert key in str(caught.value)


def test_metadata_of_another_version_does_not_pass_for_this_one() -> None:
    with pytest.raises(BadInput, match=r"belongs at models/vehicles/4\.tar"):
        _read(written(OFFER) | {"version": 4})


@pytest.mark.parametrize("custom", [None, [], "offer", 3])
def test_custom_that_is_no_table_is_refused(custom: Any) -> None:
    with pytest.raises(BadInput, match="is no table"):
        _read(custom)


def test_a_draw_never_changes() -> None:
    # sha256sum of "gate-7\nvehicles\n3" begins with d0d903dac7ccebe3
    assert draw("gate-7", "vehicles", 3) == pytest.approx(0xD0D903DAC7CCEBE3 / 2**64)
    assert draw("gate-7", "vehicles", 4) != draw("gate-7", "vehicles", 3)


def test_a_tenth_of_the_boxes_draw_less_than_a_tenth() -> None:
    drawn = [draw(f"box-{n}", "vehicles", 3) for n in range(10_000)]
    assert all(0 <= one < 1 for one in drawn)
    assert sum(one < 0.1 for one in drawn) == pytest.approx(1000, abs=100)


def test_who_has_it_keeps_it_when_the_rollout_is_widened() -> None:
    drawn = {f"box-{n}": draw(f"box-{n}", "vehicles", 3) for n in range(1000)}
    first = {box for box, at in drawn.items() if at < 0.1}
    assert first < {box for box, at in drawn.items() if at < 0.5}


def test_what_is_written_can_be_signed() -> None:
    from securesystemslib.formats import encode_canonical

    assert '"rollout":"0.1"' in str(encode_canonical(written(OFFER)))

"""The greatest version that is for this box, and the reason why not a greater one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.modelstore.records import Rejection
from edged.offers import Needs, Offer, draw
from edged.updates.choosing import Box, Choice, Holding, choose, lacks

BOX = Box("gate-7", "0.3.1", ("openvino:CPU", "cpu"), 4 * 1024**3)
NOTHING = Holding()


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def offer(version: int, **changes: Any) -> Offer:
    given = {
        "name": "vehicles",
        "version": version,
        "channel": "stable",
        "rollout": 1.0,
        "digest": digest(version),
        "unpacked_bytes": 1,
        "needs": Needs(),
        "deltas": (),
        "target": f"models/vehicles/{version}.tar",
        "length": 1,
        "sha256": "0" * 64,
    }
    return Offer(**{**given, **changes})


def holding(*versions: int, **changes: Any) -> Holding:
    return replace(Holding({number: digest(number) for number in versions}), **changes)


def rejection(version: int, step: str = "probation", reason: str = "slow", **changes: Any) -> Rejection:
    return Rejection(
        **{"version": version, "digest": digest(version), "step": step, "reason": reason, **changes}
    )


def chosen(*offers: Offer, held: Holding = NOTHING, box: Box = BOX) -> Choice:
    return choose("vehicles", "stable", offers, held, box)


def test_nothing_is_wanted_where_nothing_is_offered() -> None:
    assert chosen() == Choice("nothing")
    assert chosen(held=holding(3)) == Choice("nothing"), "an offer that is gone is no order to remove"


def test_the_greatest_version_is_wanted() -> None:
    assert chosen(offer(2), offer(10), offer(9), held=holding(1)) == Choice("wanted", offer(10))
    assert chosen(offer(1)) == Choice("wanted", offer(1)), "also where there is none yet"


def test_other_models_and_channels_are_none_of_its_business() -> None:
    assert chosen(offer(2, name="parcels"), offer(3, channel="beta")) == Choice("nothing")


def test_what_is_there_is_not_fetched_and_what_is_older_neither() -> None:
    assert chosen(offer(2), offer(3), held=holding(2, 3)) == Choice("there", offer(3))
    assert chosen(offer(2), held=holding(3)) == Choice("nothing")


def test_a_number_that_stands_for_another_model_here_is_refused() -> None:
    choice = chosen(offer(3), offer(2), held=Holding({3: digest(99)}))
    assert (choice.state, choice.offer) == ("refused", offer(3))
    assert choice.reason.startswith("conflict: version 3 is in the store with another digest")


def test_a_folder_that_holds_no_model_takes_a_number_and_holds_up_nothing_else() -> None:
    held = Holding({1: digest(1), 3: ""})
    assert chosen(offer(3), held=held).state == "refused"
    assert chosen(offer(2), held=held) == Choice("wanted", offer(2))
    assert chosen(offer(4), offer(3), held=held) == Choice("wanted", offer(4))


@pytest.mark.parametrize("stands", [True, False])
def test_a_model_that_was_rejected_here_is_never_taken_again(stands: bool) -> None:
    held = holding(2, *([3] if stands else []), rejected=[rejection(3)])
    held = replace(held, unfit={3} if stands else ())
    assert chosen(offer(3), offer(2), held=held) == Choice(
        "refused", offer(3), "rejected: version 3 was rolled back here: probation: slow"
    )
    assert chosen(offer(4, digest=digest(3)), held=held).state == "refused", "under another number neither"
    assert chosen(offer(4), offer(3), held=held) == Choice("wanted", offer(4))


def test_the_same_model_with_other_files_beside_it_is_another_version() -> None:
    """Its ``model.toml`` was mended."""
    bad, mended = digest(70), digest(71)
    held = holding(2, rejected=[rejection(3, content=bad)])

    def again(version: int, content: str) -> Choice:
        return chosen(offer(version, digest=digest(3), content=content), held=held)

    assert again(4, mended).state == "wanted"
    assert again(4, bad).state == "refused"
    assert again(4, "").state == "refused", "it was not signed what is in it"
    assert again(3, mended).state == "refused", "a number never changes"
    held = replace(held, rejected=[rejection(3)])
    assert again(4, mended).state == "refused", "it was not written down what was in it"
    held = replace(held, rejected=[rejection(3, content=bad), rejection(4, digest=digest(3), content=mended)])
    assert again(5, mended).reason.startswith("rejected: version 5 was rolled back here")
    assert again(5, digest(72)).state == "wanted"


def test_a_version_below_a_rejected_one_is_still_wanted() -> None:
    held = holding(1, 9, rejected=[rejection(9, "shapes", "no boxes")], unfit={9})
    choice = chosen(offer(9), offer(5), held=held)
    assert (choice.state, choice.offer) == ("wanted", offer(5))
    assert "version 9 was rejected" in choice.reason


def test_who_is_not_in_a_rollout_takes_what_all_may_have() -> None:
    far = offer(5, rollout=draw("gate-7", "vehicles", 5))
    assert chosen(far, offer(4), held=holding(3)) == Choice(
        "wanted",
        offer(4),
        f"version 5 goes to {100 * far.rollout:.3g} % of the boxes, and not to this one",
    )
    assert chosen(far, held=holding(3)).state == "nothing"
    near = replace(far, rollout=far.rollout + 1e-9)
    assert chosen(near, offer(4), held=holding(3)) == Choice("wanted", near)


def test_a_version_that_is_there_is_not_put_in_question_by_its_rollout() -> None:
    assert chosen(offer(3, rollout=0.0), held=holding(3)) == Choice("there", offer(3, rollout=0.0))


@pytest.mark.parametrize(
    ("needs", "lacking"),
    [
        (Needs(), ""),
        (Needs(edged="0.3.1"), ""),
        (Needs(edged="0.3"), ""),
        (Needs(edged="0.10"), "edged 0.10, and this is 0.3.1"),
        (Needs(edged="0.3.1.1"), "edged 0.3.1.1, and this is 0.3.1"),
        (Needs(providers=("cuda", "cpu")), ""),
        (Needs(providers=("openvino",)), ""),
        (Needs(providers=("openvino:CPU",)), ""),
        (
            Needs(providers=("openvino:GPU", "cuda")),
            "a provider of openvino:GPU, cuda, and this box has openvino:CPU, cpu",
        ),
        (Needs(memory_bytes=4 * 1024**3), ""),
        (Needs(memory_bytes=8 * 1024**3), "8192 MiB of memory, and this box has 4096 MiB"),
    ],
)
def test_what_a_box_lacks_is_named(needs: Needs, lacking: str) -> None:
    assert lacks(needs, BOX) == lacking
    choice = chosen(offer(4, needs=needs), offer(3), held=holding(2))
    assert (choice.state, choice.offer and choice.offer.version) == ("wanted", 3 if lacking else 4)
    if lacking:
        assert choice.reason == f"needs: version 4 needs {lacking}"


def test_what_is_not_known_of_a_box_is_not_held_against_it() -> None:
    unknown = Box("gate-7", "0.3.1")
    assert lacks(Needs(providers=("cuda",), memory_bytes=2**50), unknown) == ""
    assert lacks(Needs(edged="0.3.1"), Box("gate-7", "0.3.1.dev4+abc")) == ""


OFFERS = st.lists(
    st.builds(
        offer,
        st.integers(1, 9),
        rollout=st.sampled_from([0.0, 0.5, 1.0]),
        digest=st.integers(1, 12).map(digest),
        needs=st.sampled_from([Needs(), Needs(edged="9")]),
    ),
    unique_by=lambda one: one.version,
)


@settings(max_examples=60)
@given(OFFERS, st.dictionaries(st.integers(1, 9), st.integers(1, 12).map(digest)), st.data())
def test_whatever_is_offered_nothing_older_rejected_or_unfit_is_fetched(
    offers: list[Offer], there: dict[int, str], data: st.DataObject
) -> None:
    rejected = data.draw(st.sets(st.sampled_from(sorted(set(there.values()))))) if there else set()
    unfit = {number for number, one in there.items() if one in rejected}
    held = Holding(there, [rejection(n, digest=there[n]) for n in sorted(unfit)], unfit)
    choice = chosen(*offers, held=held)
    if choice.state == "wanted":
        assert choice.offer
        assert choice.offer.version not in there
        assert choice.offer.version > max(set(there) - unfit, default=0)
        assert choice.offer.digest not in rejected
        assert draw(BOX.device, "vehicles", choice.offer.version) < choice.offer.rollout
        assert not lacks(choice.offer.needs, BOX)
    if choice.state == "there":
        assert choice.offer
        assert there[choice.offer.version] == choice.offer.digest
    assert (choice.offer is None) == (choice.state == "nothing")

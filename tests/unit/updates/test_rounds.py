"""What is offered gets into the store by one rename, or not at all."""

import hashlib
import os
from pathlib import Path

import pytest
from update_doubles import BOX, FakeClient, offer_of

from edged.errors import CannotWrite, NotAllowed, Unreachable, UpdateRefused, UpdateUnreachable
from edged.updates.rounds import HOLD_S, Rounds, is_weather, worded

STABLE = {"m": "stable"}


@pytest.fixture
def client(tmp_path: Path) -> FakeClient:
    return FakeClient(tmp_path / "store")


@pytest.fixture
def rounds(client: FakeClient, tmp_path: Path) -> Rounds:
    return Rounds(client, tmp_path / "store")


def nobody(_done: int, _of: int) -> None:
    pass


def test_a_version_that_was_taken_stands_in_the_store_and_is_not_wanted_again(
    client: FakeClient, rounds: Rounds, tmp_path: Path
) -> None:
    client.offers = (offer_of("m", 3, b"three"),)
    (choice,) = rounds.look(STABLE, BOX).values()
    assert choice.state == "wanted"
    assert choice.offer
    rounds.take(choice.offer, nobody, 0.0)
    assert (tmp_path / "store" / "m" / "3" / "model.onnx").read_bytes() == b"three"
    assert rounds.look(STABLE, BOX)["m"].state == "there"
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [".updates", "m"]


def test_deltas_are_told_what_this_box_holds(client: FakeClient, rounds: Rounds, tmp_path: Path) -> None:
    old = tmp_path / "store" / "m" / "1" / "model.onnx"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"one")
    rounds.take(offer_of("m", 2, b"two"), nobody, 0.0)
    rounds.take(offer_of("m", 3, b"three", deltas=True), nobody, 0.0)
    digests = {f"sha256:{hashlib.sha256(text).hexdigest()}" for text in (b"one", b"two")}
    assert [set(held) for held in client.held] == [set(), digests]
    assert old in client.held[1].values()


def test_a_number_that_was_taken_meanwhile_stays_what_it_is(
    client: FakeClient, rounds: Rounds, tmp_path: Path
) -> None:
    there = tmp_path / "store" / "m" / "3"

    def copied_by_hand(_done: int, _of: int) -> None:
        there.mkdir(parents=True, exist_ok=True)
        (there / "model.onnx").write_bytes(b"by hand")

    with pytest.raises(CannotWrite) as caught:
        rounds.take(offer_of("m", 3, b"three"), copied_by_hand, 0.0)
    assert (there / "model.onnx").read_bytes() == b"by hand"
    assert is_weather(caught.value)
    assert worded(caught.value).startswith("disk: ")


def test_a_package_that_is_not_what_was_signed_is_not_downloaded_again_and_again(
    client: FakeClient, rounds: Rounds
) -> None:
    offer = offer_of("m", 3, b"three")
    client.offers, client.error = (offer,), UpdateRefused("m 3", "is another file", reason="mismatch")
    now_s, pauses = 0.0, []
    for _ in range(10):
        assert rounds.held_back(offer, now_s) == ""
        with pytest.raises(UpdateRefused):
            rounds.take(offer, nobody, now_s)
        began_s = now_s
        while why := rounds.held_back(offer, now_s):
            assert why == "mismatch: m 3: is another file"
            now_s += HOLD_S / 2
        pauses.append(now_s - began_s)
    assert pauses == [HOLD_S * factor for factor in (1, 2, 4, 8, 16, 32, 64, 96, 96, 96)]
    client.offers = (offer_of("m", 3, b"another three"),)
    (choice,) = rounds.look(STABLE, BOX).values()
    assert choice.offer
    assert rounds.held_back(choice.offer, now_s) == "", "what was signed anew is another package"


def test_weather_holds_nothing_back(client: FakeClient, rounds: Rounds) -> None:
    offer = offer_of("m", 3, b"three")
    client.error = UpdateUnreachable("m 3", "the connection broke", reason="interrupted")
    with pytest.raises(UpdateUnreachable) as caught:
        rounds.take(offer, nobody, 0.0)
    assert rounds.held_back(offer, 0.0) == ""
    assert worded(caught.value) == "interrupted: m 3: the connection broke"


def test_a_single_file_in_the_store_is_not_turned_into_a_folder(
    client: FakeClient, rounds: Rounds, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir(exist_ok=True)
    (tmp_path / "store" / "m.onnx").write_bytes(b"one")
    assert rounds.look(STABLE, BOX)["m"].state == "nothing"
    client.offers = (offer_of("m", 2, b"two"), offer_of("m", 3, b"three"))
    (choice,) = rounds.look(STABLE, BOX).values()
    assert (choice.state, choice.offer) == ("refused", client.offers[1])
    assert "move it to m/1/model.onnx" in choice.reason


def test_a_model_that_belongs_to_somebody_else_is_not_downloaded_in_vain(
    client: FakeClient, rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store" / "m").mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NotAllowed) as caught:
        rounds.take(offer_of("m", 3, b"three"), nobody, 0.0)
    assert client.held == []
    assert not is_weather(caught.value)


def test_who_shares_the_store_waits_until_the_other_has_downloaded(
    client: FakeClient, rounds: Rounds, tmp_path: Path
) -> None:
    offer = offer_of("m", 3, b"three")
    other = Rounds(client, tmp_path / "store")
    refusals: list[str] = []

    def meanwhile(_done: int, _of: int) -> None:
        with pytest.raises(Unreachable) as caught:
            other.take(offer, nobody, 0.0)
        refusals.append(worded(caught.value))

    rounds.take(offer, meanwhile, 0.0)
    assert "another edged downloads into this store" in refusals[0]
    other.take(offer, nobody, 0.0)
    assert client.fetched == [("m", 3)], "what the other one brought is there"

"""Packages and deltas that are signed, and no good.

Real signatures, a web server on the loopback; each test says what the box did, in the word of its state, and that the
store shows nothing new. docs/updates.md has them as a table.
"""

import hashlib

import pytest
from signed_repository import MEMBERS, MODEL, Repository, delta_of, digest_of
from structlog.testing import capture_logs

HOSTILE = {
    "no model": {"model.toml": b""},
    "a stranger's file": MEMBERS | {"run.sh": b"#!/bin/sh"},
    "a way out": MEMBERS | {"golden/../../../evil": b"x"},
    "an absolute name": MEMBERS | {"/etc/passwd": b"x"},
    "a hidden file": MEMBERS | {"golden/.x": b""},
    "a wrong model.toml": MEMBERS | {"model.toml": b"task = 7"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_signed_package_that_is_none(box, server, repository, name):
    repository.add("parcels", 3, HOSTILE[name])
    del repository.signed["targets"].targets["models/parcels/2.tar"]
    repository.release()
    box.refuses("package", box.take)
    assert box.parts == []


def with_delta(repository: Repository) -> tuple[bytes, dict[str, bytes]]:
    new = MEMBERS | {"model.onnx": MODEL[:300_000] + b"another head" + MODEL[300_000:]}
    repository.add("parcels", 3, new, delta_from=(2, MODEL))
    del repository.signed["targets"].targets["models/parcels/2.tar"]
    repository.release()
    return MODEL, new


def test_a_delta_is_a_fraction_of_the_bytes(box, server, repository, tmp_path):
    old, new = with_delta(repository)
    (tmp_path / "old.onnx").write_bytes(old)
    (offer,) = box.client.refresh()
    folder = box.fetch(offer, {digest_of(old): tmp_path / "old.onnx"})
    assert (folder / "model.onnx").read_bytes() == new["model.onnx"]
    assert repository.tar_of(3) not in server.asked
    delta = repository.path_of("models/parcels/3.from-2.zst")
    assert server.sent[delta] < 0.05 * offer.length
    assert box.parts == []


@pytest.mark.parametrize(
    "harm", ["changed", "404", "a page", "not zstd", "another old model", "no old model", "too much"]
)
def test_whatever_is_wrong_with_a_delta_the_tar_comes(box, server, repository, tmp_path, harm):
    old, new = with_delta(repository)
    path = repository.path_of("models/parcels/3.from-2.zst")
    (tmp_path / "old.onnx").write_bytes(b"something else" * 1000 if harm == "another old model" else old)
    if harm == "changed":
        server.files[path] = server.files[path][:-1] + b"\x00"
    elif harm == "404":
        del server.files[path]
    elif harm == "a page":
        server.harm[path] = lambda request, _: request.answer(200, b"<html>", Content_Type="text/html")
    elif harm in {"not zstd", "too much"}:
        bad = b"junk" * 100 if harm == "not zstd" else delta_of(old, bytes(50_000_000))
        file = repository.signed["targets"].targets["models/parcels/3.from-2.zst"]
        file.length, file.hashes = len(bad), {"sha256": hashlib.sha256(bad).hexdigest()}
        repository.files[repository.path_of("models/parcels/3.from-2.zst")] = bad
        repository.release()
    (offer,) = box.client.refresh()
    where = tmp_path / ("missing" if harm == "no old model" else "old.onnx")
    folder = box.fetch(offer, {digest_of(old): where})
    assert (folder / "model.onnx").read_bytes() == new["model.onnx"]
    assert box.parts == []


def test_a_delta_that_breaks_off_goes_on_as_a_delta(box, server, repository, tmp_path):
    old, _ = with_delta(repository)
    (tmp_path / "old.onnx").write_bytes(old)
    path = repository.path_of("models/parcels/3.from-2.zst")
    server.harm[path] = lambda request, content: request.answer(503, b"")
    (offer,) = box.client.refresh()
    holding = {digest_of(old): tmp_path / "old.onnx"}
    box.waits("unreachable", lambda: box.fetch(offer, holding))
    server.harm.clear()
    box.fetch(offer, holding)
    assert repository.tar_of(3) not in server.asked


def test_an_offer_that_was_withdrawn_is_not_fetched(box, server, repository):
    (offer,) = box.client.refresh()
    del repository.signed["targets"].targets["models/parcels/2.tar"]
    repository.release()
    assert box.client.refresh() == ()
    box.refuses("mismatch", lambda: box.fetch(offer))


def test_an_offer_that_cannot_be_read_does_not_hide_the_others(box, server, repository):
    repository.add("parcels", 3, MEMBERS, rollout=7)
    repository.release()
    with capture_logs() as logs:
        for _ in range(2):
            assert [offer.version for offer in box.client.refresh()] == [2]
    (line,) = logs
    assert line["target"] == "models/parcels/3.tar"
    assert "rollout" in line["problem"]

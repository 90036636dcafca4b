"""What happens to the file of a model on its way.

Real signatures, a web server on the loopback; each test says what the box did, in the word of its state, and that the
store shows nothing new. docs/updates.md has them as a table.
"""

import hashlib
import os
import time

import pytest
from http_server import Request
from repository_server import reset
from signed_repository import FOLDERS, MEMBERS, MODEL, packed

from edged.updates.client import KEPT_S


def test_an_honest_repository_brings_a_version_ready_for_the_store(box, server, repository):
    folder = box.take()
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == MEMBERS
    assert folder.parent == box.store / ".updates"
    assert box.parts == []
    assert box.seen[0] == (0, len(packed(MEMBERS)))
    assert box.seen[-1] == (len(packed(MEMBERS)), len(packed(MEMBERS)))
    server.asked.clear()
    box.client.refresh()
    assert server.asked == ["metadata/2.root.json", "metadata/timestamp.json"]  # an idle look
    assert [request.headers["Cache-Control"] for request in server.web.requests[-2:]] == ["no-cache"] * 2


def test_a_changed_byte(box, server, repository):
    content = bytearray(server.files[repository.tar_of(2)])
    content[300_000] ^= 1
    server.files[repository.tar_of(2)] = bytes(content)
    error = box.refuses("mismatch", box.take)
    assert repository.tar_of(2) in error.subject
    assert box.parts == []


@pytest.mark.parametrize("change", ["longer", "shorter"])
def test_a_file_of_another_length(box, server, repository, change):
    content = server.files[repository.tar_of(2)]
    server.files[repository.tar_of(2)] = content + b"\x00" if change == "longer" else content[:-1]
    error = box.refuses("mismatch", box.take)
    assert f"{len(content):,}" in error.problem
    assert server.sent.get(repository.tar_of(2), 0) <= len(content) + 1
    assert box.parts == []


def test_a_longer_one_that_hides_its_length_is_read_no_further_than_was_signed(box, server, repository):
    def endless(request: Request, content: bytes) -> None:
        request.head(200)
        while not server.web.stopped.is_set():
            request.wfile.write(b"\x00" * 65536)

    server.harm[repository.tar_of(2)] = endless
    box.refuses("mismatch", box.take)
    assert box.parts == []


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_cut_in_the_middle_is_gone_on_from_there(box, server, repository, how):
    path = repository.tar_of(2)

    def cut_once(request: Request, content: bytes) -> None:
        del server.harm[path]
        request.head(200, Content_Length=str(len(content)), ETag='"x"')
        request.wfile.write(content[:250_000])
        server.sent[path] = 250_000
        if how == "reset":
            time.sleep(0.2)  # a reset throws away what is still on its way
            reset(request)

    server.harm[path] = cut_once
    folder = box.take()
    assert (folder / "model.onnx").read_bytes() == MODEL
    size = len(server.files[path])
    # The server calls the file something else by now, so it comes from its beginning; without that, from the cut.
    assert server.sent[path] == 250_000 + size


def test_cut_every_64_kb_it_comes_all_the_same_and_no_byte_comes_twice(box, server, repository):
    server.cut_every = 64 * 1024
    folder = box.take()
    assert (folder / "model.onnx").read_bytes() == MODEL
    path = repository.tar_of(2)
    size = len(server.files[path])
    assert server.sent[path] <= 1.05 * size
    assert server.asked.count(path) == -(-size // server.cut_every)


def test_what_came_outlives_the_process(box, server, repository):
    path = repository.tar_of(2)

    def cut_for_good(request: Request, content: bytes) -> None:
        if "Range" in request.headers:
            request.answer(503, b"")
            return
        server.sent[path] = 200_000
        body = content[:200_000]
        request.head(
            200, Content_Length=str(len(content)), ETag=f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        )
        request.wfile.write(body)

    server.harm[path] = cut_for_good
    box.waits("unreachable", box.take)
    assert [part.stat().st_size for part in box.parts] == [200_000]
    server.harm.clear()
    box.restart()
    box.take()
    assert box.seen[-1] == (len(server.files[path]),) * 2
    assert server.sent[path] == len(server.files[path])


def test_a_server_that_knows_no_ranges_is_read_from_the_beginning(box, server, repository):
    box.client.refresh()
    part = box.store / ".updates" / f"{hashlib.sha256(server.files[repository.tar_of(2)]).hexdigest()}.part"
    part.write_bytes(server.files[repository.tar_of(2)][:1000])
    server.ranges = False
    assert (box.take() / "model.onnx").read_bytes() == MODEL


@pytest.mark.parametrize("kept", ["spoilt", "whole but spoilt", "longer"])
def test_what_was_spoilt_on_the_disk_is_no_alarm_and_comes_once_more(box, server, repository, kept):
    content = server.files[repository.tar_of(2)]
    part = box.store / ".updates" / f"{hashlib.sha256(content).hexdigest()}.part"
    box.client.refresh()
    spoilt = {"spoilt": bytes(1000), "whole but spoilt": bytes(len(content)), "longer": content + b"x"}[kept]
    part.write_bytes(spoilt)
    assert (box.take() / "model.onnx").read_bytes() == MODEL


@pytest.mark.parametrize("answer", ["another range", "another length", "no range"])
def test_a_wrong_answer_to_a_range_is_never_joined_to_what_is_there(box, server, repository, answer):
    content = server.files[repository.tar_of(2)]
    box.client.refresh()
    part = box.store / ".updates" / f"{hashlib.sha256(content).hexdigest()}.part"
    part.write_bytes(content[:1000])
    said = {
        "another range": f"bytes 500-{len(content) - 1}/{len(content)}",
        "another length": f"bytes 1000-{len(content)}/{len(content) + 1}",
        "no range": "",
    }[answer]

    def lie(request: Request, content: bytes) -> None:
        if "Range" not in request.headers:
            server.give(request, content)
            return
        request.head(206, Content_Range=said, Content_Length=str(len(content) - 500))
        request.wfile.write(content[500:])

    server.harm[repository.tar_of(2)] = lie
    if answer == "another length":
        box.refuses("mismatch", box.take)
        assert box.parts == []
    else:
        assert (box.take() / "model.onnx").read_bytes() == MODEL
        assert box.seen.count((len(content), len(content))) == 1


@pytest.mark.parametrize("what", ["target", "timestamp", "snapshot"])
def test_404(box, server, repository, what):
    path = {
        "target": repository.tar_of(2),
        "timestamp": "metadata/timestamp.json",
        "snapshot": "metadata/2.snapshot.json",
    }
    del server.files[path[what]]
    box.waits("missing", box.take)


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused(box, server, repository, status):
    for path in list(server.files):
        server.harm[path] = lambda request, content: request.answer(status, b"")
    server.harm["metadata/2.root.json"] = lambda request, content: request.answer(status, b"")
    box.waits("not allowed")


@pytest.mark.parametrize("only", FOLDERS)
def test_a_captive_portal_is_no_alarm(box, server, repository, only):
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>"

    def portal(request: Request, content: bytes) -> None:
        request.answer(200, page, Content_Type="text/html; charset=utf-8")

    for path in [*server.files, "metadata/2.root.json"]:
        if path.startswith(only):
            server.harm[path] = portal
    box.waits("no repository", box.take)


def test_a_portal_that_leads_away(box, server, repository):
    server.web.serve("/login", b"")
    for path in ("metadata/timestamp.json", "metadata/2.root.json"):
        server.harm[path] = lambda request, content: request.answer(302, b"", Location="/repo/login")
    server.harm["login"] = lambda request, content: request.answer(200, b"log in")
    box.waits("no repository")


def test_what_came_of_a_target_that_is_signed_no_more_is_forgotten_after_a_week(box, server, repository):
    offer = repository.add("parcels", 3, MEMBERS | {"labels.txt": b"box\n"})
    repository.release()
    box.client.refresh()
    week_ago_s = time.time() - KEPT_S - 60
    for sha256, came_s in ((offer.sha256, week_ago_s), ("0" * 64, week_ago_s), ("1" * 64, time.time())):
        for end in (".part", ".part.tag"):
            part = box.store / ".updates" / f"{sha256}{end}"
            part.write_bytes(b"1")
            os.utime(part, (came_s, came_s))
    box.client.refresh()
    kept = {f"{offer.sha256}.part", f"{'1' * 64}.part"}
    assert {part.name for part in box.parts} == kept, (
        "another instance that shares the store may go on with one"
    )
    del repository.signed["targets"].targets[offer.target]
    repository.release()
    box.client.refresh()
    left = {path.name for path in (box.store / ".updates").iterdir()}
    assert left == {f"{'1' * 64}.part", f"{'1' * 64}.part.tag", box.floors[1].name}

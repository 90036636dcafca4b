"""`edged publish` as a publisher uses it, and its repository as TUF's own client sees it over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import toy_models
from commands import Done, environment, failed
from tuf.ngclient import Updater

PASSPHRASE = "correct horse battery"


class Desk:
    """A publisher's machine."""

    def __init__(self, folder: Path, command: Callable[..., Done]) -> None:
        self.folder, self._command = folder, command
        self.updates = folder / "updates"

    def run(self, command: str, *arguments: object, **environment: str) -> Done:
        where = () if command in {"init", "verify", "serve"} else ("-r", self.updates)
        return self._command("publish", command, *arguments, *where, **environment)

    def ok(self, command: str, *arguments: object) -> dict[str, Any]:
        done = self.run(command, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def model(self, name: str) -> Path:
        (self.folder / name).mkdir()
        toy_models.light_detector(self.folder / name / "model.onnx")
        return self.folder / name

    @contextmanager
    def served(self) -> Iterator[str]:
        command = [sys.executable, "-m", "edged", "publish", "serve", str(self.updates), "--port", "0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment(PYTHONUNBUFFERED="1")
        ) as server:
            try:
                assert server.stdout is not None
                line = server.stdout.readline()
                found = re.search(r"http://127\.0\.0\.1:\d+", line)
                assert found, line
                yield found[0]
            finally:
                server.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
                server.wait(10)

    def box(self, name: str, url: str) -> Updater:
        """A box that keeps its metadata from call to call, refreshed."""
        cache = self.folder / name
        cache.mkdir(exist_ok=True)
        (cache / "targets").mkdir(exist_ok=True)
        root = (self.folder / "updates.keys" / "root.json").read_bytes()
        client = Updater(
            str(cache), f"{url}/metadata/", str(cache / "targets"), f"{url}/targets/", bootstrap=root
        )
        client.refresh()
        return client


@pytest.fixture
def desk(tmp_path: Path, edged: Callable[..., Done]) -> Desk:
    return Desk(tmp_path, edged)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_release_from_the_first_key_to_a_box_and_on_through_lost_keys(desk: Desk) -> None:
    made = desk.ok("init", "updates")
    assert len(made["keys"]) == 5
    model = desk.model("first")
    Path(made["root"]).unlink()
    assert not desk.ok("init", "updates")["changed"]
    assert Path(made["root"]).read_bytes() == (desk.updates / "metadata" / "1.root.json").read_bytes()
    (desk.folder / "updates.root-keys").rename(desk.folder / "safe")  # no daily work needs them

    added = desk.ok("add", model, "--name", "cats", "--rollout", "10%")
    assert added["offer"]["version"] == 1
    before = _contents(desk.updates)
    assert not desk.ok("add", model, "--name", "cats", "--rollout", "10%")["changed"]
    assert _contents(desk.updates) == before

    with desk.served() as url:
        seen = desk.box("box", url).get_targetinfo("models/cats/1.tar")
        assert seen is not None
        assert seen.custom["rollout"] == "0.1"
        assert Path(desk.box("box", url).download_target(seen)).stat().st_size == added["offer"]["length"]
        assert desk.ok("verify", url, "--root", made["root"])["targets"] == 1

        assert desk.ok("widen", "cats", 1, "--rollout", "0.5")["changed"]
        assert not desk.ok("widen", "cats", 1, "--rollout", "50%")["changed"]
        assert desk.box("box", url).get_targetinfo("models/cats/1.tar").custom["rollout"] == "0.5"  # type: ignore[union-attr]

        (desk.folder / "updates.keys" / "online.pem").unlink()  # lost
        failed(desk.run("withdraw", "cats", 1), 77, "role snapshot: needs 1 signature")
        Path(made["root"]).rename(elsewhere := desk.folder / "root.json")
        failed(desk.run("refresh", "--force"), 66, "nothing is signed without a root that is trusted")
        elsewhere.rename(made["root"])
        keys = [
            "--root-key",
            desk.folder / "safe" / "root-1.pem",
            "--root-key",
            desk.folder / "safe" / "root-3.pem",
        ]
        exchange = ("online", "--new-key", desk.folder / "updates.keys" / "online-2.pem", *keys)
        assert desk.ok("rotate", *exchange)["root"] == 3
        assert not desk.ok("rotate", *exchange)["changed"]
        assert desk.ok("withdraw", "cats", 1)["changed"]
        assert not desk.ok("withdraw", "cats", 1)["changed"]
        assert desk.box("box", url).get_targetinfo("models/cats/1.tar") is None
        assert desk.box("new box", url).get_targetinfo("models/cats/1.tar") is None
        assert not desk.ok("refresh")["changed"]
        assert desk.ok("refresh", "--force")["signed"] == ["timestamp"]
        desk.box("box", url)


def test_what_does_not_pass_the_gate_is_not_published(desk: Desk) -> None:
    desk.ok("init", "updates")
    before = _contents(desk.updates)
    cut = desk.model("cut")
    (cut / "model.onnx").write_bytes((cut / "model.onnx").read_bytes()[:-100])
    failed(
        desk.run("add", cut, "--name", "cats", "--rollout", "1"), 65, r"does not pass the gate \(readable\)"
    )
    wrong = desk.model("wrong")
    (wrong / "model.toml").write_text(
        '[[golden]]\ninput = "golden/none.jpg"\nexpect = [{ label = "cat", box = [0, 0, 9, 9] }]\n'
    )
    failed(
        desk.run("add", wrong, "--name", "cats", "--rollout", "1"), 65, r"does not pass the gate \(golden\)"
    )
    failed(desk.run("add", "nothing", "--name", "cats", "--rollout", "1"), 66, "nothing")
    failed(desk.run("add", wrong, "--name", "../cats", "--rollout", "1"), 2, "--name")
    failed(desk.run("add", wrong, "--name", "cats", "--rollout", "200%"), 2, "--rollout")
    assert _contents(desk.updates) == before


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_publisher_killed_at_any_moment_leaves_what_verifies(desk: Desk) -> None:
    desk.ok("init", "updates")
    model = desk.model("first")
    command = [
        sys.executable,
        "-m",
        "edged",
        "publish",
        "add",
        str(model),
        "--name",
        "cats",
        "--rollout",
        "1",
    ]
    for wait_s in (1.0, 1.8):
        with subprocess.Popen(
            [*command, "-r", str(desk.updates)],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as killed:
            time.sleep(wait_s)  # any moment will do
            os.killpg(killed.pid, signal.SIGKILL)
        assert desk.ok("verify", desk.updates)["good"]
    assert desk.ok("add", model, "--name", "cats", "--rollout", "1")["offer"]["version"] == 1


def test_encrypted_keys_and_keys_of_the_environment_sign(desk: Desk) -> None:
    done = desk.run("init", "updates", EDGED_PUBLISH_PASSPHRASE=PASSPHRASE)
    assert done.returncode == 0, done.stderr
    keys = desk.folder / "updates.keys"
    assert PASSPHRASE not in done.stdout + done.stderr
    assert b"ENCRYPTED" in (keys / "online.pem").read_bytes()
    closed = "is encrypted; put its passphrase into EDGED_PUBLISH_PASSPHRASE"
    failed(desk.run("refresh", "--force"), 77, closed)
    secrets = {"ONLINE": (keys / "online.pem").read_text(), "EDGED_PUBLISH_PASSPHRASE": PASSPHRASE}
    done = desk.run("refresh", "--force", "--key", "env:ONLINE", **secrets)
    assert done.returncode == 0, done.stderr
    assert "signed timestamp" in done.stdout
    done = desk.run("refresh", "--force", **secrets, EDGED_PUBLISH_KEY="env:ONLINE")
    assert done.returncode == 0, done.stderr


def test_verify_says_what_a_box_would_meet(desk: Desk) -> None:
    desk.ok("init", "updates")
    desk.ok("add", desk.model("first"), "--name", "cats", "--rollout", "1")
    (tar,) = desk.updates.glob("targets/models/cats/*.tar")
    tar.write_bytes(tar.read_bytes()[:-1] + b"!")
    done = desk.run("verify", desk.updates)
    assert done.returncode == 65
    assert "has another hash than was signed" in done.stderr
    (desk.updates / "metadata" / "timestamp.json").write_text("<html>Sign in to use this network</html>")
    failed(desk.run("verify", desk.updates), 65, "does not verify")
    failed(desk.run("verify", "http://127.0.0.1:9/updates"), 69, "does not answer")
    failed(desk.run("verify", desk.folder / "nothing"), 66, "no such folder")

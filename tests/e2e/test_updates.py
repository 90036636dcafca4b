"""Models from afar: a publisher, two boxes and a broker. Half of the boxes first, then all, then one that is bad."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
import toy_models
from clips import solid_frame, write_clip
from daemons import Daemon
from mosquitto_broker import Listener, Mosquitto, until
from repository_server import RepositoryServer

from edged.modelstore.survey import content_digest
from edged.offers import Needs, draw
from edged.repository.keys import ring
from edged.repository.packing import pack
from edged.repository.putting import put_version
from edged.repository.release import Wish
from edged.repository.signing import UPWARD, keys_of
from edged.repository.tree import Tree

GREY, BLACK = (128, 128, 128), (0, 128, 128)
NEAR = next(name for name in map("box-{}".format, count()) if draw(name, "m", 2) < 0.5)
FAR = next(name for name in map("box-{}".format, count()) if draw(name, "m", 2) >= 0.5)


class Publisher:
    """Somebody with the keys, and the folder that a web server serves."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder / "updates", folder / "updates.keys" / "root.json"
        self._say("init", str(self.folder))

    def add(self, model: Path, *, rollout: str) -> float:
        """Release a version; when that was done."""
        self._say("add", str(model), "--name", "m", "--rollout", rollout, "--provider", "cpu")
        return time.monotonic()

    def widen(self, version: int, rollout: str) -> float:
        self._say("widen", "m", str(version), "--rollout", rollout)
        return time.monotonic()

    def sign_untried(self, model: Path) -> None:
        """Release what never saw the gate, as a publisher with another tool does."""
        tree = Tree(self.folder)
        current = tree.current(self.root.read_bytes())
        members = {path.name: path for path in model.iterdir()}
        package = replace(pack(members, model.with_suffix(".tar")), content=content_digest(model))
        signers = ring([str(self.root.parent)], keys_of(current.root.signed, UPWARD))
        put_version(
            tree, current, package, Wish("m", None, "stable", 1.0, Needs()), signers, now=datetime.now(UTC)
        )

    def _say(self, *words: str) -> None:
        where = ["--repository", str(self.folder)] if words[0] != "init" else []
        done = subprocess.run(
            [sys.executable, "-m", "edged", "publish", *words, *where],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"EDGED_PUBLISH_PASSPHRASE": ""},
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)


class Served:
    """The folder, as the server asks for files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, path: str) -> bytes | None:
        file = self._folder / path
        return file.read_bytes() if file.is_file() else None


class Box:
    """A daemon with an empty store, and what is heard of it."""

    def __init__(self, device: str, folder: Path, listener: Listener) -> None:
        self.device, self.folder, self.listener = device, folder, listener
        self.config = folder / "edged.toml"
        self.store = folder / "models"
        self.daemon: Daemon | None = None

    @property
    def log(self) -> str:
        return "\n".join(self.daemon.log[-20:]) if self.daemon else ""

    def configure(self, broker: str, clip: Path, url: str, root: Path) -> None:
        self.folder.mkdir()
        self.config.write_text(
            f'device = "{self.device}"\n[http]\nlisten = ""\n[mqtt]\nurl = "{broker}"\n'
            f'[store]\npath = "models"\n[models.m]\nproviders = ["cpu"]\ntimeout = "1s"\n'
            f'[cameras.front]\nurl = "{clip}"\nmodels = ["m"]\n'
            f'[updates]\nurl = "{url}"\nroot = "{root}"\ninterval = "1s"\n'
        )

    @property
    def results(self) -> list[dict[str, Any]]:
        return self.listener.objects(f"edged/{self.device}/camera/front/detections")

    @property
    def served(self) -> int:
        """The version that answered last; 0 = none."""
        found = self.results
        return cast(int, found[-1]["model"]["version"]) if found else 0

    @property
    def states(self) -> list[dict[str, Any]]:
        return self.listener.objects(f"edged/{self.device}/model/m/state")

    @property
    def update(self) -> dict[str, Any]:
        found = self.states
        return cast(dict[str, Any], found[-1].get("update", {})) if found else {}

    def serves(self, version: int) -> bool:
        state = self.states[-1] if self.states else {}
        return self.served == version and state.get("update", {}).get("state") == "active"


@pytest.fixture
def boxes(mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts both, once there is something to follow."""
    clip = write_clip(
        tmp_path / "blinking.mkv",
        [solid_frame(64, 64, BLACK if n % 20 == 19 else GREY) for n in range(3000)],
        fps=25,
    )
    broker = mosquitto()
    with ExitStack() as open_:
        listener = open_.enter_context(Listener(broker))

        def start(url: str, root: Path) -> tuple[Box, Box]:
            found = Box(NEAR, tmp_path / "near", listener), Box(FAR, tmp_path / "far", listener)
            for box in found:
                box.configure(broker.url, clip, url, root)
                box.daemon = open_.enter_context(Daemon("-c", str(box.config)))
            return found

        yield start


def model(folder: Path, number: int, make: Callable[[Path], Path]) -> Path:
    made = folder / f"release-{number}"
    made.mkdir()
    make(made / "model.onnx")
    return made


def good(n: int) -> Callable[[Path], Path]:
    return lambda path: toy_models.toy_detector(path, objects=[(n % 2, 0.9 - n / 1000, 10, 10, 30, 30)])


def test_a_release_goes_to_half_then_to_all_and_a_bad_one_is_taken_back(
    boxes: Callable[..., tuple[Box, Box]], tmp_path: Path
) -> None:
    publisher = Publisher(tmp_path)
    publisher.add(model(tmp_path, 1, good(1)), rollout="100%")
    with RepositoryServer(cast(Any, Served(publisher.folder))) as server:
        near, far = boxes(server.url, publisher.root)
        assert until(lambda: near.serves(1) and far.serves(1), 40), near.log + far.log
        for box in (near, far):
            assert box.daemon is not None
            assert not [line for line in box.daemon.log if "Z error" in line], "an empty store is no fault"
            first = box.states[0]
            assert first["why"] == (
                "models.m: has no version yet; the server of updates is asked for the first one"
            )

        released_s = publisher.add(model(tmp_path, 2, good(2)), rollout="50%")
        assert until(lambda: near.serves(2), 30), near.log
        print(f"half: {time.monotonic() - released_s:.1f} s from publish to active")
        assert until(lambda: "goes to 50 % of the boxes" in far.update.get("reason", ""), 10), far.update
        assert far.served == 1
        assert not (far.store / "m" / "2").exists()

        widened_s = publisher.widen(2, "100%")
        assert until(lambda: far.serves(2), 30), far.log
        print(f"all: {time.monotonic() - widened_s:.1f} s from widen to active")

        wrong = model(tmp_path, 3, good(3))
        (wrong / "model.toml").write_text(
            '[[golden]]\ninput = "golden/none.jpg"\nexpect = [{ label = "0", box = [0, 0, 9, 9] }]\n'
        )
        publisher.sign_untried(wrong)
        for box in (near, far):
            assert until(lambda box=box: box.update.get("state") == "refused", 30), box.log
            assert box.update["reason"].startswith("rejected: version 3 was rejected here: golden"), (
                box.update
            )
            assert box.served == 2

        (wrong / "model.toml").unlink()  # the same model.onnx, and what stood beside it mended
        publisher.add(wrong, rollout="100%")
        assert until(lambda: near.serves(4) and far.serves(4), 30), (near.update, far.update)

        bad_s = publisher.add(
            model(tmp_path, 5, lambda path: toy_models.nan_detector(path, always=False)), rollout="100%"
        )
        for box in (near, far):
            assert until(lambda box=box: box.update.get("state") == "refused", 60), box.log
            assert box.update["version"] == 5
            assert box.update["reason"].startswith("rejected: version 5 was r"), box.update
            assert "probation" in box.update["reason"]
            assert until(lambda box=box: box.served == 4, 10)
            assert [one["version"] for one in box.states[-1]["rejected"]] == [3, 5]
        print(f"bad: {time.monotonic() - bad_s:.1f} s from publish to taken back on both")

        asked = len(server.asked)
        assert until(lambda: server.asked[asked:].count("metadata/timestamp.json") >= 4, 15)
        fetched = [path.split(".")[1] for path in server.asked if path.startswith("targets/")]
        assert sorted(fetched) == sorted("1122334455"), "each version once by each box"
        for box in (near, far):
            assert box.served == 4
            assert box.update["state"] == "refused"
            versions = [one["model"]["version"] for one in box.results]
            order = [one for one, after in zip(versions, [*versions[1:], 0], strict=True) if one != after]
            assert order[:4] == [1, 2, 4, 5]
            between = set(order[4:])  # an older one serves where a newer one was still on probation
            assert (between <= {1, 2, 4}, order[-1]) == (True, 4), order

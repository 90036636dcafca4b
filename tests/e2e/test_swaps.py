"""Models replaced while the daemon runs: what a subscriber sees of swaps, bad versions, and crashes in between."""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import toy_models
from clips import solid_frame, write_clip
from daemons import Daemon, alive, children, write_config
from mosquitto_broker import Listener, Mosquitto, until
from operators import Operator

Brokers = Callable[..., Mosquitto]
FPS = 25
KILLS = int(os.environ.get("EDGED_TEST_KILLS", "6"))
SWAPS = int(os.environ.get("EDGED_TEST_SWAPS", "10"))
GREY, BLACK = (128, 128, 128), (0, 128, 128)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(
        tmp_path / "grey.mkv", [solid_frame(64, 64, (60 + n % 120, 128, 128)) for n in range(3000)], fps=FPS
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


class Box:
    """A daemon with one camera and one model in a store, and what is heard of it."""

    def __init__(self, broker: Mosquitto, folder: Path, clip: Path, store: Path, **settings: Any) -> None:
        self.broker, self.store = broker, store
        self.config = write_config(
            folder / "edged.toml", broker.url, cameras={"front": {"url": clip, "models": ["m"]}}, models={}
        )
        lines = {"providers": ["cpu"], **settings}
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
        with self.config.open("a") as file:
            file.write(f'[store]\npath = "{store}"\n[models.m]\n{text}')

    def run(self) -> Daemon:
        return Daemon("-c", str(self.config))

    def put(self, number: int, make: Callable[[Path], Path], *, name: str = "m") -> str:
        """A version renamed into place; its digest."""
        staged = self.store / name / f".staged-{number}"
        staged.mkdir(parents=True)
        digest = digest_of(make(staged / "model.onnx"))
        staged.rename(self.store / name / str(number))
        return digest

    def rejection(self, number: int) -> dict[str, Any]:
        path = self.store / "m" / f"{number}.rejected.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found


def digest_of(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def good(n: int) -> Callable[[Path], Path]:
    """A detector that finds one more object of class n % 2; no two are the same file."""
    return lambda path: toy_models.toy_detector(path, objects=[(n % 2, 0.9 - n / 1000, 10, 10, 30, 30)])


def truncated(path: Path) -> Path:
    toy_models.toy_detector(path)
    os.truncate(path, path.stat().st_size // 2)
    return path


def results(listener: Listener) -> list[dict[str, Any]]:
    return listener.objects("edged/box/camera/front/detections")


def serves(listener: Listener, version: int) -> bool:
    found = results(listener)
    return bool(found) and found[-1]["model"]["version"] == version


def longest_pause_s(found: list[dict[str, Any]]) -> float:
    """Between two frames one after the other that have results."""
    moments = [datetime.fromisoformat(message["captured_at"]) for message in found]
    return max((after - before).total_seconds() for before, after in pairwise(moments))


def state(listener: Listener) -> dict[str, Any]:
    return (listener.objects("edged/box/model/m/state") or [{}])[-1]


@pytest.fixture
def box(mosquitto: Brokers, tmp_path: Path, clip: Path, store: Path) -> Callable[..., Box]:
    broker = mosquitto()
    return lambda **settings: Box(broker, tmp_path, clip, store, **settings)


def test_a_stream_goes_on_while_good_and_bad_versions_come_one_after_the_other(
    box: Callable[..., Box],
) -> None:
    here = box(probation="1h")
    digests = {1: here.put(1, good(1))}
    bad: list[tuple[str, Callable[[Path], Path]]] = [
        ("readable", truncated),
        ("shapes", toy_models.classifier),
        ("shapes", lambda path: toy_models.nan_detector(path, always=True)),
        ("warm-up", lambda path: toy_models.slow_detector(path, rounds=20_000)),
    ]
    expected: dict[int, str] = {}
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: len(results(listener)) > 5, 20), daemon.log
        pid = daemon.process.pid
        for number in range(2, 2 + SWAPS):
            if number % 2 == 0:
                expected[number], make = bad[number // 2 % len(bad)]
                here.put(number, make)
                assert until(lambda n=number: bool(here.rejection(n)), 20), daemon.log
            else:
                digests[number] = here.put(number, good(number))
                assert listener.wait_for(lambda n=number: serves(listener, n), 20), daemon.log
        assert daemon.process.pid == pid
        assert daemon.end() == 0
    found = results(listener)
    for message in found:
        assert digests[message["model"]["version"]] == message["model"]["digest"]
    sequences = [message["sequence"] for message in found]
    assert sequences == sorted(sequences)
    missing = sequences[-1] - sequences[0] + 1 - len(sequences)
    # A swap loses none; models that are tried on two busy cores may cost some their turn.
    assert missing <= len(sequences) // 25, f"{missing} of {len(sequences)} frames have no result"
    versions = [message["model"]["version"] for message in found]
    assert versions == sorted(versions)
    assert {number: here.rejection(number)["step"] for number in expected} == expected
    last = state(listener)
    assert {one["version"] for one in last["rejected"]} == set(expected)
    assert all(one["reason"] and one["step"] for one in last["rejected"])


def test_a_version_that_is_copied_in_slowly_is_tried_once_it_is_whole(
    box: Callable[..., Box], tmp_path: Path
) -> None:
    here = box()
    here.put(1, good(1))
    source = good(2)(tmp_path / "two.onnx")
    content = source.read_bytes()
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        folder = here.store / "m" / "2"
        folder.mkdir()
        with (folder / "model.onnx").open("wb") as file:
            for piece in range(3):
                file.write(content[piece * len(content) // 3 : (piece + 1) * len(content) // 3])
                file.flush()
                waits = lambda: "2" in state(listener).get("waiting", {})  # noqa: E731
                assert listener.wait_for(waits, 10), daemon.log
                before = len(results(listener))
                assert listener.wait_for(lambda n=before: len(results(listener)) > n + 15, 10)
                assert not here.rejection(2)
                assert serves(listener, 1)
        assert listener.wait_for(lambda: serves(listener, 2), 10), daemon.log
        assert not here.rejection(2)
        assert daemon.end() == 0


def test_a_rejection_says_what_to_do_about_it(box: Callable[..., Box]) -> None:
    def embedding(path: Path) -> Path:
        means = toy_models.node("ReduceMean", ["images", "axes"], ["out"], keepdims=0)
        axes = toy_models.constant("axes", [2, 3], "int64")
        return toy_models.save_model(path, [means], outputs={"out": (1, 3)}, constants=[axes])

    here = box()
    here.put(1, good(1))
    here.put(2, embedding)
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: bool(state(listener).get("rejected")), 30), daemon.log
        assert state(listener)["rejected"][0]["reason"].endswith(
            'an embedding or a regression; say task = "classify" and its labels in model.toml'
        )
        assert daemon.says("its labels in model.toml")
        assert daemon.end() == 0


def test_a_rejected_version_is_tried_again_when_it_is_another_file(box: Callable[..., Box]) -> None:
    here = box()
    here.put(1, good(1))
    here.put(2, truncated)
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        assert until(lambda: here.rejection(2).get("step") == "readable", 10), daemon.log
        daemon.end()
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        assert not daemon.says("version=2", 1.5), daemon.log  # it is not tried again
        good(2)(here.store / "m" / "2" / "model.onnx")
        assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
        assert not here.rejection(2)
        assert daemon.end() == 0


class TestProbation:
    """What passed the gate and is no good on live frames."""

    @pytest.fixture
    def clip(self, tmp_path: Path) -> Path:
        """Grey, and now and then a black frame."""
        frames = [solid_frame(64, 64, BLACK if n % 20 == 19 else GREY) for n in range(3000)]
        return write_clip(tmp_path / "blinking.mkv", frames, fps=FPS)

    @pytest.mark.parametrize(
        ("make", "evidence"),
        [
            (lambda path: toy_models.nan_detector(path, always=False), "failed on 3 of"),
            (toy_models.endless_detector, "no answer within"),
            (lambda path: toy_models.toy_detector(path, objects=()), "found nothing in"),
        ],
        ids=["NaN", "hangs", "blind"],
    )
    def test_it_is_rolled_back_and_never_tried_again(
        self, make: Callable[[Path], Path], evidence: str, box: Callable[..., Box]
    ) -> None:
        here = box(timeout="1s")
        here.put(1, good(1))
        with Listener(here.broker) as listener, here.run() as daemon:
            assert listener.wait_for(lambda: len(results(listener)) > 70, 30), daemon.log
            here.put(2, make)
            assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
            assert listener.wait_for(lambda: bool(here.rejection(2)) and serves(listener, 1), 60), daemon.log
            rejection = here.rejection(2)
            assert rejection["step"] == "probation"
            assert evidence in rejection["reason"]
            assert until(lambda: len(daemon.workers()) == 1, 10)
            assert state(listener)["active"]["version"] == 1
            before = len(results(listener))
            assert listener.wait_for(lambda: len(results(listener)) > before + 10, 10), daemon.log
            assert serves(listener, 1)
            print(
                f"version 2 {evidence}: without a result for {longest_pause_s(results(listener)):.2f} s at most"
            )
            assert daemon.end() == 0
        with Listener(here.broker) as listener, here.run() as daemon:
            assert listener.wait_for(lambda: len(results(listener)) > 15, 30), daemon.log
            assert {message["model"]["version"] for message in results(listener)} == {1}

    def test_a_version_that_does_well_ends_its_probation_and_the_old_process(
        self, box: Callable[..., Box]
    ) -> None:
        here = box(probation="1s")
        here.put(1, good(1))
        with Listener(here.broker) as listener, here.run() as daemon:
            assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
            here.put(2, good(3))
            assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
            assert len(daemon.workers()) == 2
            assert "probation" in state(listener)["probation"]
            assert daemon.says("probation passed", 40), daemon.log
            assert until(lambda: len(daemon.workers()) == 1, 10)
            assert listener.wait_for(lambda: state(listener)["probation"] == "", 5)
            assert daemon.end() == 0


def test_after_a_kill_at_any_moment_of_a_swap_a_good_version_is_served(box: Callable[..., Box]) -> None:
    here = box(probation="1h")
    rolls = random.Random(5)
    digests = {1: here.put(1, good(1))}
    number, killed = 1, 0
    while killed < KILLS:
        with Listener(here.broker) as listener, here.run() as daemon:
            assert listener.wait_for(lambda: bool(results(listener)), 20), daemon.log
            number += 1
            if rolls.random() < 0.5:
                digests[number] = here.put(number, good(number))
            else:
                here.put(number, rolls.choice([truncated, toy_models.classifier]))
            listener.wait_for(lambda: False, rolls.uniform(0.0, 3.0))
            family = [*children(daemon.process.pid)]
            daemon.send(signal.SIGKILL)
            daemon.process.wait(5)
            killed += 1
            assert until(lambda pids=family: not any(map(alive, pids)), 5)
        for message in results(listener):
            assert digests[message["model"]["version"]] == message["model"]["digest"]
    with Listener(here.broker) as listener, here.run() as daemon:
        newest = max(digests)
        assert listener.wait_for(lambda: serves(listener, newest), 20), daemon.log
        assert daemon.end() == 0


def test_a_link_that_is_swapped_as_kubernetes_does_it_changes_the_model(
    mosquitto: Brokers, tmp_path: Path, clip: Path
) -> None:
    broker, mount = mosquitto(), tmp_path / "mount"
    for n in (1, 2):
        (mount / f"..data_{n}" / "m" / str(n)).mkdir(parents=True)
        good(n)(mount / f"..data_{n}" / "m" / str(n) / "model.onnx")
    (mount / "..data").symlink_to("..data_1")
    (mount / "m").symlink_to("..data/m")
    here = Box(broker, tmp_path, clip, mount)
    with Listener(broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        (mount / "..new").symlink_to("..data_2")
        (mount / "..new").rename(mount / "..data")
        shutil.rmtree(mount / "..data_1")
        assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
        assert daemon.end() == 0


@pytest.mark.parametrize("how", ["renamed", "overwritten"])
def test_a_single_file_has_versions_too_and_a_bad_one_does_not_hide_the_last_good_one(
    how: str, box: Callable[..., Box], store: Path, tmp_path: Path
) -> None:
    here = box(probation="1h")
    store.mkdir()

    def replace(make: Callable[[Path], Path]) -> None:
        fresh = make(tmp_path / "fresh.onnx")
        if how == "renamed":
            fresh.rename(store / "m.onnx")
        else:
            shutil.copyfile(fresh, store / "m.onnx")

    replace(good(1))
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        replace(good(2))
        assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
        replace(truncated)
        assert daemon.says("version rejected model=m version=3", 20), daemon.log
        assert serves(listener, 2)
        os.kill(
            max(daemon.workers()), signal.SIGKILL
        )  # of the serving version, whose file is another one by now
        assert daemon.says("worker restarted", 20), daemon.log
        before = len(results(listener))
        assert listener.wait_for(lambda: len(results(listener)) > before, 10), daemon.log
        daemon.send(signal.SIGKILL)
        daemon.process.wait(5)
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: bool(results(listener)), 20), daemon.log
        assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
        replace(good(4))
        assert listener.wait_for(lambda: serves(listener, 3), 20), daemon.log
        assert daemon.end() == 0


def test_a_store_that_is_deleted_and_comes_back_costs_no_frame(box: Callable[..., Box]) -> None:
    here = box()
    here.put(1, good(1))
    here.put(2, good(2))
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
        shutil.rmtree(here.store)
        before = len(results(listener))
        assert listener.wait_for(lambda: len(results(listener)) > before + 20, 10), daemon.log
        assert serves(listener, 2)
        here.put(3, good(3))
        assert listener.wait_for(lambda: serves(listener, 3), 20), daemon.log
        assert daemon.end() == 0


def test_where_memory_does_not_allow_two_the_old_version_stops_first_and_comes_back(
    box: Callable[..., Box],
) -> None:
    here = box(swap="stop-first")
    here.put(1, good(1))
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        here.put(2, toy_models.classifier)
        assert daemon.says("version rejected model=m version=2", 20), daemon.log
        before = len(results(listener))
        assert listener.wait_for(lambda: len(results(listener)) > before, 10), daemon.log
        assert serves(listener, 1)
        assert len(daemon.workers()) == 1
        here.put(3, good(3))
        assert listener.wait_for(lambda: serves(listener, 3), 20), daemon.log
        assert until(lambda: len(daemon.workers()) == 1, 5)
        assert daemon.end() == 0


def test_a_candidate_may_look_at_live_frames_before_it_serves(box: Callable[..., Box]) -> None:
    here = box(shadow=1.0)
    here.put(1, good(1))
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        here.put(2, lambda path: toy_models.toy_detector(path, objects=()))
        assert until(lambda: here.rejection(2).get("step") == "shadow", 40), daemon.log
        assert "found none of" in here.rejection(2)["reason"]
        assert {message["model"]["version"] for message in results(listener)} == {1}
        here.put(3, good(3))
        assert listener.wait_for(lambda: serves(listener, 3), 40), daemon.log
        assert "50 live frames: 50 of 50 objects found by both" in state(listener)["shadow"]
        assert daemon.end() == 0


def test_a_model_that_takes_seconds_to_load_swaps_without_a_pause(
    box: Callable[..., Box], assets: Path
) -> None:
    """An isolation forest loads for 4 s and longer; here it stands in a detector, so that frames can see it."""
    forest = assets / "sensors" / "wind_turbine_isolation_forest.onnx"
    here = box(probation="2s")
    here.put(1, good(1))
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        for number in (2, 3):
            put_s = time.monotonic()
            cat = (0, 0.9 - number / 100, 10, 10, 30, 30)
            here.put(number, lambda path, cat=cat: toy_models.forest_detector(path, forest, objects=(cat,)))
            assert listener.wait_for(lambda n=number: serves(listener, n), 90), daemon.log
            took_s = time.monotonic() - put_s
            assert took_s > 1.0, "it is not slow: nothing is shown"
            print(f"version {number} served after {took_s:.1f} s")
            assert listener.wait_for(lambda n=number: len(results(listener)) > 0 and serves(listener, n), 5)
        assert until(lambda: not state(listener)["probation"], 60), state(listener)
        assert daemon.end() == 0
    sequences = [message["sequence"] for message in results(listener)]
    assert sequences == sorted(sequences)
    missing = sequences[-1] - sequences[0] + 1 - len(sequences)
    assert missing <= len(sequences) // 100 + 1, f"{missing} of {len(sequences)} frames have no result"
    assert not [line for line in daemon.log if "worker lost" in line or "hung" in line or "no answer" in line]


def test_only_so_many_versions_are_kept_as_configured(box: Callable[..., Box]) -> None:
    here = box(probation="1s")
    text = here.config.read_text().replace("[store]\n", "[store]\nkeep_versions = 2\n")
    here.config.write_text(text)
    for number in (1, 2, 3, 4):
        here.put(number, good(number))
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 4), 20), daemon.log
        assert daemon.says("old version removed", 10, times=2), daemon.log
        left = sorted(path.name for path in (here.store / "m").iterdir() if path.name.isdecimal())
        assert left == ["3", "4"]
        assert daemon.end() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_an_end_in_the_middle_of_a_trial_is_quick_and_leaves_nothing(box: Callable[..., Box]) -> None:
    here = box()
    here.put(1, good(1))
    with Listener(here.broker) as listener, here.run() as daemon:
        assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
        here.put(2, lambda path: toy_models.slow_detector(path, rounds=2**60))
        assert daemon.says("candidate found", 10), daemon.log
        assert until(lambda: len(daemon.workers()) == 2, 5)
        family = children(daemon.process.pid)
        assert daemon.end(5) == 0
        assert not any(map(alive, family))
        assert not here.rejection(2)


class TestNoWayBack:
    """What served cannot simply be loaded again: its files moved, went bad, or its process does not start."""

    def test_links_to_the_same_bytes_elsewhere_are_followed(
        self, mosquitto: Brokers, tmp_path: Path, clip: Path
    ) -> None:
        broker, mount = mosquitto(), tmp_path / "mount"
        for n in (1, 2):
            (mount / f"..data_{n}" / "m" / "1").mkdir(parents=True)
            good(1)(mount / f"..data_{n}" / "m" / "1" / "model.onnx")
        (mount / "..data").symlink_to("..data_1")
        (mount / "m").symlink_to("..data/m")
        here = Box(broker, tmp_path, clip, mount)
        with Listener(broker) as listener, here.run() as daemon:
            assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
            (mount / "..new").symlink_to("..data_2")
            (mount / "..new").rename(mount / "..data")
            shutil.rmtree(mount / "..data_1")
            before = len(results(listener))
            assert listener.wait_for(
                lambda: len(results(listener)) > before + 70, 20
            )  # two looks at the store
            os.kill(daemon.worker(), signal.SIGKILL)
            assert daemon.says("worker restarted", 10), daemon.log
            before = len(results(listener))
            assert listener.wait_for(lambda: len(results(listener)) > before, 10), daemon.log

    def test_a_version_that_went_bad_in_place_gives_way_to_an_older_one_when_its_process_dies(
        self, box: Callable[..., Box]
    ) -> None:
        here = box(probation="1s")
        for n in (1, 2):
            here.put(n, good(n))
        with Listener(here.broker) as listener, here.run() as daemon:
            assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
            truncated(here.store / "m" / "2" / "model.onnx")
            assert daemon.says("version rejected model=m version=2", 20), daemon.log
            before = len(results(listener))
            assert listener.wait_for(lambda: len(results(listener)) > before + 10, 10), daemon.log
            assert serves(listener, 2)  # the bytes in memory are good
            os.kill(daemon.worker(), signal.SIGKILL)
            assert listener.wait_for(lambda: serves(listener, 1), 30), daemon.log
            assert daemon.end() == 0

    def test_where_the_old_version_stopped_first_it_is_started_until_it_serves(
        self, box: Callable[..., Box]
    ) -> None:
        here = box(swap="stop-first")
        here.put(1, good(1))
        with Listener(here.broker) as listener, here.run() as daemon:
            assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
            first = daemon.worker()
            here.put(2, toy_models.classifier)
            assert daemon.says("version rejected model=m version=2", 20), daemon.log
            assert until(lambda: daemon.workers() not in ([], [first]), 10)
            for pid in daemon.workers():
                os.kill(pid, signal.SIGKILL)  # while it loads, as the kernel does it
            before = len(results(listener))
            assert listener.wait_for(lambda: len(results(listener)) > before + 10, 20), daemon.log
            assert serves(listener, 1)

    def test_a_version_that_was_asked_for_and_never_proved_itself_is_not_served_first_after_a_kill(
        self, box: Callable[..., Box]
    ) -> None:
        here = box(probation="1h")
        here.put(1, good(1))
        with Listener(here.broker) as listener, here.run() as daemon, Operator(here.broker) as operator:
            assert listener.wait_for(lambda: len(results(listener)) > 5, 20), daemon.log
            here.put(2, good(2))
            assert operator_waits(lambda: operator.ask("model/activate", name="m", version=2))["ok"]
            daemon.send(signal.SIGKILL)
            daemon.process.wait(5)
        with Listener(here.broker) as listener, here.run() as daemon:
            start = datetime.now(UTC).isoformat()  # what the killed run left in the outbox comes first

            def versions() -> list[int]:
                return [
                    found["model"]["version"] for found in results(listener) if found["captured_at"] > start
                ]

            assert listener.wait_for(lambda: 2 in versions(), 30), daemon.log
            assert versions()[0] == 1
            assert "probation" in state(listener)["probation"]

    @pytest.mark.skipif(sys.platform != "linux", reason="pipes and odd names")
    def test_a_pipe_or_an_odd_name_beside_a_model_does_not_stop_anything(
        self, box: Callable[..., Box]
    ) -> None:
        here = box()
        here.put(1, good(1))
        with Listener(here.broker) as listener, here.run() as daemon:
            assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
            staged = here.store / "m" / ".staged"
            staged.mkdir()
            good(2)(staged / "model.onnx")
            os.mkfifo(staged / "pipe")
            (staged / os.fsdecode(b"\xff\xfe.txt")).write_text("x")
            staged.rename(here.store / "m" / "2")
            assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
            only_a_pipe = here.store / "m" / "3"
            only_a_pipe.mkdir()
            os.mkfifo(only_a_pipe / "model.onnx")
            assert daemon.says("version rejected model=m version=3", 20), daemon.log
            here.put(4, good(4))
            assert listener.wait_for(lambda: serves(listener, 4), 20), daemon.log
            assert not daemon.says("a bug", 0.1)
            assert daemon.end() == 0


def operator_waits(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Until a version that is just arriving can be asked for."""
    answer: dict[str, Any] = {}

    def asked() -> bool:
        answer.clear()
        answer.update(ask())
        return bool(answer["ok"])

    until(asked, 20)
    return answer


class TestCommands:
    def test_a_version_is_activated_and_rolled_back_and_the_answer_says_what_became_of_it(
        self, box: Callable[..., Box]
    ) -> None:
        here = box(probation="1h")
        digests = {n: here.put(n, good(n)) for n in (1, 2)}
        here.put(3, toy_models.classifier)
        with Listener(here.broker) as listener, here.run() as daemon, Operator(here.broker) as operator:
            assert listener.wait_for(lambda: serves(listener, 2), 20), daemon.log
            answer = operator.ask("model/activate", name="m", version=1)
            assert answer == {"ok": True, "model": "m", "version": 1, "digest": digests[1]}
            assert listener.wait_for(lambda: serves(listener, 1), 5)
            assert (here.store / "m" / "pinned").read_text() == "1\n"
            answer = operator.ask("model/rollback", name="m")
            assert (answer["ok"], answer["version"]) == (True, 2)
            assert listener.wait_for(lambda: serves(listener, 2), 5)
            answer = operator.ask("model/activate", name="m", version=3)
            assert not answer["ok"]
            assert "shapes" in answer["error"]
            assert (here.store / "m" / "pinned").read_text() == "2\n"
            listed = operator.ask("model/list", name="m")
            assert (listed["active"], listed["previous"], listed["pinned"]) == (2, 1, 2)
            assert listed["versions"] == [1, 2, 3]
            assert list(listed["rejected"]) == ["3"]
            here.put(4, good(4))
            assert not daemon.says("version=4", 2.5), daemon.log  # pinned is pinned
            assert daemon.end() == 0

    def test_the_state_follows_the_pin_whoever_sets_it_and_says_what_is_wrong_with_it(
        self, box: Callable[..., Box]
    ) -> None:
        here = box()
        here.put(1, good(1))
        pin = here.store / "m" / "pinned"

        def says(listener: Listener, pinned: int | None, why: str) -> bool:
            now = state(listener)
            return (
                now.get("pinned") == pinned
                and why in now.get("why", "")
                and bool(why) == bool(now.get("why"))
            )

        with Listener(here.broker) as listener, here.run() as daemon, Operator(here.broker) as operator:
            assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
            assert operator.ask("model/activate", name="m", version=1)["ok"]
            assert listener.wait_for(lambda: says(listener, 1, ""), 10), state(listener)
            pin.write_text("7\n")
            assert listener.wait_for(lambda: says(listener, 7, "version 7 is pinned and is not there"), 10)
            pin.write_text("v1\n")
            assert listener.wait_for(lambda: says(listener, None, "the file pinned says 'v1'"), 10)
            pin.unlink()
            assert listener.wait_for(lambda: says(listener, None, ""), 10), state(listener)
            assert sum("the pin of a model leads nowhere" in line for line in daemon.log) == 2
            assert daemon.end() == 0

    def test_a_version_is_tested_without_being_served(self, box: Callable[..., Box]) -> None:
        here = box()
        here.put(1, good(1))
        here.put(2, good(2))
        (here.store / "m" / "pinned").write_text("1\n")
        with Listener(here.broker) as listener, here.run() as daemon, Operator(here.broker) as operator:
            assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
            answer = operator.ask("model/test", name="m", version=2)
            assert (answer["ok"], answer["version"]) == (True, 2)
            assert [step["step"] for step in answer["steps"]][:3] == ["complete", "digest", "readable"]
            assert until(lambda: len(daemon.workers()) == 1, 5)
            assert {message["model"]["version"] for message in results(listener)} == {1}
            assert daemon.end() == 0

    @pytest.mark.parametrize(
        ("verb", "arguments", "said"),
        [
            ("model/activate", {"name": "x", "version": 1}, "configured are m"),
            ("model/activate", {"name": "m"}, "a whole number"),
            ("model/activate", {"name": "m", "version": 9}, "has no version 9"),
            ("model/rollback", {"name": "m"}, "has no previous version"),
            ("model/test", {"name": "m", "version": 9}, "has no version 9"),
            ("model/explode", {}, "unknown command"),
        ],
    )
    def test_what_cannot_be_done_is_said_in_a_line(
        self, verb: str, arguments: dict[str, Any], said: str, box: Callable[..., Box]
    ) -> None:
        here = box()
        here.put(1, good(1))
        with Listener(here.broker) as listener, here.run() as daemon, Operator(here.broker) as operator:
            assert listener.wait_for(lambda: serves(listener, 1), 20), daemon.log
            answer = operator.ask(verb, **arguments)
            assert not answer["ok"]
            assert said in answer["error"]
            assert "\n" not in answer["error"]
            assert operator.ask("ping") == {"ok": True}

    def test_a_version_that_was_activated_and_fails_on_live_frames_is_not_pinned_any_more(
        self, box: Callable[..., Box]
    ) -> None:
        here = box()
        here.put(1, good(1))
        (here.store / "m" / "pinned").write_text("1\n")
        here.put(2, lambda path: toy_models.toy_detector(path, objects=()))
        with Listener(here.broker) as listener, here.run() as daemon, Operator(here.broker) as operator:
            assert listener.wait_for(lambda: len(results(listener)) > 70, 30), daemon.log
            assert operator.ask("model/activate", name="m", version=2)["ok"]
            assert until(lambda: bool(here.rejection(2)), 60), daemon.log
            assert until(lambda: (here.store / "m" / "pinned").read_text() == "1\n", 5)
            answer = operator.ask("model/rollback", name="m")
            assert not answer["ok"]
            assert listener.wait_for(lambda: serves(listener, 1), 5), daemon.log
            assert daemon.end() == 0

    def test_orders_that_cross_each_other_end_in_the_last_one_and_each_is_answered(
        self, box: Callable[..., Box]
    ) -> None:
        here = box(probation="1h")
        for n in range(1, 5):
            here.put(n, good(n))
        with Listener(here.broker) as listener, here.run() as daemon, Operator(here.broker) as operator:
            assert listener.wait_for(lambda: serves(listener, 4), 20), daemon.log
            orders = [1, 3, 2, 4, 1, 2, 3]
            sent = [operator.send("model/activate", name="m", version=number) for number in orders]
            sent.append(operator.send("model/rollback", name="m"))
            answers = [operator.answer(one) for one in sent]
            assert any(answer["ok"] for answer in answers)
            final = int((here.store / "m" / "pinned").read_text())
            assert listener.wait_for(lambda: serves(listener, final), 20), daemon.log
            last = operator.send("model/activate", name="m", version=1)
            assert daemon.says("version asked for model=m version=1 ", 10, times=orders.count(1) + 1), (
                daemon.log
            )
            assert daemon.end(5) == 0  # a swap during the end
            assert "ok" in operator.answer(last, 5)

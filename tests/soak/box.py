"""The box that is soaked: a daemon, its broker, its cameras, its sensor, its store, and who listens."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import toy_models
from daemons import Daemon
from mosquitto_broker import Listener, Mosquitto, free_port, until
from operators import Operator
from sensorboxes import LINES, csv_row, two_classes, write_sensors

from soak import process
from soak.account import Sample, total
from soak.proxy import Proxy

FPS = 10
ROWS_A_SECOND = 40
STATE_MB = 24  # of the small disk: ballast, log and payloads of an outage fit, and it fills at once
PROBATION = "5s"
SERVING = 2  # processes of the two models, once no version is on probation
SHARED = Path(__file__).parents[3] / "shared"
RTSP_SCRIPT = SHARED / "tools" / "rtsp_server.py"
VIDEOS = Path(os.environ.get("EDGED_ASSETS") or SHARED / "assets") / "videos"
RTSP_CLIPS = (VIDEOS / "one_by_one_person.mp4", VIDEOS / "bottles.mp4")  # of different sizes


class Rtsp:
    """The real camera server, behind a proxy that spoils the way to it.

    Attributes:
        clips: The first is what it shows from its next start on.
    """

    def __init__(self, rolls: random.Random) -> None:
        self.clips = deque(RTSP_CLIPS)
        self._port = free_port()
        self._process: subprocess.Popen[str] | None = None
        self.start()
        self.proxy = Proxy(self._port, rolls)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.proxy.port}/front"

    def start(self) -> None:
        command = ["/usr/bin/python3", str(RTSP_SCRIPT), "--port", str(self._port), f"front={self.clips[0]}"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            self.kill()
            raise OSError("the RTSP server does not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def close(self) -> None:
        self.proxy.__exit__(None, None, None)
        self.kill()


class Box:
    """A context manager around all of it; nothing is left behind.

    Attributes:
        missing: What this machine lacks, a line each: those faults are left out.
        disk: The small disk that holds the state; None where nobody may mount one.
        rtsp: The camera `front` behind its proxy; None where there is no server.
    """

    def __init__(self, folder: Path, rolls: random.Random) -> None:
        self._folder, self._rolls = folder, rolls
        self._stack = contextlib.ExitStack()
        self.missing: list[str] = []
        self.disk: Path | None = None
        self.rtsp: Rtsp | None = None
        self.versions = 0
        self.rows = self.bad_rows = 0
        self._row_lock, self._rows_end = threading.Lock(), threading.Event()
        self._fps = FPS

    def __enter__(self) -> "Box":
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._open()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        lines = ("max_queued_messages 0",)  # mosquitto forgets beyond a thousand for a subscriber, by default
        self.broker = Mosquitto(self._folder, *lines, persistence=True)
        self._stack.callback(self.broker.stop)
        self._mount()
        self._camera_server()
        self._clip = clips.counting_clip(self._folder / "clip.mkv", 60 * FPS, fps=FPS)
        two_classes(self._folder / "rows.onnx")
        self.row_file = self._folder / "rows.csv"
        self.row_file.touch()
        self.put_good()
        self.http = free_port()
        self.config = self._folder / "edged.toml"
        self.write_config()
        self.listener = self._stack.enter_context(Listener(self.broker, "edged/#", name="soak"))
        self.daemon = self._stack.enter_context(
            Daemon(
                "-c", str(self.config), EDGED_STATE__PATH=str(self.state), EDGED_MQTT__SPOOL_MAX_BYTES="64MB"
            )
        )
        rows = threading.Thread(target=self._write_rows, name="rows", daemon=True)
        rows.start()
        self._stack.callback(lambda: (self._rows_end.set(), rows.join(10)))

    def _mount(self) -> None:
        self.state = self._folder / "state"
        self.state.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={STATE_MB}m", "soak", str(self.state)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
            self.missing.append("disk full: needs root and the right to mount")
            return
        self.disk = self.state
        self._stack.callback(lambda: subprocess.run(["umount", "--lazy", str(self.state)], check=True))

    def _camera_server(self) -> None:
        if absent := [path.name for path in (RTSP_SCRIPT, *RTSP_CLIPS) if not path.is_file()]:
            self.missing.append(f"RTSP: no {', no '.join(absent)}")
            return
        try:
            self.rtsp = Rtsp(self._rolls)
        except OSError as error:
            self.missing.append(f"RTSP: {error}")
            return
        self._stack.callback(self.rtsp.close)

    @property
    def cameras(self) -> list[str]:
        return ["left", "right", *(["front"] if self.rtsp else [])]

    def write_config(self) -> None:
        urls = {"left": self._clip, "right": self._clip}
        if self.rtsp is not None:
            urls["front"] = self.rtsp.url
        sections: dict[str, dict[str, Any]] = {
            f"cameras.{name}": {
                "url": str(urls[name]),
                "models": ["m"],
                "fps": self._fps if name == "right" else FPS,
            }
            for name in self.cameras
        }
        write_sensors(
            self.config,
            self.broker.url,
            http={"listen": f"127.0.0.1:{self.http}"},
            store={"path": str(self._folder / "store")},
            sensors={"rows": {"url": str(self.row_file), **LINES, "models": ["s"]}},
            models={
                "m": {"probation": PROBATION},
                "s": {"path": str(self._folder / "rows.onnx"), "probation": PROBATION},
            },
            **sections,
        )

    def change_rate(self) -> None:
        """Another rate for `right`, in the file."""
        self._fps = FPS // 2 if self._fps == FPS else FPS
        self.write_config()

    def put_good(self) -> None:
        number = self.versions + 1
        objects = [(number % 2, 0.9 - number % 500 / 1000, 10, 10, 30, 30)]
        self._put(lambda path: toy_models.toy_detector(path, objects=objects))

    def put_bad(self) -> str:
        """Cut short, or of another kind; which."""
        if self._rolls.random() < 0.5:
            self._put(lambda path: os.truncate(toy_models.toy_detector(path), 300))
            return "cut short"
        self._put(toy_models.classifier)
        return "no detector"

    def _put(self, make: Any) -> None:
        self.versions += 1
        home = self._folder / "store" / "m"
        staged = home / f".staged-{self.versions}"
        staged.mkdir(parents=True)
        make(staged / "model.onnx")
        staged.rename(home / str(self.versions))
        for old in range(1, self.versions - 40):  # what an operator would clear away
            shutil.rmtree(home / str(old), ignore_errors=True)

    def _write_rows(self) -> None:
        while not self._rows_end.wait(1 / ROWS_A_SECOND):
            self._append(csv_row(self.rows - self.bad_rows), bad=False)

    def _append(self, line: bytes, *, bad: bool) -> None:
        with self._row_lock, self.row_file.open("ab", buffering=0) as out:
            out.write(line)
            self.rows += 1
            self.bad_rows += bad

    def bad_row(self) -> None:
        lines = (b"0,warm,1\n", b"0,1\n", b"0,nan,1\n", b"0,1,\xff\xfe\n", b"0,1,2,3,4\n", b'{"a": 1}\n')
        self._append(self._rolls.choice(lines), bad=True)

    def scrape(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return process.scrape(self.http)

    def serves(self, inferred_before: dict[str, float]) -> bool:
        """Whether broker, models, cameras and sensor are up, and each camera had frames since."""
        try:
            now = self.scrape()
        except OSError:
            return False
        up = ["edged_mqtt_up", "edged_ready", "edged_sensor_up"]
        return (
            all(total(now, name) == 1 for name in up)
            and total(now, "edged_model_up") == 2
            and total(now, "edged_camera_up") == len(self.cameras)
            and all(self.inferred(now)[name] > inferred_before[name] for name in self.cameras)
        )

    def settles(self, within_s: float) -> bool:
        """Whether no version is tried or on probation any more: each model has one process."""
        time.sleep(3)  # a version that was just put there is not tried before
        return until(lambda: len(self.daemon.workers()) == SERVING, within_s)

    def inferred(self, series: Any = None) -> dict[str, float]:
        series = self.scrape() if series is None else series
        name = "edged_camera_frames_inferred_total"
        return {camera: total(series, name, camera=camera) for camera in self.cameras}

    def sample(self, at_s: float) -> Sample:
        return process.sample(self.daemon.process.pid, at_s)

    def rest(self) -> None:
        """No frames and no rows any more, and nothing waits."""
        self._rows_end.set()
        with Operator(self.broker) as operator:
            for name in self.cameras:
                answer = operator.ask("camera/enable", name=name, enabled=False)
                assert answer["ok"], answer
        until(lambda: total(self.scrape(), "edged_sensor_rows_total") == self.rows, 20)
        until(lambda: total(self.scrape(), "edged_outbox_messages") == 0, 60)

    def arrived(self, topic: str) -> Iterator[dict[str, Any]]:
        yield from (json.loads(one) for one in self.listener.payloads(topic) if one[:1] == b"{")

    def told(self) -> Counter[str]:
        """Messages that `gap` says were dropped, by their topic."""
        counts: Counter[str] = Counter()
        for gap in self._gaps():
            counts[gap["topic"]] += gap["count"]
        return counts

    def reasons(self) -> dict[str, int]:
        """The same by reason, over all topics."""
        counts: Counter[str] = Counter()
        for gap in self._gaps():
            counts[gap["reason"]] += gap["count"]
        return dict(counts)

    def _gaps(self) -> list[dict[str, Any]]:
        return list({one["id"]: one for one in self.arrived("edged/box/gap")}.values())

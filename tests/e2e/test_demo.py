"""`edged demo` as a process, looked at from outside only.

Most tests give it a small model and a short clip instead of the bundled ones, in a copy of the package.
"""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_models
from clips import solid_frame, write_clip
from daemons import alive, command
from demos import Demo
from mosquitto_broker import Listener, until
from real_parts import unavailable

import edged
from edged import bundle

PACKAGE = Path(edged.__file__).parent
LISTENING = "0A"
LOOPBACK = "0100007F"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to import edged from, with a bundle of its own: a cat in every bright frame, eight frames of ten.

    The vibration and its model are the bundled ones.
    """
    if find_spec("amqtt") is None:
        unavailable("amqtt is not installed (pip install 'edged[demo]')")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE, folder / "edged", ignore=shutil.ignore_patterns("__pycache__", "bundled"))
    version = folder / "edged" / "bundled" / "models" / "parcel-codes" / "1"
    version.mkdir(parents=True)
    toy_models.light_detector(version / "model.onnx")
    bearings = bundle.model("bearing-vibration") / "1"
    shutil.copytree(bearings, folder / "edged" / "bundled" / "models" / "bearing-vibration" / "1")
    (folder / "edged" / "bundled" / "demo").mkdir()
    frames = [solid_frame(128, 96, (235 if number % 10 < 8 else 16, 128, 128)) for number in range(40)]
    write_clip(folder / "edged" / "bundled" / "demo" / "conveyor.mp4", frames, codec="libx264")
    return folder


@pytest.fixture
def demo(site: Path, tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Starts demos; ends those that are left."""
    with contextlib.ExitStack() as running:
        yield lambda *arguments, **environment: running.enter_context(
            Demo(site, tmp_path, *arguments, **environment)
        )


def test_it_shows_what_a_subscriber_receives_and_ends_by_itself_with_0(demo: Callable[..., Demo]) -> None:
    """Settings of another daemon on this machine do not reach it."""
    shown = demo("--seconds", "25", EDGED_MQTT__URL="mqtt://127.0.0.1:1", EDGED_CAMERAS="{}")
    assert shown.ended() == 0, [*shown.lines, shown.complaints]
    assert shown.complaints == ""
    text = "\n".join(shown.lines)
    for part in (
        "MQTT 3.1.1",
        "model parcel-codes: version 1, on ",
        "camera conveyor: online, 25 frames/s",
        "model bearing-vibration: version 1, on ",
        "sensor motor: online, alarm: inner 0.9",
    ):
        assert part in text
    assert re.fullmatch(r"[\d,]+ results in \d\d s: [\d,]+ cat", shown.lines[-2])
    assert re.fullmatch(
        r"\d+ windows of vibration, faults seen: \d inner(, \d outer)?(, \d ball)?", shown.lines[-1]
    )
    assert list(shown.temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_a_signal_ends_it_and_leaves_nothing_behind(
    demo: Callable[..., Demo], number: signal.Signals
) -> None:
    shown = demo()
    assert shown.says("results/s"), shown.complaints
    figures = r"\d s  [\d.]+ results/s, [\d.]+ ms an inference, age \d+ ms; now (1 cat|nothing)($|; motor: )"
    assert re.search(figures, shown.line("results/s"))
    family = shown.family()
    assert [name for pid in family if (name := command(pid)) and "edged run" in name]
    shown.process.send_signal(number)
    shown.process.send_signal(number)
    assert shown.ended(25) == 0
    assert shown.complaints == ""
    assert "cat" in shown.lines[-2]
    assert "vibration" in shown.lines[-1]
    assert not [pid for pid in family if alive(pid)]
    assert list(shown.temporary.iterdir()) == []


def test_a_demo_that_is_killed_takes_all_its_processes_with_it(demo: Callable[..., Demo]) -> None:
    shown = demo()
    assert shown.says("results/s"), shown.complaints
    family = shown.family()
    assert len(family) >= 3, "broker, daemon, worker"
    shown.process.kill()
    assert until(lambda: not [pid for pid in family if alive(pid)], 5)


def test_anybody_on_this_machine_can_join_at_the_address_it_prints_and_nobody_else(
    demo: Callable[..., Demo],
) -> None:
    shown = demo()
    assert shown.says("watch --mqtt"), shown.complaints
    port = int(re.search(r"mosquitto_sub -h 127\.0\.0\.1 -p (\d+) ", shown.line("mosquitto_sub")).group(1))  # type: ignore[union-attr]
    assert shown.line("watch --mqtt").endswith(f"edged watch --mqtt mqtt://127.0.0.1:{port}")
    with Listener(SimpleNamespace(port=port), "edged/#") as listener:
        found = "edged/demo/camera/conveyor/detections"
        assert listener.wait_for(lambda: len(listener.payloads(found)) > 5, 40)
        assert listener.objects(found)[0]["model"]["name"] == "parcel-codes"
    addresses = [address for pid in [shown.process.pid, *shown.family()] for address in listening(pid)]
    assert addresses == [f"{LOOPBACK}:{port:04X}"]


def listening(pid: int) -> list[str]:
    """Addresses that a process listens on, as the kernel writes them."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(descriptor.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    rows = [
        row.split()
        for kind in ("tcp", "tcp6")
        for row in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()
    ]
    return [row[1] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in sockets]


def test_on_a_terminal_it_draws_in_place_within_80_columns_and_ctrl_c_ends_it(
    site: Path, tmp_path: Path
) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        size = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
        os.execve(
            sys.executable,
            [sys.executable, "-P", "-m", "edged", "demo"],
            {**os.environ, **size, "PYTHONPATH": str(site)},
        )
    screen = b""

    def read(until_s: float, text: bytes | None) -> None:
        nonlocal screen
        while time.monotonic() < until_s and (text is None or text not in screen):
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    screen += os.read(terminal, 65536)
                except OSError:  # Linux ends a terminal so
                    return

    try:
        read(time.monotonic() + 40, b"cat")
        read(time.monotonic() + 40, b"windows/s")
        os.write(terminal, b"\x03")
        read(time.monotonic() + 20, None)
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)
    text = screen.decode()
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert "\x1b[?25l" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is visible again"
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").replace("^C", "")
    for part in (
        "Ctrl-C ends it",
        "parcel-codes",
        "MQTT 3.1.1",
        "cat",
        "results/s",
        "bearing-vibration",
        "windows/s",
    ):
        assert part in plain
    assert "Traceback" not in plain
    assert [line for line in plain.split("\n") if len(line) > 80] == []


def test_it_does_not_end_before_the_first_object_however_long_the_start_takes(
    demo: Callable[..., Demo],
) -> None:
    shown = demo("--seconds", "0.01")
    assert shown.ended() == 0, [*shown.lines, shown.complaints]
    assert re.fullmatch(r"[\d,]+ results? in \d+ s: [\d,]+ cat", shown.lines[-2])
    assert list(shown.temporary.iterdir()) == []


@pytest.fixture
def spoilt(site: Path, tmp_path: Path) -> Path:
    """A copy of the site to be spoilt, in which a demo waits for its first object no longer than it is to run."""
    copy = Path(shutil.copytree(site, tmp_path / "spoilt"))
    program = copy / "edged" / "cli" / "demo.py"
    program.write_text(program.read_text().replace("PATIENCE_S = 60.0", "PATIENCE_S = 0.0"))
    return copy


def test_a_daemon_that_cannot_work_ends_it_with_70_and_its_log(spoilt: Path, tmp_path: Path) -> None:
    for model in spoilt.glob("edged/bundled/models/*/1/model.onnx"):
        model.write_bytes(b"no model, but long enough")
    with Demo(spoilt, tmp_path) as shown:
        assert shown.ended() == 70
    *log, last = shown.complaints.splitlines()
    assert last == "edged: edged demo: the daemon ended with code 65; its last lines say why"
    assert [line for line in log if "model.onnx" in line]
    assert list(shown.temporary.iterdir()) == []


def test_a_model_that_cannot_serve_is_named_and_the_other_one_goes_on(spoilt: Path, tmp_path: Path) -> None:
    (spoilt / "edged/bundled/models/parcel-codes/1/model.onnx").write_bytes(b"no model, but long enough")
    with Demo(spoilt, tmp_path, "--seconds", "8") as shown:
        assert shown.says("sensor motor: online")
        assert shown.says("model parcel-codes: not served, ")
        assert shown.ended() == 69
    *log, last = shown.complaints.splitlines()
    assert last.startswith("edged: edged demo: no result came in 8 s")
    assert [line for line in log if "model.onnx" in line]


def test_a_time_without_a_result_is_69_and_the_log_however_busy_the_model_is(
    spoilt: Path, tmp_path: Path
) -> None:
    toy_models.slow_detector(spoilt / "edged/bundled/models/parcel-codes/1/model.onnx", rounds=10**9)
    with Demo(spoilt, tmp_path, "--seconds", "8") as shown:
        assert shown.says("device demo: online")
        family = shown.family()
        assert shown.ended() == 69
    *log, last = shown.complaints.splitlines()
    assert last.startswith("edged: edged demo: no result came in 8 s")
    assert [line for line in log if "mqtt connected" in line and "protocol=3.1.1" in line]
    assert not [pid for pid in family if alive(pid)]


def test_a_sensor_without_a_window_is_said_and_no_failure(spoilt: Path, tmp_path: Path) -> None:
    golden = spoilt / "edged/bundled/models/bearing-vibration/1/golden"
    for rows in golden.iterdir():
        rows.write_text("x,y,z\n" + "no,number,here\n" * 100)
    (golden.parent / "model.toml").write_text(
        'task = "tabular"\nlabels = ["normal", "inner", "outer", "ball"]\n'
    )
    with Demo(spoilt, tmp_path, "--seconds", "12") as shown:
        assert shown.ended() == 0, [*shown.lines, shown.complaints]
    assert shown.lines[-1].startswith("no window of vibration was scored")


def test_results_that_found_nothing_are_no_detections(spoilt: Path, tmp_path: Path) -> None:
    toy_models.toy_detector(spoilt / "edged/bundled/models/parcel-codes/1/model.onnx", objects=())
    with Demo(spoilt, tmp_path, "--seconds", "12") as shown:
        assert shown.ended() == 69
    assert re.search(r"nothing was found in \d+ results in 12 s", shown.complaints)


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("models", "bundled model parcel-codes"),
        ("models/bearing-vibration/1/golden", "normal.csv: rows of a bundled model are missing"),
        ("demo", "conveyor.mp4: the video of the demo is missing"),
    ],
)
def test_what_is_missing_in_the_installation_is_one_line(
    spoilt: Path, tmp_path: Path, part: str, named: str
) -> None:
    shutil.rmtree(spoilt / "edged/bundled" / part)
    with Demo(spoilt, tmp_path) as shown:
        assert shown.ended() == 66
    assert shown.lines == []
    assert len(shown.complaints.splitlines()) == 1
    assert named in shown.complaints


@pytest.mark.parametrize(
    ("absent", "install"),
    [
        (["amqtt"], r"pip install 'edged\[demo\]'"),
        (["onnxruntime"], r"pip install 'edged\[(openvino|cpu)\]'"),
        (["amqtt", "onnxruntime"], r"pip install 'edged\[(openvino|cpu),demo\]'"),
    ],
    ids=["broker", "runtime", "both"],
)
def test_an_extra_that_is_not_installed_is_one_line_that_names_it(absent: list[str], install: str) -> None:
    hide = "".join(f"sys.modules[{name!r}] = None; " for name in absent)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {hide}from edged.cli import main; main()", "demo"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (69, "")
    assert len(done.stderr.splitlines()) == 1
    assert re.search(install, done.stderr)

"""What the whole daemon costs beside what nobody can avoid: decoding alone, and the bare session alone.

    python benchmarks/daemon.py [--rounds 5] [--threads N] [--provider P] [--video V] [--model M]

Every frame of a video goes through ``edged run --once`` to a real mosquitto on loopback. The sides take turns within
one run; medians are printed, with the number of rounds. CPU time is that of all processes of a side; starting the
daemon (measured on one picture) is taken off: it is paid once. Writes ``benchmarks/results/daemon.json``.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGED_ASSETS", ROOT.parent / "shared" / "assets"))

DECODE = """
import sys, time, av
start = time.process_time(); wall = time.perf_counter(); n = 0
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]; stream.thread_type = "SLICE"; stream.codec_context.thread_count = 1
    for frame in container.decode(stream): n += 1
print(n, time.process_time() - start, time.perf_counter() - wall)
"""

SESSION = """
import sys, time, numpy as np
import edged
from edged.inference.session import Session
from pathlib import Path
path, provider, threads, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
session = Session(Path(path), providers=[provider], threads=threads)
spec = session.inputs[0]
shape = [side if isinstance(side, int) else usual for side, usual in zip(spec.shape, (1, 3, 640, 640))]
feeds = {spec.name: np.random.default_rng(1).random(shape).astype(spec.dtype)}
for _ in range(10): session.run(feeds)
start = time.process_time(); wall = time.perf_counter()
for _ in range(n): session.run(feeds)
print(n, time.process_time() - start, time.perf_counter() - wall)
"""


def side(program: str, *arguments: str) -> tuple[float, float, int]:
    """CPU ms and wall ms a frame, and frames, of a program that prints frames, CPU seconds and wall seconds."""
    text = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    ).stdout
    count, cpu_s, wall_s = text.split()
    return float(cpu_s) / int(count) * 1000, float(wall_s) / int(count) * 1000, int(count)


def daemon(source: Path, config: Path, port: int) -> tuple[float, float]:
    """CPU seconds of the daemon and its workers, and wall seconds, for one source read once."""
    environment = {
        **os.environ,
        "EDGED_CAMERAS__C__URL": str(source),
        "EDGED_MQTT__URL": f"mqtt://127.0.0.1:{port}",
    }
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "edged", "run", "--once", "-c", str(config)],
        check=True,
        env=environment,
        stderr=subprocess.PIPE,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, time.perf_counter() - wall


def broker(folder: Path, *more: str) -> tuple[subprocess.Popen[bytes], int]:
    """A mosquitto on a free loopback port, with more lines of configuration."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lines = (f"listener {port} 127.0.0.1", "allow_anonymous true", *more)
    (folder / "mosquitto.conf").write_text("".join(f"{line}\n" for line in lines))
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
    raise SystemExit("mosquitto does not start")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="of one inference, both sides; 0 = all cores")
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--video", type=Path, default=ASSETS / "videos" / "one_by_one_person.mp4")
    parser.add_argument("--model", type=Path, default=ASSETS / "models" / "yolox_nano_416.onnx")
    parser.add_argument("--picture", type=Path, default=ASSETS / "images" / "bus.jpg")
    options = parser.parse_args()
    threads = options.threads or len(os.sched_getaffinity(0))
    rows: dict[str, list[float]] = {
        key: [] for key in ("decode", "session", "daemon", "wall", "session_wall")
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process, port = broker(folder)
        config = folder / "edged.toml"
        config.write_text(
            f'[http]\nlisten = ""\n[models.m]\npath = "{options.model.resolve()}"\n'
            f'providers = ["{options.provider}"]\nthreads = {threads}\n[cameras.c]\nurl = "x"\nmodels = ["m"]\n'
        )
        try:
            for _ in range(options.rounds):
                decode_ms, _, frames = side(DECODE, str(options.video))
                session_ms, session_wall_ms, _ = side(
                    SESSION, str(options.model), options.provider, str(threads), str(min(frames, 600))
                )
                start_cpu_s, start_wall_s = daemon(options.picture, config, port)
                cpu_s, wall_s = daemon(options.video, config, port)
                rows["decode"].append(decode_ms)
                rows["session"].append(session_ms)
                rows["session_wall"].append(session_wall_ms)
                rows["daemon"].append((cpu_s - start_cpu_s) / frames * 1000)
                rows["wall"].append((wall_s - start_wall_s) / frames * 1000)
        finally:
            process.terminate()
            process.wait()
    median = {key: statistics.median(values) for key, values in rows.items()}
    floor = median["decode"] + median["session"]
    print(f"{options.model.name} on {options.video.name}, {frames} frames, provider {options.provider}, "
          f"{threads} threads, median of {options.rounds} rounds")  # fmt: skip
    print(f"  decoding alone        {median['decode']:7.2f} ms CPU a frame")
    session_rate, rate = 1000 / median["session_wall"], 1000 / median["wall"]
    print(
        f"  bare session alone    {median['session']:7.2f} ms CPU a frame, {session_rate:6.1f} frames a second"
    )
    print(f"  edged, whole daemon   {median['daemon']:7.2f} ms CPU a frame, {rate:6.1f} frames a second")
    print(f"  CPU of the daemon / (decoding + session) = {median['daemon'] / floor:.3f}")
    result = {
        "machine": {"platform": platform.platform(), "cores": len(os.sched_getaffinity(0))},
        "options": {key: str(value) for key, value in vars(options).items() if not isinstance(value, Path)},
        "rounds": rows,
        "ratio": median["daemon"] / floor,
    }
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "daemon.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

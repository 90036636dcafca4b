"""Pictures and videos that went wrong, decoded as the daemon decodes them; in a child, so that a crash can be seen.

The daemon has no such wall: a crash here is one there. So it is a finding, with the versions of the libraries.
"""

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import av
import clips
import cv2
import numpy as np

from edged.errors import EdgedError
from edged.sources.capture import SourceStatistics
from edged.sources.packets import Treatment
from edged.sources.stream import open_source
from fuzz.guidance import Finding
from fuzz.mutation import mutated

BOUND_S = 20.0
"""Of one file, processor time."""
MAX_MEMORY_BYTES = 4 << 30
MAX_GROWTH_BYTES = 1536 << 20
"""The largest frame that is allowed, as it is decoded and as it is handed on, with something to spare."""
MAX_FRAMES = 60
BATCH = 200
"""Files to one child."""
SUFFIXES = (".jpg", ".png", ".bmp", ".webp", ".tiff", ".jp2", ".ppm", ".sr")
CODECS = (
    ("mpeg4", ".mp4"),
    ("libx264", ".mp4"),
    ("mjpeg", ".avi"),
    ("ffv1", ".mkv"),
    ("libx264", ".ts"),
    ("vp8", ".webm"),
    ("h263", ".3gp"),
)


@dataclass
class MediaReport:
    """What a run saw."""

    seconds: float = 0.0
    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def line(self) -> str:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())
        return f"media: {self.files} files in {self.seconds:.0f} s; {outcomes}; {len(self.findings)} findings"


def seeds(folder: Path) -> dict[str, bytes]:
    """Small whole files of many kinds, by name; those that the installed libraries can write."""
    made: dict[str, bytes] = {}
    pixels = np.kron(np.random.default_rng(1).integers(0, 255, (6, 8, 3)), np.ones((8, 8, 1))).astype(
        np.uint8
    )
    for suffix in SUFFIXES:
        with contextlib.suppress(cv2.error):
            written, content = cv2.imencode(suffix, pixels)
            if written:
                made[f"picture{suffix}"] = content.tobytes()
    frames = [clips.solid_frame(64, 48, (16 + 9 * n, 100 + n, 128)) for n in range(12)]
    for number, (codec, suffix) in enumerate(CODECS):
        path = folder / f"{number}-{codec}{suffix}"
        form = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        size = (176, 144) if codec == "h263" else (64, 48)
        with contextlib.suppress(av.FFmpegError, ValueError):
            shown = (
                [clips.solid_frame(*size, (16 + 9 * n, 100, 128), form) for n in range(12)]
                if form != "yuv420p" or codec == "h263"
                else frames
            )
            made[path.name] = clips.write_clip(path, shown, codec=codec).read_bytes()
        path.unlink(missing_ok=True)
    return made


def decode_many(folder: Path, *, seed: int, seconds: float = 0.0, count: int = 0) -> MediaReport:
    """Decode mutants in children until the time is up, or so many were decoded."""
    report, began_s, first = MediaReport(), time.monotonic(), 0
    while not (seconds and not count and time.monotonic() - began_s > seconds) and not (
        count and first >= count
    ):
        batch = min(BATCH, count - first) if count else BATCH
        command = [sys.executable, "-m", "fuzz.media", str(seed), str(first), str(batch), str(folder)]
        paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | paths
        ) as child:
            watchdog = threading.Timer(BATCH * BOUND_S / 4, child.kill)
            watchdog.start()
            out, errors = child.communicate()
            watchdog.cancel()
        lines = out.splitlines()
        done = [line for line in lines if not line.startswith("at ")]
        for line in done:
            report.outcomes[line.partition(" ")[0]] += 1
            if line.startswith("bug "):
                report.findings.append(
                    Finding("media", line, mutant(folder, seed, first + done.index(line))[1])
                )
        report.files += len(done)
        at = first + len(done)
        if child.returncode:
            name, content = mutant(folder, seed, at)
            how = (
                signal.Signals(-child.returncode).name if child.returncode < 0 else f"exit {child.returncode}"
            )
            what = f"file {at}, of {name}, ended the process that decoded it ({how})"
            what += f", PyAV {av.__version__}, OpenCV {cv2.__version__}"
            report.findings.append(Finding("media", what, content, errors[-2000:]))
            report.files, at = report.files + 1, at + 1
        first = at
    report.seconds = time.monotonic() - began_s
    return report


def mutant(folder: Path, seed: int, number: int) -> tuple[str, bytes]:
    """The name of what it was made of, and its bytes; always the same for the same libraries."""
    whole = _seeds_once(folder)
    chance = random.Random(f"{seed}/{number}")
    name = chance.choice(list(whole))
    return name, mutated(chance, whole[name])


_made: dict[Path, dict[str, bytes]] = {}


def _seeds_once(folder: Path) -> dict[str, bytes]:
    if folder not in _made:
        _made[folder] = seeds(folder)
    return _made[folder]


def main(arguments: list[str]) -> None:
    """In the child: SEED FIRST COUNT FOLDER; a line a file."""
    seed, first, count, folder = int(arguments[0]), int(arguments[1]), int(arguments[2]), Path(arguments[3])
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)  # ends the process also deep in native code
    for number in range(first, first + count):
        name, content = mutant(folder, seed, number)
        path = folder / f"mutant-{first}{Path(name).suffix}"
        path.write_bytes(content)
        signal.setitimer(signal.ITIMER_VIRTUAL, BOUND_S)
        print(_decoded(path), flush=True)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        path.unlink()


def _decoded(path: Path) -> str:
    """A line: how the file was taken; `bug` where it must not be taken so."""
    frames, before = 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = "frames"
    try:
        with open_source(
            str(path), name="c", stop=threading.Event(), statistics=SourceStatistics()
        ) as source:
            for capture in source.captures(lambda _packet: Treatment.DECODE):
                if capture.pixels is not None:
                    capture.pixels()
                frames += 1
                if frames >= MAX_FRAMES:
                    break
    except EdgedError as error:
        outcome = f"{type(error).__name__} {error.problem}" if "\n" not in str(error) else f"bug {error!r}"
    except Exception as error:
        outcome = f"bug {error!r}".replace("\n", " ")
    if (
        grown := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before * 1024
    ) > MAX_GROWTH_BYTES:
        return f"bug {grown >> 20} MiB for a file of {path.stat().st_size} bytes, then: {outcome}"
    return outcome


if __name__ == "__main__":
    main(sys.argv[1:])

"""The sides of a bench in turns, and the report that comes of it."""

import contextlib
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edged import __version__, machine
from edged.bench import bare
from edged.bench.clocks import Others
from edged.bench.figures import STAGES, Bare, Report, Stage, Whole, capacity, stage
from edged.bench.stages import Round, Stages
from edged.bench.whole import WholePipeline, WholeRound, built
from edged.errors import CannotWrite
from edged.mqtt.payloads import ModelInfo
from edged.mqtt.topics import Topics
from edged.outbox import DiskOutbox
from edged.preprocess import Preparer
from edged.sources.stream import read_frames
from edged.worker.client import WorkerProcess
from edged.worker.description import LoadRequest

ROUNDS = 5
MIN_ROUND_S = 0.2
"""Of one side; a shorter one says little."""
SIDES = 4
USUAL_FPS = 25.0
"""Of a video that does not say its rate."""
OUTBOX_BYTES, OUTBOX_AGE_S = 64 * 1024**2, 3600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to bench.

    Attributes:
        model: The file or folder of a version.
        video: A file.
        providers: In order.
        fps: Detections a second of each camera, for the capacity.
        seconds: For all rounds together; loading comes on top.
    """

    model: Path
    video: str
    providers: tuple[str, ...]
    fps: float
    seconds: float


Told = Callable[[str, float], None]
"""Hears what is being done, and the share of all that is done."""


@dataclass(frozen=True, slots=True)
class _Sides:
    """Each side's rounds."""

    stages: list[Round]
    alone: list[bare.BareRound]
    full: list[bare.BareRound]
    whole: list[WholeRound]


def measure(
    wanted: Wanted, name_of: Callable[["WorkerProcess"], ModelInfo], told: Told = lambda _what, _share: None
) -> Report:
    """Bench a model.

    Raises:
        EdgedError: The model cannot be loaded, or the video cannot be read.
        CannotWrite: No temporary folder.
    """
    began_s, others, cores = time.monotonic(), Others(), machine.cores()
    told("loading the model", 0.0)
    with contextlib.ExitStack() as running:
        folder = running.enter_context(_folder())
        single = running.enter_context(_loaded(wanted, callers=1))
        many = running.enter_context(_loaded(wanted, callers=cores)) if cores > 1 else single
        size = _same_picture(wanted.video, [single, many], cores)
        outbox = running.enter_context(_outbox(folder / "stages"))
        stages = Stages(
            wanted.video,
            single,
            outbox,
            model=name_of(single),
            topic=Topics("edged", "bench").detections("bench"),
        )
        whole = running.enter_context(
            built(
                wanted.model, wanted.video, wanted.providers, running.enter_context(_outbox(folder / "whole"))
            )
        )
        sides = _in_turns(
            wanted.seconds, stages=stages, single=single, many=many, whole=whole, cores=cores, told=told
        )
        description, video_fps = single.description, whole.video_fps or USUAL_FPS
    rows = {name: _stage(name, sides.stages) for name in STAGES}
    full = _bare(sides.full, cores)
    return Report(
        model={
            "path": description.path,
            "digest": description.digest,
            "family": description.family,
            "provider": description.provider,
            "threads": description.threads,
            "passed_over": list(description.provider_refused),
        },
        video={"path": wanted.video, "width": size[0], "height": size[1], "fps": round(video_fps, 3)},
        machine={
            "cpu": machine.cpu_name(),
            "cores": cores,
            "architecture": platform.machine(),
            "system": platform.platform(),
            "edged": __version__,
            "runtime": dict(description.runtime),
        },
        stages=rows,
        alone=_bare(sides.alone, 1),
        full=full,
        whole=Whole(
            statistics.median(one.per_s for one in sides.whole),
            statistics.median(one.cpu_ms for one in sides.whole),
        ),
        capacity=capacity(
            rows, video_fps=video_fps, fps=wanted.fps, cores=cores, inferences_per_s=full.per_s
        ),
        rounds=len(sides.whole),
        frames=sum(one.frames for one in sides.stages),
        seconds=time.monotonic() - began_s,
        others=others.cores(),
    )


def _in_turns(
    seconds: float,
    *,
    stages: Stages,
    single: WorkerProcess,
    many: WorkerProcess,
    whole: WholePipeline,
    cores: int,
    told: Told,
) -> _Sides:
    sides = _Sides([], [], [], [])
    round_s = max(MIN_ROUND_S, seconds / ROUNDS / SIDES)
    stages.run(0.0), bare.run(single, 1, 0.0), bare.run(many, cores, 0.0)  # the first of each is not counted
    for number in range(ROUNDS):
        done = number / ROUNDS
        told("stage by stage", done)
        sides.stages.append(stages.run(round_s))
        told("the bare session", done + 0.25 / ROUNDS)
        sides.alone.append(bare.run(single, 1, round_s))
        sides.full.append(bare.run(many, cores, round_s))
        told("everything at once", done + 0.75 / ROUNDS)
        sides.whole.append(whole.run(round_s))
    return sides


def _stage(name: str, rounds: list[Round]) -> Stage:
    told = [one for one in rounds if one.wall_ms[name]]
    return stage([one.wall_ms[name] for one in told], [one.mean_cpu_ms(name) for one in told])


def _bare(rounds: list[bare.BareRound], at_once: int) -> Bare:
    return Bare(
        at_once,
        statistics.median(one.per_s for one in rounds),
        statistics.median(one.cpu_ms for one in rounds),
    )


def _same_picture(video: str, workers: list[WorkerProcess], cores: int) -> tuple[int, int]:
    """Lay the first frame of the video into every lane, and say its size."""
    frame = next(read_frames(video, name="bench"))
    for worker, lanes in zip(workers, (1, cores), strict=True):
        for lane in range(lanes):
            Preparer(worker.description.picture).prepare(frame, worker.tensor(lane))
    return frame.width, frame.height


@contextlib.contextmanager
def _loaded(wanted: Wanted, *, callers: int) -> Iterator[WorkerProcess]:
    request = LoadRequest(
        path=str(wanted.model), providers=wanted.providers, callers=callers, serves="pictures"
    )
    worker = WorkerProcess("bench", request)
    try:
        worker.load()
        yield worker
    finally:
        worker.close()


@contextlib.contextmanager
def _outbox(folder: Path) -> Iterator[DiskOutbox]:
    outbox = DiskOutbox(folder, OUTBOX_BYTES, OUTBOX_AGE_S)
    outbox.start()
    try:
        yield outbox
    finally:
        outbox.close(2.0)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    try:
        temporary = tempfile.TemporaryDirectory(prefix="edged-bench-", ignore_cleanup_errors=True)
    except OSError as error:
        raise CannotWrite("temporary folder", f"cannot be made ({error.strerror})", "set TMPDIR") from error
    with temporary as name:
        yield Path(name)

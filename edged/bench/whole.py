"""Everything at once: a camera, a model and an outbox as the daemon builds them, without a broker."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edged.bench.clocks import process_cpu_s
from edged.errors import EdgedError, ModelRejected
from edged.mqtt.topics import Topics
from edged.outbox import Outbox
from edged.publisher import Publisher, Sender
from edged.sections import CameraSettings
from edged.service.cameras import Cameras
from edged.service.models import Models
from edged.service.outlets import SILENT
from edged.settings import check_settings

CAMERA, MODEL = "bench", "bench"
FIRST_S = 15.0
"""How long the first results may take."""
FIRST_RESULTS = 5
"""So many are not counted: buffers fill, caches too."""
LOOK_UP_S = 0.01
END_S = 3.0


@dataclass(frozen=True, slots=True)
class WholeRound:
    """One round.

    Attributes:
        per_s: Results a second.
        cpu_ms: Processor time of one, in all processes.
    """

    per_s: float
    cpu_ms: float


class WholePipeline:
    """See `built`.

    Attributes:
        video_fps: Frames a second as the video declares them, after the first round; None where it does not.
    """

    def __init__(self, section: CameraSettings, cameras: Cameras, models: Models) -> None:
        self._section, self._cameras, self._models = section, cameras, models
        self.video_fps: float | None = None

    def run(self, seconds: float) -> WholeRound:
        """Play the video, as fast as it is taken, for so long.

        Raises:
            EdgedError: It cannot be read, or nothing comes of it.
        """
        self._cameras.start(CAMERA, self._section)
        try:
            self._wait_for(self._results + FIRST_RESULTS)
            self.video_fps = self._cameras.find(CAMERA).camera.state.fps
            count, wall_s, cpu_s = self._results, time.monotonic(), self._cpu_s()
            while time.monotonic() < wall_s + seconds or self._results == count:
                time.sleep(min(seconds, 0.1))
                self._check(wall_s + seconds + FIRST_S)
            count, cpu_s, wall_s = (
                self._results - count,
                self._cpu_s() - cpu_s,
                time.monotonic() - wall_s,
            )
        finally:
            self._cameras.end([CAMERA])
        return WholeRound(count / wall_s, cpu_s * 1000 / count)

    @property
    def _results(self) -> int:
        """Since the start, rounds before this one among them."""
        return int(self._cameras.find(CAMERA).totals().published)

    def _wait_for(self, results: int) -> None:
        deadline_s = time.monotonic() + FIRST_S
        while self._results < results:
            self._check(deadline_s)
            time.sleep(LOOK_UP_S)

    def _check(self, deadline_s: float) -> None:
        camera = self._cameras.find(CAMERA).camera
        if camera.error:
            raise camera.error
        if time.monotonic() > deadline_s:
            raise EdgedError("edged bench", f"no results within {FIRST_S:.0f} s", "see the log")

    def _cpu_s(self) -> float:
        pids = [pid for model in self._models.served.values() for pid in model.pids]
        return time.process_time() + sum(process_cpu_s(pid) for pid in pids)


@contextmanager
def built(model: Path, video: str, providers: tuple[str, ...], outbox: Outbox) -> Iterator[WholePipeline]:
    """The daemon's camera, pipeline and publisher, ended with the context.

    Args:
        model: The file or folder of a version.
        video: A file.
        providers: In order.
        outbox: Started; it is not emptied by anybody.

    Raises:
        EdgedError: The model is not served.
    """
    settings = check_settings(
        {
            "device": "bench",
            "models": {MODEL: {"path": str(model.absolute()), "providers": list(providers)}},
            "cameras": {CAMERA: {"url": str(Path(video).absolute()), "models": [MODEL], "realtime": False}},
            "http": {"listen": ""},
        },
        name="edged bench",
    ).settings
    models = Models(once=True, on_change=lambda _: None, checkpoint=lambda: None)
    cameras = Cameras(
        once=False,
        models=lambda: models.served,
        publisher=Publisher(Sender(Topics("edged", "bench"), 1), outbox),
        outlets=SILENT,
        overrides=None,
        on_state=lambda _: None,
    )
    try:
        if not models.start(settings):
            errors = [served.error for served in models.served.values() if served.error]
            raise errors[0] if errors else ModelRejected(str(model), "is not served", "see the log")
        yield WholePipeline(settings.cameras[CAMERA], cameras, models)
    finally:
        models.halt()
        for served in models.served.values():
            served.stop(END_S)

"""What others may see of whether the daemon works, in one place: the service manager, ``/healthz``, the next start.

One object is owned by the main thread from before anything starts until after everything has ended:

    heart          of the main thread             ─┐
    supervision    of all threads                  ├─→ READY, STATUS, RELOADING, WATCHDOG, STOPPING → service manager
    run file       of this run, for the next one  ─┘
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from edged import logs
from edged.errors import EdgedError
from edged.heartbeat import Heartbeat
from edged.lifecycle import ServedModel
from edged.mqtt.link import LinkState
from edged.service.posts import CameraPost
from edged.service.previous_end import PreviousEnd
from edged.service.runfile import RunFile
from edged.service.status_line import StatusLine
from edged.service.supervision import Supervision, Troubles
from edged.systemd import Notifier

if TYPE_CHECKING:
    from edged.service.sensor_posts import SensorPost

STUCK_S = 20.0
"""A main thread that has not come round for this long does not work."""
EXTEND_S, EXTEND_EVERY_S = 30.0, 5.0
"""While models load, the service manager is asked for so much more time, so often."""


class Oversight:
    """A context manager around the whole run; the main thread alone uses it, `reasons` and `troubles` aside."""

    def __init__(self, folder: Path | None, *, remember: Callable[[str], None]) -> None:
        """Read what the run before left.

        Args:
            folder: For the state of this instance; None = nothing is kept.
            remember: Takes an error for the reports of health, in any thread.
        """
        self._notifier = Notifier()
        self._run_file = RunFile(folder)
        self._supervision = Supervision(self._notifier, on_death=remember, on_hang=self._run_file.hangs)
        self._heart = Heartbeat(STUCK_S)
        self._status = StatusLine(self._notifier)
        self._waited_for, self._extend_at_s = True, 0.0
        self._hanging: set[int] = set()

    def __enter__(self) -> "Oversight":
        self._run_file.begin()
        self._heart.__enter__()
        self._supervision.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.ended(getattr(error, "exit_code", EdgedError.exit_code), f"{type(error).__name__}: {error}")
        self._supervision.__exit__(kind, error, trace)
        self._heart.__exit__(None, None, None)
        logs.tell_repeats(all_of_them=True)

    @property
    def previous_end(self) -> PreviousEnd | None:
        """How the run before ended; None where that is not known."""
        return self._run_file.previous

    def reasons(self) -> list[str]:
        """Why the process does not work; empty while it does. Any thread may ask."""
        return self._supervision.reasons()

    def troubles(self) -> Troubles:
        """What has been wrong with threads. Any thread may ask."""
        return self._supervision.troubles

    def comes_round(self) -> None:
        """The main thread goes on, be it with work or with waiting.

        Raises:
            EdgedError: A thread has died that nothing brings back but a new start.
        """
        self._heart.mark()
        self._run_file.touch()
        now_s = time.monotonic()
        if self._waited_for and now_s >= self._extend_at_s:
            self._extend_at_s = now_s + EXTEND_EVERY_S
            self._notifier.extend(EXTEND_S)
        if dead := self._supervision.dead:
            raise EdgedError(
                f"thread {dead[0]}",
                "died of a bug; edged ends, to be started anew",
                "report the log's lines before",
            )

    def serves(self) -> None:
        """Serving has begun: the models are loaded. Brokers and cameras come when they come."""
        self._waited_for = False
        self._notifier.ready()

    @contextlib.contextmanager
    def reload(self) -> Iterator[None]:
        """Around a reload, whatever comes of it."""
        self._notifier.reloading()
        self._waited_for = True
        try:
            yield
        finally:
            self.serves()

    def tell(
        self,
        cameras: Iterable[CameraPost],
        sensors: "Iterable[SensorPost]",
        models: Iterable[ServedModel],
        link: LinkState,
    ) -> None:
        """How things stand, for people; called often, speaks seldom."""
        self._status.tell(
            lambda: [post.camera.state.status for post in cameras],
            lambda: [post.sensor.state.status for post in sensors],
            models,
            link,
        )
        logs.tell_repeats()

    def hanging_anew(self, cameras: Iterable[CameraPost]) -> list[CameraPost]:
        """Cameras that hang since this was asked last, or do not any more: they cannot say so themselves."""
        found = list(cameras)
        hanging = {id(post) for post in found if post.camera.hangs}
        changed = [post for post in found if (id(post) in hanging) != (id(post) in self._hanging)]
        self._hanging = hanging
        return changed

    def ends(self, told_by: str) -> None:
        """The end has begun.

        Args:
            told_by: The signal; empty without one.
        """
        self._notifier.stopping()
        if told_by:
            self._run_file.ending(told_by)

    def ended(self, code: int, why: str = "") -> None:
        """Everything has ended, with this exit code."""
        self._run_file.ended(code, why)

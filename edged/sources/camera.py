"""A camera at work: a thread that opens its source, delivers chosen frames, and opens it again when it is lost.

          ┌───────────── backoff ←──────────────┐
offline ──┴→ open → first frame → online → lost ┘   a recording begins again at its end; ``once`` ends there

A server that gives one picture is asked for the next one when that is due, and stays online between the two, and when
an answer among good ones is bad.
Switched off it closes its source wherever it is in that, is ``disabled``, and begins anew when it is switched on.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

import structlog

from edged.errors import BadInput, ConfigurationError, EdgedError, InputNotFound, NotAllowed, SourceLost
from edged.frame import Frame
from edged.heartbeat import Heartbeat
from edged.sections import CameraSettings, is_path
from edged.sources.backoff import Backoff
from edged.sources.capture import Capture, Source, SourceStatistics
from edged.sources.clock import Pace, StreamClock
from edged.sources.motion.gate import Gate, Look
from edged.sources.motion.watch import Timeline
from edged.sources.pixels import Pixels
from edged.sources.polling import Polling
from edged.sources.selection import Selection
from edged.sources.stream import framed, open_source
from edged.sources.switch import CONNECTING, SWITCHED_OFF, SourceStatus, Switch

STOP_S = 6.0
"""How long leaving the ``with`` waits for the thread; nothing in it waits longer without looking at the stop event."""
REST_S, REST_PART = 0.25, 0.2
"""While nothing moves, packets of a live source gather for so long, and for this part of ``max_age`` at most."""
AHEAD_S = 0.5
"""A recording is read so far ahead while no frame of it is decoded: many packets in one go."""
HANGS = "its decoder or driver does not come back; nothing but a restart of edged may help"
STUCK_S = 30.0
"""Of a thread in native code that has its own time-outs, and does not keep them: it hangs; opening takes longest."""
LOST_S = 900.0
"""So long a hanging camera is only offline. Nothing but a new process frees its thread then; see docs/adr/0017."""
MISSED_S = 0.5
"""After a bad answer a server is asked for its picture again so soon, or when the next one is due."""
DEFAULT_STEP_S = 0.04
"""Of a recording that says nothing about its rate."""

__all__ = ["Camera", "SourceState", "SourceStatus"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is published of a camera.

    Attributes:
        status: Whether frames come.
        why: For people: why no frames come, empty while it is online. Carries no password.
        width: Pixels of the upright frames; None until the first one.
        height: Pixels.
        fps: As the source declares it; None where it does not.
        since_s: When the status began, in seconds since 1970.
        decoder: What decodes it, and why not what was asked for; empty for pictures, and before the first frame.
        gate: What motion is seen by, and why not by what was asked for; empty without a motion gate.
    """

    status: SourceStatus
    why: str
    width: int | None
    height: int | None
    fps: float | None
    since_s: float
    decoder: str = ""
    gate: str = ""


class _Once:
    """Makes the pixels of a frame when they are first asked for."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Pixels | None]) -> None:
        self._make: Callable[[], Pixels | None] | None = make
        self._made: Pixels | None = None

    def __call__(self) -> Pixels | None:
        """The pixels; None where they are broken."""
        if self._make is not None:
            self._made, self._make = self._make(), None
        return self._made


class Camera:
    """Reads one source in a thread of its own, named ``camera-<name>``.

    ``deliver`` and ``on_state`` are called in that thread and nowhere else, so they need no lock against each other.
    `start`, `stop`, `switch`, `next_frame` and the properties may be called from any thread.

    Attributes:
        name: As configured.
        statistics: Counts since the start.
        finished: Set when the thread has ended: with ``once`` after the last frame was delivered or the source
            failed for good, otherwise after `stop`.
        error: Why the source failed for good: with ``once`` whatever ended it; otherwise, of a local file, that it is
            not there or not readable and never was. It is tried again all the same.
    """

    def __init__(
        self,
        name: str,
        settings: CameraSettings,
        *,
        once: bool,
        deliver: Callable[[Frame], None],
        on_state: Callable[[SourceState], None],
        enabled: bool = True,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            name: As configured.
            settings: Its section.
            once: Read it once to its end, waiting for ``deliver``; otherwise for ever.
            deliver: Takes each chosen frame. It may block; a stop is then seen after it returns.
            on_state: Told of each change of `state`.
            enabled: False = nothing is opened before it is switched on.
        """
        self.name = name
        self.statistics = SourceStatistics()
        self.finished = threading.Event()
        self.error: EdgedError | None = None
        self._settings, self._once = settings, once
        self._deliver, self._on_state = deliver, on_state
        self._heart = Heartbeat(STUCK_S + 4 * settings.read_timeout, patience_s=LOST_S)
        self._switch = Switch(enabled=enabled, interrupt=lambda: self._hand_out(None))
        self._asked: deque[tuple[Future[Frame | None], bool]] = deque()  # whether it must be delivered, too
        self._thread = threading.Thread(target=self._run, name=f"camera-{name}", daemon=True)
        status, why = (SourceStatus.OFFLINE, CONNECTING) if enabled else (SourceStatus.DISABLED, SWITCHED_OFF)
        self._gate = Gate(name, settings.motion)
        self._selection = Selection(settings.fps, self._gate, asked=lambda: bool(self._asked))
        self._state = SourceState(status, why, None, None, None, time.time(), gate=self._gate.text)
        self._sequence = 0
        self._was_online = False
        self._warned = ""
        self._backoff = Backoff()
        self._pace = Pace()
        self._clock = StreamClock()
        self._scene = Timeline()
        self._still_s: float | None = None
        self._period_s = 1 / settings.fps if settings.fps else 1.0  # of pictures
        self._polling = Polling(settings.read_timeout)

    @property
    def state(self) -> SourceState:
        """The state now."""
        if self._heart.late:
            return replace(self._state, status=SourceStatus.OFFLINE, why=HANGS)
        return self._state

    @property
    def hangs(self) -> bool:
        """Whether its thread does not come back from native code; only it could close what it has opened."""
        return self._heart.late

    @property
    def motion(self) -> bool:
        """Whether something moves, as far as the motion gate knows; False without one."""
        return self._gate.moving

    @property
    def stopped(self) -> bool:
        """Whether it was told to end."""
        return self._switch.stop.is_set()

    def start(self) -> None:
        """Begin; once only."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end and wait for it.

        Returns:
            Whether it has ended. If not, it ends by itself when what it waits for returns.
        """
        self._switch.end()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._heart.patience_s = math.inf  # nobody misses it any more
        return not self._thread.is_alive()

    def switch(self, enabled: bool) -> None:
        """Have it work or not; returns at once, `state` follows."""
        self._switch.turn(enabled)

    def next_frame(self, timeout_s: float, *, deliver: bool = False) -> Frame | None:
        """Wait for the frame that is captured next, chosen or not.

        Args:
            timeout_s: For so long.
            deliver: It is chosen, whatever the gate and the rate say. Of somebody who asks while a frame is just being
                taken this cannot be done; who needs it asks again.

        Returns:
            None if none came in time, or none will because the camera is stopped or switched off.
        """
        asked: Future[Frame | None] = Future()
        self._asked.append((asked, deliver))
        try:
            return asked.result(timeout_s)
        except TimeoutError:
            return None
        finally:
            with suppress(ValueError):
                self._asked.remove((asked, deliver))

    def _hand_out(self, frame: Frame | None) -> None:
        with suppress(IndexError):
            while True:
                self._asked.popleft()[0].set_result(frame)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(STOP_S)

    def _run(self) -> None:
        try:
            with self._heart:
                self._work()
        finally:
            self.finished.set()

    def _work(self) -> None:
        while self._switch.begins_attempt(self._disabled):
            self._heart.mark()
            if self._state.status is SourceStatus.DISABLED:
                self._change(SourceStatus.OFFLINE, CONNECTING)
            fault = self._attempt()
            if self._switch.stop.is_set() or self._once:
                self._end(fault)
                return
            if fault is not None and not self._switch.halt.is_set():
                self.error = fault if self._is_hopeless(fault) else None
                self._offline(fault)
                delay_s = self._backoff.failed(patient=self._is_for_a_person(fault))
                self._heart.mark(delay_s)
                self._switch.halt.wait(delay_s)

    def _attempt(self) -> EdgedError | None:
        """Read the source to its end, and say what ended it before its time."""
        began_s, before = time.monotonic(), replace(self.statistics)
        try:
            self._read_through(began_s)
        except EdgedError as error:
            if not self._overlooks(error, began_s, before):
                return error
            self._wait_until(min(began_s + self._period_s, time.monotonic() + MISSED_S))
        except Exception as error:
            # A bug must show as a state and a log line, not as a thread that is silently gone.
            log.exception("camera failed", camera=self.name)
            return EdgedError(f"camera {self.name}", f"failed inside ({type(error).__name__})", "report this")
        finally:
            self.statistics.settle()
        return None

    def _overlooks(self, fault: EdgedError, began_s: float, before: SourceStatistics) -> bool:
        """Whether it is one bad answer of a server of pictures, and no loss; then it is counted."""
        if self._switch.halt.is_set() or not isinstance(fault, SourceLost | BadInput):
            return False
        if self.statistics.captured > before.captured:  # a stream that broke off
            return False
        if not self._polling.overlooks(began_s, time.monotonic()):
            return False
        if self.statistics.unreadable == before.unreadable:
            self.statistics.unreadable += 1
        self._warn(str(fault))
        return True

    def _read_through(self, began_s: float) -> None:
        with self._open() as source:
            if source.traits == self._polling.traits:
                self._selection.go_on()
            else:
                self._begin(source)
            treatment = self._selection.treatment if self._selection.foresees else None
            with closing(source.captures(treatment)) as captures:
                for capture in captures:
                    self._take(source, capture)
                    if self._switch.halt.is_set():
                        return
            self._warn(source.warning)
            if source.polled:
                self._polling.came(source.traits, time.monotonic())
            else:
                self._polling.ended()
                if source.live and not self._once and not self._switch.halt.is_set():
                    raise SourceLost(f"camera {self.name}", "the stream ended", "it is opened again")
        if source.polled and not self._once:
            self._wait_until(began_s + self._period_s)

    def _wait_until(self, due_s: float) -> bool:
        """Whether it came to that; False where the stop came before."""
        early_s = max(0.0, due_s - time.monotonic())
        self._heart.mark(early_s)
        return not self._switch.halt.wait(early_s)

    def _open(self) -> Source:
        settings, polled = self._settings, self._polling.traits
        return open_source(
            settings.url,
            name=self.name,
            stop=self._switch.halt,
            statistics=self.statistics,
            transport=settings.transport,
            read_timeout_s=settings.read_timeout,
            rest_s=min(REST_S, settings.max_age * REST_PART),
            period_s=self._period_s,
            decoder=settings.decoder,
            measured=polled is None or polled.measured,
        )

    def _begin(self, source: Source) -> None:
        self._clock = StreamClock()
        step_s = 1 / source.fps if source.fps else DEFAULT_STEP_S
        self._scene.restart(step_s)
        self._selection.begin(source.traits, again=not source.live, step_s=0.0 if source.live else step_s)
        self._pace.restart(step_s)

    def _take(self, source: Source, capture: Capture) -> None:
        """Count a capture, wait until it is due, and deliver it where it is chosen."""
        sequence, self._sequence = self._sequence, self._sequence + 1
        self.statistics.captured += 1
        self._heart.mark()
        captured_s = self._captured_s(source, capture)
        if captured_s is None:
            self.statistics.ended += 1
            return
        pixels = _Once(partial(self._pixels, source, capture.pixels)) if capture.pixels else None
        time_s = capture.arrival_s if capture.pts_s is None else capture.pts_s
        asked, unreadable = [deliver for _, deliver in list(self._asked)], self.statistics.unreadable
        look, scene_s = self._selection.deliver(time_s, pixels), self._scene_s(source, capture, captured_s)
        if look.still:
            self._still_s = scene_s
        self._tell()
        opens = look.opens or any(asked)
        made = pixels() if pixels and (opens or asked) else None
        if not opens or made is None:
            self._pass_over(look, damaged=self.statistics.unreadable > unreadable)
        if made is None:
            return
        frame = framed(
            made, self.name, sequence, captured_s, look.regions, scene_s=scene_s, still_s=self._still_s
        )
        if self._asked:
            self._hand_out(frame)
        if opens:
            self.statistics.chosen += 1
            self._heart.rest()  # for room, where it reads without loss
            self._deliver(frame)
            self._heart.mark()

    def _pass_over(self, look: Look, *, damaged: bool) -> None:
        """Count a capture that is not delivered, once."""
        if damaged:
            self.statistics.damaged += 1
        elif look.still:
            self.statistics.still += 1
        else:
            self.statistics.skipped += 1

    def _captured_s(self, source: Source, capture: Capture) -> float | None:
        """When it was captured, on the monotonic clock; None where the stop came before it was due."""
        if source.live:
            return self._clock.captured_s(capture.pts_s, capture.arrival_s)
        if capture.pts_s is None or not self._is_paced(source):
            return capture.arrival_s
        now_s = time.monotonic()
        due_s = self._pace.due_s(capture.pts_s, now_s)
        if due_s - now_s <= (0.0 if capture.pixels else AHEAD_S):  # nobody sees that it is early
            return due_s
        return due_s if self._wait_until(due_s) else None

    def _scene_s(self, source: Source, capture: Capture, captured_s: float) -> float | None:
        """See `Frame`."""
        if source.stills:
            return None
        if source.live or capture.pts_s is None or self._is_paced(source):
            return captured_s
        return self._scene.at(capture.pts_s)

    def _is_paced(self, source: Source) -> bool:
        if source.stills:
            return not self._once
        realtime = self._settings.realtime
        return not self._once if realtime is None else realtime

    def _pixels(self, source: Source, make: Callable[[], Pixels]) -> Pixels | None:
        try:
            pixels = make()
        except EdgedError as error:
            self.statistics.unreadable += 1
            self._warn(str(error))
            return None
        self._online(source, pixels)
        return pixels

    def _warn(self, warning: str) -> None:
        """Say it once, not in each round of a recording."""
        if warning and warning != self._warned:
            self._warned = warning
            log.warning("source is damaged", camera=self.name, problem=warning)

    def _online(self, source: Source, pixels: Pixels) -> None:
        state = self._state
        same_size = (state.width, state.height) == (pixels.width, pixels.height) or source.stills
        if state.status is SourceStatus.ONLINE and same_size and state.decoder == source.decoder:
            return
        self._backoff.worked()
        since_s = state.since_s if state.status is SourceStatus.ONLINE else time.time()
        if state.status is SourceStatus.OFFLINE and self._was_online:
            self.statistics.reconnects += 1
        self._was_online = True
        self.error = None
        self._state = SourceState(
            SourceStatus.ONLINE,
            "",
            pixels.width,
            pixels.height,
            source.fps,
            since_s,
            source.decoder,
            self._gate.text,
        )
        log.info(
            "camera online",
            camera=self.name,
            width=pixels.width,
            height=pixels.height,
            fps=source.fps,
            decoder=source.decoder,
        )
        self._on_state(self._state)

    def _tell(self) -> None:
        """What the gate goes by has changed."""
        if self._state.status is SourceStatus.ONLINE and self._state.gate != self._gate.text:
            self._state = replace(self._state, gate=self._gate.text)
            self._on_state(self._state)

    def _offline(self, error: EdgedError) -> None:
        self._polling.ended()
        why = error.problem
        state = self._state
        if state.status is SourceStatus.OFFLINE and state.why == why:
            return
        log.warning("camera offline", camera=self.name, problem=str(error))
        self._change(SourceStatus.OFFLINE, why)

    def _disabled(self) -> None:
        self._heart.rest()
        self.error = None
        self._backoff, self._warned = Backoff(), ""
        self._polling.ended()
        if self._state.status is not SourceStatus.DISABLED:
            log.info("camera disabled", camera=self.name)
            self._change(SourceStatus.DISABLED, SWITCHED_OFF)

    def _change(self, status: SourceStatus, why: str) -> None:
        """Say that no frames come, and why."""
        state = self._state
        since_s = state.since_s if state.status is status else time.time()
        self._state = replace(state, status=status, why=why, since_s=since_s)
        try:
            self._on_state(self._state)
        except Exception:  # who is told must not end this thread
            log.exception("camera state not told", camera=self.name)

    def _end(self, fault: EdgedError | None) -> None:
        """The last of a source that is read once."""
        if self._switch.stop.is_set():
            return
        self.error = fault
        if fault is not None:
            self._offline(fault)

    def _is_hopeless(self, fault: EdgedError) -> bool:
        """Whether nothing but a person can make this source work, and it never did."""
        local = is_path(self._settings.url) and not self._was_online
        return local and isinstance(fault, InputNotFound | BadInput)

    def _is_for_a_person(self, fault: EdgedError) -> bool:
        """Whether trying often is of no use: refused, broken, or not there on a server that answers."""
        if isinstance(fault, InputNotFound):
            return not (is_path(self._settings.url) or self._settings.url.startswith("v4l2:"))
        return isinstance(fault, NotAllowed | BadInput | ConfigurationError) or type(fault) is EdgedError

"""A sensor at work: a thread that opens its source, delivers the rows that come, and opens it again when it is lost.

          ┌───────────── backoff ────────────────┐
offline ──┴→ open → online ─┬─ lost ─────────────┤    ``once``, or standard input, ends at its end
                   ↑        └─ silent → offline ─┘    a source that keeps rows for us is not closed for its silence
                   └─ next row ───────┘

Switched off it closes its source wherever it is in that, is ``disabled``, and begins anew when it is switched on.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from edged.errors import BadInput, ConfigurationError, EdgedError, NotAllowed, RuntimeMissing, SourceLost
from edged.heartbeat import Heartbeat
from edged.rows import Delivery
from edged.sections import SensorSettings
from edged.sources.backoff import Backoff
from edged.sources.rowsource import RowSource
from edged.sources.switch import CONNECTING, SWITCHED_OFF, SourceStatus, Switch

STOP_S = 6.0
"""How long leaving the ``with`` waits for the thread; nothing in it but ``deliver`` waits longer."""
READ_S = 1.0
"""How long one read waits for rows."""
STUCK_S = 60.0
"""A thread that has not gone on for so long hangs; opening a source may take a time-out of the broker, or two."""
ENDED = "its input has ended"

log = structlog.get_logger()


@dataclass(slots=True)
class SensorStatistics:
    """Counts since the sensor was made. Its thread writes, others may read.

    Attributes:
        deliveries: That were handed on.
        received_bytes: In them.
        reconnects: Times it came back after it was away.
        silences: Times no row came for longer than it should take.
    """

    deliveries: int = 0
    received_bytes: int = 0
    reconnects: int = 0
    silences: int = 0


@dataclass(frozen=True, slots=True)
class SensorState:
    """What is published of a sensor.

    Attributes:
        status: Whether rows can come.
        why: For people: why none come, empty while it is online.
        since_s: When the status began, in seconds since 1970.
    """

    status: SourceStatus
    why: str
    since_s: float


class Sensor:
    """Reads one source in a thread of its own, named ``sensor-<name>``.

    ``deliver`` and ``on_state`` are called in that thread and nowhere else, so they need no lock against each other.
    `start`, `stop`, `switch` and the properties may be called from any thread.

    Attributes:
        name: As configured.
        statistics: Counts since the start.
        finished: Set when the thread has ended: after the last row of a source that ends, with ``once`` also when
            it failed, otherwise after `stop`.
        error: Why the source failed for good: with ``once`` whatever ended it before its end; otherwise, that it
            cannot work as it is configured or installed. Then it is tried again all the same.
    """

    def __init__(
        self,
        name: str,
        section: SensorSettings,
        *,
        source: RowSource,
        once: bool,
        deliver: Callable[[Delivery], None],
        on_state: Callable[[SensorState], None],
        enabled: bool = True,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            name: As configured.
            section: Its settings.
            source: Opened, read and closed by this sensor's thread from now on.
            once: Read it once to its end; otherwise for ever.
            deliver: Takes what came. It may block, which holds the source back; a stop is seen after it returns.
            on_state: Told of each change of `state`.
            enabled: False = nothing is opened before it is switched on.
            settle: Called in the thread when it is told to end, before the source is closed: a source can only be told
                that rows are safe until then, and gives others a second time. May wait a little for that.
        """
        self.name = name
        self.statistics = SensorStatistics()
        self.finished = threading.Event()
        self.error: EdgedError | None = None
        self._read_timeout_s = section.read_timeout
        self._source, self._once = source, once
        self._deliver, self._on_state, self._settle = deliver, on_state, settle
        self._switch = Switch(enabled=enabled, interrupt=source.wake)
        self._heart = Heartbeat(STUCK_S)
        self._thread = threading.Thread(target=self._run, name=f"sensor-{name}", daemon=True)
        status, why = (SourceStatus.OFFLINE, CONNECTING) if enabled else (SourceStatus.DISABLED, SWITCHED_OFF)
        self._state = SensorState(status, why, time.time())
        self._backoff = Backoff()
        self._was_online, self._silent = False, False
        self._last_row_s = 0.0

    @property
    def state(self) -> SensorState:
        """The state now."""
        return self._state

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
            Whether it has ended. If not, it ends by itself when ``deliver`` returns.
        """
        self._switch.end()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def rest(self) -> None:
        """Read nothing more: wait to be told to end. Called by ``deliver``, which takes nothing more."""
        self._switch.stop.wait(STOP_S)

    def switch(self, enabled: bool) -> None:
        """Have it work or not; returns at once, `state` follows."""
        self._switch.turn(enabled)

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
            if self._switch.stop.is_set():
                return
            if self._source.ended or (self._once and fault is not None):
                self._end(fault)
                return
            if fault is not None and not self._switch.halt.is_set():
                self.error = fault if _is_hopeless(fault) else None
                self._offline(fault)
                delay_s = self._backoff.failed(patient=_is_for_a_person(fault))
                self._heart.mark(delay_s)
                self._switch.halt.wait(delay_s)

    def _attempt(self) -> EdgedError | None:
        """Open the source and read until it ends or is to be left, and say what ended it before."""
        try:
            self._source.open()
            self._opened()
            while not (self._switch.halt.is_set() or self._source.ended):
                self._heart.mark(READ_S)
                self._hand_on(self._source.read(READ_S))
        except EdgedError as error:
            return error
        except Exception as error:
            # A bug must show as a state and a log line, not as a thread that is silently gone.
            log.exception("sensor failed", sensor=self.name)
            return EdgedError(f"sensor {self.name}", f"failed inside ({type(error).__name__})", "report this")
        finally:
            self._close()
        return None

    def _close(self) -> None:
        try:
            if self._switch.stop.is_set():
                self._settle()
            self._source.close()
        except (
            Exception
        ):  # it is given up anyway, and what stands in the way must not end this thread in silence
            log.exception("sensor not closed", sensor=self.name)

    def _opened(self) -> None:
        self._last_row_s = time.monotonic()
        if not self._silent:  # one that opens and says nothing is not back
            self._online()

    def _hand_on(self, deliveries: list[Delivery]) -> None:
        if not deliveries:
            self._look_for_silence()
            return
        self._backoff.worked()
        self._silent = False
        self._online()
        self._heart.rest()  # for room: the model's callers say whether they go on
        for delivery in deliveries:
            self.statistics.deliveries += 1
            self.statistics.received_bytes += len(delivery.payload)
            self._deliver(delivery)
        self._heart.mark()
        self._last_row_s = (
            time.monotonic()
        )  # the time that the taker held us back is not the source's silence

    def _look_for_silence(self) -> None:
        """See whether rows are missing.

        Raises:
            SourceLost: They are, and opening the source again may help.
        """
        limit_s = self._read_timeout_s
        if limit_s is None or time.monotonic() - self._last_row_s < limit_s:
            return
        fault = SourceLost(f"sensor {self.name}", f"no row for {limit_s:g} s", "does the device still send?")
        if not self._silent:
            self._silent = True
            self.statistics.silences += 1
        if self._source.patient:
            self._offline(fault)
        else:
            raise fault

    def _online(self) -> None:
        if self._state.status is SourceStatus.ONLINE:
            return
        if self._was_online:
            self.statistics.reconnects += 1
        self._was_online = True
        self.error = None
        log.info("sensor online", sensor=self.name)
        self._change(SourceStatus.ONLINE, "")

    def _offline(self, error: EdgedError) -> None:
        state = self._state
        if state.status is SourceStatus.OFFLINE and state.why == error.problem:
            return
        log.warning("sensor offline", sensor=self.name, problem=str(error))
        self._change(SourceStatus.OFFLINE, error.problem)

    def _disabled(self) -> None:
        self._heart.rest()
        self.error = None
        self._backoff, self._silent, self._was_online = Backoff(), False, False
        if self._state.status is not SourceStatus.DISABLED:
            log.info("sensor disabled", sensor=self.name)
            self._change(SourceStatus.DISABLED, SWITCHED_OFF)

    def _end(self, fault: EdgedError | None) -> None:
        """The last of a source that ends."""
        if fault is not None:
            self.error = fault
            self._offline(fault)
        elif not self._once:
            log.info("sensor ended", sensor=self.name)
            self._change(SourceStatus.OFFLINE, ENDED)

    def _change(self, status: SourceStatus, why: str) -> None:
        state = self._state
        self._state = SensorState(status, why, state.since_s if state.status is status else time.time())
        try:
            self._on_state(self._state)
        except Exception:  # who is told must not end this thread
            log.exception("sensor state not told", sensor=self.name)


def _is_hopeless(fault: EdgedError) -> bool:
    """Whether nothing but another configuration or installation can make the source work."""
    return isinstance(fault, ConfigurationError | RuntimeMissing)


def _is_for_a_person(fault: EdgedError) -> bool:
    """Whether trying often is of no use: refused, broken, or not installed."""
    hopeless = NotAllowed | BadInput | ConfigurationError | RuntimeMissing
    return isinstance(fault, hopeless) or type(fault) is EdgedError

"""The link to the broker: it comes back by itself, and nothing is forgotten that was not acknowledged.

    pipeline ─ append → outbox ┐
    set_state → retained states ┼─ thread "mqtt-link" ─→ connection ─→ broker
    publish → (while connected) ┤        │ lost, silent, refused
    answer → answers ───────────┘        └─ backoff with jitter ─ a new connection

One thread does all of it, so an error cannot hide in a callback. Whether a link is alive is judged by
acknowledgements that come, not by what the socket believes. After each connect the order is: the subscription to
commands, so that who sees `online` may send one; `online`, all retained states, answers, then the outbox from its
oldest entry.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import structlog

from edged.errors import BadInput, BrokerUnreachable, EdgedError
from edged.heartbeat import Heartbeat
from edged.mqtt.backoff import Backoff
from edged.mqtt.blame import Blame
from edged.mqtt.commands import Answer, Answers, Command, answer_to
from edged.mqtt.connection import Connection
from edged.mqtt.connector import Connector
from edged.mqtt.dial import Waker
from edged.mqtt.hearing import Hearing
from edged.mqtt.payloads import marked_replayed
from edged.mqtt.records import LinkOptions, Message
from edged.mqtt.retained import SUSPECT_S, RetainedStates
from edged.mqtt.topics import JSON, OFFLINE, ONLINE, Topics
from edged.mqtt.window import PAUSE_S, Outcome, Parcel, Window, refusal
from edged.outbox import Entry, Outbox

__all__ = ["Link", "LinkOptions", "LinkState"]

WINDOW = 128
"""Unacknowledged messages at once: the fastest of 1, 20, 128 and 512."""

MAX_FLEETING = 64
"""Messages of ``publish`` that wait for the thread."""

ANSWER_EXPIRY_S = 3600
"""For how long a broker keeps an answer for somebody who is away (MQTT 5)."""

GAPS_EVERY_S = 1.0
"""While connected: how often subscribers are told of what was dropped."""

READ_LATER_S = 0.1
"""Acknowledgements of results may wait so long at the socket: then they are read with the next message that goes out,
and a result wakes the thread once instead of twice. So may commands, while results are on their way."""

HEARD_S = 1.0
"""After a connection that ended before its states were told: how long they wait for the answer to the subscription, so
that it is known which of the two the broker hangs up on."""

PROVEN_S = 30.0
"""After which results go, whatever has become of states."""

STUCK_S = 15.0
"""A thread that has not gone on for so long hangs, what it waits for aside; looking a broker up and connecting fits."""

_MARGIN_S = 0.4  # before the time to stop is over: to notice that, and to close
_FAREWELL_SHARE = 0.3  # of the time to stop: for `stopped` and the goodbye

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the link stands.

    Attributes:
        connected: The broker has accepted us and answers.
        why: Why not, and what to do; empty while connected.
        protocol: ``5`` or ``3.1.1``; empty while not connected.
        since_s: Seconds since 1970.
        refused: The broker does not want us: a person must act.
    """

    connected: bool
    why: str
    protocol: str
    since_s: float
    refused: bool = False


class Link:
    """Keeps a connection to the broker and delivers the outbox. A context manager that owns its thread.

    Args:
        options: How the broker is spoken to.
        topics: Of this device.
        outbox: What is to be delivered.
        on_change: Called with each new state, from the link's thread; must not block.
        on_command: Called with each command, from the link's thread; must not block. ``answer`` may be called later
            and from any thread; an exception is answered as a failure. Without it nothing is subscribed to.
        listeners: What else is listened to: a topic, and what is called with each payload, as ``on_command`` is.
    """

    def __init__(
        self,
        options: LinkOptions,
        *,
        topics: Topics,
        outbox: Outbox,
        on_change: Callable[[LinkState], None] | None = None,
        on_command: Callable[[Command], None] | None = None,
        listeners: Mapping[str, Callable[[bytes], None]] | None = None,
    ) -> None:
        self._options, self._topics, self._outbox = options, topics, outbox
        self._on_change = on_change
        will = Message(topics.status, OFFLINE, qos=1, retain=True)
        self._connector = Connector(options, will=will)
        self._window = Window(outbox)
        self._retained = RetainedStates()
        self._retained.set(topics.status, ONLINE)
        self._fleeting: deque[tuple[str, bytes, int]] = deque(maxlen=MAX_FLEETING)
        self._answers = Answers(_log_dropped)
        self._stopping = threading.Event()
        self._hearing = Hearing(
            topics, on_command, listeners or {}, answer=self.answer, stopping=self._stopping.is_set
        )
        self._blame = Blame(self._retained, self._window, self._hearing, give_up=self._give_up)
        self._waker = Waker()
        self._state = LinkState(False, "not connected yet", "", time.time())
        self._connections = 0
        self._proven = False
        self._began_s = 0.0
        self._gaps_at_s = 0.0
        self._set_aside = 0
        self._moved = threading.Condition()
        self._drains = 0  # who wait for it to be idle
        self._deadline_s = self._farewell_s = float("inf")
        self._final = b""
        self._said_all = False
        self._heart = Heartbeat(STUCK_S)
        self._thread = threading.Thread(target=self._run, name="mqtt-link", daemon=True)
        self._unsubscribe: Callable[[], None] = lambda: None

    def __enter__(self) -> "Link":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(5.0)

    def start(self) -> None:
        """Begin to connect; returns at once.

        Raises:
            ConfigurationError: A certificate file that cannot be used.
        """
        self._options.tls()
        self._unsubscribe = self._outbox.subscribe(self._waker.wake)
        self._thread.start()

    @property
    def state(self) -> LinkState:
        """How the link stands now."""
        return self._state

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and answers."""
        return self._state.connected

    @property
    def connected_once(self) -> bool:
        """Whether the broker was ever reached."""
        return self._connections > 0

    @property
    def connections(self) -> int:
        """How often the broker accepted us."""
        return self._connections

    @property
    def ended(self) -> bool:
        """Whether it was started and its thread is no more, so that its counts stay as they are."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def set_aside(self) -> int:
        """Messages given up because the broker will not take them."""
        return self._set_aside

    def set_state(self, topic: str, payload: bytes) -> None:
        """Have the broker keep ``payload`` on ``topic`` (QoS 1, retained), on every connection again."""
        if self._retained.set(topic, payload):
            self._waker.wake()

    def repeat_state(self, topic: str) -> None:
        """Publish a state once more, for those who have come since."""
        self._retained.again(topic)
        self._waker.wake()

    def clear_state(self, topic: str) -> None:
        """Forget a state and have the broker forget it."""
        self._retained.clear(topic)
        self._waker.wake()

    def publish(self, topic: str, payload: bytes, qos: int = 0) -> None:
        """Send a message if connected; otherwise it is gone."""
        if self.connected:
            self._fleeting.append((topic, payload, qos))
            self._waker.wake()

    def answer(self, command: Command, answer: Mapping[str, Any]) -> None:
        """Answer a command (QoS 1) now, or once the broker is back; of more than 64 that wait the oldest are dropped.

        Raises:
            TypeError: It holds something that JSON does not know.
            ValueError: It holds a number that is not finite, or itself.
        """
        self._answers.put(answer_to(command, answer))
        self._waker.wake()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything is delivered and acknowledged.

        Returns:
            False when the time is over, or at once when the link is stopped or the broker refuses us.
        """

        def over() -> bool:
            return self._idle or self._state.refused or not self._thread.is_alive()

        with self._moved:
            self._drains += 1
            self._waker.wake()
            try:
                self._moved.wait_for(over, timeout_s)
            finally:
                self._drains -= 1
        return self._idle

    def stop(self, timeout_s: float, *, final: str = "stopped") -> bool:
        """Deliver what can be delivered, publish ``final`` as the status, say goodbye, end the thread.

        Returns:
            True when everything was delivered, ``final`` included, and the thread has ended in time.
        """
        if not self._thread.is_alive():
            self._unsubscribe()
            self._waker.close()
            return self._said_all
        now_s = time.monotonic()
        self._final = final.encode()
        self._deadline_s = now_s + max(timeout_s - _MARGIN_S, timeout_s / 2)
        self._farewell_s = now_s + timeout_s * (1 - _FAREWELL_SHARE)
        self._stopping.set()
        self._waker.wake()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("mqtt link does not end", waited_s=timeout_s)
            return False
        return self._said_all

    @property
    def _idle(self) -> bool:
        return not len(self._outbox) and not len(self._answers) and self._nothing_told

    @property
    def _nothing_told(self) -> bool:
        """Nothing is in flight, and no state is due."""
        return not len(self._window) and not len(self._retained)

    def _run(self) -> None:
        with self._heart:
            self._keep_connected()

    def _keep_connected(self) -> None:
        backoff = Backoff(self._options.client_id)
        try:
            while True:
                self._heart.mark()
                last_try = self._stopping.is_set()
                began_s = time.monotonic()
                error = self._connect_and_serve()
                if error is None or last_try or self._out_of_time():
                    return
                chance = random.random()  # noqa: S311 - spreads a fleet, hides nothing
                setback = backoff.failed(error, lasted_s=time.monotonic() - began_s, chance=chance)
                self._changed(LinkState(False, setback.why, "", time.time(), setback.refused))
                self._heart.mark(setback.delay_s)
                self._stopping.wait(setback.delay_s)
                if self._stopping.is_set() and setback.refused:
                    return
        finally:
            self._changed(
                LinkState(False, self._state.why or "stopped", "", time.time(), self._state.refused)
            )
            self._waker.close()

    def _connect_and_serve(self) -> EdgedError | None:
        """One connection from its beginning to its end; None after a clean one, otherwise why it ended."""
        try:
            connection = self._connector.connect(self._waker, self._out_of_time)
        except EdgedError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a broker can make paho fail in ways nobody lists; go on
            return _surprise(error)
        try:
            self._begin(connection)
            self._serve(connection)
        except EdgedError as error:
            return self._blame.judge(error, time.monotonic(), proven=self._proven)
        except Exception as error:  # noqa: BLE001 - as above
            return _surprise(error)
        finally:
            connection.drop()
        return None

    def _begin(self, connection: Connection) -> None:
        now_s = self._began_s = time.monotonic()
        self._connections += 1
        self._window.begin(min(WINDOW, connection.limits.receive_maximum), now_s)
        self._proven = False
        self._blame.begin(now_s)
        self._answers.all_again()
        self._fleeting.clear()
        self._hearing.begin(connection)
        self._changed(LinkState(True, "", connection.protocol, time.time()))

    def _serve(self, connection: Connection) -> None:
        while not self._farewell(connection):
            self._send(connection)
            # A message of QoS 0 is settled by being written, which makes room for the next ones at once.
            written = self._settle(connection)
            try:
                now_s = time.monotonic()
                later_s = 0.0 if written else max(0.0, self._may_read_in_s(now_s))
                look_s = 0.0 if written or later_s > 0 else self._next_look_s(now_s)
                self._heart.mark(later_s + look_s)
                if later_s > 0:
                    connection.rest(later_s)
                    self._gather()
                connection.step(look_s)
            finally:  # also at its end: the broker was told that we have it, and told us what it has
                self._hearing.receive(connection)
                self._settle(connection)
            if problem := self._window.stuck(time.monotonic()):
                raise connection.given_up(problem)
        connection.close()

    def _farewell(self, connection: Connection) -> bool:
        """While stopping: whether all is said, or the time is over."""
        if not self._stopping.is_set():
            return False
        if self._final and (self._idle or time.monotonic() > self._farewell_s):
            self._said_all = not len(self._outbox)
            self._retained.set(self._topics.status, self._final)
            self._final = b""
            return False
        if not self._final and self._nothing_told:
            return True
        if self._out_of_time():
            self._said_all = False
            return True
        return False

    def _send(self, connection: Connection) -> None:
        if self._waits_to_be_heard:
            return
        now_s = time.monotonic()
        while self._window.room > 0 and (due := self._retained.take(now_s)):
            topic, payload = due
            meaning = self._topics.meaning(topic)
            state = Message(topic, payload, 1, True, meaning.content_type, meaning.schema)
            self._send_one(connection, state, None)
        said_goodbye = self._stopping.is_set() and not self._final
        if not said_goodbye:
            self._send_answers(connection)
        # All else waits until the broker has taken the states, and any answer that may have been what it hung up on:
        # if it hangs up after that, one of them is the cause.
        self._proven = self._proven or self._has_taken_all(now_s)
        if not self._proven:
            return
        self._send_fleeting(connection)
        if said_goodbye:
            return
        self._blame.proven(now_s)
        if now_s > self._gaps_at_s:
            self._gaps_at_s = now_s + GAPS_EVERY_S
            self._outbox.report_gaps()
            self._blame.try_again(now_s)
        for entry in self._window.entries(now_s):
            if self._blame.bars(entry.topic):
                self._set_aside += 1
                self._window.set_aside(entry, "the broker hangs up on what goes to its topic")
                self._waker.wake()  # there may be room for more
            else:
                self._send_one(connection, self._result(entry), entry)

    def _send_fleeting(self, connection: Connection) -> None:
        while self._fleeting and self._window.room > 0:
            topic, payload, qos = self._fleeting.popleft()
            if self._blame.bars(topic):
                continue
            self._blame.sent_fleeting(topic, time.monotonic())
            meaning = self._topics.meaning(topic)
            self._send_one(
                connection, Message(topic, payload, qos, False, meaning.content_type, meaning.schema), None
            )

    def _send_answers(self, connection: Connection) -> None:
        while self._window.room > 0 and (answer := self._answers.take(time.monotonic())):
            message = Message(
                answer.topic,
                answer.payload,
                1,
                content_type=JSON,
                expiry_s=ANSWER_EXPIRY_S,
                correlation=answer.correlation,
            )
            identifier = self._send_one(connection, message, None)
            if identifier is None:
                self._answers.unsendable()
            else:
                self._answers.sent(identifier)

    def _result(self, entry: Entry) -> Message:
        meaning = self._topics.meaning(entry.topic)
        expiry_s = self._options.result_expiry_s
        payload = entry.payload
        if self._window.waited(entry):
            payload = marked_replayed(payload)
            expiry_s -= time.monotonic() - entry.appended_monotonic_s
        return Message(
            entry.topic,
            payload,
            entry.qos,
            False,
            meaning.content_type,
            meaning.schema,
            max(int(expiry_s), 1),
        )

    def _send_one(self, connection: Connection, message: Message, entry: Entry | None) -> int | None:
        """Send a message into the window; returns its packet identifier, None where it cannot be sent at all."""
        try:
            identifier = connection.publish(message)
        except (BadInput, ValueError) as error:  # ValueError: a topic that paho does not accept
            self._give_up(message.topic, str(error))
            if entry is not None:
                self._window.set_aside(entry, str(error))
            elif message.retain:
                self._retained.settled(message.topic, message.payload, again=False, now_s=time.monotonic())
            return None
        self._window.sent(identifier, Parcel(message.topic, message.payload, entry, time.monotonic()))
        return identifier

    def _settle(self, connection: Connection) -> bool:
        """Act on the acknowledgements that came; False where none did."""
        moved = False
        while connection.acknowledged:
            identifier, reason = connection.acknowledged.popleft()
            settled = self._window.settled(identifier, reason, time.monotonic())
            if settled is None:
                continue
            moved = True
            parcel, outcome = settled
            if outcome is Outcome.SET_ASIDE:
                self._blame.refused(parcel.topic, reason, time.monotonic())
                self._give_up(parcel.topic, refusal(reason))
            elif outcome is Outcome.DELIVERED:
                self._blame.taken(parcel.topic)
            later = outcome is Outcome.LATER
            again_at_s = time.monotonic() + PAUSE_S if later else None
            answered = self._answers.settled(identifier, again_at_s=again_at_s)
            if parcel.entry is None and not answered:
                self._retained.settled(parcel.topic, parcel.payload, again=later, now_s=time.monotonic())
        if moved and self._idle:
            with self._moved:
                self._moved.notify_all()
        return moved

    def _has_taken_all(self, now_s: float) -> bool:
        """Whether the broker took all states and answers, and stays; after a while results go whatever it does."""
        told = self._retained.burst_told(now_s) and not self._answers.suspected
        return told or now_s - self._began_s > PROVEN_S

    @property
    def _waits_to_be_heard(self) -> bool:
        """Whether states wait, so that a broker which hangs up shows on what."""
        careful = self._blame.is_careful and not self._proven and self._hearing.asks
        return careful and time.monotonic() - self._began_s < HEARD_S

    def _give_up(self, topic: str, why: str) -> None:
        self._set_aside += 1
        _log.warning("mqtt message set aside", topic=topic, why=why, set_aside=self._set_aside)

    def _gather(self) -> None:
        """Let results come that may go with the one that is due."""
        wait_s = self._window.newest_s + self._options.gather_s - time.monotonic()
        if wait_s > 0 and not self._drains:
            self._stopping.wait(wait_s)

    def _may_read_in_s(self, now_s: float) -> float:
        """Seconds for which nothing that the broker says is waited for; 0 where it is to be heard at once."""
        others = len(self._retained) or len(self._answers) or self._drains or self._stopping.is_set()
        if others or not self._proven or self._window.waits:
            return 0.0
        return min(self._window.oldest_s + READ_LATER_S - now_s, READ_LATER_S)

    def _next_look_s(self, now_s: float) -> float:
        look_s = self._window.next_look_s(now_s)
        if self._blame.is_careful:
            look_s = min(look_s, SUSPECT_S)
        if self._stopping.is_set():
            look_s = min(look_s, max((self._farewell_s if self._final else self._deadline_s) - now_s, 0.01))
        return look_s

    def _out_of_time(self) -> bool:
        return self._stopping.is_set() and time.monotonic() > self._deadline_s

    def _changed(self, state: LinkState) -> None:
        before, self._state = self._state, state
        with self._moved:
            self._moved.notify_all()
        if (before.connected, before.why) == (state.connected, state.why):
            return
        broker = str(self._options.address)
        if state.connected:
            _log.info("mqtt connected", broker=broker, protocol=state.protocol)
        elif state.why != "stopped":
            _log.warning("mqtt not connected", broker=broker, why=state.why)
        if self._on_change is None:
            return
        try:
            self._on_change(state)
        except Exception as error:  # noqa: BLE001 - a listener's bug must not cost the connection
            _log.error("mqtt state listener failed", exc_info=error)


def _log_dropped(answer: Answer, why: str) -> None:
    _log.warning("mqtt answer dropped", topic=answer.topic, why=why)


def _surprise(error: Exception) -> EdgedError:
    _log.error("mqtt link stumbled and goes on", exc_info=error)
    return BrokerUnreachable("mqtt", f"unexpected {type(error).__name__}: {error}", "report this")

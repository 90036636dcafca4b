"""Scores of sensors to messages in the outbox, as often as each sensor's ``publish`` says.

A message is about one window, or about many that were scored together.
A row whose source can give it again is told to be safe when its message is: see `edged.rows.Receipt`.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.detection import label_of
from edged.mqtt.ids import MessageIds, ReadAhead
from edged.mqtt.payloads import ModelInfo
from edged.mqtt.sensor_columns import Columns, figure
from edged.mqtt.sensor_payloads import RowTiming, SensorMessages, outcome
from edged.outbox import Outbox, Rank
from edged.pipeline import RowResult
from edged.publisher.alarm import Alarm
from edged.publisher.sender import Sender
from edged.rows import Receipt, Scores
from edged.sections import SensorSettings

MAX_ORIGINS = 1000
"""Devices behind one sensor whose alarms are known; of more, those that were silent longest are forgotten."""
MAX_MESSAGE_BYTES = 128_000
"""Of a message about several windows: brokers of clouds refuse larger ones (AWS IoT Core above 128 KiB)."""

Emit = Callable[[RowResult], int]
"""Takes a result; says how many of its windows a message was made of."""


class RowPublisher:
    """Makes a message of each window worth one and hands it to the outbox. Called from the callers' threads."""

    def __init__(
        self,
        sender: Sender,
        outbox: Outbox,
        on_alarm: Callable[[str, str, str, bool], None] | None = None,
    ) -> None:
        """Nothing was scored yet.

        Args:
            sender: Under which names.
            outbox: Takes the messages.
            on_alarm: Told of each alarm when it is first known, raised or cleared: the sensor, the model, the origin,
                whether it is up.
        """
        self._sender, self._outbox, self._on_alarm = sender, outbox, on_alarm
        self._ids = MessageIds(clock=time.time, randomness=ReadAhead(os.urandom))

    def redirect(self, sender: Sender) -> None:
        """Use other names from now on."""
        self._sender = sender

    def wait_safe(self, timeout_s: float) -> bool:
        """Wait until the messages made before are safe, as far as the disk takes them; False if that took longer."""
        return self._outbox.wait_saved(timeout_s)

    def emitter(self, sensor: str, section: SensorSettings, info: Callable[[RowResult], ModelInfo]) -> Emit:
        """What a feed of this sensor calls with each result.

        Args:
            sensor: Its name.
            section: As configured.
            info: Which model answered.
        """
        judges: OrderedDict[str, _Judge] = OrderedDict()

        def emit(result: RowResult) -> int:
            origin = result.windows.origin
            judge = judges.pop(origin, None) or _Judge(section)
            judges[origin] = judge
            model = info(result)
            if len(judges) > MAX_ORIGINS:
                silent, forgotten = judges.popitem(last=False)
                if forgotten.is_up and self._on_alarm:  # or nobody would ever clear it
                    self._on_alarm(sensor, model.name, silent, False)
            return self._publish(sensor, model, result, judge)

        return emit

    def _publish(self, sensor: str, model: ModelInfo, result: RowResult, judge: "_Judge") -> int:
        verdict, windows, sender = judge.judge(result), result.windows, self._sender
        messages = SensorMessages(
            device=sender.topics.device,
            source=sensor,
            origin=windows.origin,
            rows=windows.numbers.shape[1],
            model=model,
            timing=RowTiming(result.queue_ms, result.batch_ms, _age_ms(result)),
        )
        topic, made = sender.topics.sensor_result(sensor), self._together if judge.joins else self._apart
        for payload, is_turn in made(messages, result, verdict, judge):
            rank = Rank.EVENT if is_turn else Rank.RESULT
            self._outbox.append(topic, payload, qos=sender.qos, rank=rank, settled=_holding(windows.receipts))
        if self._on_alarm and verdict.alarms and (verdict.turns or verdict.first):
            self._on_alarm(sensor, model.name, windows.origin, verdict.alarms[-1])
        return len(verdict.chosen)

    def _apart(
        self, messages: SensorMessages, result: RowResult, verdict: "_Verdict", _judge: "_Judge"
    ) -> Iterator[tuple[bytes, bool]]:
        """A message of each chosen window, and whether an alarm turns with it."""
        windows, labels = result.windows, result.model.labels
        for n in verdict.chosen:
            says = outcome(result.scores, n, labels)
            if verdict.alarms is not None:
                says["alarm"] = verdict.alarms[n]
            payload = messages.one(
                self._ids(),
                sequence=windows.sequence + n,
                first_at_s=windows.first_at_s[n],
                captured_at_s=windows.last_at_s[n],
                echo=windows.echoes[n] if windows.echoes else {},
                result=says,
            )
            yield payload, n in verdict.turns

    def _together(
        self, messages: SensorMessages, result: RowResult, verdict: "_Verdict", judge: "_Judge"
    ) -> Iterator[tuple[bytes, bool]]:
        """Messages of as many chosen windows each as go into one, and whether an alarm turns with one of these."""
        windows, chosen = result.windows, verdict.positions
        columns = Columns(windows, result.scores, chosen, result.model.labels, verdict.alarms)
        start = 0
        while start < len(chosen):
            stop = min(start + judge.at_once, len(chosen))
            first, last = int(chosen[start]), int(chosen[stop - 1])
            payload = messages.many(
                self._ids(),
                sequence=windows.sequence + first,
                first_at_s=windows.first_at_s[first],
                captured_at_s=windows.last_at_s[last],
                results=columns.part(start, stop),
            )
            if judge.fits(len(payload), stop - start):
                turns = bool(verdict.turns) and not verdict.turns.isdisjoint(verdict.chosen[start:stop])
                yield payload, turns
                start = stop


def _age_ms(result: RowResult) -> float:
    """From the arrival of the last row to now: what a row says of its own time is another clock's."""
    return max(0.0, time.monotonic() - result.windows.arrived_monotonic_s) * 1000


def _holding(receipts: tuple[Receipt, ...]) -> Callable[[], None] | None:
    """Hold these until the message is safe."""
    if not receipts:
        return None
    for receipt in receipts:
        receipt.hold()
    if len(receipts) == 1:
        return receipts[0].let_go

    def let_go() -> None:
        for receipt in receipts:
            receipt.let_go()

    return let_go


@dataclass(slots=True)
class _Verdict:
    """Which windows of a result are worth a message.

    Attributes:
        chosen: Their positions.
        alarms: Whether the alarm was up after each window; None where nothing says what an anomaly is.
        turns: Those that raised or cleared it.
        first: It was not known before whether there is an alarm.
    """

    chosen: list[int] | range
    alarms: list[bool] | None = None
    turns: set[int] = field(default_factory=set)
    first: bool = False

    @property
    def positions(self) -> NDArray[np.intp]:
        """Of those chosen."""
        chosen = self.chosen
        if isinstance(chosen, range):
            return np.arange(chosen.start, chosen.stop, dtype=np.intp)
        return np.array(chosen, np.intp)


class _Judge:
    """Of one sensor, model and origin: what was said last, and its alarm."""

    def __init__(self, section: SensorSettings) -> None:
        self._section = section
        self._alarm = Alarm(section.raise_after, section.clear_after)
        self._last: object = None
        self._knows = False
        self.at_once = section.per_message
        """Windows that go into one message."""

    @property
    def is_up(self) -> bool:
        """Whether the alarm is up."""
        return self._alarm.up

    @property
    def joins(self) -> bool:
        """Whether several windows may share a message."""
        return self._section.per_message > 1

    def fits(self, size_bytes: int, windows: int) -> bool:
        """Whether a message of so many windows is short enough; if not, fewer go into the next."""
        if size_bytes > MAX_MESSAGE_BYTES and windows > 1:
            self.at_once = windows // 2
            return False
        if windows == self.at_once and 2 * size_bytes <= MAX_MESSAGE_BYTES:
            self.at_once = min(self._section.per_message, 2 * self.at_once)
        return True

    def judge(self, result: RowResult) -> _Verdict:
        """Choose among the windows of a result."""
        publish, scores, count = self._section.publish, result.scores, len(result.windows)
        anomalies = anomalous(scores, result.model.labels, self._section)
        first = anomalies is not None and not self._knows
        self._knows = anomalies is not None
        turns: set[int] = set()
        alarms: list[bool] | None = None
        if anomalies is not None:
            alarms = self._alarms(anomalies, turns)
        if publish == "every":
            return _Verdict(range(count), alarms, turns, first)
        if publish == "anomaly":
            up = alarms or [False] * count
            return _Verdict([n for n in range(count) if up[n] or n in turns], alarms, turns, first)
        return _Verdict(self._changes(_said(scores, result.model.labels), alarms), alarms, turns, first)

    def _alarms(self, anomalies: NDArray[np.bool_], turns: set[int]) -> list[bool]:
        alarm = self._alarm
        if not alarm.up and not anomalies.any():  # all quiet: nothing to count
            alarm.saw(anomaly=False)
            return [False] * len(anomalies)
        ups = []
        for n, anomaly in enumerate(anomalies.tolist()):
            if alarm.saw(anomaly=anomaly):
                turns.add(n)
            ups.append(alarm.up)
        return ups

    def _changes(self, says: list[Any], alarms: list[bool] | None) -> list[int]:
        """Where what is said, or the alarm, differs from the window before."""
        if alarms is not None:
            says = list(zip(says, alarms, strict=True))
        changed = []
        for n, said in enumerate(says):
            if said != self._last:
                changed.append(n)
                self._last = said
        return changed


def _said(scores: Scores, labels: tuple[str, ...]) -> list[Any]:
    """What counts as said about each window: of a class its name, of values what a message shows of them."""
    if scores.kind == "class":
        return list(scores.names) or [label_of(labels, class_id) for class_id in scores.class_id.tolist()]
    if scores.kind == "anomaly":
        return list(scores.anomaly.tolist())
    if scores.kind == "value":
        return [[figure(value) for value in row] for row in scores.values.tolist()]
    return list(scores.outputs)


def anomalous(scores: Scores, labels: tuple[str, ...], section: SensorSettings) -> NDArray[np.bool_] | None:
    """Which windows are anomalies; None where neither the model nor the sensor says what one is.

    ``above`` and ``below`` decide of values, and of anomaly scores instead of the model; of classes, whether the label
    is one of ``normal``.
    """
    if scores.kind in {"value", "anomaly"} and (section.above is not None or section.below is not None):
        first = scores.values[:, 0]
        high = first > section.above if section.above is not None else np.zeros(len(first), bool)
        low = first < section.below if section.below is not None else np.zeros(len(first), bool)
        return np.asarray(high | low)
    if scores.kind == "anomaly":
        return scores.anomaly
    if scores.kind != "class" or not tells_anomalies("classifier", labels, section):
        return None
    if len(scores.names):
        return np.array([name not in section.normal for name in scores.names], bool)
    normal = [position for position, label in enumerate(labels) if label in section.normal]
    return ~np.isin(scores.class_id, normal)


def tells_anomalies(family: str, labels: Sequence[str], section: SensorSettings) -> bool:
    """Whether a model of this family, or the sensor, says what an anomaly is.

    Of a classifier whose labels nobody knows beforehand, ``normal`` has to be said: else every label would be one.
    """
    if family == "classifier":
        named = set(labels) & set(section.normal)
        return bool(named) or (not labels and "normal" in section.model_fields_set)
    if family == "regressor":
        return section.above is not None or section.below is not None
    return family in {"anomaly", "autoencoder"}

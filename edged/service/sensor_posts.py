"""A sensor of the configuration at work: its thread, and what its rows become on their way to each of its models.

source ─ delivery ─→ parsed (once for all models that want the same) ─→ windows (for each model) ─→ its feed
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from edged.lifecycle import ServedModel
from edged.mqtt.payloads import timestamp
from edged.mqtt.sensor_payloads import RejectedRowShape, SensorStateMessage
from edged.pipeline import RowFeed, RowPipeline
from edged.publisher import RowPublisher, tells_anomalies
from edged.rows import Delivery, RejectedRow, Rows
from edged.sections import SensorSettings
from edged.service.row_totals import RowTotals
from edged.service.source_totals import SourceTotals
from edged.sources.rowformat import RowParser
from edged.sources.rowsource import RowSource
from edged.sources.rowvalues import RowSpec, spec_of
from edged.sources.sensor import Sensor, SensorState
from edged.sources.windowing import Windower
from edged.urls import redacted
from edged.worker.description import ModelDescription

WAIT_S = 0.5
SAY_EVERY_S = 60.0
"""A line in the log about rejected rows, not one a row; the state counts them."""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Line:
    """The way to one model: its feed, and what is made of rows for it."""

    model: ServedModel
    pipeline: RowPipeline
    feed: RowFeed
    known: ModelDescription | None = None
    spec: RowSpec | None = None
    windower: Windower | None = None


@dataclass(slots=True)
class _Seen:
    """What is known of the rows, for the state; its owner holds a lock."""

    rows: int = 0
    rejected: int = 0
    last: RejectedRow | None = None
    last_at_s: float = 0.0
    knows_alarms: bool = False
    alarms: set[tuple[str, str]] = field(default_factory=set)


class SensorPost:
    """One sensor with the feeds it fills.

    Attributes:
        name: As configured.
        section: As configured.
        sensor: What reads it.
        rows: What became of its rows.
    """

    def __init__(
        self,
        name: str,
        section: SensorSettings,
        *,
        source: RowSource,
        hold_rows: int | None,
        once: bool,
        publisher: RowPublisher,
        on_state: Callable[["SensorPost"], None],
        rows: RowTotals | None = None,
    ) -> None:
        """Prepare the sensor; `connect` it to its models, then start ``sensor``.

        Args:
            name: As configured.
            section: As configured.
            source: Where its rows come from.
            hold_rows: Rows that may wait for their window without being told safe; None = any number.
            once: Read to its end.
            publisher: Takes the results.
            on_state: Called from the sensor's thread when it came or went.
            rows: What the posts before it did under this name; None = there was none.
        """
        self.name, self.section = name, section
        self._source, self._publisher, self._on_state = source, publisher, on_state
        self._hold_rows, self._once = hold_rows, once
        self._format = source.format or section.format
        self._lock = threading.Condition()  # around what is connected, and what is known of the rows
        self._lines: tuple[_Line, ...] = ()
        self._parsers: dict[RowSpec, RowParser] = {}
        self._seen = _Seen()
        self._say_at_s = float("-inf")
        self._abandoned = self._failed = 0  # rows of windowers that were left; deliveries that met a bug
        self._told = (0, 0, False, False)
        self._closed, self._settle_s = False, 0.0
        self.sensor = Sensor(
            name,
            section,
            source=source,
            once=once,
            deliver=self._deliver,
            on_state=self._state_changed,
            settle=self._settle,
        )
        self.rows = rows or RowTotals(name)
        self.rows.begin(self._read, models=section.models, is_over=self.sensor.finished.is_set)

    def connect(self, models: Mapping[str, ServedModel]) -> None:
        """Make a feed to each of its models that is served by now and has none."""
        with self._lock:
            known = {line.model for line in self._lines}
            wanted = {name: models[name] for name in self.section.models if name in models}
            added = [
                self._line(name, model, model.rows)
                for name, model in wanted.items()
                if model.rows and model not in known
            ]
            if not self._closed:
                self._lines = (*self._lines, *added)
            self._lock.notify_all()

    def misses(self, models: Mapping[str, ServedModel]) -> bool:
        """Whether one of its models is served only since `connect`."""
        known = {line.model for line in self._lines}
        served = {models[name] for name in self.section.models if name in models and models[name].rows}
        return not self._closed and not served <= known

    def disconnect(self) -> None:
        """Take no more rows, for good: its thread waits for nothing any more. Windows in work are still published.

        What waits is not told safe: whoever gave it will be asked for it again.
        """
        with self._lock:
            lines, self._closed = self._lines, True
            self._lock.notify_all()
        for line in lines:
            line.pipeline.detach(line.feed)

    def stop(self, timeout_s: float) -> bool:
        """End it; True if that was done in time. Windows in work may take half of it to become safe."""
        self._settle_s = timeout_s / 2
        self.disconnect()
        return self.sensor.stop(timeout_s)

    def alarmed(self, model: str, origin: str, *, up: bool) -> None:
        """An alarm is known, raised or cleared."""
        with self._lock:
            self._seen.knows_alarms = True
            (self._seen.alarms.add if up else self._seen.alarms.discard)((model, origin))

    def has_news(self) -> bool:
        """Whether rows were rejected or dropped, or an alarm came or went, since this was asked last."""
        with self._lock:
            dropped = sum(self._dropped().values())
            told = (self._seen.rejected, dropped, self._seen.knows_alarms, bool(self._seen.alarms))
            before, self._told = self._told, told
        return before != told

    @property
    def alarm(self) -> bool | None:
        """Whether an alarm is up; None where nothing tells one."""
        with self._lock:
            return bool(self._seen.alarms) if self._seen.knows_alarms else None

    def state(self, device: str) -> SensorStateMessage:
        """For ``sensor/<name>/state``."""
        state = self.sensor.state
        with self._lock:
            seen, last = self._seen, self._seen.last
            return SensorStateMessage(
                device=device,
                sensor=self.name,
                state=state.status.value,
                why=redacted(state.why),
                since=timestamp(state.since_s),
                rows=seen.rows,
                rejected=seen.rejected,
                last_rejected=RejectedRowShape(
                    line=last.line, reason=last.reason, text=last.text, at=timestamp(seen.last_at_s)
                )
                if last
                else None,
                dropped={reason: count for reason, count in sorted(self._dropped().items()) if count},
                alarm=bool(seen.alarms) if seen.knows_alarms else None,
            )

    def totals(self) -> SourceTotals:
        """Of this sensor since the start of the daemon, for ``health``."""
        return self.rows.sum()

    def _read(self) -> dict[Any, float]:
        """What `RowTotals` has of the source."""
        statistics = self.sensor.statistics
        with self._lock:
            gap = self._abandoned + sum(line.windower.abandoned for line in self._lines if line.windower)
            return {
                "rows": self._seen.rows,
                "rejected": self._seen.rejected,
                "deliveries failed": self._failed,
                "gap": gap,
                "source": self._source.dropped,
                "bytes": statistics.received_bytes,
                "reconnects": statistics.reconnects,
                "silences": statistics.silences,
            }

    def _counts(self) -> Counter[str]:
        counts = Counter[str]()
        for line in self._lines:
            counts.update(line.feed.counts)
        return counts

    def _dropped(self) -> Counter[str]:
        counts = self._counts()
        gaps = self._abandoned + sum(line.windower.abandoned for line in self._lines if line.windower)
        lost = Counter({reason: counts[reason] for reason in ("full", "failed", "lost")})
        lost["failed"] += self._failed
        return lost + Counter(gap=gaps, source=self._source.dropped)

    def _line(self, name: str, model: ServedModel, pipeline: RowPipeline) -> _Line:
        feed = RowFeed(
            source=self.name,
            emit=self._publisher.emitter(self.name, self.section, model.info),
            limit=self.section.queue,
            patient=self._source.patient,
            max_wait_s=self.section.max_wait,
            joins=self.section.per_message > 1,
        )
        self.rows.model(name).add(feed)
        pipeline.attach(feed)
        return _Line(model, pipeline, feed)

    # The sensor's thread

    def _deliver(self, delivery: Delivery) -> None:
        """Rows came; returns when every model has taken them, which may take its time."""
        receipt = delivery.receipt
        try:
            taken = self._take(delivery)
        except Exception as error:  # a bug of ours on some rows must not hold back all that come after them
            log.error("a bug: rows dropped", sensor=self.name, exc_info=error)
            with self._lock:
                self._failed += 1
            if receipt:
                receipt.give_up()
            return
        if receipt and taken:  # else whoever can give the rows again is to be asked for them
            receipt.let_go()
        if self._closed:
            self.sensor.rest()  # what is not read can wait, such as in a pipe

    def _settle(self) -> None:
        """Let what is in work become safe: rows whose source is not told so have their results a second time."""
        deadline_s = time.monotonic() + self._settle_s
        for line in self._lines:
            line.pipeline.wait_emitted(line.feed, max(0.0, deadline_s - time.monotonic()))
        self._publisher.wait_safe(max(0.0, deadline_s - time.monotonic()))

    def _take(self, delivery: Delivery) -> bool:
        """Make windows of rows for every model; whether each has taken them."""
        if not delivery.payload.strip():
            self._note(delivery, [RejectedRow(self._seen.rows + 1, "is empty", "")], 1)
            for line in self._lines:
                if line.windower:
                    line.windower.pass_over(delivery.receipt)
            return True
        lines = self._wait_for_lines()
        parsed: dict[RowSpec, Rows] = {}
        rejected: dict[int, RejectedRow] = {}
        count, taken = 0, bool(lines)
        for line in lines:
            spec = self._spec_of(line)
            if spec is None or line.windower is None:
                continue
            if spec not in parsed:
                parsed[spec], bad = self._parser(spec).parse(
                    delivery.payload, at_s=delivery.at_s, origin=delivery.origin, head=delivery.head
                )
                count = max(count, len(parsed[spec]) + len(bad))
                rejected = {row.line: row for row in bad} | rejected  # what two models cannot read is one row
            for windows in line.windower.push(
                parsed[spec],
                origin=delivery.origin,
                at_monotonic_s=delivery.at_monotonic_s,
                receipt=delivery.receipt,
            ):
                taken = line.pipeline.offer(line.feed, windows) and taken
        if lines:
            self._note(delivery, [rejected[number] for number in sorted(rejected)], count)
        return taken

    def _wait_for_lines(self) -> tuple[_Line, ...]:
        """The ways to the models; waits until it is known what these take. Empty where this has ended.

        Read once, a sensor whose models were refused waits for nothing: none will come.
        """
        with self._lock:
            while not (self._closed or self._once or (self._lines and all(map(_is_known, self._lines)))):
                self._lock.wait(WAIT_S)
            return () if self._closed else self._lines

    def _spec_of(self, line: _Line) -> RowSpec | None:
        """What the model wants of a row; another version may want something else."""
        description = line.model.description
        if description is None or description is line.known:
            return line.spec
        section, recipe = self.section, description.rows
        spec = spec_of(section, recipe, self._format)
        window = section.window or recipe.window or 1
        if (
            line.windower is None
            or line.spec != spec
            or (line.known and line.known.rows.window != recipe.window)
        ):
            self._make_windower(line, window)
        if section.publish == "anomaly" and not tells_anomalies(
            description.family, description.labels, section
        ):
            log.warning(
                'publish = "anomaly" publishes nothing: neither the model nor the sensor says what an anomaly is',
                sensor=self.name,
                model=line.model.name,
            )
        line.known, line.spec = description, spec
        return spec

    def _make_windower(self, line: _Line, window: int | float) -> None:
        """In place of one before, which lets go of the rows that wait: they are not what the model takes now."""
        before = line.windower
        if before:
            before.close()
        with self._lock:
            self._abandoned += before.abandoned if before else 0
            line.windower = Windower(
                self.name,
                window=window,
                stride=self.section.stride,
                gap_s=self.section.gap,
                hold_rows=self._hold_rows,
                sequence=before.sequence if before else 0,
            )

    def _parser(self, spec: RowSpec) -> RowParser:
        parser = self._parsers.get(spec)
        if parser is None:
            headers = {origin: line for one in self._parsers.values() for origin, line in one.headers.items()}
            live = {line.spec for line in self._lines}
            self._parsers = {known: one for known, one in self._parsers.items() if known in live}
            parser = self._parsers[spec] = RowParser(spec, headers)
        return parser

    def _note(self, delivery: Delivery, rejected: list[RejectedRow], rows: int) -> None:
        with self._lock:
            self._seen.rows += rows
            self._seen.rejected += len(rejected)
            if rejected:
                self._seen.last, self._seen.last_at_s = rejected[-1], time.time()
        if delivery.read:
            first = f"line {rejected[0].line}: {rejected[0].reason}" if rejected else ""
            delivery.read(rows, len(rejected), first)
        now_s = time.monotonic()
        if rejected and now_s >= self._say_at_s:
            self._say_at_s = now_s + SAY_EVERY_S
            row = rejected[0]
            log.warning(
                "rows rejected",
                sensor=self.name,
                line=row.line,
                reason=row.reason,
                rejected=self._seen.rejected,
            )

    def _state_changed(self, _state: SensorState) -> None:
        self._on_state(self)


def _is_known(line: _Line) -> bool:
    """Whether it is known what the model takes; not so only while its first process is started anew."""
    return line.spec is not None or line.model.description is not None

"""The sensors at work. The main thread starts and ends them; rows that are posted come in from any."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from edged.errors import ConfigurationError
from edged.lifecycle import ServedModel
from edged.mqtt.records import LinkOptions
from edged.mqtt.topics import Topics
from edged.sections import SensorSettings, is_sensor_path
from edged.service.endings import in_parallel, join

if TYPE_CHECKING:  # a daemon without sensors starts without all this
    from edged.publisher import RowPublisher
    from edged.service.row_totals import RowTotals
    from edged.service.sensor_posts import SensorPost
    from edged.sources.positions import Positions
    from edged.sources.posted import PostedRows
    from edged.sources.rowsource import RowSource
    from edged.sources.sensoraddress import SensorAddress

ENDLESS = {"mqtt", "http", "serial", "iio"}
"""Kinds of sources that have no end."""
END_S = 2.0
"""For a sensor to end, while others go on."""
POST_S = 10.0
"""How long one who posts rows waits for their results to be safe."""

Served = Callable[[], Mapping[str, ServedModel]]


class Sensors:
    """All of them, in the order of the configuration. Iterating gives those that are there now."""

    def __init__(
        self,
        *,
        once: bool,
        configured: Callable[[], Mapping[str, SensorSettings]],
        models: Served,
        publisher: Callable[[], "RowPublisher"],
        state: Path | None,
        broker: Callable[[], tuple[LinkOptions, Topics]],
        on_state: Callable[["SensorPost"], None],
    ) -> None:
        """None is at work yet.

        Args:
            once: Each is read to its end.
            configured: Those of the settings in force.
            models: Those that are there now.
            publisher: Gives what takes the results.
            state: Folder in which it is kept up to where files were read; None = nowhere.
            broker: How it is spoken to, and the topics of this device.
            on_state: Called when the state of a sensor has changed, from any thread.
        """
        self._once, self._configured = once, configured
        self._models, self._publisher = models, publisher
        self._broker, self._on_state = broker, on_state
        self._state = state
        self._posts: dict[str, SensorPost] = {}
        self._rows: dict[str, RowTotals] = {}  # a post may be replaced by another of its name
        self._posted: dict[str, PostedRows] = {}

    @cached_property
    def _positions(self) -> "Positions":
        from edged.sources.positions import Positions  # noqa: PLC0415

        return Positions(self._state / "positions.json" if self._state else None)

    def __iter__(self) -> "Iterator[SensorPost]":
        return iter(list(self._posts.values()))

    def __contains__(self, post: object) -> bool:
        """Whether this very sensor is at work."""
        return any(post is one for one in self)

    def __len__(self) -> int:
        return len(self._posts)

    @property
    def sections(self) -> dict[str, SensorSettings]:
        """By name: what each was configured as when it was started."""
        return {post.name: post.section for post in self}

    def start(self, name: str, section: SensorSettings) -> None:
        """Put a sensor to work.

        Raises:
            ConfigurationError: Its address cannot be used.
        """
        from edged.service.row_totals import RowTotals  # noqa: PLC0415
        from edged.service.sensor_posts import SensorPost  # noqa: PLC0415

        post = SensorPost(
            name,
            section,
            source=self._source(name, section),
            hold_rows=_hold_rows(section.url),
            once=self._once,
            publisher=self._publisher(),
            on_state=self._on_state,
            rows=self._rows.setdefault(name, RowTotals(name)),
        )
        self._posts[name] = post
        post.connect(self._models())
        self._on_state(post)
        post.sensor.start()

    def end(self, names: Iterable[str]) -> None:
        """End sensors, all at once, within two seconds or so; windows in work are still published."""
        names, configured = list(names), self._configured()
        self._rows = {name: known for name, known in self._rows.items() if name in configured}
        posts = [self._posts.pop(name) for name in names]
        for name in names:
            self._posted.pop(name, None)
        join(_stopping(posts, END_S), time.monotonic() + END_S + 0.2)

    def connect_missing(self) -> None:
        """Connect sensors whose model is served only since they were."""
        for post in self:
            if post.misses(self._models()):
                post.connect(self._models())

    def alarmed(self, sensor: str, model: str, origin: str, *, up: bool) -> None:
        """An alarm is known, raised or cleared."""
        if post := self._posts.get(sensor):
            post.alarmed(model, origin, up=up)

    def post(self, name: str, origin: str, payload: bytes) -> tuple[int, dict[str, object]]:
        """Rows were posted for a sensor: the status and the body of the answer, once their results are safe."""
        posted, section = self._posted.get(name), self._configured().get(name)
        if posted is None and (section is None or section.url != "http:"):
            return 404, {"ok": False, "error": f'there is no sensor {name!r} with url = "http:"'}
        found: list[tuple[int, int, str]] = []

        def read(*counts: Any) -> None:
            found.append(counts)

        from edged.sources.posted import Outcome  # noqa: PLC0415

        outcome = posted.offer(payload, POST_S, origin=origin, read=read) if posted else Outcome.CLOSED
        if outcome is Outcome.SAFE:
            return _answer(*found[0] if found else (0, 0, ""))
        why = "too many rows wait" if outcome is Outcome.BUSY else "the sensor is not at work"
        return 503, {"ok": False, "error": f"{why}: post them again"}

    def disconnect(self) -> None:
        """Take no more rows. What is in work is still published, and who gave its rows is told that it is safe."""
        for post in self:
            post.disconnect()

    def stop(self, timeout_s: float) -> list[Thread]:
        """Begin to end them all; `join` the threads."""
        return _stopping(list(self), timeout_s)

    def close(self) -> None:
        """After all have ended: keep up to where files were read."""
        if "_positions" in vars(self):
            self._positions.save()

    def _source(self, name: str, section: SensorSettings) -> "RowSource":
        from edged.sources.rowsource import row_source  # noqa: PLC0415
        from edged.sources.sensoraddress import sensor_address  # noqa: PLC0415

        extra = {"mqtt": partial(self._mqtt, name), "http": partial(self._http, name)}
        return row_source(
            sensor_address(section.url, key=f"sensors.{name}.url"),
            name=name,
            once=self._once,
            positions=self._positions,
            extra=extra,
        )

    def _mqtt(self, name: str, address: "SensorAddress") -> "RowSource":
        from edged.mqtt.rows import MqttRows  # noqa: PLC0415

        options, topics = self._broker()
        return MqttRows(name, address.target, options, topics=topics)

    def _http(self, name: str, _address: "SensorAddress") -> "RowSource":
        from edged.sources.posted import PostedRows  # noqa: PLC0415

        posted = self._posted[name] = PostedRows()
        return posted


def require_source(name: str, section: SensorSettings, *, topics: Topics, listen: str, once: bool) -> None:
    """Whether a sensor's source can be made and read as it is asked for. Nothing is opened.

    Args:
        name: Of the sensor.
        section: As configured.
        topics: Of this device.
        listen: Where rows can be posted to; empty = nowhere.
        once: It is to be read to its end.

    Raises:
        ConfigurationError: It cannot.
    """
    from edged.mqtt import filters  # noqa: PLC0415
    from edged.sources.positions import Positions  # noqa: PLC0415
    from edged.sources.rowsource import row_source  # noqa: PLC0415
    from edged.sources.sensoraddress import sensor_address  # noqa: PLC0415

    key = f"sensors.{name}.url"
    address = sensor_address(section.url, key=key)
    if once and address.kind in ENDLESS:
        problem = f"{address.kind}: never ends, and --once reads every source to its end"
        raise ConfigurationError(key, problem, "name a file, a FIFO or -, or leave out --once")
    if address.kind == "mqtt":
        filters.check(key, address.target, own_results=topics.sensor_result("+"))
    elif address.kind == "http":
        if not listen:
            raise ConfigurationError(
                key, "nobody can post rows: there is no local endpoint", "set http.listen"
            )
    else:
        row_source(address, name=name, once=once, positions=Positions(None), extra={})


def _answer(rows: int, rejected: int, why: str) -> tuple[int, dict[str, object]]:
    """To who posted rows: 422 where none of them could be read."""
    useless = rejected and rejected == rows
    body: dict[str, object] = {"ok": not useless, "rows": rows, "rejected": rejected}
    return (422 if useless else 200), body | ({"error": why} if why else {})


def _hold_rows(url: str) -> int | None:
    """Rows that may wait for their window without being told safe: as many as their source can give again.

    A file gives all of them again; a broker sends some, often 20 and at times 10, and then waits. Who posts waits for
    an answer, which must not depend on rows that he has not posted yet.
    """
    if is_sensor_path(url):
        return None
    return 8 if url.startswith("mqtt:") else 0


def _stopping(posts: "list[SensorPost]", timeout_s: float) -> list[Thread]:
    return in_parallel([partial(post.stop, timeout_s) for post in posts], "stop-sensor")

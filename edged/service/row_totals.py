"""What became of the rows of a sensor since the start; a reload puts another post in its place, and this stays."""

from collections.abc import Callable, Collection
from typing import Any

from edged.metrics.catalog import ROWS_DROPPED, WINDOWS_DROPPED
from edged.pipeline import RowFeed
from edged.service.lasting import Counts, Lasting
from edged.service.source_totals import SourceTotals


class FeedTotals:
    """What became of the windows that one model was to score."""

    def __init__(self) -> None:
        """None was made yet."""
        self._feeds = Lasting()
        self._last: RowFeed | None = None

    def add(self, feed: RowFeed) -> None:
        """Count a feed, too."""
        self._feeds.add(lambda: dict(feed.counts), lambda: feed.is_over)
        self._last = feed

    def totals(self) -> dict[Any, float]:
        """Windows by outcome, since the start."""
        return self._feeds.totals()

    @property
    def waiting(self) -> int:
        """Windows that wait for the model."""
        feed = self._last
        return 0 if feed is None or feed.closed else feed.waiting


class RowTotals:
    """Of one sensor."""

    def __init__(self, name: str) -> None:
        """No row came yet.

        Args:
            name: Of the sensor.
        """
        self.name = name
        self._source = Lasting()
        self._models: dict[str, FeedTotals] = {}

    def begin(
        self, read: Callable[[], Counts], *, models: Collection[str], is_over: Callable[[], bool]
    ) -> None:
        """A post was made for it; models that it does not name are forgotten.

        Args:
            read: Its ``rows``, ``rejected``, ``deliveries failed``, ``gap``, ``source``, ``bytes``, ``reconnects`` and
                ``silences``.
            models: That it names.
            is_over: Whether its thread has ended.
        """
        self._models = {name: self._models.get(name) or FeedTotals() for name in models}
        self._source.add(read, is_over)

    def model(self, name: str) -> FeedTotals:
        """Of one of its models."""
        return self._models[name]

    def source(self) -> dict[Any, float]:
        """Since the start."""
        return self._source.totals()

    def models(self) -> dict[str, FeedTotals]:
        """By name."""
        return self._models

    def sum(self) -> SourceTotals:
        """For ``health``: of all its models together."""
        source, models = self.source(), [model.totals() for model in self._models.values()]
        dropped = {reason: int(sum(model.get(reason, 0) for model in models)) for reason in WINDOWS_DROPPED}
        dropped["failed"] += int(source.get("deliveries failed", 0))
        dropped |= {reason: int(source.get(reason, 0)) for reason in ROWS_DROPPED}
        return SourceTotals(
            name=self.name,
            captured=source.get("rows", 0),
            published=sum(model.get("published", 0) for model in models),
            dropped=dropped | {"unreadable": int(source.get("rejected", 0))},
            reconnects=int(source.get("reconnects", 0)),
        )

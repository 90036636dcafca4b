"""When a row was measured, from what sensors write into it. Pure: the time of arrival comes in.

Understood are ISO 8601 with or without a zone (without one it is UTC), dates with slashes in the American order
(``5/1/2014 0:09``) or with the year first, dates with dots in the European one (``1.5.2014 0:09``), and numbers since
1970 in seconds, milliseconds, microseconds or nanoseconds, which their magnitude tells apart.
"""

import math
import re
from collections.abc import Container, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

WELL_KNOWN = ("timestamp", "time", "datetime", "date_time", "date", "ts")
"""Names of a time field, in lower case; of several in one row the first of these counts."""
CLOCK_SET_S = 631_152_000.0
"""1990: no sensor with a clock that is set says an earlier moment."""
LARGEST_COUNTER = 1e8
"""A number below this may count from when the sensor was switched on; as seconds it lies before 1974."""
LATEST_S = 1e11
"""The year 5138: what is larger is in a smaller unit."""
UNITS = ((LATEST_S, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
"""Numbers below the first are to be divided by the second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_LOOSE = re.compile(
    r"""(?: (?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})
          | (?P<day_dots>\d{1,2})\.(?P<month_dots>\d{1,2})\.(?P<year_dots>\d{4})
          | (?P<year_first>\d{4})[/-](?P<month_second>\d{1,2})[/-](?P<day_third>\d{1,2}) )
        (?: [\sT,]+ (?P<hour>\d{1,2}) : (?P<minute>\d{2}) (?: : (?P<second>\d{2}) (?: [.,](?P<fraction>\d{1,9}) )? )?
            (?: \s* (?P<half>[AP])\.?M\.? )? )?
        (?: \s* (?:Z|UTC|GMT) )?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


class NoTime(ValueError):
    """A row's time cannot be told, so it is rejected. ``str()`` says why."""


def moment(value: object) -> float | None:
    """Seconds since 1970; None for what is no time stamp.

    >>> moment("2014-05-01 00:00"), moment("5/1/2014 0:00"), moment(1398902400000), moment("soon")
    (1398902400.0, 1398902400.0, 1398902400.0, None)
    """
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _of_number(value)


def time_name(names: Iterable[str], *, but: Container[str] = ()) -> str | None:
    """Which of the names is well known for a time, in whatever case; None where none is.

    Args:
        names: Of the values of a row.
        but: Names that are something else, such as features of the model.
    """
    known = {lower: name for name in names if (lower := name.lower()) in WELL_KNOWN and name not in but}
    return next((known[name] for name in WELL_KNOWN if name in known), None) if known else None


class RowClock:
    """Tells when each row of one device was measured. Called in the order of the rows.

    A field that was configured must say a moment. One that merely has a well-known name may also say something else:
    what is no time stamp, or counts from when the device was switched on, means the time of arrival.
    """

    def __init__(self, *, configured: bool) -> None:
        """Args: configured: Whether someone said which field it is."""
        self._configured = configured
        self._absolute = False  # a moment was seen, so a small number is no counter
        self._counter: float | None = None  # the last one

    def measured_s(self, value: object, arrival_s: float) -> float:
        """When the row of this time field was measured, in seconds since 1970.

        Raises:
            NoTime: The field cannot be read, or the device's clock is not set.
        """
        if not self._configured and self._counts(value):
            return arrival_s
        at_s = moment(value)
        if at_s is None:
            if self._configured:
                raise NoTime(_unreadable(value))
            return arrival_s
        if at_s < CLOCK_SET_S:
            raise NoTime(f"its time stamp is {_written(at_s)}: the sensor's clock is not set")
        self._absolute, self._counter = True, None
        return at_s

    def all_measured_s(self, values: Sequence[object], arrival_s: float) -> NDArray[np.float64]:
        """`measured_s` of many rows: float64 (N,). Raises for all and remembers nothing where it would for one."""
        before = self._absolute, self._counter
        try:
            return np.fromiter(
                (self.measured_s(value, arrival_s) for value in values), np.float64, len(values)
            )
        except NoTime:
            self._absolute, self._counter = before
            raise

    def _counts(self, value: object) -> bool:
        """Whether this is a counter; a counter stays one while it grows, however large it gets."""
        if self._absolute:
            return False
        number = _number(value)
        if number is None:
            return False
        limit = LARGEST_COUNTER if self._counter is None else 2 * max(self._counter, LARGEST_COUNTER)
        if number >= limit:
            return False
        self._counter = number
        return True


def _of_text(text: str) -> float | None:
    text = text.strip()
    if text[4:5] == "-":  # 2014-05-01…: by far the most frequent
        try:
            return _since_epoch(datetime.fromisoformat(text))
        except ValueError:
            return _of_loose(text)
    number = _number(text)
    if number is not None:
        return _of_number(number)
    try:
        return _since_epoch(datetime.fromisoformat(text))  # 20140501T000000Z
    except ValueError:
        return _of_loose(text)


def _of_loose(text: str) -> float | None:
    found = _LOOSE.fullmatch(text)
    if not found:
        return None
    part = found.groupdict(default="")
    hour = int(part["hour"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part["half"] in "Pp" else 0)
    try:
        time = datetime(
            int(part["year"] or part["year_dots"] or part["year_first"]),
            int(part["month"] or part["month_dots"] or part["month_second"]),
            int(part["day"] or part["day_dots"] or part["day_third"]),
            hour,
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int(part["fraction"].ljust(6, "0")[:6]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return _since_epoch(time)


def _since_epoch(time: datetime) -> float:
    return (time - (_EPOCH if time.tzinfo else _NAIVE_EPOCH)).total_seconds()


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        return None  # Python reads more as a number than a sensor writes
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _of_number(number: float) -> float | None:
    magnitude = abs(number)
    for limit, per_second in UNITS:
        if magnitude < limit:
            return number / per_second
    return None


def _written(at_s: float) -> str:
    try:
        time = _EPOCH + timedelta(seconds=at_s)
    except OverflowError:
        return f"{at_s:g} s before 1970"
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _unreadable(value: object) -> str:
    if value is None or value == "":
        return "its time field is empty"
    if isinstance(value, str):
        return f"its time field is {value[:40]!r}, not a time"
    if isinstance(value, dict | list):
        return "its time field is an object or array, not a time"
    return f"its time field is {str(value)[:40]}, not a time"

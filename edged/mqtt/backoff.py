"""What a failed connection means for the next attempt: how long to wait, and what to tell people.

Pure: errors, durations and chance in, a decision out.
"""

from dataclasses import dataclass

from edged.errors import ConfigurationError, EdgedError, NotAllowed
from edged.mqtt.records import ConnectionEnded, Ending

FIRST_DELAY_S = 0.5
AWAY_DELAY_S = 3.0
"""At most, for a broker that is away: results flow again within 5 s of its return."""

REFUSED_DELAY_S = 60.0
"""At most, for a broker that does not want us: a person has to act first."""

LASTING_S = 30.0
"""A connection that lasted this long makes the next delays short again."""

RIVAL_AFTER = 3
"""Broken connections in a row before another client of our name is suspected."""


@dataclass(frozen=True, slots=True)
class Setback:
    """One failure.

    Attributes:
        why: What is wrong, and what to do.
        refused: The broker does not want us.
        delay_s: Until the next attempt.
    """

    why: str
    refused: bool
    delay_s: float


class Backoff:
    """Counts failures of the same kind in a row.

    Args:
        client_id: Ours, for the remedy.
    """

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._attempt = -1
        self._refused = False

    def failed(self, error: EdgedError, *, lasted_s: float, chance: float) -> Setback:
        """Decide after a failure.

        Args:
            error: Why the connection was not made, or ended.
            lasted_s: From dialling to the end.
            chance: Uniform, from 0 to 1.
        """
        refused = _refuses(error)
        # What it hung up on is left out from now on.
        settled = isinstance(error, ConnectionEnded) and error.ending is Ending.REFUSED
        if refused != self._refused or lasted_s > LASTING_S or settled:
            self._attempt = -1
        self._attempt += 1
        self._refused = refused
        return Setback(self._why(error), refused, delay_s(self._attempt, refused=refused, chance=chance))

    def _why(self, error: EdgedError) -> str:
        remedy = error.remedy
        broke = isinstance(error, ConnectionEnded) and error.ending is Ending.HUNG_UP
        if broke and self._attempt >= RIVAL_AFTER:
            # Not every broker says that the session was taken over: mosquitto 2.0.11 only closes it.
            remedy = f"if it goes on, look for another client that calls itself {self._client_id!r}"
        return error.problem + (f"; {remedy}" if remedy else "")


def delay_s(attempt: int, *, refused: bool, chance: float) -> float:
    """How long to wait before connecting again: full jitter, so that a fleet does not come all at once.

    Args:
        attempt: From 0, of failures of the same kind.
        refused: The broker does not want us.
        chance: Uniform, from 0 to 1.
    """
    most_s = REFUSED_DELAY_S if refused else AWAY_DELAY_S
    return max(chance * min(FIRST_DELAY_S * 2.0 ** min(attempt, 16), most_s), 0.02)


def _refuses(error: EdgedError) -> bool:
    taken_over = isinstance(error, ConnectionEnded) and error.ending is Ending.TAKEN_OVER
    return taken_over or isinstance(error, NotAllowed | ConfigurationError)

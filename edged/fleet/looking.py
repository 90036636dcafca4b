"""Everything that a broker keeps of a fleet, and then what is new."""

import time
from collections.abc import Iterator

from edged.fleet.boxes import Fleet
from edged.fleet.gathering import Gathering, everything_of
from edged.mqtt.records import LinkOptions, Received
from edged.mqtt.subscriber import Subscriber

QUIET_S = 0.5
"""Without a kept message, after the first ones: the broker has sent what it was going to."""
FIRST_S = 3.0
"""For the first one; a broker without any box sends none."""
ANSWER_S = 10.0
"""For what is asked for by name."""
TURN_S = 0.25


def looked_on(options: LinkOptions, base: str) -> Iterator[tuple[Fleet, bool, str]]:
    """Look on, for ever.

    Args:
        options: How the broker is spoken to.
        base: Under which devices publish.

    Yields:
        Several times a second: the fleet, whether all that the broker keeps has arrived, and why the broker is away
        (empty while it is not).

    Raises:
        BrokerUnreachable: It cannot be reached at first.
        NotAllowed: It refuses our credentials or a filter.
        ConfigurationError: A certificate file that cannot be used.
    """
    fleet, gathering = Fleet(base), Gathering(base)
    kept_s, whole = time.monotonic() + FIRST_S - QUIET_S, False
    # QoS 0: what is kept is kept, and acknowledging ten thousand messages one by one takes long.
    with Subscriber(options, *everything_of(base), qos=0, first="3.1.1") as subscriber:
        while True:
            quiet = time.monotonic() - kept_s >= QUIET_S
            topics = gathering.next(fleet) if quiet else []
            messages = subscriber.look_up(topics, ANSWER_S) if topics else _received(subscriber)
            now_s = time.monotonic()
            for message in messages:
                fleet.feed(message, now_s)
            if not topics and any(message.retained for message in messages):
                kept_s = now_s
            whole = whole or (quiet and not topics)
            yield fleet, whole, subscriber.why


def _received(subscriber: Subscriber) -> list[Received]:
    """What comes within a turn, or has come by the time that something stops coming."""
    end_s, found = time.monotonic() + TURN_S, subscriber.receive(TURN_S)
    while found and time.monotonic() < end_s and (more := subscriber.receive(0)):
        found += more
    return found

"""How long each role's signature holds, and when it is time to sign again. Pure."""

from datetime import datetime, timedelta

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
ROLES = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)
ONLINE = (SNAPSHOT, TIMESTAMP)
"""Signed by one key, which lies where the timer runs."""

LIFE = {
    ROOT: timedelta(days=365),
    TARGETS: timedelta(days=90),
    SNAPSHOT: timedelta(days=14),
    TIMESTAMP: timedelta(days=7),
}
RENEWED_AFTER = {
    ROOT: timedelta(days=30),
    TARGETS: timedelta(days=30),
    SNAPSHOT: timedelta(days=5),
    TIMESTAMP: timedelta(hours=12),
}
"""A signature that is younger is not made again; a timer that runs daily renews the timestamp daily."""
SOON = {
    ROOT: timedelta(days=60),
    TARGETS: timedelta(days=21),
    SNAPSHOT: timedelta(days=3),
    TIMESTAMP: timedelta(days=2),
}
"""Left to live: a person is told."""


def expiry(role: str, now: datetime) -> datetime:
    """When a signature made now ends; in whole seconds, as TUF writes it."""
    return (now + LIFE[role]).replace(microsecond=0)


def is_due(role: str, expires: datetime, now: datetime) -> bool:
    """Whether it is time to sign again."""
    return expires - now < LIFE[role] - RENEWED_AFTER[role]


def state(role: str, expires: datetime, now: datetime) -> str:
    """``expired``, ``soon`` or ``good``."""
    if expires <= now:
        return "expired"
    return "soon" if expires - now < SOON[role] else "good"


def left(expires: datetime, now: datetime) -> str:
    """For people: ``89 d``, ``5 h``, or since when it is over."""
    hours = round(abs((expires - now).total_seconds()) / 3600)
    text = f"{hours // 24} d" if hours >= 48 else f"{hours} h"
    return text if expires > now else f"over for {text}"

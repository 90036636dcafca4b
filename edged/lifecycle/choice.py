"""Which version is to serve. Pure: numbers in, a number out."""

from collections.abc import Collection


def choose(
    arrived: Collection[int],
    *,
    rejected: Collection[int] = (),
    pinned: int | None = None,
    active: int | None = None,
    trusted: int | None = None,
) -> int | None:
    """The version that is to serve, or None where things stay as they are.

    Args:
        arrived: Versions that are there, whole.
        rejected: Of these, what is not to be tried.
        pinned: What a person wants served, whatever is newer.
        active: What serves now.
        trusted: What served well before edged was started: it serves first, then others are tried beside it.

    >>> choose({1, 2, 3}, rejected={3}, active=1)
    2
    """
    acceptable = set(arrived) - set(rejected)
    if active is None and trusted in acceptable:
        return trusted
    if pinned is not None and pinned in acceptable:
        return pinned
    if pinned is not None and active is not None:
        return None  # what is wanted cannot be had: nobody asked for anything else
    return max(acceptable, default=None)

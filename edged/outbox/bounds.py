"""How much of each rank is over the bound. Pure: sizes in, sizes out."""

from collections.abc import Mapping

from edged.outbox.records import SHARES, Rank


def share_bytes(rank: Rank, max_bytes: int) -> int:
    """What a rank may fill of the bound; a message that is larger never fits."""
    return int(max_bytes * SHARES[rank])


def excess_bytes(held: Mapping[Rank, int], max_bytes: int) -> dict[Rank, int]:
    """What has to go of each rank: first what is over its own share, then the lowest rank first.

    Args:
        held: Bytes by rank.
        max_bytes: Of all together.

    >>> excess_bytes({Rank.TELEMETRY: 0, Rank.RESULT: 90, Rank.EVENT: 30}, 100)
    {<Rank.RESULT: 1>: 20}
    """
    over = {rank: max(0, held[rank] - share_bytes(rank, max_bytes)) for rank in Rank}
    left = sum(held.values()) - sum(over.values()) - max_bytes
    for rank in Rank:
        more = min(max(0, left), held[rank] - over[rank])
        over[rank] += more
        left -= more
    return {rank: size for rank, size in over.items() if size}

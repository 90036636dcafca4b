"""Which parts of a network stay in float: as few as keep the loss of accuracy within its limit. Pure.

The parts come ordered by how much they alone change the network's answers. The first one, two, four … of them are left
out until the loss is within the limit, then the number is narrowed down. Each attempt costs seconds, so there are few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Part = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try.

    Attributes:
        left_out: How many parts stay in float, the most sensitive first.
        loss: Of accuracy.
    """

    left_out: int
    loss: float


def ordered(parts: Sequence[Part], errors: Sequence[float]) -> list[Part]:
    """The parts that were measured, most sensitive first."""
    order = sorted(range(len(errors)), key=lambda number: -errors[number])
    return [parts[number] for number in order]


def worst(errors: Sequence[float], share: float) -> list[int]:
    """Positions of the fewest parts that together make such a share of the error, in the order of the network."""
    total, found = sum(errors), []
    left = share * total * (1 - 1e-9)  # sums of floats
    for number in sorted(range(len(errors)), key=lambda number: -errors[number]):
        if left <= 0:
            break
        found.append(number)
        left -= errors[number]
    return sorted(found)


def search(
    most: int,
    attempt: Callable[[int], float],
    *,
    max_loss: float,
    first: float,
    in_time: Callable[[], bool],
) -> Attempt:
    """The fewest parts to leave out.

    Args:
        most: So many may be.
        attempt: The loss with so many left out.
        max_loss: Its limit.
        first: The loss with none left out.
        in_time: Whether there is time for another attempt.

    Returns:
        The attempt with the fewest parts of those within the limit, or the one with the least loss.
    """
    made = [Attempt(0, first)]
    good: int | None = 0 if first <= max_loss else None
    count = 1
    while good is None and made[-1].left_out < most and in_time():
        made.append(Attempt(min(count, most), attempt(min(count, most))))
        good = made[-1].left_out if made[-1].loss <= max_loss else None
        count *= 2
    if good is None:
        return min(made, key=lambda one: one.loss)
    bad = max((one.left_out for one in made if one.left_out < good), default=good)
    while good - bad > 1 and in_time():
        middle = (good + bad) // 2
        made.append(Attempt(middle, attempt(middle)))
        good, bad = (middle, bad) if made[-1].loss <= max_loss else (good, middle)
    return next(one for one in made if one.left_out == good)

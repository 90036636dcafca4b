"""Topic filters: whether one is right, what its wildcards stood for, whether two of them can meet.

Pure: text in, text out. The rules are those of MQTT 5, 4.7: ``+`` stands for one level, ``#`` for the level above it
and all below, and neither at the beginning for a topic that begins with ``$``.
"""

import re
from collections.abc import Iterator

from edged.errors import ConfigurationError

MAX_BYTES = 65_535
"""Of a filter, in UTF-8."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def check(subject: str, topic_filter: str, *, own_results: str) -> None:
    """Whether rows can be read from what is published under a filter.

    Args:
        subject: What the filter belongs to, for the error.
        topic_filter: As configured.
        own_results: The filter of everything this device says about rows.

    Raises:
        ConfigurationError: It is no filter, is shared, or would take in our own results.
    """
    if problem := next(_problems(topic_filter), ""):
        raise ConfigurationError(subject, problem, "write mqtt:TOPIC, like mqtt:factory/+/vibration")
    if meet(topic_filter, own_results):
        raise ConfigurationError(
            subject,
            f"{topic_filter!r} takes in our own results ({own_results}), which would be scored again and again",
            "name a topic that is narrower",
        )


def stood_for(topic_filter: str, topic: str) -> str | None:
    """What the wildcards of a filter stood for in a topic, joined by ``/``.

    Returns:
        Empty where it has none, None where the topic is not one of the filter's.

    >>> stood_for("factory/+/vibration", "factory/pump-3/vibration")
    'pump-3'
    >>> stood_for("factory/+/#", "factory/pump-3/axis/x")
    'pump-3/axis/x'
    """
    wanted, levels = topic_filter.split("/"), topic.split("/")
    found: list[str] = []
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return None
    for position, want in enumerate(wanted):
        if want == "#":
            return "/".join([*found, *levels[position:]])
        if position == len(levels) or want not in {"+", levels[position]}:
            return None
        if want == "+":
            found.append(levels[position])
    return "/".join(found) if len(wanted) == len(levels) else None


def meet(first: str, second: str) -> bool:
    """Whether there can be a topic that both filters take in.

    >>> meet("edged/#", "edged/gate-7/sensor/+/result")
    True
    >>> meet("edged/+/health", "edged/gate-7/sensor/+/result")
    False
    """
    ones, others = first.split("/"), second.split("/")
    if any(a in {"+", "#"} and b.startswith("$") for a, b in ((ones[0], others[0]), (others[0], ones[0]))):
        return False
    for one, other in zip(ones, others, strict=False):
        if "#" in {one, other}:
            return True
        if one != other and "+" not in {one, other}:
            return False
    longer = max(ones, others, key=len)
    return len(ones) == len(others) or longer[min(len(ones), len(others)) :] == ["#"]


def _problems(topic_filter: str) -> Iterator[str]:
    """Why this is no filter; nothing where it is one."""
    if not topic_filter:
        yield "names no topic"
    if _CONTROL.search(topic_filter):
        yield "the topic has a character that MQTT does not allow"
    if len(topic_filter.encode()) > MAX_BYTES:
        yield f"the topic is longer than {MAX_BYTES} bytes"
    if topic_filter.startswith("$share/"):
        yield "a shared subscription cannot be read from"
    levels = topic_filter.split("/")
    for level in levels:
        if ("+" in level or "#" in level) and len(level) > 1:
            yield f"a wildcard stands for whole levels, and here for a part of {level!r}"
    if "#" in levels[:-1]:
        yield "nothing can follow #"

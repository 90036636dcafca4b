"""Which of the offered versions a box takes. Pure.

    offers of a model and its channel, the greatest first ─┬→ below what is there: nothing newer
                                                           ├→ there already: nothing to fetch
                                                           ├→ not for this box: the next lower one, and say why
                                                           └→ wanted

An offer that is gone is no order: what a box holds, it keeps.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from edged.offers import Needs, Offer, draw

if TYPE_CHECKING:
    from edged.modelstore.records import Rejection

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Box:
    """What a box is, as far as publishers may ask for it.

    Attributes:
        device: Its name, which decides its place in rollouts.
        edged: Its version of edged.
        providers: That can be used, such as ``openvino:CPU``; empty where that is not known yet.
        memory_bytes: Of the machine; 0 where that is not known.
    """

    device: str
    edged: str
    providers: Collection[str] = ()
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Holding:
    """What the store holds of a model.

    Attributes:
        digests: ``sha256:…`` of ``model.onnx`` by version; empty where there is something else of that number.
        rejected: Of versions that were rejected or rolled back here, whether they still stand there or not.
        unfit: Numbers of those that still stand there.
    """

    digests: Mapping[int, str] = field(default_factory=dict)
    rejected: "Collection[Rejection]" = ()
    unfit: Collection[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a box does about the offers of a model.

    Attributes:
        state: ``wanted``: it is to be fetched. ``refused``: the greatest one is not for this box, and no lower one is
            wanted. ``there``: the greatest one for this box is in the store. ``nothing``: no newer one.
        offer: Of that state; None with ``nothing``.
        reason: Why not a greater one; empty without one.
    """

    state: Literal["wanted", "there", "refused", "nothing"]
    offer: Offer | None = None
    reason: str = ""


def choose(name: str, channel: str, offers: Iterable[Offer], holding: Holding, box: Box) -> Choice:
    """Choose for one model.

    Args:
        name: Of the model.
        channel: That it follows.
        offers: Of any models and channels.
        holding: Of this model.
        box: That asks.
    """
    mine = [offer for offer in offers if (offer.name, offer.channel) == (name, channel)]
    there = {number for number, digest in holding.digests.items() if digest}
    current = max(there - set(holding.unfit), default=0)
    refused, notes = None, []
    for offer in sorted(mine, key=lambda one: one.version, reverse=True):
        if offer.version < current:
            break
        if objection := _objection(offer, holding, box):
            refused = refused or Choice("refused", offer, objection)
            notes.append(objection)
        elif offer.version in holding.digests:
            return refused or Choice("there", offer, _first(notes))
        elif draw(box.device, name, offer.version) >= offer.rollout:
            share = f"{100 * offer.rollout:.3g} %"
            notes.append(f"version {offer.version} goes to {share} of the boxes, and not to this one")
        else:
            return Choice("wanted", offer, _first(notes))
    return refused or Choice("nothing", None, _first(notes))


def _first(notes: list[str]) -> str:
    return notes[0] if notes else ""


def _objection(offer: Offer, holding: Holding, box: Box) -> str:
    """Why an offer is not for this box, whatever its rollout; empty if it is."""
    number = f"version {offer.version}"
    for one in holding.rejected:
        if _is_of(one, offer):
            return rejected(offer.version, (one.step or "gate", one.reason))
    if offer.version in holding.digests and holding.digests[offer.version] != offer.digest:
        return f"conflict: {number} is in the store with another digest; publish it under a new number"
    if offer.version in holding.digests:
        return ""
    lacking = lacks(offer.needs, box)
    return f"needs: {number} needs {lacking}" if lacking else ""


def _is_of(rejection: "Rejection", offer: Offer) -> bool:
    """Whether what was rejected is what is offered: the same files, under whatever number.

    A model that failed for its ``model.toml`` may come again with a better one, as a new version.
    """
    if offer.digest != rejection.digest:
        return False
    known = bool(offer.content and rejection.content) and offer.version != rejection.version
    return not known or offer.content == rejection.content


def rejected(version: int, why: tuple[str, str]) -> str:
    """What is said of a version that was rejected or rolled back here.

    Args:
        version: Its number.
        why: The step, and why.
    """
    step, reason = why
    deed = "rolled back" if step == "probation" else "rejected"
    return f"rejected: version {version} was {deed} here: {step}: {reason}"


def lacks(needs: Needs, box: Box) -> str:
    """What a box does not have of what an offer needs; empty if it has all, or what it has is not known."""
    if _numbers(needs.edged) > _numbers(box.edged):
        return f"edged {needs.edged}, and this is {box.edged}"
    if needs.providers and box.providers and not any(_has(box.providers, one) for one in needs.providers):
        return f"a provider of {', '.join(needs.providers)}, and this box has {', '.join(box.providers)}"
    if box.memory_bytes and needs.memory_bytes > box.memory_bytes:
        return f"{needs.memory_bytes // MIB} MiB of memory, and this box has {box.memory_bytes // MIB} MiB"
    return ""


def _has(providers: Collection[str], needed: str) -> bool:
    """``openvino`` is any of its devices."""
    return any(one == needed or one.partition(":")[0] == needed for one in providers)


def _numbers(version: str) -> tuple[int, ...]:
    """Of a version, to compare: ``0.10.0`` is above ``0.9``; what follows the numbers does not count."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in found.group().split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)

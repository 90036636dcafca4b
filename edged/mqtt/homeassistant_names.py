"""Names and identifiers for Home Assistant, and how text of ours goes into its templates.

Pure. Home Assistant takes ``[a-zA-Z0-9_-]`` where it wants an identifier; names of cameras and models hold dots,
labels hold anything. Two different things must never get one identifier, and a thing must keep its own for ever:
Home Assistant knows an entity, its history and what its owner renamed by nothing else.
"""

import hashlib
import re
import unicodedata

_SEPARATOR = "--"
_AS_IT_IS = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")
_LONGEST, _LONGEST_ENTITY = 64, 120
_REFUSED = re.compile(r"[\x80-\x9f\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")


def slug(text: str) -> str:
    """``text`` in the letters of an identifier, another one for each text.

    What is an identifier already stays as it is. Anything else is cleaned and told apart by a hash behind ``_-``,
    which no text that stays as it is can contain; nor does a slug ever contain ``--``.

    >>> slug("gate-7"), slug("traffic light")
    ('gate-7', 'traffic_light_-34d7399635')
    """
    if len(text) <= _LONGEST and _AS_IT_IS.fullmatch(text):
        return text
    cleaned = _words(text, _LONGEST)
    return f"{cleaned}_-{_digest(text)}"


def identifier(*parts: str) -> str:
    """An identifier of several texts, another one for each sequence of them.

    >>> identifier("camera", "front", "connection")
    'camera--front--connection'
    """
    return _SEPARATOR.join(slug(part) for part in parts)


def entity_id(platform: str, text: str, identity: str, taken: set[str]) -> str:
    """What Home Assistant should call an entity at first; its owner may rename it.

    Args:
        platform: ``sensor`` and the like.
        text: What to make it of.
        identity: Tells apart what reads alike.
        taken: Those that are given away; this one is added.
    """
    wanted = f"{platform}.{_words(text, _LONGEST_ENTITY).lower() or _digest(identity)}"
    if wanted in taken:
        wanted = f"{wanted}_{_digest(identity)}"
    taken.add(wanted)
    return wanted


def shown(text: str) -> str:
    """``text`` as a name for people: on one line, nothing in it that cannot be seen."""
    return "".join(letter if letter.isprintable() else "_" for letter in text).strip() or "_"


def can_be_a_topic(label: str) -> bool:
    """Whether Home Assistant takes a topic with ``label`` in it: MQTT 5, 1.5.4 allows to refuse some letters."""
    return not _REFUSED.search(label)


def literal(text: str) -> str:
    """``text`` as a string of Jinja, whatever stands in it.

    >>> literal("{{ value }}")
    "'{{ value }}'"
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def _words(text: str, longest: int) -> str:
    """Letters without their accents and digits, one ``_`` for whatever stands between them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:longest].rstrip("_")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:10]

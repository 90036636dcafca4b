"""When metadata was signed. Pure.

TUF signs when metadata ends to be valid, not when it was made. A box whose clock stands at 1970 believes everything to
be valid, for ever; what it can know is that now is not earlier than the latest moment at which the keys signed. So our
publisher's side writes that moment into what it signs, as the field `SIGNED_AT`, which other clients pass over.

Of a repository without it only this is known: nobody signs a timestamp to be valid for longer than `LONGEST_S`.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SIGNED_AT = "x-edged-signed-at"
"""Field of every signed part: RFC 3339, in UTC, to the second."""
LONGEST_S = 400 * 86400.0
"""Between signing and expiry of a timestamp, where the former is not said."""


def written(moment_s: float) -> str:
    """The value of `SIGNED_AT` for a moment in seconds since 1970.

    >>> written(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(math.floor(moment_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed_at(role: str, fields: Mapping[str, Any], expires: datetime) -> float:
    """The earliest that metadata can have been signed, in seconds since 1970; 0 where nothing is known.

    Args:
        role: Of it.
        fields: Of it that TUF does not know.
        expires: Of it. A moment after this is a mistake and is not believed.
    """
    known = max(0.0, expires.timestamp() - LONGEST_S) if role == "timestamp" else 0.0
    text = fields.get(SIGNED_AT)
    if not isinstance(text, str):
        return known
    try:
        said = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return known
    return said.timestamp() if said < expires else known

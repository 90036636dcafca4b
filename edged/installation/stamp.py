"""The last line of a file that edged wrote: a digest of the lines before it.

A file whose digest fits is as edged wrote it, so a newer edged may replace it and may take it away. One that a person
changed does not fit any more; nothing else has to be remembered.
"""

import hashlib
import re

_STAMP = re.compile(
    r"(?s)(.*)# Written by `edged install-service`; unchanged while this is right: ([0-9a-f]{16})\n"
)


def stamped(text: str) -> str:
    """``text``, which ends with a line end, and its stamp."""
    return f"{text}# Written by `edged install-service`; unchanged while this is right: {_digest(text)}\n"


def is_as_written(text: str) -> bool:
    """Whether a file is as some edged wrote it."""
    match = _STAMP.fullmatch(text)
    return match is not None and match[2] == _digest(match[1])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""When a certificate is valid, read from its DER form. Pure.

Only the way to the field ``validity`` of X.509 is walked (RFC 5280, 4.1): Python tells nothing of a certificate that it
did not verify, and this is about those.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

_SEQUENCE, _INTEGER, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x02, 0xA0, 0x17, 0x18


@dataclass(frozen=True, slots=True)
class Validity:
    """Of a certificate, in seconds since 1970."""

    not_before_s: float
    not_after_s: float


def validity(der: bytes) -> Validity | None:
    """The times of a certificate; None where they cannot be read."""
    try:
        certificate, _ = _take(der, _SEQUENCE)
        fields, _ = _take(certificate, _SEQUENCE)
        if fields[0] == _VERSION:
            _, fields = _take(fields, _VERSION)
        _, fields = _take(fields, _INTEGER)  # serial number
        _, fields = _take(fields, _SEQUENCE)  # signature
        _, fields = _take(fields, _SEQUENCE)  # issuer
        times, _ = _take(fields, _SEQUENCE)
        not_before_s, times = _time(times)
        not_after_s, _ = _time(times)
    except (ValueError, IndexError):
        return None
    return Validity(not_before_s, not_after_s)


def _take(der: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, and what follows it.

    Raises:
        ValueError, IndexError: It is another one, or cut short.
    """
    if der[0] != tag:
        raise ValueError(f"tag {der[0]}, expected {tag}")
    length, start = der[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("a length that no certificate has")
        length, start = int.from_bytes(der[2 : 2 + count], "big"), 2 + count
    if len(der) < start + length:
        raise ValueError("cut short")
    return der[start : start + length], der[start + length :]


def _time(der: bytes) -> tuple[float, bytes]:
    tag = der[0]
    if tag not in {_UTC_TIME, _GENERALIZED_TIME}:
        raise ValueError("no time")
    content, rest = _take(der, tag)
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year; RFC 5280 says which century
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp(), rest

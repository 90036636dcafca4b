"""Addresses that may carry a password: read them, show them without it, fill a credential in."""

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from edged.errors import ConfigurationError

# Up to the last @ of the word: users that are e-mail addresses and passwords full of signs are written unquoted. A
# password with blanks goes up to the first one.
_USERINFO = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^/:\s]*)(?::(?P<password>\S*|[^@/\n]*))?@"
)
_SECRET_QUERY = re.compile(r"(?i)([?&](?:password|passwd|pwd|pass|token|secret|key|auth)=)[^&\s'\"]*")
MIN_SECRET = 6
"""Characters of a secret that is found wherever it stands; a shorter one would be found in what is none."""
MAX_PORT = 65535
_secrets: list[str] = []
_CREDENTIAL = re.compile(r"\$\{credential:([A-Za-z0-9_.-]+)\}")


def keep_secret(secret: str) -> None:
    """From now on `redacted` knows it, in an address or not; of an address, what is secret in it."""
    if "://" in secret:
        found = _USERINFO.search(secret)
        inside = [found["password"] or ""] if found else []
        inside += [match.group().partition("=")[2] for match in _SECRET_QUERY.finditer(secret)]
        for one in inside:
            keep_secret(one)
        return
    for form in (secret, quote(secret, safe=""), unquote(secret)):
        if len(form) >= MIN_SECRET and form not in _secrets:
            _secrets[:] = sorted([*_secrets, form], key=len, reverse=True)  # the longest is replaced first


def redacted(text: str) -> str:
    """``text`` with the password of every address in it, and every secret that is known, replaced by ``***``.

    The user name stays.

    >>> redacted("cannot open rtsp://joe:pa:ss@cam/1?token=9")
    'cannot open rtsp://joe:***@cam/1?token=***'
    """

    def mask(match: re.Match[str]) -> str:
        secret = ":***" if match["password"] is not None else ""
        return f"{match['scheme']}{match['user']}{secret}@"

    text = _SECRET_QUERY.sub(r"\1***", _USERINFO.sub(mask, text))
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text


def with_credentials(text: str, subject: str) -> str:
    """``text`` with each ``${credential:NAME}`` replaced by the systemd credential of that name.

    Args:
        text: An address or a file name from the configuration.
        subject: The key it stands under, for the error.

    Raises:
        ConfigurationError: A credential that is not there or cannot be read.
    """

    def read(match: re.Match[str]) -> str:
        return read_credential(match[1], subject)

    return _CREDENTIAL.sub(read, text)


def begins_with_credential(text: str) -> bool:
    """Whether ``${credential:NAME}`` stands at the beginning, so that nothing is known of what comes of it."""
    return _CREDENTIAL.match(text) is not None


def read_credential(name: str, subject: str) -> str:
    """The text of a systemd credential, without the line end.

    Raises:
        ConfigurationError: Not run with credentials, or without this one.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigurationError(
            subject,
            f"the credential {name!r} was not passed to this process",
            f"run under systemd with LoadCredential={name}:FILE, or set CREDENTIALS_DIRECTORY to a folder that has it",
        )
    try:
        secret = (Path(folder) / name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(
            subject,
            f"the credential {name!r} cannot be read ({reason})",
            f"add LoadCredential={name}:FILE to the unit",
        ) from error
    keep_secret(secret)
    return secret


def server_scheme(url: str, schemes: Sequence[str]) -> str:
    """The scheme of an address ``scheme://host…``, in lower case. Nothing is looked up.

    Args:
        url: With its credentials, or with their names, which may stand for any part behind the scheme.
        schemes: Allowed ones, in lower case.

    Raises:
        ValueError: Another scheme, no host, or a port that is none; the text carries nothing of the address.
    """
    try:
        parts = urlsplit(_CREDENTIAL.sub("1", url))
        wrong = parts.scheme not in schemes or not parts.hostname or parts.port == 0
    except ValueError:  # its text quotes what stands after a colon, which may be a password
        wrong = True
    if wrong or re.search(r"\s", parts.netloc.rpartition("@")[2]):
        raise ValueError(f"{schemes[0]}://host, with a port of 1 to 65535 if any")
    return parts.scheme


def require_listening_address(listen: str) -> None:
    """See that ``address:port`` can be one to listen on; port 0 is any free one.

    Raises:
        ValueError: It cannot.
    """
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|[^:\s\[\]]+):(\d{1,5})", listen)
    try:
        if found and found[1]:
            ipaddress.IPv6Address(found[1])
    except ValueError:
        found = None
    if not found or int(found[2]) > MAX_PORT:
        raise ValueError('"address:port" with a port of 0 to 65535, like "127.0.0.1:9110", or "" for none')


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and who we are to it.

    Attributes:
        host: Name or address, without brackets.
        port: 1883 or 8883 unless the address says otherwise.
        tls: True for ``mqtts``.
        user: Empty where none is given.
        password: Empty where none is given.
    """

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"BrokerAddress({self})"


def broker_address(url: str) -> BrokerAddress:
    """Read ``mqtt://user:password@host:port``.

    Raises:
        ValueError: Not such an address; the text says why and carries no password.
    """
    allowed = "write mqtt://host:1883 or mqtts://user@host:8883"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text quotes what stands after a colon, which may be a password
        raise ValueError(f"not an address (its host or port cannot be read); {allowed}") from None
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or port == 0 or re.search(r"\s", url):
        raise ValueError(f"not the address of a broker; {allowed}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"has something after the port; {allowed}")
    tls = parts.scheme == "mqtts"
    return BrokerAddress(
        host=parts.hostname,
        port=port or (8883 if tls else 1883),
        tls=tls,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )

"""What kind of source an address names, and the address as the one who opens it needs it."""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import quote, urlsplit

from edged.errors import BadInput, ConfigurationError, InputNotFound, NotAllowed
from edged.sections import is_path, stream_scheme
from edged.urls import redacted, with_credentials

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".dib", ".webp", ".gif", ".tif", ".tiff"}
    | {".jp2", ".avif", ".ico", ".sgi", ".pbm", ".pgm", ".ppm", ".pnm"}
)
"""Of files that are read as pictures; any other file is read as a video."""

_SCHEMES = {"rtsp": "RTSP", "rtsps": "RTSP", "http": "HTTP", "https": "HTTP"}
_CREDENTIAL = re.compile(r"\$\{credential:[^}]*\}")


class Kind(Enum):
    """Kinds of sources."""

    PICTURE = "picture"
    FOLDER = "folder"
    VIDEO = "video file"
    RTSP = "RTSP camera"
    HTTP = "HTTP camera"
    DEVICE = "camera device"


@dataclass(frozen=True, slots=True)
class Address:
    """A source that can be opened.

    Attributes:
        kind: Of source.
        target: What the library is given: a path, a device or a URL with its password. Never shown.
        shown: The same for people, without the password.
    """

    kind: Kind
    target: str
    shown: str

    @property
    def live(self) -> bool:
        """Whether it goes on by itself, so that its end is a loss."""
        return self.kind in {Kind.RTSP, Kind.HTTP, Kind.DEVICE}

    @property
    def host(self) -> str:
        """Name or address of the server; empty for what is on this machine."""
        return (urlsplit(self.target).hostname or "") if self.kind in {Kind.RTSP, Kind.HTTP} else ""

    def __repr__(self) -> str:
        return f"Address({self.kind.value}, {self.shown})"


def resolve(url: str, name: str) -> Address:
    """Look at ``url``, fill its credentials in, and see that files and devices are there.

    Args:
        url: As in ``cameras.<name>.url``.
        name: Of the camera, for errors.

    Raises:
        ConfigurationError: A credential is missing, or the address is of no known kind.
        InputNotFound: No such file, folder or device.
        NotAllowed: A folder on the way to it may not be searched.
        BadInput: Something that is none of them.
    """
    shown = redacted(url)
    if url.startswith("v4l2:"):
        device = url.removeprefix("v4l2:")
        if not Path(device).exists():
            raise InputNotFound(shown, "no such device", "is the camera plugged in? see: ls /dev/video*")
        return Address(Kind.DEVICE, device, shown)
    if is_path(url):
        return Address(_kind_of_path(Path(url), shown), url, shown)
    target = _filled(url, f"cameras.{name}.url")
    shown = redacted(url) if "${" in url else redacted(target)
    try:
        scheme = stream_scheme(target)
    except ValueError as error:
        problem = f"{shown} is no address of a camera"
        raise ConfigurationError(f"cameras.{name}.url", problem, f"write {error}") from error
    return Address(Kind[_SCHEMES[scheme]], target, shown)


def _filled(url: str, key: str) -> str:
    """``url`` with its credentials, quoted inside an address: a password may hold any sign."""
    if url.startswith("${"):
        return with_credentials(url, key)
    return _CREDENTIAL.sub(lambda match: quote(with_credentials(match[0], key), safe=""), url)


def _kind_of_path(path: Path, shown: str) -> Kind:
    try:
        if path.is_dir():
            return Kind.FOLDER
        if not path.exists():
            raise InputNotFound(
                shown, "no such file or folder", "name a video, a picture, a folder or a camera's URL"
            )
        if not path.is_file():
            raise BadInput(
                shown, "is neither a file nor a folder", "write v4l2:/dev/video0 for a camera device"
            )
    except PermissionError as error:
        remedy = "check the permissions of its folders"
        raise NotAllowed(shown, "may not be looked up by this user", remedy) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise InputNotFound(
            shown, f"cannot be looked up ({reason})", "check the path and its permissions"
        ) from error
    return Kind.PICTURE if path.suffix.lower() in PICTURE_SUFFIXES else Kind.VIDEO

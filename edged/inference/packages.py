"""Which packages are installed, told by the names of their folders: ``onnxruntime-1.32.0.dist-info``."""

import os
import re
import sys
from collections.abc import Sequence

_FOLDER = re.compile(r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[^-]+)\.dist-info")


def installed(names: Sequence[str]) -> dict[str, str]:
    """Version by name of those of some packages that are installed, in the order asked for.

    Loading `importlib.metadata` takes a twentieth of a start; it is asked only where no folder tells of any of them, as
    other installers than pip may leave none.
    """
    wanted, found = {_plain(name): name for name in names}, dict[str, str]()
    for place in sys.path:
        for folder in _folders(place):
            match = _FOLDER.fullmatch(folder)
            if match and _plain(match["name"]) in wanted:
                found.setdefault(wanted[_plain(match["name"])], match["version"])
    return {name: found[name] for name in names if name in found} or _from_metadata(names)


def _folders(place: str) -> list[str]:
    """What a place that modules are imported from holds; nothing where it is none, or an archive."""
    try:
        return os.listdir(place or ".")  # noqa: PTH208  # quicker, and names are all that is wanted
    except OSError:
        return []


def _plain(name: str) -> str:
    """Of all ways to write a package's name the one that compares. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _from_metadata(names: Sequence[str]) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # see `installed`

    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

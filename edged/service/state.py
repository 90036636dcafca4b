"""Where this instance of edged keeps what must survive a restart."""

import hashlib
import os
import sys
from pathlib import Path

from edged.settings import LoadedSettings

SYSTEM = Path("/var/lib/edged")
USUAL_CONFIG = Path("/etc/edged/edged.toml")


def state_folder(loaded: LoadedSettings) -> Path:
    """The folder of this instance; not made here.

    ``state.path`` where it is set, else systemd's ``$STATE_DIRECTORY``, which belongs to one unit. Otherwise a folder
    of its own for each configuration, so that two daemons on a machine never deliver each other's results: below
    ``/var/lib/edged`` where that can be written, else below the user's folder for states.
    """
    if loaded.settings.state.path:
        return loaded.settings.state.path
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if loaded.path and loaded.path.absolute() == USUAL_CONFIG and _writable(SYSTEM):
        return SYSTEM
    return (SYSTEM if _writable(SYSTEM) else _of_user()) / "instances" / _instance(loaded)


def _instance(loaded: LoadedSettings) -> str:
    """A name that is the same at each start with the same configuration file, or the same command line."""
    settings = loaded.settings
    if loaded.path:
        named, identity = loaded.path.stem, str(loaded.path.resolve())
    else:
        sources = sorted(camera.url for camera in settings.cameras.values())
        named, identity = "camera", "\n".join([settings.device, settings.mqtt.url, *sources])
    return f"{named}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _writable(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _of_user() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "edged"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "edged"

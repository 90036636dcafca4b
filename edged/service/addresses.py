"""What can be known of a configuration's sources without touching them."""

from edged.errors import ConfigurationError
from edged.service.broker import topics_of
from edged.service.demands import uses
from edged.service.sensors import require_source
from edged.settings import LoadedSettings


def require_addresses(loaded: LoadedSettings, *, once: bool = False) -> None:
    """Every sensor can be read where it says, and no model is wanted by cameras and sensors.

    Args:
        loaded: The settings.
        once: Each is to be read to its end.

    Raises:
        ConfigurationError: Not so.
    """
    settings = loaded.settings
    topics, listen = topics_of(settings), settings.http.listen
    try:
        uses(settings)
        for name, section in settings.sensors.items():
            require_source(name, section, topics=topics, listen=listen, once=once)
    except ConfigurationError as error:
        if loaded.path is None:
            raise
        problem = f"{error.subject!r} {error.problem}"
        raise ConfigurationError(str(loaded.path), problem, error.remedy) from error


def require_root(loaded: LoadedSettings) -> None:
    """The keys that updates are trusted by are there. A daemon starts without: its models serve all the same.

    Raises:
        ConfigurationError: Not so.
    """
    updates = loaded.settings.updates
    if not updates.url or updates.root is None:
        return
    try:
        with updates.root.open("rb"):
            return
    except OSError as error:
        raise ConfigurationError(
            str(loaded.path or "command line"),
            f"'updates.root' is {updates.root}, which cannot be read ({error.strerror or error})",
            "put the repository's root.json there",
        ) from error

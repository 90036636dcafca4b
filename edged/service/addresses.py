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

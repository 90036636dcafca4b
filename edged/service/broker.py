"""The broker of the configuration as the link wants it: address, secrets, files, topics."""

import os
from functools import partial
from pathlib import Path

from edged.errors import ConfigurationError
from edged.mqtt.link import LinkOptions
from edged.mqtt.topics import Topics
from edged.sections import MqttSettings
from edged.settings import Settings
from edged.urls import broker_address, keep_secret, read_credential, with_credentials

MAX_SECRET_BYTES = 64 * 1024


def link_options(mqtt: MqttSettings, *, device: str, folder: Path) -> LinkOptions:
    """How the link speaks to the broker.

    Args:
        mqtt: The section.
        device: For the client id.
        folder: Of the configuration file; a relative ``password_file`` counts from it.

    Raises:
        ConfigurationError: A secret that is not there, or a certificate that cannot be used.
    """
    options = LinkOptions(
        address=broker_address(with_credentials(mqtt.url, "mqtt.url")),
        client_id=mqtt.client_id or f"edged-{device}",
        protocol=mqtt.protocol,
        keepalive_s=mqtt.keepalive,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
        result_expiry_s=mqtt.spool_max_age,
        password=partial(_password, mqtt.password_file, folder) if mqtt.password_file else None,
    )
    options.tls()
    options.secret()
    return options


def topics_of(settings: Settings) -> Topics:
    """The topics of this device."""
    return Topics(settings.mqtt.base_topic, settings.device)


def _password(name: str, folder: Path) -> str:
    """A systemd credential of this name where there is one, else the file."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and "/" not in name and (Path(credentials) / name).exists():
        return read_credential(name, "mqtt.password_file")
    path = folder / Path(name).expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            secret = file.read(MAX_SECRET_BYTES).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(
            "mqtt.password_file",
            f"{path} cannot be read ({reason})",
            "put the password in it, readable by edged only",
        ) from error
    keep_secret(secret)
    return secret

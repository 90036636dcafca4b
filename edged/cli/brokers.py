"""The broker that a command looks on at: its options as every such command has them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.errors import UsageError
from edged.urls import broker_address

if TYPE_CHECKING:
    from edged.mqtt.records import LinkOptions

Mqtt = Annotated[str, typer.Option(help="The broker.", metavar="URL")]
Base = Annotated[str, typer.Option(help="Base topic of the devices.")]
CaFile = Annotated[Path | None, typer.Option(help="PEM of the authorities to trust.")]
CertFile = Annotated[Path | None, typer.Option(help="PEM of a client certificate.")]
KeyFile = Annotated[Path | None, typer.Option(help="PEM of its key.")]

LOCAL = "mqtt://localhost:1883"


def looker(
    command: str, url: str, ca_file: Path | None, cert_file: Path | None, key_file: Path | None
) -> "LinkOptions":
    """How a command speaks to a broker, under a name of its own.

    Raises:
        UsageError: The address is none.
    """
    from edged.mqtt.records import LinkOptions

    try:
        address = broker_address(url)
    except ValueError as error:
        raise UsageError("--mqtt", str(error)) from None
    return LinkOptions(
        address=address,
        client_id=f"edged-{command}-{os.urandom(6).hex()}",
        ca_file=str(ca_file or ""),
        cert_file=str(cert_file or ""),
        key_file=str(key_file or ""),
    )

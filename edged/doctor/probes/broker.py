"""Speaks to the broker as the daemon would, under a client id of its own, and looks at what it keeps of this device."""

import contextlib
import json
import os
import re
import ssl
import time
from dataclasses import replace
from pathlib import Path

from edged.doctor.broker import BrokerFacts
from edged.doctor.certificate import Validity, validity
from edged.doctor.deadline import Deadline
from edged.errors import BrokerUnreachable, ConfigurationError, EdgedError, NotAllowed
from edged.mqtt.connection import Connection
from edged.mqtt.connector import Connector
from edged.mqtt.dial import Patience, Waker, dial
from edged.mqtt.records import LinkOptions, Message
from edged.mqtt.topics import JSON, Topics
from edged.service.broker import link_options, topics_of
from edged.settings import Settings
from edged.urls import redacted

RETAINED_S = 0.7
"""For what the broker keeps of this device to arrive."""
ACKNOWLEDGED_S = 2.0
CERTIFICATE_S = 5.0
REFUSED = 0x80
"""Reasons from here on mean that a message was not taken (MQTT 5, 2.4)."""
MAX_TOLD_BYTES = 65536


def facts(settings: Settings, folder: Path, deadline: Deadline) -> BrokerFacts:
    """Of the broker of a configuration.

    Args:
        settings: All of it.
        folder: Of the configuration file.
        deadline: For all of it.
    """
    topics = topics_of(settings)
    plain = redacted(settings.mqtt.url)
    seen = BrokerFacts(address=plain, topics=f"{topics.root}/#", now_s=time.time())
    if secret := missing_credential(settings, folder):
        return replace(seen, secret=secret)
    try:
        options = link_options(settings.mqtt, device=settings.device, folder=folder)
    except ConfigurationError as error:
        return replace(seen, error=error)
    # One of its own: the daemon's would end the daemon's connection.
    options = replace(options, client_id=f"edged-doctor-{os.urandom(4).hex()}")
    seen = replace(seen, address=str(options.address))
    waker = Waker()
    try:
        connection = Connector(options).connect(waker, lambda: deadline.is_over)
    except EdgedError as error:
        by_tls = isinstance(error, BrokerUnreachable) and error.problem.startswith("TLS: ")
        waker.close()
        certificate = _certificate(options, deadline) if by_tls else None
        return replace(seen, error=error, by_tls=by_tls, certificate=certificate)
    try:
        seen = replace(seen, protocol=connection.protocol, mute=_mute(connection, topics, deadline))
        return _kept(
            connection, replace(seen, certificate=_certificate(options, deadline)), topics.root, deadline
        )
    except BrokerUnreachable as error:
        return replace(seen, error=error)
    finally:
        connection.close()
        waker.close()


def missing_credential(settings: Settings, folder: Path) -> str:
    """The systemd credential that the broker needs and this command was not given; empty for none."""
    if os.environ.get("CREDENTIALS_DIRECTORY"):
        return ""
    if named := re.search(r"\$\{credential:([^}]*)\}", settings.mqtt.url):
        return named[1]
    name = settings.mqtt.password_file
    return name if name and "/" not in name and not (folder / name).exists() else ""


def _mute(connection: Connection, topics: Topics, deadline: Deadline) -> str:
    """Why this device may not publish under its own topics; empty where it may, or the broker says nothing of it.

    Only MQTT 5 has a broker say so. What is published is an answer to a command that nobody gave.
    """
    answer = Message(topics.response("doctor"), b'{"ok": true}', qos=1, content_type=JSON, expiry_s=1)
    packet = connection.publish(answer)
    end = Deadline.within(deadline.left_s(ACKNOWLEDGED_S))
    while not end.is_over and not connection.acknowledged:
        connection.step(end.left_s())
    for number, reason in connection.acknowledged:
        if number == packet and reason >= REFUSED:
            return f"refuses what is published on {answer.topic} (reason {reason:#x})"
    return ""


def _kept(connection: Connection, seen: BrokerFacts, root: str, deadline: Deadline) -> BrokerFacts:
    """What the broker keeps of this device."""
    try:
        connection.subscribe(f"{root}/+")
    except NotAllowed as error:
        return replace(seen, barred=error.problem)
    end = Deadline.within(deadline.left_s(RETAINED_S))
    kept: dict[str, bytes] = {}
    while not end.is_over and not {"status", "info"} <= kept.keys():
        connection.step(end.left_s())
        while connection.received:
            message = connection.received.popleft()
            kept[message.topic.removeprefix(f"{root}/")] = message.payload
    status = kept.get("status", b"")[:20].decode("utf-8", "replace")
    return replace(seen, status=status, told=_told(kept.get("info", b"")))


def _told(payload: bytes) -> str:
    """Of the other instance: which version, since when, on what processor."""
    try:
        info = json.loads(payload) if len(payload) <= MAX_TOLD_BYTES else {}
        machine = info.get("machine", {}).get("cpu", "")
        parts = [f"edged {info['version']}", machine, f"since {info['started_at']}"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return ", ".join(str(part)[:100] for part in parts if part)


def _certificate(options: LinkOptions, deadline: Deadline) -> Validity | None:
    """When the broker's certificate is valid, whoever signed it; nothing but a greeting goes over this connection."""
    context = options.tls()
    if context is None:
        return None
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    patience = Patience(time.monotonic() + deadline.left_s(CERTIFICATE_S), lambda: deadline.is_over)
    try:
        with contextlib.closing(dial(options.address, context=context, patience=patience)) as sock:
            der = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
    except (EdgedError, OSError, ValueError):
        return None
    return validity(der) if der else None

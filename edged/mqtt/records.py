"""The records that a connection is opened with, gives back, and fails with."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from edged.errors import BrokerUnreachable
from edged.mqtt.dial import tls_context
from edged.urls import BrokerAddress

Protocol = Literal["5", "3.1.1"]

LONGEST_PACKET_BYTES = 268_435_455


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How a broker is spoken to.

    Attributes:
        address: Where it is, with user and password.
        client_id: One connection for each: a second one with the same takes its place.
        protocol: ``auto`` is MQTT 5, and 3.1.1 where the broker refuses it.
        keepalive_s: Silence after which the broker is asked whether it is there.
        ca_file: PEM; empty for the system's authorities.
        cert_file: PEM of a client certificate; empty for none.
        key_file: PEM of its key.
        result_expiry_s: For how long a broker keeps an undelivered result (MQTT 5).
        password: Read anew for each connection, so that a changed one counts; None = that of the address.
        gather_s: While results are on their way, others wait so long for more to go with them: for recordings.
    """

    address: BrokerAddress
    client_id: str
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    keepalive_s: float = 30.0
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    result_expiry_s: float = 7 * 86400.0
    password: Callable[[], str] | None = None
    gather_s: float = 0.0

    def secret(self) -> str:
        """The password of the next connection; empty for none.

        Raises:
            ConfigurationError: It cannot be read.
        """
        return self.password() if self.password else self.address.password

    def tls(self) -> ssl.SSLContext | None:
        """A fresh context, so that renewed certificates count; None without TLS.

        Raises:
            ConfigurationError: A file that cannot be used.
        """
        if not self.address.tls:
            return None
        return tls_context(ca_file=self.ca_file, cert_file=self.cert_file, key_file=self.key_file)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that the broker keeps while we are away; what comes in it is acknowledged by whoever takes it in.

    Attributes:
        expiry_s: For how long (MQTT 5); in 3.1.1 the broker decides.
        receive_maximum: Unacknowledged messages at once (MQTT 5); in 3.1.1 the broker decides.
        packet_bytes: Of one packet; the broker drops what is larger (MQTT 5). In 3.1.1 everything comes.
    """

    expiry_s: int
    receive_maximum: int
    packet_bytes: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the broker takes, as it said when it accepted us.

    Attributes:
        receive_maximum: Unacknowledged messages at once.
        packet_bytes: Of one packet.
        qos: The highest.
        retain: Whether it keeps retained messages.
        aliases: Topics that may go by a number (MQTT 5).
    """

    receive_maximum: int = 65_535
    packet_bytes: int = LONGEST_PACKET_BYTES
    qos: int = 2
    retain: bool = True
    aliases: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came in.

    Attributes:
        topic: Where it was published.
        payload: As it came.
        retained: It was kept by the broker from before.
        response_topic: Where its sender wants an answer (MQTT 5); empty for none.
        correlation: What that answer is to carry (MQTT 5).
        packet: Identifier to acknowledge it by; 0 where it needs no acknowledgement.
        again: The broker has sent it before, as far as it knows.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str = ""
    correlation: bytes = b""
    packet: int = 0
    again: bool = False


class Ending(Enum):
    """How a connection ended.

    For no reason given or a message of ours, for a message that is known, said so, taken over, or given up.
    """

    HUNG_UP = "hung up"
    REFUSED = "refused"
    TOLD = "told"
    TAKEN_OVER = "taken over"
    SILENT = "silent"


class ConnectionEnded(BrokerUnreachable):
    """A connection that had been accepted is over. Known within ``mqtt`` only."""

    def __init__(self, subject: str, problem: str, remedy: str = "", *, ending: Ending) -> None:
        super().__init__(subject, problem, remedy)
        self.ending = ending


class ProtocolRefused(BrokerUnreachable):
    """The broker does not speak this version of MQTT, or seems not to. Known within ``mqtt`` only.

    Attributes:
        how: It said so, or it hung up, or it said nothing.
    """

    def __init__(self, subject: str, version: Protocol, *, how: Literal["said", "hung up", "silent"]) -> None:
        problem = {
            "said": f"the broker refuses MQTT {version}",
            "hung up": f"the broker hung up on the greeting of MQTT {version}",
            "silent": f"what answers there does not speak MQTT {version} (no CONNACK)",
        }[how]
        remedy = "try another mqtt.protocol, or the right port"
        if how == "hung up" and subject.startswith("mqtt:"):
            remedy = "use mqtts:// if this port speaks TLS, or try another mqtt.protocol"
        super().__init__(subject, problem, remedy)
        self.how = how

    @property
    def explicit(self) -> bool:
        """Whether the broker said so."""
        return self.how == "said"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to be sent.

    Attributes:
        topic: Where to.
        payload: What.
        qos: Lowered to what the broker takes.
        retain: Left out where the broker keeps none.
        content_type: For MQTT 5; empty for none.
        schema: User property ``schema``; empty for none.
        expiry_s: Message expiry; None for never.
        correlation: Of the message this one answers, for MQTT 5; empty for none.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    content_type: str = ""
    schema: str = ""
    expiry_s: int | None = None
    correlation: bytes = b""

"""What came of speaking to the broker. Pure; `edged.doctor.probes.broker` speaks."""

from collections.abc import Iterator
from dataclasses import dataclass

from edged.doctor import kinds
from edged.doctor.certificate import Validity
from edged.doctor.findings import Finding
from edged.doctor.machine import moment
from edged.errors import ConfigurationError, EdgedError, NotAllowed

SOON_S = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What was seen of it.

    Attributes:
        address: As shown, without user and password.
        topics: The filter of everything this device publishes.
        error: Why there is no connection; None where there is one.
        protocol: The version of MQTT that is spoken.
        barred: Why the device's topics cannot be subscribed to; empty where they can.
        mute: Why the device's topics cannot be published on; empty where they can, or the broker does not say.
        status: The device's retained status; empty for none.
        told: What its retained ``info`` says of the other instance, for people; empty for none.
        secret: Name of a systemd credential that was not given to this command; empty for none.
        by_tls: Whether the connection failed in TLS.
        certificate: When the broker's is valid; None without TLS, or where it cannot be read.
        now_s: Seconds since 1970, by the local clock.
    """

    address: str
    topics: str
    now_s: float
    error: EdgedError | None = None
    protocol: str = ""
    barred: str = ""
    mute: str = ""
    status: str = ""
    told: str = ""
    secret: str = ""
    by_tls: bool = False
    certificate: Validity | None = None


def findings(facts: BrokerFacts, *, device: str, runs: bool) -> Iterator[Finding]:
    """Whether a daemon can work with this broker.

    Args:
        facts: What was seen.
        device: Its name.
        runs: Whether a daemon of this configuration runs on this machine.
    """
    if facts.secret:
        seen = f"not tried: the credential {facts.secret!r} was not given to this command"
        yield kinds.BROKER_SECRET.found(facts.address, seen)
        return
    if facts.error is not None:
        yield _failure(facts, facts.error)
        return
    yield kinds.BROKER.found(facts.address, f"takes us, MQTT {facts.protocol}")
    if facts.certificate and facts.certificate.not_after_s - facts.now_s < SOON_S:
        seen = f"its certificate expires at {moment(facts.certificate.not_after_s)}"
        yield kinds.CERTIFICATE_ENDING.found(facts.address, seen)
    if facts.mute:
        yield kinds.BROKER_MUTE.found(facts.address, facts.mute, topics=facts.topics)
    if facts.barred:
        yield kinds.BROKER_ACL.found(facts.address, facts.barred, topics=facts.topics)
    if facts.status == "online" and not runs:
        told = f" ({facts.told})" if facts.told else ""
        seen = f"{device} is online on the broker{told}, and no daemon of this machine is it"
        yield kinds.TWIN.found("device", seen)


def _failure(facts: BrokerFacts, error: EdgedError) -> Finding:
    address, problem, remedy = facts.address, error.problem, error.remedy
    now = moment(facts.now_s)
    if facts.by_tls and facts.certificate:
        begins_s, ends_s = facts.certificate.not_before_s, facts.certificate.not_after_s
        if facts.now_s < begins_s:
            seen = f"its certificate is valid from {moment(begins_s)}, and the local clock says {now}"
            return kinds.CERTIFICATE_EARLY.found(address, seen)
        if facts.now_s > ends_s:
            seen = f"its certificate expired at {moment(ends_s)}, and the local clock says {now}"
            return kinds.CERTIFICATE_EXPIRED.found(address, seen, now=now)
    if isinstance(error, NotAllowed):
        return kinds.BROKER_REFUSED.found(address, problem, do=remedy)
    if isinstance(error, ConfigurationError):
        return kinds.BROKER_FILES.found(error.subject, problem, do=remedy)
    kind = kinds.BROKER_CERTIFICATE if facts.by_tls else kinds.BROKER_UNREACHABLE
    return kind.found(address, problem, do=remedy)

"""From an address to a connected socket, with TLS where it is asked for.

paho would do this too, but one address after the other with a full time-out each, not to be interrupted, and
with a socket left open when TLS fails. Here one bound holds for all of it, a stop request ends it, and
each way to fail has its own words. Only the look-up of the name cannot be interrupted: the resolver has
its own bounds.
"""

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from edged.errors import BrokerUnreachable, ConfigurationError
from edged.urls import BrokerAddress

CONNECT_TIMEOUT_S = 5.0

LOOK_UP_S = 0.25
"""How often a wait for the network looks whether it is still wanted."""

_LISTENING = "start the broker, or correct mqtt.url"


class Waker:
    """Ends the wait of a thread in ``poll`` from another thread.

    ``wake`` may be called from any thread, at any time, also after ``close``; it never blocks.
    """

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._pending = False

    def fileno(self) -> int:
        """What to poll for reading."""
        return self._read.fileno()

    def wake(self) -> None:
        """End the present or the next wait."""
        if self._pending:
            return  # what it is woken for is seen after the `clear` that is to come
        self._pending = True
        with suppress(OSError):  # full: a wake-up is pending already; closed: nobody waits any more
            self._write.send(b"\0")

    def clear(self) -> None:
        """Take the pending wake-ups; the waiting thread calls it, before it looks at what it is woken for."""
        with suppress(OSError):
            while len(self._read.recv(4096)) == 4096:
                pass
        self._pending = False

    def close(self) -> None:
        """Give the two descriptors back."""
        self._read.close()
        self._write.close()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long dialling may last and what ends it earlier.

    Attributes:
        deadline_s: On the monotonic clock.
        cancelled: True once nobody wants the connection any more.
    """

    deadline_s: float
    cancelled: Callable[[], bool]

    def remaining_s(self) -> float:
        """Seconds left, 0 when there are none."""
        return max(self.deadline_s - time.monotonic(), 0.0)


def tls_context(*, ca_file: str, cert_file: str, key_file: str) -> ssl.SSLContext:
    """What the broker's certificate is checked with, and what we show it.

    Args:
        ca_file: PEM; empty for the system's authorities.
        cert_file: PEM of our certificate; empty for none.
        key_file: PEM of its key, without a passphrase; empty where the certificate's file has it.

    Raises:
        ConfigurationError: A file that is not there or is not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise _bad_file("mqtt.ca_file", ca_file, error, "certificates in PEM form") from error
    if cert_file:
        try:
            # A key with a passphrase would ask on the terminal; nobody is there.
            context.load_cert_chain(cert_file, key_file or None, password=lambda: "")
        except (OSError, ValueError) as error:
            file = key_file if _unreadable(key_file) else cert_file
            wanted = "a certificate and its key in PEM form, without a passphrase"
            raise _bad_file("mqtt.cert_file", file, error, wanted) from error
    return context


def dial(address: BrokerAddress, *, context: ssl.SSLContext | None, patience: Patience) -> socket.socket:
    """A connected, non-blocking socket; with TLS where there is a context.

    Raises:
        BrokerUnreachable: The name is unknown, nothing listens, no answer in time, TLS failed, or cancelled.
    """
    targets = _resolve(address)
    failure: OSError = TimeoutError()
    for index, (family, kind, protocol, _, target) in enumerate(targets):
        share_s = patience.remaining_s() / (len(targets) - index)
        part = Patience(time.monotonic() + share_s, patience.cancelled)
        sock = socket.socket(family, kind, protocol)
        try:
            _connect(sock, target, part)
            if context is not None:
                # The handshake may use all the time that is left: this address has answered.
                return _secure(sock, address, context, patience)
        except BrokerUnreachable:
            sock.close()
            raise
        except OSError as error:
            sock.close()
            failure = error
            continue
        return sock
    raise _unreachable(address, failure) from failure


def _resolve(address: BrokerAddress) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    try:
        return list(socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        raise BrokerUnreachable(
            str(address),
            f"the name {address.host!r} cannot be resolved",
            "correct mqtt.url, or look at this machine's DNS",
        ) from error


def _connect(sock: socket.socket, target: tuple[object, ...], patience: Patience) -> None:
    sock.setblocking(False)
    # Small messages are sent as they come: waiting to fill a segment adds the peer's delayed ACK to each.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = sock.connect_ex(target)
    if code == errno.EINPROGRESS:
        _wait(sock, select.POLLOUT, patience)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _secure(
    sock: socket.socket, address: BrokerAddress, context: ssl.SSLContext, patience: Patience
) -> ssl.SSLSocket:
    wrapped = context.wrap_socket(sock, server_hostname=address.host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                wrapped.do_handshake()
            except ssl.SSLWantReadError:
                _wait(wrapped, select.POLLIN, patience)
            except ssl.SSLWantWriteError:
                _wait(wrapped, select.POLLOUT, patience)
            else:
                return wrapped
    except BrokerUnreachable:
        wrapped.close()
        raise
    except OSError as error:
        wrapped.close()
        raise tls_failure(address, error) from error


def _wait(sock: socket.socket, event: int, patience: Patience) -> None:
    """Until ``event`` on the socket.

    Raises:
        TimeoutError: The time is over.
        BrokerUnreachable: Cancelled.
    """
    poll = select.poll()
    poll.register(sock, event)
    while remaining_s := patience.remaining_s():
        if poll.poll(min(remaining_s, LOOK_UP_S) * 1000):
            return
        if patience.cancelled():
            raise BrokerUnreachable("mqtt", "stopped while connecting")
    raise TimeoutError


def tls_failure(address: BrokerAddress, error: OSError, *, agreed: bool = False) -> BrokerUnreachable:
    """A failure of TLS in words: whose certificate, what about it, what to do.

    Args:
        address: Of the broker.
        error: As it came.
        agreed: The handshake was over for us; in TLS 1.3 a broker looks at our certificate after that.
    """
    problem, remedy = _tls_words(error, agreed=agreed)
    return BrokerUnreachable(str(address), f"TLS: {problem}", remedy)


def _tls_words(error: OSError, *, agreed: bool) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        problem = f"the broker's certificate is not accepted ({error.verify_message.rstrip('.')})"
        remedies = {
            9: "set this machine's clock",  # X509_V_ERR_CERT_NOT_YET_VALID
            10: "renew it, or set this machine's clock",  # X509_V_ERR_CERT_HAS_EXPIRED
            62: "use a name in mqtt.url that it carries",  # X509_V_ERR_HOSTNAME_MISMATCH
            64: "use an address in mqtt.url that it carries",  # X509_V_ERR_IP_ADDRESS_MISMATCH
        }
        return problem, remedies.get(error.verify_code, "name the authority that signed it in mqtt.ca_file")
    reason = str(getattr(error, "reason", None) or "")
    if isinstance(error, TimeoutError):
        return "no answer to the greeting", "use the broker's TLS port, often 8883"
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return "the broker wants a client certificate", "set mqtt.cert_file and mqtt.key_file"
    if "ALERT" in reason:
        alert = reason.lower().replace("_", " ")
        return f"the broker refused us ({alert})", "look at mqtt.cert_file and the broker's log"
    if agreed:  # its alert may be lost as it closes
        problem = "the broker hung up after the handshake, as one does that wants a client certificate"
        return problem, "set mqtt.cert_file and mqtt.key_file, or look at the broker's log"
    return (
        "what answers does not speak it",
        "use the broker's TLS port, often 8883; mqtt:// only where nobody listens",
    )


def _unreachable(address: BrokerAddress, error: OSError) -> BrokerUnreachable:
    name = str(address)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return BrokerUnreachable(name, "no answer in time", "look at the network, a firewall, or mqtt.url")
    if error.errno == errno.ECONNREFUSED:
        return BrokerUnreachable(name, "nothing listens there (connection refused)", _LISTENING)
    return BrokerUnreachable(
        name, f"cannot be reached ({error.strerror})", "look at the network, or mqtt.url"
    )


def _unreadable(path: str) -> bool:
    return bool(path) and not os.access(path, os.R_OK)


def _bad_file(key: str, path: str, error: Exception, wanted: str) -> ConfigurationError:
    is_ssl = isinstance(error, ssl.SSLError) or not isinstance(error, OSError)
    problem = "is not usable" if is_ssl else f"cannot be read ({getattr(error, 'strerror', error)})"
    return ConfigurationError(path or key, problem, f"{key} names {wanted}")

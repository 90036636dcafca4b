"""What FFmpeg reports, as one of our errors. Its words for a code are used: they name no address."""

import errno
import socket

import av

from edged.errors import BadInput, EdgedError, InputNotFound, NotAllowed, SourceLost
from edged.sources.address import Address, Kind

OPENED_AGAIN = "it is opened again"
"""What becomes of a live source that is lost, where it is read by a daemon."""


def cannot_open(address: Address, error: Exception, *, waited_s: float, limit_s: float) -> EdgedError:
    """Why a source did not open.

    Args:
        address: What was opened.
        error: What PyAV raised.
        waited_s: How long it took.
        limit_s: How long it was given.
    """
    if not address.live:
        return _bad_file(address, error)
    if address.kind is Kind.DEVICE:
        return _bad_device(address, error)
    if waited_s >= limit_s * 0.95:
        error = av.error.TimeoutError(errno.ETIMEDOUT, "no answer")
    return _bad_server(address, error, limit_s)


def _bad_server(address: Address, error: Exception, limit_s: float) -> EdgedError:
    host = address.host
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            refusal, remedy = "refuses the user or password", "correct them in its url"
            return NotAllowed(address.shown, f"the server {host} {refusal} ({_status(error)})", remedy)
        case av.error.HTTPNotFoundError():
            problem, remedy = f"the server {host} has no such stream (404)", "correct the path in its url"
            return InputNotFound(address.shown, problem, remedy)
        case av.error.TimeoutError() | av.error.ExitError():
            problem, remedy = (
                f"no answer from {host} within {limit_s:g} s",
                "is it switched on and reachable?",
            )
        case av.error.ConnectionRefusedError():
            problem, remedy = f"{host} refuses the connection", "is its server running, is the port right?"
        case av.error.InvalidDataError() | av.error.EOFError():
            problem, remedy = f"the server {host} sends no video stream", "is the path in its url right?"
        case av.FFmpegError(errno=errno.EPROTONOSUPPORT):
            problem, remedy = f"the server {host} does not offer this transport", 'set transport = "auto"'
        case av.error.HTTPServerError():
            problem = f"the server {host} has an error of its own (5xx)"
            remedy = "look at its log, or try again later"
        case _ if not _resolves(host):
            problem, remedy = f"the host name {host} does not resolve", "correct it, or check the DNS"
        case av.FFmpegError(errno=errno.EIO):
            problem = (
                f"no stream comes from {host}: it broke off, or redirects without end ({_reason(error)})"
            )
            remedy = "is the path in its url right?"
        case _:
            problem, remedy = f"{host} cannot be reached ({_reason(error)})", "check the network between"
    return SourceLost(address.shown, problem, remedy)


def cannot_read(address: Address, error: Exception) -> SourceLost:
    """Why a live source broke off."""
    return SourceLost(address.shown, f"the stream broke off ({_reason(error)})", OPENED_AGAIN)


def stalled(address: Address, limit_s: float, what: str = "packet") -> SourceLost:
    """A live source that went on in silence."""
    return SourceLost(address.shown, f"the stream stalled: no {what} for {limit_s:g} s", OPENED_AGAIN)


def ended_before_a_picture(address: Address) -> SourceLost:
    """A live source that gave nothing that can be shown."""
    problem = "the stream ended before a picture that can be decoded"
    return SourceLost(address.shown, problem, OPENED_AGAIN)


def nothing_decodable(address: Address, why: str = "broken, or not a video") -> BadInput:
    """A recording of which no frame came out."""
    return BadInput(
        address.shown, f"no frame in it can be decoded ({why})", "play it with ffplay to see what it is"
    )


def _bad_file(address: Address, error: Exception) -> EdgedError:
    if isinstance(error, av.error.FileNotFoundError):
        return InputNotFound(address.shown, "no such file", "check the path")
    if isinstance(error, av.error.PermissionError):
        return NotAllowed(address.shown, "may not be read by this user", "check its permissions")
    return BadInput(
        address.shown, f"cannot be opened as a video ({_reason(error)})", "is it complete, and a video?"
    )


def _bad_device(address: Address, error: Exception) -> EdgedError:
    if isinstance(error, av.error.FileNotFoundError):
        return InputNotFound(address.shown, "no such device", "is the camera plugged in? see: ls /dev/video*")
    if isinstance(error, av.error.PermissionError):
        return NotAllowed(address.shown, "may not be opened by this user", "add the user to the group video")
    return SourceLost(address.shown, f"cannot be opened ({_reason(error)})", "does another program use it?")


def _reason(error: Exception) -> str:
    """FFmpeg's words for its code, which never name the address; of anything else only the kind."""
    if isinstance(error, av.FFmpegError) and error.strerror:
        return str(error.strerror).strip().lower()
    return type(error).__name__


def _status(error: Exception) -> str:
    return "401" if isinstance(error, av.error.HTTPUnauthorizedError) else "403"


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True

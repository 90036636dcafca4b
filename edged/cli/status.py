"""``edged status``: the running daemon on this machine, from its local endpoint."""

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import typer

from edged.errors import ConfigurationError, EdgedError, Unreachable, UsageError

if TYPE_CHECKING:
    from edged.settings import LoadedSettings

TIMEOUT_S = 5.0
MAX_BYTES = 16 << 20
"""Of an answer; a device of many hundred cameras needs one."""
DEFAULT = "127.0.0.1:9110"
SCHEMA = "edged.status/"


class Place(NamedTuple):
    """Where a daemon may listen, and who says so."""

    address: str
    origin: str


def status(
    *,
    config: Annotated[
        list[Path] | None,
        typer.Option("-c", "--config", help="Configuration of the daemon; may stand more than once."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="Where it listens, instead.", metavar="URL")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a daemon on stdout.")] = False,
) -> None:
    """Show the running daemon on this machine: cameras, sensors, models, broker, what was lost, what went wrong.

    Example: edged status -c /etc/edged/edged.toml --json
    """
    if url is not None and config:
        raise UsageError("--url", "does not go with -c", "name one of the two")
    error: EdgedError | None = None
    shown = 0
    for place in [Place(_address(url), "--url")] if url is not None else _places(config):
        try:
            found = _ask(place)
        except EdgedError as problem:
            if error is not None:
                typer.echo(f"edged: {error}", err=True)  # the last one is said where all errors are
            error = problem
            continue
        if as_json:
            print(json.dumps(found, ensure_ascii=False), flush=True)
        else:
            _show(found, first=not shown)
        shown += 1
    if error is not None:
        raise error


def _show(found: dict[str, Any], *, first: bool) -> None:
    from rich.console import Console

    from edged.cli.standing import standing

    console = Console(highlight=False)
    if not first:
        console.print()
    for part in standing(found):
        console.print(part)


def _places(files: list[Path] | None) -> list[Place]:
    """Of each file; without any, of the one that is found, else of the environment, else the default.

    Raises:
        EdgedError: A file that was named, or the environment, cannot be used, or the daemon has no endpoint.
    """
    if files:
        return [_place(path) for path in dict.fromkeys(files)]
    from edged.settings import check_settings, find_config

    try:
        return [_place(find_config(None))]
    except EdgedError as error:  # none there, or not readable for who asks: the daemon may still be there
        if isinstance(error, _NoEndpointError):
            raise
        loaded = check_settings({}, name="environment")
        if "http.listen" in loaded.origin:
            return [_listening(loaded, "environment", "")]
        return [Place(DEFAULT, "the default; -c FILE names a configuration")]


class _NoEndpointError(ConfigurationError):
    """The daemon listens nowhere."""


def _place(path: Path) -> Place:
    from edged.settings import load_settings

    return _listening(load_settings(path), str(path), f"the default of {path}")


def _listening(loaded: "LoadedSettings", name: str, default: str) -> Place:
    listen = loaded.settings.http.listen
    if not listen:
        raise _NoEndpointError(
            name, "http.listen is empty, so the daemon cannot be asked", f'set it to "{DEFAULT}"'
        )
    return Place(listen, loaded.origin.get("http.listen", default))


def _address(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port or parts.username is not None:
        raise UsageError("--url", f"is {url!r}", f"write it like http://{DEFAULT}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"


def _ask(place: Place) -> dict[str, Any]:
    """What the daemon says.

    Raises:
        Unreachable: None answers there, or something else does.
    """
    host, _, port = place.address.rpartition(":")
    # All addresses is where it listens, not where it can be asked.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host.strip("[]"), host.strip("[]"))  # noqa: S104
    connection = HTTPConnection(host, int(port), timeout=TIMEOUT_S)
    subject = f"no answer from {place.address}"
    try:
        connection.request("GET", "/status")
        answer = connection.getresponse()
        body = answer.read(MAX_BYTES)
    except (OSError, HTTPException) as error:
        reason = (
            (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        )
        raise Unreachable(
            subject,
            f"{reason.lower()} ({place.origin})",
            'is the daemon running? "systemctl status edged", or start it with "edged run"',
        ) from error
    finally:
        connection.close()
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not str(found.get("schema", "")).startswith(SCHEMA):
        raise Unreachable(
            f"{place.address} ({place.origin})",
            f"what answers there is no edged that knows /status (HTTP {answer.status})",
            "name the right port with --url, or update the daemon",
        )
    return found

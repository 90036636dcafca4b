"""Whether a request over HTTP was meant for this machine, or led here by a page in somebody's browser.

A page of a stranger may have its own name point to our address after it was loaded (DNS rebinding); then the browser
lets it read our answers. What it cannot have is one of the names that nobody can register.
"""

import ipaddress
import re
import socket

LOCAL = ("localhost", "local", "lan", "internal", "home.arpa", "localdomain")
"""Ends of names that are only known in a local network."""


def is_of_this_machine(host: str) -> bool:
    """Whether ``Host`` of a request names this machine or somebody in its own network; see `is_local`."""
    return is_local(host, own=socket.gethostname())


def is_local(host: str, *, own: str) -> bool:
    """Whether a name cannot be one that a stranger registered.

    Args:
        host: As in the header ``Host``, with or without a port.
        own: The name that this machine has itself.

    >>> [is_local(host, own="gate-7.plant.example") for host in ("127.0.0.1:9110", "[::1]:9110", "gate-7.lan")]
    [True, True, True]
    >>> is_local("Gate-7.plant.example.:9110", own="gate-7.plant.example"), is_local("evil.example", own="gate-7")
    (True, False)
    """
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", host.strip())
    if match is None:
        return False
    name = match[1].strip("[]").removesuffix(".").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        ours = name == own.removesuffix(".").lower()
        return ours or "." not in name or name.endswith(tuple(f".{end}" for end in LOCAL))
    return True

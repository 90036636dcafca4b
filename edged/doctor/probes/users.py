"""Who asks, and what the system's lists of users and groups say. Elsewhere than on Unix: numbers, and nobody."""

import contextlib
import getpass
import os

try:
    import grp
    import pwd
except ImportError:  # Windows
    grp = pwd = None  # type: ignore[assignment]


def user() -> str:
    """The name of who asks."""
    if hasattr(os, "geteuid"):
        return user_name(os.geteuid())
    return getpass.getuser()


def user_name(number: int) -> str:
    """Of a user, or the number."""
    with contextlib.suppress(KeyError, AttributeError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def group_name(number: int) -> str:
    """Of a group, or the number."""
    with contextlib.suppress(KeyError, AttributeError):
        return grp.getgrgid(number).gr_name
    return str(number)


def joined_groups() -> set[int]:
    """Of this process."""
    if not hasattr(os, "getgroups"):
        return set()
    return {*os.getgroups(), os.getegid()}


def is_member(group: str) -> bool:
    """Whether the system's list has who asks in a group, whatever this login began with."""
    with contextlib.suppress(KeyError, AttributeError):
        return user() in grp.getgrnam(group).gr_mem
    return False

"""What reading the configuration came to, and who else may read the passwords in it. Pure."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edged.doctor import kinds
from edged.doctor.findings import Finding
from edged.errors import EdgedError
from edged.settings import LoadedSettings
from edged.urls import broker_address, redacted


@dataclass(frozen=True, slots=True)
class ConfigurationFacts:
    """What was seen of it.

    Attributes:
        path: Of the file; empty where there is none.
        usual: Where the first one goes.
        error: What is wrong with it.
        counts: Sections by kind, such as ``2 cameras``.
        warnings: Keys that have no effect.
        exposed: Files with a password that others of this machine can read.
    """

    path: str
    usual: str = "/etc/edged/edged.toml"
    error: EdgedError | None = None
    counts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()


def findings(facts: ConfigurationFacts) -> Iterator[Finding]:
    """Of the file and the secrets in it."""
    if facts.error is not None:
        error = facts.error
        yield kinds.MISCONFIGURED.found(error.subject, error.problem, edit=error.remedy)
        return
    if not facts.path:
        yield kinds.NOT_CONFIGURED.found("configuration", "none was found", path=facts.usual)
        return
    yield kinds.CONFIGURED.found(facts.path, _listed(facts.counts))
    for line in facts.warnings:
        yield kinds.NO_EFFECT.found(facts.path, line.removeprefix(f"{facts.path}: "), path=facts.path)
    for path in facts.exposed:
        seen = "others of this machine can read the password in it"
        yield kinds.SECRET_READABLE.found(path, seen, path=shlex.quote(path))


def secret_files(loaded: LoadedSettings) -> list[Path]:
    """Files that hold a password in the open: the configuration, and what it names."""
    settings, path = loaded.settings, loaded.path
    if path is None:
        return []
    given = [camera.url for camera in settings.cameras.values()]
    has_one = any(redacted(url) != url and "${credential:" not in url for url in given)
    has_one |= "${" not in settings.mqtt.url and bool(broker_address(settings.mqtt.url).password)
    named = [settings.mqtt.password_file, settings.mqtt.key_file]
    return [*([path] if has_one else []), *(path.parent / name for name in named if name)]


def _listed(counts: Iterable[str]) -> str:
    return ", ".join(counts) or "empty"

"""``edged publish list``, ``show``, ``verify``, ``serve``: a repository looked at, and shown to boxes for a trial."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.repositories import (
    JsonOption,
    RepositoryOption,
    RootOption,
    answer,
    now,
    percent,
    progress,
    trusted_root,
    warn,
)
from edged.errors import BadInput

if TYPE_CHECKING:
    from edged.offers import Offer
    from edged.repository.tree import Current

HEADINGS = ("name", "version", "channel", "rollout", "bytes", "smallest delta", "needs")


def list_offers(
    *, repository: RepositoryOption = Path(), root: RootOption = None, as_json: JsonOption = False
) -> None:
    """List what is offered, to which share of the boxes, and how long each signature holds.

    Example: edged publish list --repository updates
    """
    from edged.repository import release, terms

    current = _current(repository, root)
    offers = release.offers_of(current.targets.signed)
    ends = {role: getattr(current, role).signed.expires for role in terms.ROLES}
    lengths = {target.path: target.length for target in current.targets.signed.targets.values()}
    rows = [HEADINGS, *(_row(offer, lengths) for offer in offers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    good = ", ".join(f"{role} {terms.left(end, now())}" for role, end in ends.items())
    answer(
        {
            "offers": [release.as_json(offer) for offer in offers],
            "expires": {role: end.isoformat() for role, end in ends.items()},
        },
        as_json=as_json,
        lines=[*(lines if offers else ["nothing is offered"]), f"good for: {good}"],
    )


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the model.")],
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Its number.")],
    *,
    repository: RepositoryOption = Path(),
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is signed of one version.

    Example: edged publish show vehicles 3
    """
    from edged.repository import release

    targets = _current(repository, root).targets.signed
    offer = release.find(targets, name, version)
    document = release.as_json(offer)
    for delta in document["deltas"]:
        delta["length"] = targets.targets[delta["target"]].length
    lines = [
        f"{name} {version}",
        f"  channel    {offer.channel}",
        f"  rollout    {percent(offer.rollout)} of the boxes",
        f"  model      {offer.digest}",
        f"  package    {offer.target}: {offer.length:,} bytes, unpacked {offer.unpacked_bytes:,}",
        f"  sha256     {offer.sha256}",
        f"  needs      {release.words(offer.needs)}",
        *[f"  delta      {one['target']}: {one['length']:,} bytes" for one in document["deltas"]],
    ]
    answer(document, as_json=as_json, lines=lines)


def verify(
    place: Annotated[str, typer.Argument(metavar="DIR|URL", help="A repository's folder or address.")],
    *,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a repository as a box does: every signature, every date, every byte of every target.

    Example: edged publish verify https://models.example.org/updates
    """
    from edged.repository import audit, terms

    trusted = trusted_root(Path(place), root) if root or not audit.is_url(place) else None
    if trusted is None:
        trusted = audit.first_root(place)
        if audit.is_url(place):
            warn(f"{place}: its first root is taken at its word; name the one that boxes have with --root")
    with progress(f"verifying {place}") as say:
        found = audit.walk(place, trusted, lambda path: say(f"reading {path}"))
    moment = now()
    if found.not_ed25519:
        kinds = ", ".join(sorted(found.not_ed25519))
        warn(f"keys of kind {kinds}: a box checks them only with `cryptography` installed")
    for role in found.roles:
        if terms.state(role.role, role.expires, moment) == "soon":
            warn(f"role {role.role}: ends in {terms.left(role.expires, moment)}; sign it again")
    lines = [
        f"{role.role:<10} version {role.version:<6} {role.threshold} of {role.keys} keys   "
        f"good for {terms.left(role.expires, moment)}"
        for role in found.roles
    ]
    lines.append(f"{'targets':<10} {found.targets} files, {found.read_bytes:,} bytes read")
    answer(_findings(found, good=not found.problems), as_json=as_json, lines=lines)
    if found.problems:
        for problem in found.problems[1:]:
            warn(problem)
        raise BadInput(place, f"has {len(found.problems)} bad targets ({found.problems[0]})", "restore them")


def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A repository.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On the loopback; 0 = a free one.")] = 8000,
) -> None:
    """Serve a repository on this machine, for trying out: any static web server does it for a fleet.

    Example: edged publish serve updates --port 8000
    """
    from edged.repository.serving import RepositoryServer

    with RepositoryServer(folder, port) as server:
        typer.echo(
            f'{folder}: served at {server.url} until Ctrl-C; boxes need [updates].url = "{server.url}"'
        )
        server.serve_forever()


def _current(repository: Path, root: Path | None) -> "Current":
    from edged.repository.tree import Tree

    return Tree(repository).current(trusted_root(repository, root))


def _row(offer: "Offer", lengths: dict[str, int]) -> tuple[str, ...]:
    from edged.repository import release

    delta = min((lengths.get(one.target, 0) for one in offer.deltas), default=0)
    return (
        offer.name,
        str(offer.version),
        offer.channel,
        percent(offer.rollout),
        f"{offer.length:,}",
        f"{delta:,}" if delta else "",
        release.words(offer.needs),
    )


def _findings(found: Any, *, good: bool) -> dict[str, Any]:
    from edged.repository import release

    return {
        "good": good,
        "roles": [
            {
                "role": role.role,
                "version": role.version,
                "expires": role.expires.isoformat(),
                "keys": role.keys,
                "threshold": role.threshold,
            }
            for role in found.roles
        ],
        "offers": [release.as_json(offer) for offer in found.offers],
        "targets": found.targets,
        "bytes": found.read_bytes,
        "problems": found.problems,
    }

"""``edged publish add``, ``widen``, ``withdraw``, ``refresh``: daily work, for which no key of the root is needed."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.answering import candidate, providers_of, resolved
from edged.cli.repositories import (
    JsonOption,
    KeyOption,
    RepositoryOption,
    RootOption,
    answer,
    opened,
    percent,
    progress,
    share,
    warn,
)
from edged.errors import BadInput, EdgedError, UpdateRefused, UsageError
from edged.worker.request import LoadRequest

if TYPE_CHECKING:
    from edged.offers import Needs, Offer
    from edged.repository.packing import Package
    from edged.repository.putting import MadeDelta

DAILY = ("targets", "snapshot", "timestamp")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the model.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Its number.")]
RolloutOption = Annotated[str, typer.Option("--rollout", help="Share of the boxes, like 10% or 0.1.")]


def add(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL_FOLDER", help="Folder with model.onnx, or an ONNX file.")
    ],
    *,
    name: Annotated[str, typer.Option(help="What boxes call the model.")],
    rollout: RolloutOption,
    channel: Annotated[str, typer.Option(help="Which boxes follow.")] = "stable",
    version: Annotated[
        int | None, typer.Option(min=1, max=999_999_999, help="Its number; default: the next.")
    ] = None,
    needs_edged: Annotated[str, typer.Option(help="Least version of edged, like 0.2.0.")] = "",
    needs_provider: Annotated[
        list[str] | None, typer.Option(help="A box must have one of these; may be repeated.")
    ] = None,
    needs_memory: Annotated[str, typer.Option(help="Least memory of a box, like 2GiB.")] = "0",
    provider: Annotated[
        list[str] | None, typer.Option(help="Try it here on this provider; may be repeated.")
    ] = None,
    repository: RepositoryOption = Path(),
    key: KeyOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a model that passes the gate of `edged model test`: the very files that boxes will get are tried.

    A model that already is the newest version of its name is not published again.

    Example: edged publish add my-model --name vehicles --channel stable --rollout 10%
    """
    from edged.modelstore.survey import content_digest
    from edged.offers import CHANNEL, NAME
    from edged.repository import release
    from edged.repository.packing import pack
    from edged.repository.putting import put_version
    from edged.repository.signing import require

    _fits("--name", name, NAME)
    _fits("--channel", channel, CHANNEL)
    wish = release.Wish(
        name, version, channel, share(rollout), _needs(needs_edged, needs_provider, needs_memory)
    )
    request = resolved(LoadRequest(path=str(model), providers=providers_of(provider)))
    with opened(repository, key, root, roles=DAILY) as held:
        require(held.current.root.signed, DAILY, held.signers)  # before minutes of work
    with tempfile.TemporaryDirectory(prefix="edged-publish-") as place, progress(f"packing {model}") as say:
        package = pack(_members(Path(request.path)), Path(place) / "package.tar")
        with opened(repository, key, root, roles=DAILY) as held:
            same = release.already(held.current.targets.signed, wish, package.sha256)
        if same is None:
            say(f"trying {model} as a daemon does")
            likely = release.offer_of(package, wish, wish.version or 1, ())
            folder = _unpacked(package.tar, Path(place) / "unpacked", likely, str(model))
            _pass_gate(folder, package.digest, request.providers, str(model))
            package = replace(package, content=content_digest(folder))
            with opened(repository, key, root, roles=DAILY) as held:
                same = release.already(held.current.targets.signed, wish, package.sha256)
                if same is None:
                    offer, deltas = put_version(
                        held.tree, held.current, package, wish, held.signers, now=held.now, say=say
                    )
                    _added(offer, deltas, package, as_json=as_json)
                    return
    _unchanged(same, f"is offered already, to {percent(same.rollout)} of the boxes", as_json=as_json)


def widen(
    name: Name,
    version: Version,
    *,
    rollout: RolloutOption,
    narrow: Annotated[
        bool, typer.Option("--narrow", help="Also to fewer boxes; those that have it keep it.")
    ] = False,
    repository: RepositoryOption = Path(),
    key: KeyOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer a version to more boxes. Who has it stays in: the boxes of 1% are among those of 10%.

    Example: edged publish widen vehicles 3 --rollout 100%
    """
    from edged.repository import release

    wanted = share(rollout)
    with opened(repository, key, root, roles=DAILY) as held:
        targets = held.current.targets.signed
        offer = release.find(targets, name, version)
        if not release.widen(targets, offer, wanted, narrow=narrow):
            _unchanged(offer, f"is offered to {percent(wanted)} of the boxes already", as_json=as_json)
            return
        _sign_all(held)
        changed = release.find(targets, name, version)
    answer(
        {"changed": True, "was": offer.rollout, "offer": release.as_json(changed)},
        as_json=as_json,
        lines=[
            f"{name} {version}: is offered to {percent(wanted)} of the boxes, was {percent(offer.rollout)}"
        ],
    )


def withdraw(
    name: Name,
    version: Version,
    *,
    repository: RepositoryOption = Path(),
    key: KeyOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer a version no more. Boxes that run it go on: publish a better one, which they take.

    Example: edged publish withdraw vehicles 3
    """
    from edged.repository import release

    with opened(repository, key, root, roles=DAILY) as held:
        gone = release.withdraw(held.current.targets.signed, name, version)
        if gone is not None:
            _sign_all(held)
    said = "was withdrawn before" if gone is None else "is withdrawn; its number is not given again"
    answer(
        {"changed": gone is not None, "name": name, "version": version},
        as_json=as_json,
        lines=[f"{name} {version}: {said}"],
    )


def refresh(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also a timestamp that is younger than 12 h.")
    ] = False,
    repository: RepositoryOption = Path(),
    key: KeyOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign what is about to run out: for a timer, once a day. Only the online key is needed.

    Example: edged publish refresh --repository updates
    """
    from edged.repository import renewal, terms

    with opened(repository, key, root, roles=DAILY) as held:
        done = renewal.refresh(held.tree, held.current, held.signers, held.now, force=force)
        ends = {role: getattr(held.current, role).signed.expires for role in terms.ROLES}
    for role in done.soon:
        remedy = "edged publish renew" if role == terms.ROOT else "run it where the key of targets is at hand"
        warn(f"role {role}: ends in {terms.left(ends[role], held.now)}; {remedy}")
    signed = f"signed {', '.join(done.roles)}" if done.roles else "nothing is due, nothing was changed"
    answer(
        {
            "changed": bool(done.roles),
            "signed": list(done.roles),
            "soon": list(done.soon),
            "expires": {role: end.isoformat() for role, end in ends.items()},
        },
        as_json=as_json,
        lines=[
            f"{repository}: {signed}; the timestamp is good for {terms.left(ends['timestamp'], held.now)}"
        ],
    )


def _members(path: Path) -> dict[str, Path]:
    """What is packed of a version, by its name in the package."""
    from edged.manifest import model_files
    from edged.modelstore.finding import belongings

    onnx = model_files(path).onnx
    return {"model.onnx": onnx, **belongings(onnx, str(path))}


def _unpacked(tar: Path, folder: Path, offer: "Offer", subject: str) -> Path:
    """The package, unpacked by what unpacks it on a box.

    Raises:
        BadInput: No box would take it.
    """
    from edged.updates.package import unpack

    try:
        unpack(tar, folder, offer, stopping=lambda: False)
    except UpdateRefused as error:
        problem = f"cannot be a package, so it is not published: {error.problem}"
        raise BadInput(subject, problem, "rename or leave out what does not belong to it") from error
    return folder


def _pass_gate(folder: Path, digest: str, providers: tuple[str, ...], subject: str) -> None:
    """The gate of `edged model test`, for what comes out of the package.

    Raises:
        EdgedError: It does not pass; nothing is published.
    """
    from edged.worker.gate import Gate

    gate = Gate(folder, quiet_s=0.0)
    try:
        gate.files(digest=digest)
        with candidate(LoadRequest(path=str(folder), providers=providers)) as model:
            gate.golden(model, gate.load(model))
    except EdgedError as error:
        step = next((step.name for step in gate.steps if step.verdict == "failed"), "")
        where = (
            f"does not pass the gate{f' ({step})' if step else ''}, so it is not published: {error.problem}"
        )
        raise type(error)(subject, where, error.remedy) from error


def _sign_all(held: Any) -> None:
    from edged.repository.signing import seal

    seal(held.current, "targets", held.signers, held.now)
    held.tree.publish(held.current)
    held.tree.prune(held.current)


def _needs(edged: str, providers: list[str] | None, memory: str) -> "Needs":
    from pydantic import ByteSize, TypeAdapter, ValidationError

    from edged.offers import EDGED_VERSION, Needs

    if edged:
        _fits("--needs-edged", edged, EDGED_VERSION)
    try:
        memory_bytes = int(TypeAdapter(ByteSize).validate_python(memory))
    except ValidationError as error:
        raise UsageError("--needs-memory", f"is {memory!r:.40}", "allowed: bytes, like 2GiB") from error
    return Needs(edged, providers_of(providers) if providers else (), memory_bytes)


def _fits(option: str, value: str, pattern: Any) -> None:
    if not pattern.fullmatch(value):
        raise UsageError(option, f"cannot be {value!r:.60}", f"allowed: what {pattern.pattern} describes")


def _added(offer: "Offer", deltas: "list[MadeDelta]", package: "Package", *, as_json: bool) -> None:
    from edged.repository import release

    def told(delta: "MadeDelta") -> str:
        size = f"{delta.length:,} bytes, {percent(delta.length / package.length)} of the whole"
        return f"  delta from {delta.from_version}: {size if delta.published else f'not worth it ({size})'}"

    answer(
        {
            "changed": True,
            "offer": release.as_json(offer),
            "deltas": [
                {"from": one.from_version, "bytes": one.length, "published": one.published} for one in deltas
            ],
        },
        as_json=as_json,
        lines=[
            f"{offer.name} {offer.version}: is offered to {percent(offer.rollout)} of the boxes "
            f"on channel {offer.channel}",
            f"  package: {offer.length:,} bytes, {len(package.files)} file{'s' * (len(package.files) != 1)}",
            *map(told, deltas),
        ],
    )


def _unchanged(offer: "Offer", said: str, *, as_json: bool) -> None:
    from edged.repository import release

    answer(
        {"changed": False, "offer": release.as_json(offer)},
        as_json=as_json,
        lines=[f"{offer.name} {offer.version}: {said}; nothing was changed"],
    )

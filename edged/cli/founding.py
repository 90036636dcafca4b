"""``edged publish init``, ``rotate``, ``renew``: what needs the keys of the root."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.repositories import (
    TRUSTED,
    JsonOption,
    KeyOption,
    RepositoryOption,
    RootKeyOption,
    RootOption,
    answer,
    beside,
    default_keys,
    now,
    opened,
    warn,
)
from edged.errors import UsageError

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

MAX_KEYS = 20


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What a web server will serve.")],
    *,
    keys: Annotated[Path | None, typer.Option(help="Where daily keys are made; default: DIR.keys.")] = None,
    root_keys: Annotated[
        Path | None,
        typer.Option(help="Where the root's are made, to be carried away; default: DIR.root-keys."),
    ] = None,
    root_count: Annotated[int, typer.Option(min=1, max=MAX_KEYS, help="Keys of the root to make.")] = 3,
    root_threshold: Annotated[int, typer.Option(min=1, max=MAX_KEYS, help="Of which must sign.")] = 2,
    targets_count: Annotated[int, typer.Option(min=1, max=MAX_KEYS, help="Keys of targets to make.")] = 1,
    targets_threshold: Annotated[int, typer.Option(min=1, max=MAX_KEYS, help="Of which must sign.")] = 1,
    root_key: Annotated[
        list[str] | None, typer.Option(help="Take this key, make none: a file, env:NAME, hsm:…; repeatable.")
    ] = None,
    targets_key: Annotated[list[str] | None, typer.Option(help="Likewise for targets.")] = None,
    online_key: Annotated[list[str] | None, typer.Option(help="Likewise for snapshot and timestamp.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a repository: its keys, and metadata that offers nothing yet. Best on a machine without a network.

    EDGED_PUBLISH_PASSPHRASE encrypts the keys that are made.

    Example: edged publish init updates
    """
    from edged.files import write_whole
    from edged.repository.ceremony import Founders, begin
    from edged.repository.lock import locked
    from edged.repository.tree import Tree, writing

    tree = Tree(folder)
    home = keys or beside(folder, "keys")
    for place in (home, root_keys or beside(folder, "root-keys")):
        if place.resolve().is_relative_to(folder.resolve()):
            raise UsageError(str(place), "lies in what is served to everybody", "keep keys elsewhere")
    with writing(folder):
        tree.metadata.mkdir(parents=True, exist_ok=True)
        tree.targets.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if tree.begun():
            tree.current()
            if home.is_dir() and not (home / TRUSTED).is_file():  # killed before it was copied
                with writing(home / TRUSTED):
                    write_whole(home / TRUSTED, tree.root_bytes(1))
            answer(
                {"changed": False, "repository": str(folder)},
                as_json=as_json,
                lines=[f"{folder}: is a repository already; nothing was changed"],
            )
            return
        made: list[Path] = []
        founders = Founders(
            _made(root_keys or beside(folder, "root-keys"), "root", root_count, root_key, made),
            root_threshold,
            _made(home, "targets", targets_count, targets_key, made),
            targets_threshold,
            _made(home, "online", 1, online_key, made),
        )
        root = begin(tree, founders, now())
        with writing(home / TRUSTED):
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(home / TRUSTED, root)
    _tell_of_kinds([*founders.root, *founders.targets, *founders.online])
    answer(
        {
            "changed": True,
            "repository": str(folder),
            "root": str(home / TRUSTED),
            "keys": [str(path) for path in made],
            "threshold": {"root": root_threshold, "targets": targets_threshold},
        },
        as_json=as_json,
        lines=[
            f"{folder}: a repository that offers nothing yet",
            *[f"  key        {path}" for path in made],
            f"  root       {home / TRUSTED}: every box needs a copy, as [updates].root",
            f"  next       carry the root's keys away, each to another place: {root_threshold} of "
            f"{len(founders.root)} must sign",
        ],
    )


def rotate(
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="root, targets, or online (snapshot, timestamp).")
    ],
    *,
    new_key: Annotated[
        str, typer.Option(help="The key that comes in; a file that is not there is made, with a new key.")
    ],
    old: Annotated[
        str | None, typer.Option(help="Beginning of the id of the key that goes, where there are several.")
    ] = None,
    repository: RepositoryOption = Path(),
    key: KeyOption = None,
    root_key: RootKeyOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a new key in an old one's place: the old one may be lost or stolen. Boxes follow by themselves.

    Example: edged publish rotate online --new-key updates.keys/online-2.pem
    """
    from edged.repository.ceremony import ROTATED, outgoing
    from edged.repository.ceremony import rotate as exchange
    from edged.repository.keys import make_key, new_signers
    from edged.repository.keys import ring as at_hand
    from edged.repository.signing import keys_of, require
    from edged.repository.terms import ROLES, ROOT

    if role not in ROTATED:
        raise UsageError("ROLE", f"is {role!r:.40}", f"allowed: {', '.join(ROTATED)}")
    with opened(repository, key, root, roles=ROLES) as held:
        places = list(root_key) if root_key else default_keys(repository, "root-keys")
        root_signers = at_hand(places, keys_of(held.current.root.signed, [ROOT]))
        if _is_new_file(new_key):
            require(held.current.root.signed, [ROOT], root_signers)  # before a key is made for nothing
            found = [make_key(Path(new_key))]
        else:
            found = new_signers(new_key)
        if len(found) != 1:
            raise UsageError("--new-key", f"{new_key} holds {len(found)} keys", "name the file of one")
        gone = outgoing(held.current.root.signed, role, found[0].public_key.keyid, old)
        if gone is None:
            answer(
                {"changed": False, "role": role, "key": found[0].public_key.keyid},
                as_json=as_json,
                lines=[f"{role}: has this key already; nothing was changed"],
            )
            return
        exchange(
            held.tree,
            held.current,
            role,
            new=found[0],
            gone=gone,
            root_signers=root_signers,
            signers=held.signers,
            now=held.now,
        )
        version = held.tree.roots()[-1]
    _tell_of_kinds(found)
    came = found[0].public_key.keyid
    answer(
        {"changed": True, "role": role, "in": came, "out": gone, "root": version},
        as_json=as_json,
        lines=[
            f"{role}: key {came[:8]} signs, key {gone[:8]} no more; the root is at version {version}",
            "  next       copy the whole folder to the server; destroy the old key once boxes were seen there",
        ],
    )


def renew(
    *,
    repository: RepositoryOption = Path(),
    root_key: RootKeyOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign the root for another year, with the keys it has. Once a year, well before it ends.

    Example: edged publish renew --root-key usb1/root-1.pem --root-key usb2/root-2.pem
    """
    from edged.repository.ceremony import renew as sign_again
    from edged.repository.terms import ROOT, left

    places = list(root_key) if root_key else default_keys(repository, "root-keys")
    with opened(repository, places or ["."], root, roles=[ROOT]) as held:
        done = sign_again(held.tree, held.current, held.signers, held.now)
        current = held.tree.current()
    expires = current.root.signed.expires
    said = "is signed for another year" if done else "was signed within the last month; nothing was changed"
    answer(
        {"changed": bool(done), "root": current.root.signed.version, "expires": expires.isoformat()},
        as_json=as_json,
        lines=[f"root: {said}; it is good for {left(expires, held.now)}"],
    )


def _made(folder: Path, name: str, count: int, given: list[str] | None, made: list[Path]) -> "list[Signer]":
    """The keys of a role: those that were given, else new ones, or what an interrupted `init` made."""
    from edged.repository.keys import make_key, new_signers, private_keys

    if given:
        return [signer for reference in given for signer in new_signers(reference)]
    signers: list[Signer] = []
    for number in range(1, count + 1):
        path = folder / (f"{name}-{number}.pem" if count > 1 else f"{name}.pem")
        signers += private_keys(str(path)) if path.exists() else [make_key(path)]
        made.append(path)
    return signers


def _is_new_file(reference: str) -> bool:
    from edged.repository.keys import lies_in_a_file

    return lies_in_a_file(reference) and not Path(reference).exists()


def _tell_of_kinds(signers: "list[Any]") -> None:
    kinds = {signer.public_key.keytype for signer in signers} - {"ed25519"}
    if kinds:
        warn(f"keys of kind {', '.join(sorted(kinds))}: a box checks them only with `cryptography` installed")

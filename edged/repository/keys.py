"""Keys that sign: read from files and the environment, asked of a token or a cloud, made and written.

A reference says where a key is:

    PATH                       a private key in PEM (PKCS#8), or a folder of such files (``*.pem``)
    env:NAME                   the same text, or its base64, in an environment variable
    hsm:2?label=TOKEN          PKCS#11; awskms:ID, gcpkms:NAME, azurekms://VAULT/KEY, hv:KEY likewise: what
                               securesystemslib calls the address of a private key

Secrets come from the environment only: ``EDGED_PUBLISH_PASSPHRASE`` opens encrypted files (and encrypts those made
here), ``EDGED_PUBLISH_PIN`` a token. Neither, nor a key, is ever in an error.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, Signer

from edged.errors import (
    BadInput,
    EdgedError,
    InputNotFound,
    NotAllowed,
    RuntimeMissing,
    Unreachable,
    UsageError,
)
from edged.files import flush_folder
from edged.repository.tree import writing

PASSPHRASE, PIN = "EDGED_PUBLISH_PASSPHRASE", "EDGED_PUBLISH_PIN"  # names of variables, no secrets
MAX_KEY_BYTES = 64 * 1024
MAX_KEYS = 100
"""Files of one folder."""
_T = TypeVar("_T")
_URI = re.compile(r"([a-z][a-z0-9]+):.*")
_PROBE = b"edged: whose key is this?"
_OTHER_KEYS = {name for name in SIGNER_FOR_URI_SCHEME if name != CryptoSigner.SCHEME}


def ring(references: Sequence[str], keys: Iterable[Key]) -> dict[str, Signer]:
    """What can sign for some public keys, by key id.

    Args:
        references: Where to look; a key that belongs to none of ``keys`` is passed over.
        keys: Of the repository's roles.

    Raises:
        EdgedError: A reference leads nowhere, or what is there is no key or stays closed.
    """
    wanted = {key.keyid: key for key in keys}
    found: dict[str, Signer] = {}
    for reference in references:
        if _scheme(reference):
            left = [key for keyid, key in wanted.items() if keyid not in found]
            found |= {signer.public_key.keyid: signer for signer in _outside(reference, left)}
            continue
        for signer in private_keys(reference):
            if signer.public_key.keyid in wanted:
                found[signer.public_key.keyid] = signer
    return found


def new_signers(reference: str) -> list[Signer]:
    """The keys behind a reference that no repository knows yet.

    Raises:
        EdgedError: As `ring`.
    """
    scheme = _scheme(reference)
    if not scheme:
        return private_keys(reference)
    asked: dict[str, Callable[[str], Any]] = {
        "hsm": _import_hsm,
        "awskms": lambda rest: _signer_class("awskms").import_(rest, "ecdsa-sha2-nistp256"),
        "gcpkms": lambda rest: _signer_class("gcpkms").import_(rest),
        "azurekms": lambda rest: _signer_class("azurekms").import_(*_two_parts(rest)),
        "hv": lambda rest: _signer_class("hv").import_(rest),
    }
    if scheme not in asked:
        raise UsageError(reference, "cannot be asked for its public key", f"allowed: {', '.join(asked)}")
    uri, public = translated(reference, lambda: asked[scheme](reference.partition(":")[2]))
    return [translated(reference, lambda: Signer.from_priv_key_uri(uri, public, _secret))]


def lies_in_a_file(reference: str) -> bool:
    """Whether a reference names a file or folder."""
    return not _scheme(reference) and not reference.startswith("env:")


def private_keys(reference: str) -> list[Signer]:
    """The private keys of a file, of a folder's ``*.pem``, or of ``env:NAME``.

    Raises:
        InputNotFound: Nothing there.
        NotAllowed: Encrypted, and the passphrase is missing or wrong; or not readable by this user.
        BadInput: No private key.
        RuntimeMissing: `cryptography` is not installed.
    """
    if reference.startswith("env:"):
        name = reference.removeprefix("env:")
        text = os.environ.get(name, "").strip().encode()
        if not text:
            raise InputNotFound(reference, "is not set, or empty", "put the key's PEM text into it")
        if not text.startswith(b"-----"):
            try:
                text = base64.b64decode(text, validate=False)
            except binascii.Error as error:
                raise BadInput(reference, "is neither PEM nor base64 of it", "see docs/updates.md") from error
        return [_opened(text, reference)]
    path = Path(reference)
    files = sorted(path.glob("*.pem"))[:MAX_KEYS] if path.is_dir() else [path]
    return [_opened(_content(file), str(file)) for file in files]


def make_key(path: Path) -> Signer:
    """Make an Ed25519 key in a file that only its owner may read; encrypted, where a passphrase is set.

    Raises:
        CannotWrite, NotAllowed: The disk.
        RuntimeMissing: `cryptography` is not installed.
    """
    signer, pem = translated(str(path), _generated)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        flush_folder(path.parent)
    return signer


def translated(subject: str, call: Callable[[], _T]) -> _T:
    """What a call into a library of keys gives; what it raises becomes an error of ours.

    Raises:
        RuntimeMissing: A library is not installed.
        Unreachable: Anything else: tokens and clouds raise what they like.
    """
    try:
        return call()
    except EdgedError:
        raise
    except (UnsupportedLibraryError, ImportError) as error:
        raise RuntimeMissing(
            subject,
            f"needs a library ({error})",
            "pip install 'edged[publish]'; see docs/updates.md for others",
        ) from error
    except Exception as error:
        problem = f"does not sign here ({type(error).__name__}: {str(error)[:200]})"
        raise Unreachable(subject, problem, "check the key, its service and the rights on it") from error


def _generated() -> tuple[Signer, bytes]:
    """A new key, and what goes into its file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # not on every machine
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    passphrase = os.environ.get(PASSPHRASE, "").encode()
    key = Ed25519PrivateKey.generate()
    closed = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return CryptoSigner(key), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closed)


def _opened(pem: bytes, subject: str) -> Signer:
    def load() -> Signer:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # not on every machine
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

        passphrase = os.environ.get(PASSPHRASE, "").encode() or None
        closed = b"ENCRYPTED" in pem
        if closed and passphrase is None:
            raise NotAllowed(subject, "is encrypted", f"put its passphrase into {PASSPHRASE}")
        try:
            return CryptoSigner(load_pem_private_key(pem, passphrase if closed else None))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if closed:
                raise NotAllowed(
                    subject, f"does not open with what {PASSPHRASE} holds", "check it"
                ) from error
            raise BadInput(
                subject, "is no private key that can sign here", "PEM, PKCS#8, best Ed25519"
            ) from error

    return translated(subject, load)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_KEY_BYTES)
    except PermissionError as error:
        raise NotAllowed(str(file), "may not be read by this user", "run as its owner") from error
    except OSError as error:
        raise InputNotFound(
            str(file), f"cannot be read ({error.strerror})", "name the file of a key"
        ) from error


def _scheme(reference: str) -> str | None:
    """Of a key that lies in no file; None where it does."""
    match = _URI.fullmatch(reference)
    return match[1] if match and match[1] in _OTHER_KEYS else None


def _outside(reference: str, candidates: Sequence[Key]) -> list[Signer]:
    """Which of some public keys a token or a cloud signs for: one signature is tried for each."""
    trouble: EdgedError | None = None
    for key in sorted(candidates, key=lambda key: key.keytype == "ed25519"):  # which few of them can sign for

        def tried(key: Key = key) -> Signer:
            signer = Signer.from_priv_key_uri(reference, key, _secret)
            key.verify_signature(signer.sign(_PROBE), _PROBE)
            return signer

        try:
            return [translated(reference, tried)]
        except (RuntimeMissing, NotAllowed):
            raise
        except EdgedError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return []


def _secret(name: str) -> str:
    value = os.environ.get(PIN, "")
    if not value:
        raise NotAllowed("the token", f"asks for its {name}", f"put it into {PIN}")
    return value


def _signer_class(scheme: str) -> Any:
    return SIGNER_FOR_URI_SCHEME[scheme]


def _import_hsm(rest: str) -> Any:
    number, _, query = rest.partition("?")
    label = re.search(r"(?:^|&)label=([^&]+)", query)
    return _signer_class("hsm").import_(int(number) if number else None, label[1] if label else None, _secret)


def _two_parts(rest: str) -> list[str]:
    parts = rest.strip("/").split("/")
    if len(parts) != 2:
        raise UsageError(f"azurekms:{rest}", "names no vault and key", "azurekms:VAULT/KEY")
    return parts

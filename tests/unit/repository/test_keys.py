"""Keys from files and the environment."""

import base64
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, Signature, Signer

from edged.errors import BadInput, InputNotFound, NotAllowed, Unreachable, UsageError
from edged.repository.keys import make_key, new_signers, private_keys, ring

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGED_PUBLISH_PASSPHRASE", "EDGED_PUBLISH_PIN"):
        monkeypatch.delenv(name, raising=False)


def test_a_key_that_is_made_signs_when_it_is_read_again(tmp_path: Path) -> None:
    made = make_key(tmp_path / "keys" / "a.pem")
    (read,) = private_keys(str(tmp_path / "keys" / "a.pem"))
    made.public_key.verify_signature(read.sign(b"payload"), b"payload")
    assert read.public_key.keytype == "ed25519"


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_key_is_its_owners_only(tmp_path: Path) -> None:
    make_key(tmp_path / "keys" / "a.pem")
    assert stat.S_IMODE((tmp_path / "keys" / "a.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["a.pem"]


def test_a_passphrase_closes_and_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGED_PUBLISH_PASSPHRASE", PASSPHRASE)
    path = tmp_path / "a.pem"
    made = make_key(path)
    assert b"ENCRYPTED" in path.read_bytes()
    assert private_keys(str(path))[0].public_key == made.public_key
    monkeypatch.setenv("EDGED_PUBLISH_PASSPHRASE", "wrong")
    with pytest.raises(NotAllowed, match="does not open") as caught:
        private_keys(str(path))
    assert "wrong" not in str(caught.value)
    monkeypatch.delenv("EDGED_PUBLISH_PASSPHRASE")
    with pytest.raises(NotAllowed, match="EDGED_PUBLISH_PASSPHRASE"):
        private_keys(str(path))


@pytest.mark.parametrize("packed", [False, True], ids=["PEM", "base64"])
def test_a_key_may_come_in_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    made = make_key(tmp_path / "a.pem")
    pem = (tmp_path / "a.pem").read_bytes()
    monkeypatch.setenv("MY_KEY", (base64.b64encode(pem) if packed else pem).decode())
    assert ring(["env:MY_KEY"], [made.public_key]).keys() == {made.public_key.keyid}


def test_a_folder_is_all_its_keys_and_strangers_are_passed_over(tmp_path: Path) -> None:
    first, second, stranger = (make_key(tmp_path / f"{name}.pem") for name in "abc")
    (tmp_path / "root.json").write_text("{}")
    found = ring([str(tmp_path)], [first.public_key, second.public_key])
    assert found.keys() == {first.public_key.keyid, second.public_key.keyid}
    assert len(private_keys(str(tmp_path))) == 3
    assert stranger.public_key.keyid not in found


def test_a_key_of_another_kind_is_taken(tmp_path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ec.pem").write_bytes(pem)
    (signer,) = new_signers(str(tmp_path / "ec.pem"))
    assert signer.public_key.scheme == "ecdsa-sha2-nistp256"


@pytest.mark.parametrize(
    ("reference", "error"), [("nothing.pem", InputNotFound), ("env:NOT_SET", InputNotFound)]
)
def test_what_is_not_there_is_said(reference: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=reference):
        ring([reference], [])


@pytest.mark.parametrize(
    "text", ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ""]
)
def test_what_is_no_key_is_said_without_its_content(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.pem").write_text(text)
    with pytest.raises(BadInput, match="no private key") as caught:
        private_keys(str(tmp_path / "a.pem"))
    assert "AAAA" not in str(caught.value)


class _Token(Signer):
    """A token that holds one key and is asked for it by an address."""

    held = CryptoSigner.generate_ed25519()

    def __init__(self, public: Key) -> None:
        self._public = public

    @classmethod
    def from_priv_key_uri(cls, uri: str, public_key: Key, secrets_handler: object = None) -> "_Token":
        if uri.endswith("broken"):
            raise RuntimeError("no such slot")
        return cls(public_key)

    @property
    def public_key(self) -> Key:
        return self._public

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._public.keyid, self.held.sign(payload).signature)


def test_a_token_is_known_by_what_it_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "hsm", _Token)
    other = CryptoSigner.generate_ed25519().public_key
    found = ring(["hsm:2"], [other, _Token.held.public_key])
    assert found.keys() == {_Token.held.public_key.keyid}


def test_a_token_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "hsm", _Token)
    with pytest.raises(Unreachable, match=r"hsm:broken: .*no such slot"):
        ring(["hsm:broken"], [_Token.held.public_key])


def test_a_kind_of_key_that_cannot_be_asked_for_its_public_half_is_refused() -> None:
    with pytest.raises(UsageError, match="allowed: hsm"):
        new_signers("gnupg:abc")

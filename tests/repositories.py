"""A publisher in memory's keys and a folder on disk, for tests of both sides."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from securesystemslib.signer import CryptoSigner, Signer

from edged.offers import Needs, Offer
from edged.repository import release
from edged.repository.ceremony import Founders, begin
from edged.repository.packing import pack
from edged.repository.putting import put_version
from edged.repository.signing import seal
from edged.repository.tree import Current, Tree


class Publisher:
    """Publishes packages of random bytes in the place of models: what a repository is does not look into them.

    Attributes:
        folder: What is served.
        root: The first root, which boxes are given.
        root_keys: Three, of which two must sign.
        targets_keys: One.
        online: Of snapshot and timestamp.
        now: The time by which is signed; tests move it.
    """

    def __init__(self, folder: Path, *, now: datetime | None = None) -> None:
        self.folder, self.tree = folder, Tree(folder)
        self.tree.metadata.mkdir(parents=True)
        self.tree.targets.mkdir()
        self.root_keys: list[Signer] = [CryptoSigner.generate_ed25519() for _ in range(3)]
        self.targets_keys: list[Signer] = [CryptoSigner.generate_ed25519()]
        self.online: Signer = CryptoSigner.generate_ed25519()
        self.now = now or datetime.now(UTC)
        founders = Founders(self.root_keys, 2, self.targets_keys, 1, [self.online])
        self.root = begin(self.tree, founders, self.now)

    @property
    def signers(self) -> dict[str, Signer]:
        """What signs daily."""
        return by_id(*self.targets_keys, self.online)

    def current(self) -> Current:
        return self.tree.current(self.root)

    def add(
        self, name: str = "vehicles", rollout: float = 1.0, *, seed: int | None = None, head: int = 0
    ) -> Offer:
        """Publish the next version: bytes of a seed (default: the same for all), of which the first differ."""
        source = self.folder.with_name("model.onnx")
        source.write_bytes(head.to_bytes(4) * 10 + Random(7 if seed is None else seed).randbytes(200_000))
        package = pack({"model.onnx": source}, self.folder.with_name("packed.tar"))
        wish = release.Wish(name, None, "stable", rollout, Needs())
        offer, _ = put_version(self.tree, self.current(), package, wish, self.signers, now=self.now)
        return offer

    def widen(self, name: str, version: int, rollout: float) -> None:
        current = self.current()
        targets = current.targets.signed
        release.widen(targets, release.find(targets, name, version), rollout, narrow=False)
        self.seal(current)

    def withdraw(self, name: str, version: int) -> None:
        current = self.current()
        release.withdraw(current.targets.signed, name, version)
        self.seal(current)

    def seal(self, current: Current, lowest: str = "targets") -> None:
        seal(current, lowest, self.signers, self.now)
        self.tree.publish(current)
        self.tree.prune(current)

    def pass_by(self, **time: float) -> None:
        """Let time go by, as `timedelta` has it."""
        self.now += timedelta(**time)


def by_id(*signers: Signer) -> dict[str, Signer]:
    return {signer.public_key.keyid: signer for signer in signers}

"""A small TUF repository in memory, signed with keys made here, and the box that looks at it.

What is published is a dict of paths to bytes; an attack is a change of it.
"""

import copy
import hashlib
import io
import json
import random
import tarfile
from datetime import UTC, datetime, timedelta
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from edged.offers import Delta, Needs, Offer, delta_target, target_of
from edged.offers import written as custom_of
from edged.updates.moments import SIGNED_AT, written

SIGNED = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""When all is signed, unless a test says otherwise."""
DAY_S = 86400.0
NOW_S = (SIGNED + timedelta(days=1)).timestamp()
ROLES = ("root", "targets", "snapshot", "timestamp")
LASTS = {"root": 365, "targets": 90, "snapshot": 14, "timestamp": 7}
FOLDERS = ("metadata/", "targets/")
MODEL = random.Random(5).randbytes(500_000)
MEMBERS = {
    "model.onnx": MODEL,
    "model.toml": b'task = "detect"\nfamily = "yolox"\n',
    "labels.txt": b"parcel\n",
    "golden/one.jpg": b"a picture",
}
"""Of a version."""


def packed(members: dict[str, bytes]) -> bytes:
    """A tar as the publisher makes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Repository:
    """Publishes what it is told to; ``files`` is what a server has of it.

    Attributes:
        files: By their path below the address.
        keys: Of each role, private.
        signed: The current parts.
        moment: At which is signed.
    """

    def __init__(self, *, says_when: bool = True) -> None:
        self.files: dict[str, bytes] = {}
        self.moment = SIGNED
        self._says_when = says_when
        self.keys = {
            "root": [CryptoSigner.generate_ed25519() for _ in range(3)],
            "targets": [CryptoSigner.generate_ed25519() for _ in range(2)],
            "snapshot": [online := CryptoSigner.generate_ed25519()],
            "timestamp": [online],
        }
        self.signed: dict[str, Any] = {
            "root": Root(consistent_snapshot=True),
            "targets": Targets(),
            "snapshot": Snapshot(),
            "timestamp": Timestamp(),
        }
        self.thresholds = {"root": 2, "targets": 2, "snapshot": 1, "timestamp": 1}
        self._install_keys()
        self.publish(ROLES)
        self.first_root = self.files["metadata/1.root.json"]

    def publish(
        self, roles: tuple[str, ...] = ("targets", "snapshot", "timestamp"), *, next_version: bool = False
    ) -> None:
        """Sign parts, each with a version one higher if asked."""
        for role in roles:
            part = self.signed[role]
            if next_version:
                part.version += 1
            part.expires = self.moment + timedelta(days=LASTS[role])
            if self._says_when:
                part.unrecognized_fields[SIGNED_AT] = written(self.moment.timestamp())
            if role == "snapshot":
                part.meta["targets.json"] = self._meta("targets")
            if role == "timestamp":
                part.snapshot_meta = self._meta("snapshot")
            name = "timestamp.json" if role == "timestamp" else f"{part.version}.{role}.json"
            self.files[f"metadata/{name}"] = self.sign(role)

    def release(self, *, days: int = 1) -> None:
        """All but the root anew, later."""
        self.moment += timedelta(days=days)
        self.publish(next_version=True)

    def sign(self, role: str, *, with_keys: list[Any] | None = None) -> bytes:
        """The file of a part as it is now."""
        metadata = Metadata(copy.deepcopy(self.signed[role]))
        for key in self.keys[role] if with_keys is None else with_keys:
            metadata.sign(key, append=True)
        return metadata.to_bytes(JSONSerializer(compact=True))

    def rotate(self, *roles: str) -> None:
        """New keys for these, and the next root; the old root keys sign it too."""
        before = list(self.keys["root"])
        for role in roles:
            self.keys[role] = [CryptoSigner.generate_ed25519() for _ in self.keys[role]]
        if "snapshot" in roles and "timestamp" in roles:
            self.keys["timestamp"] = self.keys["snapshot"]
        self._install_keys()
        root = self.signed["root"]
        root.version += 1
        root.expires = self.moment + timedelta(days=365)
        if self._says_when:
            root.unrecognized_fields[SIGNED_AT] = written(self.moment.timestamp())
        signers = {id(key): key for key in before + self.keys["root"]}
        self.files[f"metadata/{root.version}.root.json"] = self.sign("root", with_keys=list(signers.values()))

    def add(
        self,
        name: str,
        version: int,
        members: dict[str, bytes],
        *,
        tar: bytes | None = None,
        delta_from: tuple[int, bytes] | None = None,
        **terms: Any,
    ) -> Offer:
        """Publish a version; its offer."""
        tar = packed(members) if tar is None else tar
        deltas: tuple[Delta, ...] = ()
        if delta_from is not None:
            old_version, old = delta_from
            path = delta_target(name, old_version, version)
            self._put(path, delta_of(old, tar), None)
            deltas = (Delta(digest_of(old), path),)
        offer = Offer(
            name=name,
            version=version,
            channel="stable",
            rollout=1.0,
            digest=digest_of(members.get("model.onnx", b"")),
            unpacked_bytes=sum(map(len, members.values())) or 1,
            needs=Needs(),
            deltas=deltas,
            target=target_of(name, version),
            length=len(tar),
            sha256=hashlib.sha256(tar).hexdigest(),
        )
        for key, value in terms.items():
            object.__setattr__(offer, key, value)
        self._put(offer.target, tar, custom_of(offer))
        return offer

    def path_of(self, target: str) -> str:
        """Of a target's file."""
        folder, _, name = target.rpartition("/")
        return f"targets/{folder}/{self.signed['targets'].targets[target].hashes['sha256']}.{name}"

    def edited(self, name: str, **changes: Any) -> bytes:
        """A file of metadata with its signed part changed and the signatures left as they were."""
        found = json.loads(self.files[f"metadata/{name}"])
        found["signed"].update(changes)
        return json.dumps(found).encode()

    def tar_of(self, version: int, name: str = "parcels") -> str:
        """Path of the file of a version."""
        return self.path_of(target_of(name, version))

    def _put(self, path: str, content: bytes, custom: dict[str, Any] | None) -> None:
        file = TargetFile.from_data(path, content, ["sha256"])
        if custom is not None:
            file.unrecognized_fields["custom"] = custom
        self.signed["targets"].targets[path] = file
        self.files[self.path_of(path)] = content

    def _install_keys(self) -> None:
        root = self.signed["root"]
        root.keys = {}
        for role in ROLES:
            root.roles[role].keyids = []
            root.roles[role].threshold = self.thresholds[role]
            for key in self.keys[role]:
                root.add_key(key.public_key, role)

    def _meta(self, role: str) -> MetaFile:
        data = self.sign(role)
        return MetaFile(self.signed[role].version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def delta_of(old: bytes, new: bytes) -> bytes:
    """As the publisher makes it."""
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    options = {
        zstd.CompressionParameter.window_log: 24,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    return bytes(zstd.compress(new, options=options, zstd_dict=zstd.ZstdDict(old, is_raw=True).as_prefix))

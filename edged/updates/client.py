"""The box's client of a repository: what is offered, and one offer as a folder that is ready for the store.

    <state>/updates/metadata/     python-tuf's cache
    <state>/updates/floor.json    see `edged.updates.floor`
    <store>/.updates/floor-<mark of the state folder>.json      the same once more
    <store>/.updates/<sha256>.part, .part.tag      what has come of targets
    <store>/.updates/<name>-<version>/             an unpacked version, until the caller renames it

The store sees none of it: its folder's name begins with a dot. Instances of edged may share it, and may follow
different repositories. Errors are of two kinds. `UpdateRefused` is an alarm: something that came is not what was
signed. `UpdateUnreachable` is the weather: not now. Whatever happens, what serves goes on serving.
"""

import contextlib
import math
import re
import shutil
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import structlog

from edged.errors import BadInput, UpdateRefused, UpdateUnreachable
from edged.machine import available_bytes
from edged.offers import Delta, Offer, read_offer
from edged.updates import delta as deltas
from edged.updates.fetching import Progress, Server
from edged.updates.floor import Floors, clock_is, places
from edged.updates.package import unpack
from edged.updates.partial import SUFFIX, Part, cannot_write
from edged.updates.rate import Limits
from edged.updates.trust import Missing, Target, anchor_of, look, read_root, settled, wrong_clock

STAGING = ".updates"
RESERVE_BYTES = 64 * 1024**2
"""Of the disk that an update leaves to others, to the outbox above all."""
KEPT_S = 7 * 86400.0
"""What came of a target that is signed no more is kept for so long: another instance's repository may sign it."""
MAX_TARGET_BYTES = 16 * 1024**3
MAX_LINES = 20
"""In the log, of offers that cannot be read, for one look."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class UpdateClient:
    """Owned by one thread."""

    def __init__(
        self,
        url: str,
        root: Path,
        *,
        state: Path,
        store: Path,
        max_rate_bytes_s: float | None,
        stopping: Callable[[], bool],
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            url: The folder of the repository that holds ``metadata`` and ``targets``.
            root: File of the root metadata that is trusted.
            state: Folder of what lasts.
            store: The folder of models.
            max_rate_bytes_s: Of targets; None = no bound.
            stopping: Whether somebody wants to stop, or to download no more; asked from several threads.
            clock: Seconds since 1970.
            limits: What is waited for, and how long.
        """
        self._limits = limits or Limits()
        self._server = Server(url, max_rate_bytes_s=max_rate_bytes_s, stopping=stopping, limits=self._limits)
        self._root, self._clock, self._stopping = root, clock, stopping
        self._cache, self._staging = state / "updates" / "metadata", store / STAGING
        self._floors = Floors(*places(state, self._staging))
        self._targets: Mapping[str, Target] = {}
        self._prefixed = True
        self._unread: set[tuple[str, str]] = set()

    def refresh(self) -> tuple[Offer, ...]:
        """Every offer of the signed targets that can be read; another one is logged once and left out.

        Raises:
            UpdateRefused: A check failed; nothing is offered any more.
            UpdateUnreachable: The repository does not answer, or the disk.
            ConfigurationError: The root metadata of this box cannot be read, or is none.
        """
        self._targets = {}
        root, now_s, due_s = read_root(self._root), self._clock(), time.monotonic() + self._limits.refresh_s
        kept = self._floors.read()
        try:
            seen = look(
                self._cache,
                root,
                lambda name, most: self._ask(name, most, due_s),
                now_s=now_s,
                subject=self._server.shown,
            )
        except UpdateUnreachable as error:
            latest_s = max((floor.latest_s for floor in kept), default=0.0)
            clock = clock_is(now_s, latest_s)
            if clock and _is_of_certificate(error):  # which begins and ends at moments too
                raise wrong_clock(self._server.shown, clock, now_s, latest_s) from error
            raise
        floor, refusal = settled(seen, kept, anchor=anchor_of(root), now_s=now_s, subject=self._server.shown)
        if floor is not None:
            try:
                self._floors.write(floor)
            except OSError as error:
                raise cannot_write(self._staging / "x", error) from error
        if refusal:
            raise refusal
        self._targets, self._prefixed = seen.targets, seen.prefixed
        self._forget_parts({target.sha256 for target in seen.targets.values()}, time.time() - KEPT_S)
        return tuple(self._offers())

    def fetch(self, offer: Offer, holding: Mapping[str, Path], progress: Progress) -> Path:
        """Have an offer here, as a folder that is whole, looked at and on the disk.

        Args:
            offer: Of the last `refresh`.
            holding: ``model.onnx`` of versions that this box has, by their digest.
            progress: Called with bytes that came and bytes that will have come; again from 0 where the way is changed.

        Returns:
            A folder within ``<store>/.updates``, to be renamed before anything else is fetched.

        Raises:
            UpdateRefused: It is not what was signed.
            UpdateUnreachable: Not now; what came is kept for the next try.
        """
        signed = self._targets.get(offer.target)
        if signed is None or (signed.length, signed.sha256) != (offer.length, offer.sha256):
            raise UpdateRefused(
                offer.target, "is not among what was signed last", "refresh first", reason="mismatch"
            )
        self._room(offer)
        folder = self._staging / f"{offer.name}-{offer.version}"
        with Part(self._staging, offer.length, offer.sha256) as tar:
            if not tar.is_right() and not self._from_delta(offer, holding, tar, progress):
                self._server.target(self._file_of(offer.target, offer.sha256), tar, progress)
        try:
            unpack(tar.path, folder, offer, self._stopping)
        except UpdateRefused:
            tar.remove()
            raise
        except UpdateUnreachable as error:
            if error.reason == "disk full":  # it belongs to the outbox first
                tar.remove()
            raise
        tar.remove()
        return folder

    def _ask(self, name: str, most: int, due_s: float) -> bytes:
        try:
            return self._server.metadata(name, most, due_s=due_s)
        except UpdateUnreachable as error:
            if error.reason in {"missing", "not allowed"} and re.fullmatch(r"\d+\.root\.json", name):
                raise Missing(404) from error  # some stores say 403 of what is not there
            raise

    def _offers(self) -> list[Offer]:
        offers, unread = [], set()
        for path, target in self._targets.items():
            if not path.endswith(".tar"):
                continue
            try:
                offers.append(_offer(path, target))
            except BadInput as error:
                unread.add((path, str(error)))
        for path, problem in sorted(unread - self._unread)[:MAX_LINES]:
            _log.warning("offer_left_out", target=path, problem=problem)
        self._unread = unread
        return offers

    def _room(self, offer: Offer) -> None:
        """Make the folder, and see whether the disk has room.

        Raises:
            UpdateUnreachable: It has not.
        """
        try:
            self._staging.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in self._staging.iterdir():  # unpacked by a process that was killed
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left, ignore_errors=True)
            needed = max(0, offer.length - self._come(offer.sha256)) + offer.unpacked_bytes + RESERVE_BYTES
            free = shutil.disk_usage(self._staging).free
            if free < needed:  # whoever calls is alone here: no other's part is in use
                self._forget_parts({offer.sha256}, before_s=math.inf)
                free = shutil.disk_usage(self._staging).free
        except OSError as error:
            raise cannot_write(self._staging / "x", error) from error
        if free < needed:
            raise UpdateUnreachable(
                str(self._staging),
                f"{offer.target} needs {needed:,} bytes of disk, {free:,} are free",
                "make room; edged model remove takes old versions away",
                reason="disk full",
            )

    def _come(self, sha256: str) -> int:
        with contextlib.suppress(FileNotFoundError):
            return (self._staging / f"{sha256}{SUFFIX}").stat().st_size
        return 0

    def _from_delta(self, offer: Offer, holding: Mapping[str, Path], tar: Part, progress: Progress) -> bool:
        """Make the tar from a model that is held; False where the tar itself is to be fetched."""
        way = self._shortest(offer, holding, offer.length - tar.count)
        if way is None:
            return False
        chosen, signed, old = way
        try:
            with Part(self._staging, signed.length, signed.sha256) as part:
                if not part.is_right():
                    self._server.target(self._file_of(chosen.target, signed.sha256), part, progress)
                try:
                    deltas.apply(part.path, old, tar, self._stopping)
                finally:
                    if not self._stopping():
                        part.remove()
        except deltas.NoDelta as error:
            if self._stopping():
                raise UpdateUnreachable(
                    chosen.target, "was left because edged stops", reason="stopped"
                ) from error
            _log.warning("delta_left", target=chosen.target, problem=str(error))
            return False
        except UpdateRefused as error:
            _log.warning("delta_left", target=chosen.target, problem=str(error))
            return False
        except UpdateUnreachable as error:
            if error.reason not in {"missing", "not allowed", "no repository"}:
                raise
            _log.warning("delta_left", target=chosen.target, problem=str(error))
            return False
        return True

    def _shortest(
        self, offer: Offer, holding: Mapping[str, Path], left: int
    ) -> tuple[Delta, Target, Path] | None:
        """The delta that is the least to fetch, and less than the rest of the tar."""
        ways = []
        for one in offer.deltas:
            signed, old = self._targets.get(one.target), holding.get(one.from_digest)
            if signed is None or not signed.sha256 or old is None:
                continue
            with contextlib.suppress(OSError):
                if signed.length - self._come(signed.sha256) < left and deltas.worth(
                    signed.length, offer.length, old.stat().st_size, available_bytes()
                ):
                    ways.append((one, signed, old))
        return min(ways, key=lambda way: way[1].length, default=None)

    def _file_of(self, path: str, sha256: str) -> str:
        folder, slash, name = path.rpartition("/")
        return f"{folder}{slash}{sha256}.{name}" if self._prefixed else path

    def _forget_parts(self, wanted: Collection[str], before_s: float) -> None:
        """Remove what came of other targets, and came before some moment."""
        for left in self._staging.glob(f"*{SUFFIX}*"):
            with contextlib.suppress(OSError):
                if left.name.split(".")[0] not in wanted and left.stat().st_mtime < before_s:
                    left.unlink()


def _offer(path: str, target: Target) -> Offer:
    if not re.fullmatch(r"[0-9a-f]{64}", target.sha256):
        raise BadInput(path, "is signed without a SHA-256", "publish it again")
    if not 0 < target.length <= MAX_TARGET_BYTES:
        raise BadInput(path, f"is {target.length:,} bytes long", "publish less at once")
    return read_offer(path, target.length, target.sha256, target.custom)


def _is_of_certificate(error: BaseException) -> bool:
    """Whether a certificate was not accepted because of the time."""
    found: BaseException | None = error
    while found is not None:
        reason = getattr(found, "reason", None)
        for one in (found, reason):
            if isinstance(one, ssl.SSLCertVerificationError):
                return one.verify_code in {9, 10}  # not yet valid, expired
        found = found.__cause__
    return False

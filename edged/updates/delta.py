"""The tar of a new version from the model that a box holds and what changed.

Zstandard with the old ``model.onnx`` as what comes before, as `edged.offers` says. The result is bounded by the tar's
signed length, the memory by `MAX_BYTES`, and the tar's signed hash decides: what is wrong with a delta costs a longer
download, never more.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edged.offers import MAX_WINDOW_LOG
from edged.updates.partial import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

MAX_BYTES = 2**MAX_WINDOW_LOG
"""Of the old model and the new tar together: what unpacks them holds both in memory."""
_PIECE_BYTES = 1024**2
_OUT_BYTES = 4 * 1024**2


class NoDelta(Exception):
    """The tar cannot be made this way; its text says why."""


def worth(delta_length: int, tar_length: int, old_bytes: int, free_memory_bytes: int) -> bool:
    """Whether a delta is to be fetched rather than the tar.

    Args:
        delta_length: As signed.
        tar_length: As signed.
        old_bytes: Of the model that is held.
        free_memory_bytes: Of this machine; 0 where that is not known.
    """
    needed = old_bytes + tar_length
    fits = needed <= MAX_BYTES and (not free_memory_bytes or needed <= free_memory_bytes // 2)
    return delta_length < tar_length and fits


def apply(delta: Path, old: Path, tar: Part, stopping: "Callable[[], bool]") -> None:
    """Write the tar.

    Args:
        delta: That came, checked.
        old: Model that it begins from.
        tar: Begun anew.
        stopping: Whether somebody wants to stop.

    Raises:
        NoDelta: It did not become what was signed; nothing of it is left.
        UpdateUnreachable: The disk.
    """
    zstd = _zstd()
    tar.restart()
    try:
        for piece in _unpacked(zstd, delta, old):
            if stopping():
                _give_up("edged stops")
            if tar.count + len(piece) > tar.length:
                _give_up("more comes out than was signed")
            tar.append(piece)
        if not tar.is_right():
            _give_up("what comes out is not what was signed")
    except (zstd.ZstdError, OSError, ValueError, MemoryError) as error:
        tar.restart()
        raise NoDelta(str(error) or type(error).__name__) from error
    except NoDelta:
        tar.restart()
        raise
    tar.flush()


def _unpacked(zstd: Any, delta: Path, old: Path) -> "Iterator[bytes]":
    before = zstd.ZstdDict(old.read_bytes(), is_raw=True).as_prefix
    bound = {zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
    unpacking = zstd.ZstdDecompressor(zstd_dict=before, options=bound)
    with delta.open("rb") as file:
        while not unpacking.eof:
            piece = file.read(_PIECE_BYTES) if unpacking.needs_input else b""
            if unpacking.needs_input and not piece:
                _give_up("it ends too early")
            yield unpacking.decompress(piece, max_length=_OUT_BYTES)


def _give_up(why: str) -> "NoReturn":
    raise NoDelta(why)


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415
    else:
        from backports import zstd  # noqa: PLC0415
    return zstd

"""Makes a delta: the new tar, compressed by Zstandard with the old ``model.onnx`` as what came before it.

The window is as large as both together, so that any part of the old file is in reach; long-distance matching finds it.
"""

import sys
from typing import TYPE_CHECKING

from edged.offers import MAX_WINDOW_LOG

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

LEVEL = 19
WORTH = 0.8
"""A delta longer than this share of the tar is not published: it costs the box memory and time."""
FROM_VERSIONS = 3
"""So many published versions back, at most."""
_LEAST_WINDOW_LOG = 17
_LEAST_OLD_BYTES = 8  # of what Zstandard takes for a dictionary


def window_log(length: int) -> int | None:
    """The window that holds ``length`` bytes, as a power of two; None where boxes allow none so large."""
    log = max(_LEAST_WINDOW_LOG, (length - 1).bit_length())
    return log if log <= MAX_WINDOW_LOG else None


def make_delta(old: bytes, new: bytes, *, level: int = LEVEL) -> bytes | None:
    """What leads from an old file to a new one; None where they are too large, or the old one too small, for it."""
    log = window_log(len(old) + len(new))
    if log is None or len(old) < _LEAST_OLD_BYTES:
        return None
    wanted = zstd.CompressionParameter
    return zstd.compress(
        new,
        options={
            wanted.compression_level: level,
            wanted.window_log: log,
            wanted.enable_long_distance_matching: 1,
            wanted.checksum_flag: 1,
        },
        zstd_dict=zstd.ZstdDict(old, is_raw=True).as_prefix,
    )


def apply_delta(old: bytes, delta: bytes) -> bytes:
    """What a box makes of it: proof, before it is signed, that it leads where it should."""
    limit = zstd.DecompressionParameter
    prefix = zstd.ZstdDict(old, is_raw=True).as_prefix
    return zstd.decompress(delta, zstd_dict=prefix, options={limit.window_log_max: MAX_WINDOW_LOG})

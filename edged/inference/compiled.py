"""What OpenVINO compiled at an earlier start, so that the next one only reads it.

A model with quantised layers takes seconds to compile and one to read. OpenVINO checks what it reads: what was cut
short or changed is compiled and written anew (docs/adr/0025).
"""

import contextlib
from pathlib import Path

from edged.caches import cache_folder, keep_newest

MOST_BYTES = 256 * 1024**2
"""Of all together before another is added; what was used longest ago goes first."""


def compiled_folder() -> Path | None:
    """Where it is kept, with room for more; None where nothing can be."""
    try:
        folder = cache_folder("compiled")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    with contextlib.suppress(OSError):
        keep_newest(folder, most_bytes=MOST_BYTES)
    return folder

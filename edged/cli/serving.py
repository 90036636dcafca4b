"""The daemon in this process, from its settings to its exit code."""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from edged.settings import LoadedSettings, find_config, load_settings


def serve_file(config: Path | None, *, once: bool) -> int:
    """Serve as a file says, until the end.

    Args:
        config: The file; None = the first that is found.
        once: Read every source once.

    Raises:
        EdgedError: It cannot be read.
    """
    path = find_config(config)
    return serve(load_settings(path), lambda: load_settings(path), once=once)


def serve(loaded: LoadedSettings, again: Callable[[], LoadedSettings] | None, *, once: bool) -> int:
    """Serve as the settings say, until the end.

    Args:
        loaded: The settings.
        again: Reads them anew; None = there is no file.
        once: Read every source once.
    """
    from edged.allocator import keep_few_arenas
    from edged.service.ahead import load_ahead

    keep_few_arenas()
    load_ahead(loaded.settings, once=once)  # before what takes half a start to load
    from edged.service.daemon import Service

    gc.freeze()  # what was loaded stays
    gc.enable()
    return Service(loaded, once=once, reload=again).run()


def end_process(code: int) -> NoReturn:
    """A thread that is still deep in a decoder must not hold the process, nor crash it on the way out."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outboxes import close_all, outbox, told

from edged.outbox import DiskOutbox


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def open_(folder: Path) -> Iterator[Callable[..., DiskOutbox]]:
    """Opens an outbox, in the same folder unless it is told otherwise."""

    def opened(max_bytes: int = 1 << 26, max_age_s: float = 3600.0, **options: Any) -> DiskOutbox:
        return outbox(options.pop("folder", folder), max_bytes, max_age_s, gap_message=told, **options)

    yield opened
    close_all()

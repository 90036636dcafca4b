import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from outboxes import close_all


@pytest.fixture(autouse=True)
def _outboxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Outboxes that a test opens stand in its folder, and are closed when it is over."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    close_all()

"""What identifies a file of the store: the SHA-256 of its bytes."""

import contextlib
import hashlib
from pathlib import Path

from edged.errors import EdgedError
from edged.manifest import model_files


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def onnx_digest(path: Path) -> str:
    """``sha256:…`` of the ONNX file of a version; empty where it cannot be read.

    Args:
        path: The version's file or folder.
    """
    with contextlib.suppress(OSError, EdgedError):
        onnx = model_files(path).onnx
        return f"sha256:{sha256_of(onnx)}" if onnx.is_file() else ""  # a pipe would be waited for
    return ""

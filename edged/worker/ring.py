"""Shared memory between the daemon and a worker: one tensor for each caller, without a name in any file system.

The daemon makes it when the worker has said what its tensor looks like, and hands the descriptor over; when both ends
are gone, however they went, the kernel takes it back.
"""

import mmap
import os
import sys
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Ring:
    """Slots of one tensor each, every slot on pages of its own.

    Attributes:
        descriptor: Of the memory, to be passed to the other end.
    """

    def __init__(self, descriptor: int, slots: int, shape: tuple[int, ...], dtype: str) -> None:
        """Map memory made by `create`, here or in the other process; takes the descriptor over."""
        self.descriptor = descriptor
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._stride = _slot_bytes(shape, dtype)
        self._memory = mmap.mmap(descriptor, self._stride * slots)

    @classmethod
    def create(cls, slots: int, shape: tuple[int, ...], dtype: str) -> "Ring":
        """Make the memory for ``slots`` tensors, filled with zeros."""
        if sys.platform == "linux":
            descriptor = os.memfd_create("edged-ring", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, _slot_bytes(shape, dtype) * slots)
        return cls(descriptor, slots, shape, dtype)

    def slot(self, index: int) -> NDArray[Any]:
        """The tensor of one caller, as a view: writing to it is seen by the other end."""
        start = index * self._stride
        count = int(np.prod(self._shape))
        return np.frombuffer(self._memory, self._dtype, count, start).reshape(self._shape)

    def close(self) -> None:
        """Give the descriptor back; the mapping goes when the last view of it does."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _slot_bytes(shape: tuple[int, ...], dtype: str) -> int:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE

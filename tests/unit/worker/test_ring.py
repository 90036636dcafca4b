import os

import numpy as np
import pytest

from edged.worker.ring import Ring


@pytest.fixture
def ring():
    made = Ring.create(3, (1, 3, 5, 7), "float32")
    yield made
    made.close()


def test_what_one_end_writes_the_other_reads(ring):
    other = Ring(os.dup(ring.descriptor), 3, (1, 3, 5, 7), "float32")
    ring.slot(1)[:] = 7
    assert (other.slot(1) == 7).all()
    other.slot(2)[0, 0, 0, 0] = 9
    assert ring.slot(2)[0, 0, 0, 0] == 9
    other.close()


def test_slots_do_not_overlap_and_begin_as_zeros(ring):
    for index in range(3):
        assert not ring.slot(index).any()
        ring.slot(index)[:] = index + 1
    assert [float(ring.slot(index).max()) for index in range(3)] == [1, 2, 3]
    assert [float(ring.slot(index).min()) for index in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_a_slot_is_a_tensor_that_can_be_filled_in_place(dtype):
    made = Ring.create(1, (1, 4, 4, 3), dtype)
    slot = made.slot(0)
    made.close()
    assert (slot.shape, slot.dtype) == ((1, 4, 4, 3), np.dtype(dtype))
    assert slot.flags.writeable
    assert slot.flags.c_contiguous


def test_closed_it_gives_its_descriptor_back_once_and_views_stay_readable(ring):
    slot, descriptor = ring.slot(0), ring.descriptor
    slot[:] = 5
    ring.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    ring.close()
    assert (slot == 5).all()

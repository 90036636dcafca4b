import re
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from edged.allocator import keep_few_arenas
if sys.argv[1] == "few":
    keep_few_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
all_there, enough = threading.Barrier(9), threading.Barrier(9)
def hold():
    all_there.wait()
    taken = [libc.malloc(50_000) for _ in range(20)]
    enough.wait()
    for address in taken:
        libc.free(address)
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
all_there.wait()
enough.wait()
libc.malloc_stats()
for thread in threads:
    thread.join()
"""


def heaps(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True, timeout=60
    )
    return len(re.findall(r"^Arena \d+:", done.stderr, re.MULTILINE))


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_threads_share_two_heaps() -> None:
    if heaps("as it is") <= 2:
        pytest.skip("this C library gives threads no heaps of their own")
    assert heaps("few") == 2

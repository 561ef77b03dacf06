"""Freed memory goes back to the system, or is kept for the next batch."""

import platform

import pytest

from tests.support.command import printed

MALLOC = """
import ctypes, sys
from mmrl.runtime.malloc import give_back_now, give_back_what_is_freed, keep_what_is_freed

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
"""
HOLES = f"""{MALLOC}
if sys.argv[1] == "given back":
    assert give_back_what_is_freed()
before, blocks = resident(), []
for _ in range(1_000):
    blocks.append(libc.malloc(100_000))
    ctypes.memset(blocks[-1], 1, 100_000)
    libc.malloc(64)  # stays, so that what is freed is a hole and not the heap's end
for block in blocks:
    libc.free(block)
if sys.argv[1] == "kept, then given back":
    assert give_back_now()
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_blocks_that_are_freed_between_others_go_back_to_the_system() -> None:
    def left(how: str) -> float:
        return float(printed(HOLES, how))

    assert left("given back") < 5 < left("kept")  # MB of 100
    assert left("kept, then given back") < 10  # the blocks' edges stay


BATCH = f"""{MALLOC}
if sys.argv[1] == "kept":
    assert keep_what_is_freed()
before = resident()
block = libc.malloc(50_000_000)
ctypes.memset(block, 1, 50_000_000)
libc.free(block)
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_batch_s_memory_stays_for_the_next() -> None:
    def left(how: str) -> float:
        return float(printed(BATCH, how))

    assert left("given back") < 5 < left("kept")  # MB of 50

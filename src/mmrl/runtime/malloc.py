"""Settings of the C library's allocator, for processes that run for weeks."""

import ctypes
import platform

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_TRIM_ABOVE, _MAP_ABOVE = 128 << 10, 64 << 10  # bytes


def give_back_what_is_freed() -> bool:
    """Has the C library return freed memory to the system, for the rest of this process.

    By default glibc keeps up to eight heaps a core, one for each of some threads, and lets the
    block from which it asks the system for memory of its own grow to 32 MB. A catalog's commits
    allocate in one thread and free in another, so holes that nothing fits into add up over days.
    Here all threads share a heap, and larger blocks are the system's own.

    To be called before threads are started.

    Returns:
        whether it was done; other C libraries than glibc have no such setting.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = {_M_ARENA_MAX: 1, _M_MMAP_THRESHOLD: _MAP_ABOVE, _M_TRIM_THRESHOLD: _TRIM_ABOVE}
    return all(mallopt(option, value) for option, value in options.items())

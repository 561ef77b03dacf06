"""Settings of the C library's allocator: what is freed goes back to the system, or is kept."""

import ctypes
import platform
from collections.abc import Mapping

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_ONE_HEAP = {_M_ARENA_MAX: 1}
_GIVEN_BACK = {_M_MMAP_THRESHOLD: 64 << 10, _M_TRIM_THRESHOLD: 128 << 10}  # bytes
_KEPT = {_M_MMAP_THRESHOLD: 128 << 20, _M_TRIM_THRESHOLD: 256 << 20}


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
    return _set(_ONE_HEAP | _GIVEN_BACK)


def keep_what_is_freed() -> bool:
    """Has the C library keep up to 256 MB that were freed, for the rest of this process.

    For networks on a CPU: what a layer makes of a batch has some 50 MB, which by default the system
    is asked for, clears and gets back each time. That takes a sixth of the encoders' time.

    Returns:
        see `give_back_what_is_freed`.
    """
    return _set(_KEPT)


def share_one_heap() -> bool:
    """As `keep_what_is_freed`, for a server: one heap, so that it does not grow with the threads.

    To be called before threads are started.
    """
    return _set(_ONE_HEAP | _KEPT)


def give_back_now() -> bool:
    """Has the C library return what it keeps of freed memory, once; see `keep_what_is_freed`.

    For a server that has read what it will keep: on the way it has held several times as much.

    Returns:
        whether anything was returned.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).malloc_trim(0))


def _set(options: Mapping[int, int]) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(option, value) for option, value in options.items())

"""Threads of NumPy's and SciPy's linear algebra: one, and more of them where matrices are large.

A second thread is no help with the small matrices of a picture or a draft, and spins between them:
see docs/decisions.md. `quiet_environment` sets one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def large_matrices(threads: int | None) -> Iterator[None]:
    """Gives linear algebra so many threads within the block; None: one for each CPU."""
    import scipy.linalg  # noqa: F401  # the limit is for what is loaded
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads or os.cpu_count() or 1, user_api="blas"):
        yield

"""Libraries kept quiet: no report, no start-up talk, no spinning threads, no heap of their own."""

import logging
import os
import warnings

ENVIRONMENT = {
    # Nothing of what mmrl runs on may report to anybody, and libraries' chatter helps nobody.
    "DO_NOT_TRACK": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "LANCE_LOG": "error",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # Threads that wait for each other sleep instead of spinning: alone on two cores, embedding
    # images takes 9% longer; beside another process, as a collector, a half to a quarter of the
    # time.
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",  # see mmrl.runtime.blas
    # Tables lie in the C library's heap as arrays do, so that what one frees serves the other. In
    # Arrow's own a million posts' history takes 90 MB more at its peak, what a server knows 250.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


def quiet_environment() -> None:
    """Sets what libraries read when they are imported; what is set already stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def quiet_libraries() -> None:
    """Keeps libraries' start-up talk off a person's screen; their errors still come through."""
    for name in ("mlflow", "alembic", "tensorflow", "absl", "httpx", "prawcore", "praw"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)

"""Threads of linear algebra."""

import os
import subprocess
import sys

_SHOW = """
import mmrl
import numpy
from threadpoolctl import threadpool_info
from mmrl.runtime.blas import large_matrices

def threads():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

print(threads())
with large_matrices(2):
    print(threads())
print(threads())
"""


def test_linear_algebra_has_one_thread_but_in_trainings() -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    told = subprocess.run(
        [sys.executable, "-c", _SHOW], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["{1}", "{2}", "{1}"]

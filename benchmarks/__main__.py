"""Repeats the figures of docs/benchmarks.md, one after the other (an hour or two on 2 cores).

Those of `benchmarks.real` are left out, as they need the real data, and those of
`benchmarks.answers`, which asks a home of `make demo`.
"""

import subprocess
import sys

NAMES = (
    "startup",
    "fetch",
    "embed",
    "encoders",
    "merge",
    "increments",
    "dumps",
    "store",
    "sandbox_signal",
    "learning",
    "large",
    "kill",
    "collect",
    "airflow",
    "serve",
    "cluster",
)

failed = []
for name in NAMES:
    print(f"\n== python -m benchmarks.{name}", flush=True)
    if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
        failed.append(name)
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)

"""The home that an earlier mmrl made, unpacked from its archive.

`fixtures/earlier_home.tar.xz` was made by version 0.1.0 at revision 613f299 with
`mmrl demo --posts 130 --seed 3` (simulated posts), compacted. Its `mlflow.db` holds absolute
addresses, of a folder `/old-home` that is on no machine.
"""

import tarfile
from pathlib import Path

from tests.support.paths import FIXTURES

ARCHIVE = FIXTURES / "earlier_home.tar.xz"
AS_OF = "2026-08-11T21:00:00Z"  # the time it was made for
TRAINED_WITH = {"MIN_SAMPLES": "50", "BOOTSTRAP": "100", "ABLATION": "false"}  # MMRL_TRAIN__*


def unpack_earlier_home(folder: Path) -> None:
    """Makes the home in a new folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")


def train_variables() -> dict[str, str]:
    """Environment variables with which its model was trained, and is trained again in a moment."""
    return {f"MMRL_TRAIN__{name}": value for name, value in TRAINED_WITH.items()}

"""Model files of a home that are cut or empty, and what each command says of them.

The home is the one of the tests that an earlier mmrl made, trained again: then it has every file.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

from mmrl.cli.app import app
from mmrl.errors import MmrlError
from tests.support.earlier_home import AS_OF, train_variables, unpack_earlier_home

COMMANDS = (
    ["status"],
    ["models", "list"],
    ["models", "show", "champion"],
    ["report", "champion"],
    ["doctor"],
    ["repair", "--dry-run"],
    ["metrics"],
)


def commands(folder: Path, most: int | None = None) -> Iterator[str | None]:
    """Each command on a home with one broken file; what it lost, or None.

    Args:
        most: combinations to try; all unless given.
    """
    whole = folder / "whole"
    unpack_earlier_home(whole)
    if most is None:  # the newest model has files that the earlier mmrl did not write
        os.environ.update(train_variables())
        trained = ["train", "--force", "--home", str(whole), "--as-of", AS_OF]
        CliRunner().invoke(app, trained, catch_exceptions=False)
    files = sorted(
        file.relative_to(whole)
        for file in (*whole.glob("models/*/artifacts/model/*"), *whole.glob("*.db"))
    )
    files += [Path(name) for name in ("last_training.json",) if (whole / name).exists()]
    tried = 0
    for file in files:
        for harm in ("cut", "empty"):
            for words in COMMANDS:
                if most is not None and tried >= most:
                    return
                tried += 1
                yield _said(whole, folder / f"broken{tried}", file, harm, words)


def _said(whole: Path, home: Path, file: Path, harm: str, words: list[str]) -> str | None:
    shutil.copytree(whole, home)
    broken = home / file
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2] if harm == "cut" else b"")
    result = CliRunner().invoke(app, [*words, "--home", str(home)])
    shutil.rmtree(home)
    what = f"mmrl {' '.join(words)} with {file.name} {harm}"
    if not isinstance(result.exception, SystemExit | MmrlError | None):  # those print a sentence
        return f"{what}: {type(result.exception).__name__}: {result.exception}"
    if "Traceback" in result.output:
        return f"{what}: a traceback"
    return None

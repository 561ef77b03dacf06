"""Model files of a home that are cut or empty, and what each command says of them.

The home is the one of the tests that an earlier mmrl made, trained again: then it has every file.
"""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

from PIL import Image
from typer.testing import CliRunner

from mmrl.cli.app import app
from mmrl.errors import MmrlError
from tests.support.earlier_home import AS_OF, train_variables, unpack_earlier_home

PICTURE = "picture.png"  # lies beside the homes
COMMANDS = (
    ["status"],
    ["models", "list"],
    ["models", "show", "champion"],
    ["models", "compare", "1", "latest"],
    ["report", "champion"],
    ["doctor"],
    ["repair", "--dry-run"],
    ["metrics"],
    ["purge", "--dry-run"],
    ["predict", PICTURE, "--title", "A lake", "--subreddit", "SimPics"],
    ["run", "train", "--as-of", AS_OF],
    ["train", "--as-of", AS_OF],
)
_TRAINING = ("run", "train")
_WAYS_OUT = ("mmrl repair", "mmrl doctor", "mmrl train")


def commands(folder: Path, most: int | None = None, seed: int = 0) -> Iterator[str | None]:
    """Each command on a home with one broken file; what it lost, or None.

    Args:
        most: combinations to try, drawn from all; all unless given.
    """
    whole = folder / "whole"
    unpack_earlier_home(whole)
    Image.effect_noise((96, 64), 60).convert("RGB").save(folder / PICTURE)
    if most is None:  # the newest model has files that the earlier mmrl did not write
        trained = ["train", "--force", "--home", str(whole), "--as-of", AS_OF]
        CliRunner(env=train_variables()).invoke(app, trained, catch_exceptions=False)
    files = sorted(
        file.relative_to(whole)
        for pattern in ("models/*/artifacts/model/*", "models/*.json", "*.db")
        for file in whole.glob(pattern)
    )
    every = [
        (file, harm, words)
        for file, harm, words in itertools.product(files, ("cut", "empty"), COMMANDS)
        if words[0] not in _TRAINING or file.suffix == ".db"  # others don't keep it from training
    ]
    tried = every if most is None else Random(seed).sample(every, min(most, len(every)))
    for number, (file, harm, words) in enumerate(tried):
        yield _lost(whole, folder / f"broken{number}", file, harm, words)


def _lost(whole: Path, home: Path, file: Path, harm: str, words: list[str]) -> str | None:
    shutil.copytree(whole, home)
    broken = home / file
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2] if harm == "cut" else b"")
    placed = [str(home.parent / PICTURE) if word == PICTURE else word for word in words]
    result = CliRunner(env=train_variables()).invoke(app, [*placed, "--home", str(home)])
    shutil.rmtree(home)
    what = f"mmrl {' '.join(words)} with {file.name} {harm}"
    error = result.exception
    if not isinstance(error, SystemExit | MmrlError | None):  # those print a sentence
        return f"{what}: {type(error).__name__}: {error}"
    sentence = " ".join(f"{result.output} {error}".split())
    if "Traceback" in sentence:
        return f"{what}: a traceback"
    told = file.name in sentence or any(way in sentence for way in _WAYS_OUT)
    if isinstance(error, MmrlError | SystemExit) and result.exit_code and not told:
        return f"{what}: names neither the file nor a way out: {sentence[-300:]}"
    return None

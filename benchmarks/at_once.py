"""Every pair of commands at once on one home: what is lost, doubled, or ends in a traceback.

    python -m benchmarks.at_once [--pairs 20] [--seed 0]

Each pair gets a copy of the small home that an earlier mmrl made, brought up to date and with posts
still to work on, and starts both commands in processes of their own. A command may refuse with a
sentence that another one is at work. Then nothing may be there twice, no post may be gone that
neither erased, and `mmrl doctor` must find the home sound. Prints a line a loss and the counts;
ends with 1 if there is any. All pairs take about half an hour on 2 cores; `--pairs` tries as many,
drawn by the seed.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations_with_replacement
from pathlib import Path

from benchmarks.kill import write_posts
from mmrl.catalog import Catalog
from mmrl.catalog.columns import key_columns
from tests.support.command import ending, process, start
from tests.support.earlier_home import AS_OF, train_variables, unpack_earlier_home

_NEW = 12  # posts of the table that is imported
_ERASED = "k3"  # of them
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "import": ("import", "table", "POSTS", "--images", "IMAGES", "--subreddit", "pics"),
    "run": ("run", "filter", "fetch-images", "measure-images", "caption", "embed", "merge"),
    "train": ("train", "--force"),
    "publish": ("run", "publish"),
    "purge": ("purge", "--post", _ERASED),
    "repair": ("repair",),
    "promote": ("models", "promote", "1"),
    "predict": ("predict", "IMAGE", "--title", "Lake at dawn", "--subreddit", "SimPics"),
    "report": ("report", "champion"),
    "export": ("export", "samples", "--to", "EXPORT"),
    "status": ("status",),
    "doctor": ("doctor",),
    "scores": ("scores",),
    "models": ("models", "list"),
}
_TIMELESS = {"import", "purge", "repair", "promote", "doctor", "models"}  # take no --as-of
_REFUSALS = (1, 2)  # exit codes of a sentence


def pairs() -> list[tuple[str, str]]:
    """All pairs, each command beside itself among them."""
    return list(combinations_with_replacement(COMMANDS, 2))


def trials(folder: Path, chosen: Sequence[tuple[str, str]]) -> Iterator[str | None]:
    """Each pair on a home of its own; what was lost, or None."""
    table = write_posts(folder / "posts", _NEW, 0)
    whole = folder / "whole"
    unpack_earlier_home(whole)
    words = _words("import", folder, table, whole)
    answer = process(*words)
    if answer.code:
        raise RuntimeError(answer.err)
    for number, names in enumerate(chosen):
        home = folder / f"home{number}"
        shutil.copytree(whole, home)
        yield _tried(names, folder, table, home)
        shutil.rmtree(home)


def _words(name: str, folder: Path, table: Path, home: Path) -> list[str]:
    files = {
        "POSTS": table,
        "IMAGES": table.parent / "images",
        "IMAGE": table.parent / "images" / "k0.jpg",
        "EXPORT": home / f"export-{random.Random().randrange(1 << 30)}",
    }
    words = [str(files.get(word, word)) for word in COMMANDS[name]]
    return [*words, "--home", str(home), *(() if name in _TIMELESS else ("--as-of", AS_OF))]


def _tried(names: Sequence[str], folder: Path, table: Path, home: Path) -> str | None:
    before = set(_posts(home))
    running = [start(*_words(name, folder, table, home), **train_variables()) for name in names]
    told = []
    for name, one in zip(names, running, strict=True):
        answer = ending(one)
        if "Traceback" in answer.err or answer.code not in (0, *_REFUSALS):
            told.append(f"{name} ended with {answer.code}: {answer.err.strip()[-300:]}")
        elif answer.code and not answer.err.strip():
            told.append(f"{name} ended with {answer.code} and no sentence")
    left = set(_posts(home))
    erased = {_ERASED} if "purge" in names else set()
    if before - left - erased:
        told.append(f"posts are gone: {sorted(before - left - erased)[:5]}")
    told += _doubled(home)
    doctor = process("doctor", "--home", home)
    if doctor.code:
        told.append(f"the doctor says: {doctor.out.strip()[-300:]}")
    return f"{' + '.join(names)}: {'; '.join(told)}" if told else None


def _posts(home: Path) -> list[str]:
    ids: list[str] = Catalog.open(home).read("posts", ["post_id"])["post_id"].to_pylist()
    return ids


def _doubled(home: Path) -> Iterator[str]:
    """Tables in which a key is there twice."""
    catalog = Catalog.open(home)
    for table in catalog.table_names():
        rows = catalog.read(table)
        keys = key_columns(rows.schema)
        twice = rows.num_rows - rows.group_by(keys).aggregate([]).num_rows if keys else 0
        if twice:
            yield f"{table} holds {twice} keys twice"


def main() -> None:
    """Prints each loss and how many pairs were tried and held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chosen = pairs()
    if options.pairs is not None:
        chosen = random.Random(options.seed).sample(chosen, options.pairs)
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        for loss in trials(Path(folder), chosen):
            if loss is not None:
                lost += 1
                print(loss, flush=True)
    print(f"{len(chosen)} pairs of commands tried, {len(chosen) - lost} held, {lost} lost")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()

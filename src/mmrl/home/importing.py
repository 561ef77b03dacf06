"""Imports of files into a home: which files, what is read of them, and what is told of it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from os import getpid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrl.errors import InputError

if TYPE_CHECKING:
    from mmrl.catalog import Catalog
    from mmrl.runtime.progress import Progress
    from mmrl.sources.files.importer import ImportReport
    from mmrl.sources.files.source import PostSource
    from mmrl.sources.files.table import TableSource
    from mmrl.sources.kinds import Kind

Files = str | Path | Sequence[str | Path]


def matching(files: Files) -> list[Path]:
    """The files, with those in place of a pattern that fit it, in the order of their names.

    Raises:
        InputError: nothing fits a pattern.
    """
    from glob import glob, has_magic

    paths: list[Path] = []
    for file in [files] if isinstance(files, str | Path) else files:
        path = Path(file)
        if not has_magic(str(file)) or path.exists():
            paths.append(path)
            continue
        fitting = sorted(path for path in glob(str(file), recursive=True) if Path(path).is_file())
        if not fitting:
            raise InputError(f"No file fits {file}: check its name, relative to {Path.cwd()}.")
        paths += map(Path, fitting)
    return paths


def tables(
    files: Files, *, day_first: bool | None, **options: Any
) -> "tuple[list[TableSource], list[str]]":
    """Tables of posts, and what is guessed of their columns in words.

    Args:
        options: of `TableSource`.
    """
    from mmrl.sources.dates import DayOrder
    from mmrl.sources.files.table import TableSource

    order = None
    if day_first is not None:
        order = DayOrder.DAY_FIRST if day_first else DayOrder.MONTH_FIRST
    sources = [TableSource(file, order=order, **options) for file in matching(files)]
    described: list[str] = []
    for source in sources:
        lines = source.describe()
        if lines != described[-len(lines) :]:
            described += [f"{source.name}:", *lines] if len(sources) > 1 else lines
    return sources, described


def lines_source(kind: "Kind", files: Files, **options: Any) -> "tuple[PostSource, list[str]]":
    """Files that hold a post a line as one source, and in words when scores were observed.

    Args:
        options: of `DumpSource`, which every kind's reader takes.
    """
    source = kind.load_reader()(matching(files), **options)
    return source, [source.scores_rule()]


def read_into(
    catalog: "Catalog",
    source: "PostSource",
    described: Sequence[str],
    as_of: datetime,
    progress: "Progress",
    tell: Callable[[str], None],
) -> "ImportReport":
    """Tells what is about to be read, and reads it.

    Raises:
        InputError: the source can't be read (any further); says how many posts were kept.
        NothingUsableError: rows were read, and all were refused.
    """
    from mmrl.sources.files.importer import import_posts

    for line in described:
        tell(line)
    refused_rows = f"refused/{as_of:%Y%m%dT%H%M%S}-{getpid()}.csv"
    return import_posts(catalog, source, as_of, progress, refused_rows, tell)


def kind_of(name: str) -> "Kind":
    """A kind of file that holds a post a line, by its name.

    Raises:
        InputError: there is none of that name.
    """
    from mmrl.sources.kinds import FILES, TABLE

    kinds = {kind.name: kind for kind in FILES if kind is not TABLE}
    if name not in kinds:
        raise InputError(f"There is no kind of file {name!r}: the kinds are {', '.join(kinds)}.")
    return kinds[name]

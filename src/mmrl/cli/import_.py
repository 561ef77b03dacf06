"""`mmrl import`: a command for each kind of file that holds posts."""

from datetime import datetime
from os import getpid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import (
    DEFAULT_HOME,
    AsOf,
    Home,
    Json,
    check_home,
    moment,
    pairs,
    quiet_libraries,
)
from mmrl.runtime.location import Location
from mmrl.sources.kinds import FILES, TABLE, Kind

if TYPE_CHECKING:
    from mmrl.sources.files.importer import ImportReport
    from mmrl.sources.files.source import PostSource

app = typer.Typer(
    help="Imports posts from historical dumps or from tables; needs no credentials.",
    no_args_is_help=True,
)

ScoresAsOf = Annotated[
    str | None,
    typer.Option(
        "--scores-as-of",
        metavar="TIME",
        help="When scores that do not say it themselves were observed.",
    ),
]


def _lines_command(kind: Kind) -> None:
    """Makes the command of a kind of file that holds a post a line."""

    @app.command(
        kind.name,
        help=f"{kind.help}\n\nFiles are streamed, so their size does not matter. The home is made "
        "if it is not there.",
        epilog=f"Example: `{kind.example}`",
    )
    def command(
        files: Annotated[
            list[Path],
            typer.Argument(
                help="JSON, a post a line or a list of them; .zst, .gz, .bz2, .xz or plain; also "
                "patterns such as 'archive/*.json', and - for standard input.",
                show_default=False,
            ),
        ],
        subreddit: Annotated[
            list[str] | None,
            typer.Option("--subreddit", help="Only posts of this one; may be given several times."),
        ] = None,
        after: Annotated[
            str | None,
            typer.Option("--after", metavar="TIME", help="Only posts created since then."),
        ] = None,
        before: Annotated[
            str | None,
            typer.Option("--before", metavar="TIME", help="Only posts created before."),
        ] = None,
        settled: Annotated[
            bool, typer.Option("--settled", help="Scores that do not say their time are final.")
        ] = False,
        scores_as_of: ScoresAsOf = None,
        home: Home = DEFAULT_HOME,
        as_of: AsOf = None,
        as_json: Json = False,
    ) -> None:
        source = kind.load_reader()(
            _matching(files),
            subreddits=subreddit or [],
            after=_time(after),
            before=_time(before),
            settled=settled,
            scores_as_of=_time(scores_as_of),
        )
        _import(source, [source.scores_rule()], home, as_of, as_json)


for _kind in FILES:
    if _kind is not TABLE:  # which has columns and images, so a command of its own
        _lines_command(_kind)


@app.command(TABLE.name, epilog=f"Example: `{TABLE.example}`")
def table(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="A post a row: .csv, .tsv (also packed: .zst, .gz, .bz2, .xz), .parquet; also "
            "patterns such as 'tables/*.csv', and - for standard input.",
            show_default=False,
        ),
    ],
    images: Annotated[
        Path | None, typer.Option("--images", help="The folder with the posts' image files.")
    ] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="A column the guess gets wrong, such as score=score_2023; image= reads none as "
            "image; repeatable.",
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            metavar="COLUMN",
            help="A column that was known when the post went up, to learn from; repeatable.",
        ),
    ] = None,
    no_features: Annotated[
        list[str] | None,
        typer.Option(
            "--no-feature",
            metavar="COLUMN",
            help="Leaves out tags or a description, which are taken as features; repeatable.",
        ),
    ] = None,
    subreddit: Annotated[
        str | None, typer.Option("--subreddit", help="For rows that name none.")
    ] = None,
    settled: Annotated[
        bool | None,
        typer.Option(
            "--settled/--not-settled",
            help="Scores that do not say when they were observed are final, or are not.",
            show_default="decided by the file's columns, and shown",
        ),
    ] = None,
    scores_as_of: ScoresAsOf = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            help="Of a text table, such as cp1252.",
            show_default="found out, and shown",
        ),
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(
            "--separator",
            help="Of a text table's values: one character, or comma, semicolon, tab, bar.",
            show_default="found out, and shown",
        ),
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option(
            "--day-first/--month-first",
            help="How dates such as 9/8/2022 are meant.",
            show_default="told by the column's other dates",
        ),
    ] = None,
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Imports a table of posts, with a folder of their images if there is one.

    Which column is what is guessed from common names and shown; `--map` corrects it. Columns of
    your own are learned from with `--feature`: numbers, categories, lists of words or texts that
    were known when the post went up. A file may be imported again with more of them. The home is
    made if it is not there.
    """
    from mmrl.sources.dates import DayOrder
    from mmrl.sources.files.source import Several
    from mmrl.sources.files.table import TableSource

    columns = pairs("--map", mapped, "FIELD=COLUMN, such as score=score_2023")
    order = None
    if day_first is not None:
        order = DayOrder.DAY_FIRST if day_first else DayOrder.MONTH_FIRST
    sources = [
        TableSource(
            file,
            columns=columns,
            subreddit=subreddit,
            images=images,
            settled=settled,
            scores_as_of=_time(scores_as_of),
            features=features or [],
            no_features=no_features or [],
            encoding=encoding,
            separator=separator,
            order=order,
        )
        for file in _matching(files)
    ]
    described: list[str] = []
    for source in sources:
        lines = source.describe()
        if lines != described[-len(lines) :]:
            described += [f"{source.name}:", *lines] if len(sources) > 1 else lines
    _import(Several(sources), described, home, as_of, as_json)
    if images is not None and not as_json:
        found, missing = (
            sum(getattr(source, name) for source in sources)
            for name in ("images_found", "images_missing")
        )
        typer.echo(f"Images found: {found:,}; missing: {missing:,}.")


def _matching(files: list[Path]) -> list[Path]:
    """The files, with those in place of a pattern that fit it, in the order of their names."""
    from glob import glob, has_magic

    from mmrl.errors import InputError

    found: list[Path] = []
    for file in files:
        if not has_magic(str(file)) or file.exists():
            found.append(file)
            continue
        fitting = sorted(path for path in glob(str(file), recursive=True) if Path(path).is_file())
        if not fitting:
            raise InputError(f"No file fits {file}: check its name, relative to {Path.cwd()}.")
        found += map(Path, fitting)
    return found


def _time(text: str | None) -> datetime | None:
    from mmrl.times import parse_time

    return None if text is None else parse_time(text)


def _import(
    source: "PostSource", described: list[str], home: str, as_of: str | None, as_json: bool
) -> None:
    """Shows what is about to be read, reads it, and prints what came of it."""
    import json

    from mmrl.catalog import Catalog
    from mmrl.cli.terminal.bars import Bars
    from mmrl.sources.files.importer import NothingUsableError, import_posts

    at = moment(as_of)
    quiet_libraries()
    check_home(home)
    catalog = Catalog.open(home, create=True)
    if not as_json:
        for line in described:
            typer.echo(line, err=True)
    refused_rows = Location.of(home).file("refused", f"{at:%Y%m%dT%H%M%S}-{getpid()}.csv")
    try:
        with Bars(quiet=as_json, of_bytes=True) as bars:
            report = import_posts(catalog, source, at, bars, refused_rows)
    except NothingUsableError as error:
        if as_json:
            typer.echo(json.dumps(error.report.as_dict()))
        else:
            _show_refused(error.report)
        raise
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
        return
    typer.echo(report.summary())
    _show_range(report)
    _show_refused(report)
    _show_doubts(report)
    typer.echo(f"Next: mmrl run --home {home}")


def _show_range(report: "ImportReport") -> None:
    """The times and the subreddits of the usable posts."""
    from mmrl.runtime.foreign_text import shown

    most = ", ".join(f"r/{shown(name)} {n:,}" for name, n in report.subreddits.most_common(5))
    if report.first is not None and report.last is not None:
        typer.echo(f"{report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}; {most}")


def _show_refused(report: "ImportReport") -> None:
    """Examples of refused rows, and where all of them are."""
    if report.examples:
        typer.echo("Refused, for example:", err=True)
    for example in report.examples:
        typer.echo(f"  {example}", err=True)
    if report.refused_file is not None:
        typer.echo(f"All {report.refused.total():,} of them: {report.refused_file}", err=True)


def _show_doubts(report: "ImportReport") -> None:
    """What may not be as the user thinks."""
    if report.unclear:
        typer.echo(
            f"{report.unclear:,} posts come several times with other scores, and nothing says when "
            "each was observed: these scores give no label. Name the column of that time with "
            "--map checked_at=COLUMN.",
            err=True,
        )
    if report.dropped:
        names = ", ".join(f"{name} {n:,}" for name, n in report.dropped.most_common())
        typer.echo(f"Values that can't be used were left out: {names}.", err=True)
    if not report.with_image:
        typer.echo("None of these posts names an image.", err=True)

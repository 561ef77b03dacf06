"""`mmrl import`: a command for each kind of file that holds posts."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, check_home, moment, quiet_libraries
from mmrl.sources.kinds import FILES, TABLE, Kind

if TYPE_CHECKING:
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
            typer.Argument(help="Newline-JSON files, plain or .zst.", show_default=False),
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
            files,
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
    file: Annotated[
        Path,
        typer.Argument(help="A post a row: .csv, .tsv (or .zst), .parquet.", show_default=False),
    ],
    images: Annotated[
        Path | None, typer.Option("--images", help="The folder with the posts' image files.")
    ] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="A column the guess gets wrong, such as score=score_2023; repeatable.",
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
    from mmrl.errors import InputError
    from mmrl.sources.files.table import TableSource

    columns = {}
    for pair in mapped or []:
        name, equals, column = pair.partition("=")
        if not (name and equals and column):
            raise InputError(f"--map {pair!r}: expected FIELD=COLUMN, such as score=score_2023.")
        columns[name] = column
    source = TableSource(
        file,
        columns=columns,
        subreddit=subreddit,
        images=images,
        settled=settled,
        scores_as_of=_time(scores_as_of),
        features=features or [],
        no_features=no_features or [],
    )
    _import(source, source.describe(), home, as_of, as_json)
    if images is not None and not as_json:
        typer.echo(f"Images found: {source.images_found:,}; missing: {source.images_missing:,}.")


def _time(text: str | None) -> datetime | None:
    from mmrl.times import parse_time

    return None if text is None else parse_time(text)


def _import(
    source: "PostSource", described: list[str], home: str, as_of: str | None, as_json: bool
) -> None:
    """Shows what is about to be read, reads it, and prints what came of it."""
    import json

    from mmrl.catalog import Catalog
    from mmrl.cli.bars import Bars
    from mmrl.sources.files.importer import import_posts

    at = moment(as_of)
    quiet_libraries()
    check_home(home)
    catalog = Catalog.open(home, create=True)
    if not as_json:
        for line in described:
            typer.echo(line, err=True)
    with Bars(quiet=as_json) as bars:
        report = import_posts(catalog, source, at, bars)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
        return
    typer.echo(report.summary())
    most = ", ".join(f"r/{name} {count:,}" for name, count in report.subreddits.most_common(5))
    if report.first is not None and report.last is not None:
        typer.echo(f"{report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}; {most}")
    typer.echo(f"Next: mmrl run --home {home}")

"""`mmrl import`: a command for each kind of file that holds posts."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import mmrl
from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, pairs, suggested
from mmrl.runtime.counted import counted
from mmrl.sources.kinds import FILES, TABLE, Kind

if TYPE_CHECKING:
    from mmrl.sources.files.importer import ImportReport

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
        opened = _open(home, as_json)
        _shown(
            lambda: opened.import_dump(
                files,
                kind=kind.name,
                subreddits=subreddit or [],
                after=after,
                before=before,
                settled=settled,
                scores_as_of=scores_as_of,
                as_of=as_of,
            ),
            *(home, as_json),
        )


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
    columns = pairs("--map", mapped, "FIELD=COLUMN, such as score=score_2023")
    opened = _open(home, as_json)
    _shown(
        lambda: opened.import_table(
            files,
            images=images,
            columns=columns,
            features=features or [],
            no_features=no_features or [],
            subreddit=subreddit,
            settled=settled,
            scores_as_of=scores_as_of,
            encoding=encoding,
            separator=separator,
            day_first=day_first,
            as_of=as_of,
        ),
        *(home, as_json),
    )


def _open(home: str, quiet: bool) -> "mmrl.Home":
    """The home, made if it is not there."""
    return mmrl.open(home, create=True, quiet=quiet)


def _shown(read: "Callable[[], ImportReport]", home: str, as_json: bool) -> None:
    """Reads, and prints what came of it."""
    import json

    from mmrl.sources.files.importer import NothingUsableError

    try:
        report = read()
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
    typer.echo(f"Next: {suggested('run', '--home', home)}")
    if report.images_found is not None:
        typer.echo(f"Images found: {report.images_found:,}; missing: {report.images_missing:,}.")


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
        since = report.refused.total() - report.refused_before
        before = "" if not report.refused_before else " since it went on (`mmrl status` counts all)"
        typer.echo(f"All {since:,} of them{before}: {report.refused_file}", err=True)


def _show_doubts(report: "ImportReport") -> None:
    """What may not be as the user thinks."""
    if report.unclear:
        typer.echo(
            f"{counted(report.unclear, 'post comes', 'posts come')} several times with other "
            "scores, and nothing says when "
            "each was observed: these scores give no label. Name the column of that time with "
            "--map checked_at=COLUMN.",
            err=True,
        )
    if report.dropped:
        names = ", ".join(f"{name} {n:,}" for name, n in report.dropped.most_common())
        typer.echo(f"Values that can't be used were left out: {names}.", err=True)
    if not report.with_image:
        typer.echo("None of these posts names an image.", err=True)

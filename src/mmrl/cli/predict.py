"""`mmrl predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, open_home, pairs

if TYPE_CHECKING:
    from mmrl.serving.answers.best import AboutBest
    from mmrl.serving.prediction import Prediction
    from mmrl.serving.ranks.ranking import Ranking


def predict(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE]...",
            help="Images to post, files or web addresses; none for a model that learned from posts "
            "without one.",
            show_default=False,
        ),
    ] = None,
    titles: Annotated[
        list[str] | None, typer.Option("--title", help="A title to post it under; repeatable.")
    ] = None,
    subreddits: Annotated[
        list[str] | None,
        typer.Option("--subreddit", help="Where to post it, without r/; repeatable."),
    ] = None,
    author: Annotated[
        str | None, typer.Option("--author", help="Who posts it; without, an unknown author.")
    ] = None,
    over_18: Annotated[bool, typer.Option("--over-18", help="It is marked over 18.")] = False,
    spoiler: Annotated[bool, typer.Option("--spoiler", help="It is marked as a spoiler.")] = False,
    flair: Annotated[str | None, typer.Option("--flair", help="Its flair.")] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            metavar="NAME=VALUE",
            help="A feature that posts were imported with, such as tags=red; repeatable.",
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="HOUR",
            help="When it is to go up, such as 'Sat 18:00', 'tomorrow 9am' or '2026-11-28 18:00'; "
            "repeatable; now unless given.",
        ),
    ] = None,
    hours: Annotated[
        str | None,
        typer.Option(
            "--hours", metavar="best", help="Each draft at the best hour of the next seven days."
        ),
    ] = None,
    tz: Annotated[
        str, typer.Option("--tz", metavar="ZONE", help="The time zone of hours.")
    ] = "UTC",
    when: Annotated[bool, typer.Option("--when", help="The best draft at each hour.")] = False,
    why: Annotated[bool, typer.Option("--why", help="The reasons for the best draft.")] = False,
    similar: Annotated[
        int, typer.Option("--similar", min=0, max=50, help="So many posts like the best draft.")
    ] = 0,
    drafts: Annotated[
        Path | None,
        typer.Option("--drafts", help="A CSV file with a draft a row, in place of the above."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the whole ranking to this CSV file.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="How many drafts to show.")] = 10,
    model: Annotated[str, typer.Option("--model", help="A version, or champion.")] = "champion",
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Predicts how popular posts would be, before they are posted, and ranks them.

    Each image is taken with each title, in each subreddit, at each hour. A single draft is shown
    with score and popularity; several are ranked by where they would stand among their subreddit's
    posts of the last 90 days, with the interval that holds the outcome 80 times in 100. `--as-of`
    is the time up to which posts are known, and the hour of posting unless one is given.
    """
    from mmrl.errors import InputError

    if hours not in (None, "best") or (hours and at):
        raise InputError("--hours takes only `best`, and not together with --at: give one of them.")
    if drafts is None and not (titles and subreddits):
        raise InputError("Give a --title and a --subreddit, or a CSV file of them with --drafts.")
    if drafts is not None and (images or titles or subreddits or at or hours):
        raise InputError("--drafts names images, titles, subreddits and hours itself: leave them.")
    ranker = open_home(home).ranker(model, as_of=as_of)
    if drafts is not None:
        made = ranker.read_drafts(drafts, zone=tz)
    else:
        one = ranker.drafts(
            titles or (),
            subreddits or (),
            images or (),
            hours="best" if hours else at or (),
            zone=tz,
            author=author,
            over_18=over_18,
            spoiler=spoiler,
            flair=flair,
            features=pairs("--feature", features, "NAME=VALUE, such as genre=Drama"),
        )
        made = [one]
    ranking = ranker.rank(*made)
    if len(ranking) == 1 and drafts is None and not (when or why or similar or out):
        _show_one(ranking.prediction(0), as_json)
        return
    ranking = ranking.with_best_hours() if hours else ranking
    if out is not None:
        ranker.write(ranking, out)
    about = ranker.about_best(ranking, *made, hours=when, why=why, neighbours=similar, zone=tz)
    _show(ranking, about, tz, top, as_json)


def _show_one(prediction: "Prediction", as_json: bool) -> None:
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import prediction_table

    if as_json:
        typer.echo(json.dumps(prediction.as_dict()))
    else:
        Console().print(prediction_table(prediction))


def _show(ranking: "Ranking", about: "AboutBest", zone: str, top: int, as_json: bool) -> None:
    import json

    from rich.console import Console

    from mmrl.cli.terminal.ranking import ranking_table, shown_about
    from mmrl.times import iso

    if not as_json:
        console = Console()
        console.print(ranking_table(ranking, zone, top))
        for part in shown_about(about):
            console.print(part)
        return
    fields = {
        "model_version": ranking.model_version,
        "trained_at": ranking.trained_at,
        "as_of": iso(ranking.as_of),
        "simulated": ranking.simulated,
        "drafts": len(ranking),
        "ranked": [row.as_dict() for row in ranking[:top]],
        "notes": list(ranking.notes),
    }
    typer.echo(json.dumps({**fields, **about.as_dict()}))

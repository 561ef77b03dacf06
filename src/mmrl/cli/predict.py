"""`mmrl predict`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, open_home, pairs


def predict(
    title: Annotated[str, typer.Option("--title", help="The title to post it under.")],
    subreddit: Annotated[str, typer.Option("--subreddit", help="Where to post it, without r/.")],
    image: Annotated[
        Path | None,
        typer.Argument(
            help="The image to post; none for a model that learned from posts without one.",
            show_default=False,
        ),
    ] = None,
    author: Annotated[
        str | None, typer.Option("--author", help="Who posts it; without, an unknown author.")
    ] = None,
    over_18: Annotated[bool, typer.Option("--over-18", help="It is marked over 18.")] = False,
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
        str | None,
        typer.Option(
            "--at",
            metavar="HOUR",
            help="When it is to go up, such as 'Sat 18:00', 'tomorrow 9am' or '2026-11-28 18:00'; "
            "now unless given.",
        ),
    ] = None,
    tz: Annotated[str, typer.Option("--tz", metavar="ZONE", help="The time zone of --at.")] = "UTC",
    model: Annotated[str, typer.Option("--model", help="A version, or champion.")] = "champion",
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Predicts how popular a post would be, before it is posted.

    Shows score and popularity with the interval that holds the outcome 80 times in 100, and where
    that stands among the subreddit's posts of the last 90 days; of these, a model trained on
    percentiles predicts only the last. `--at` is the hour of posting; `--as-of` is the time up to
    which posts are known, and the hour of posting where `--at` is not given.
    """
    import json

    from rich.console import Console

    from mmrl.cli.terminal.tables import prediction_table
    from mmrl.home.moments import moment
    from mmrl.serving.hours import posting_time
    from mmrl.serving.prediction import Draft

    known_at = moment(as_of)
    posted_at = None if at is None else posting_time(at, tz, known_at)
    brought = pairs("--feature", features, "NAME=VALUE, such as genre=Drama")
    draft = Draft(image, title, subreddit, author, over_18, flair, brought, posted_at)
    (prediction,) = open_home(home).predict([draft], model=model, as_of=known_at)
    if as_json:
        typer.echo(json.dumps(prediction.as_dict()))
    else:
        Console().print(prediction_table(prediction))

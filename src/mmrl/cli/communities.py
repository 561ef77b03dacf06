"""`mmrl communities`."""

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json, open_home, suggested


def communities(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Lists the communities that posts are known of, the largest first.

    These are the names for `mmrl predict --subreddit`.
    """
    import json

    import pyarrow.compute as pc

    posts = open_home(home).catalog.read("posts", ["subreddit", "created_at"])
    rows = (
        posts.group_by("subreddit", use_threads=False)
        .aggregate([("created_at", "count"), ("created_at", "max")])
        .sort_by([("created_at_count", "descending"), ("subreddit", "ascending")])
    )
    newest = pc.strftime(rows["created_at_max"], "%Y-%m-%d").to_pylist()
    counts = rows["created_at_count"].to_pylist()
    names = rows["subreddit"].to_pylist()
    if as_json:
        typer.echo(
            json.dumps(
                [
                    {"subreddit": name, "posts": count, "newest": day}
                    for name, count, day in zip(names, counts, newest, strict=True)
                ]
            )
        )
        return
    for name, count, day in zip(names, counts, newest, strict=True):
        typer.echo(f"{name}  {count:,} posts, the newest of {day}")
    if not names:
        following = suggested("import", "table", "FILE", "--home", home)
        typer.echo(f"No post is known yet: {following}")

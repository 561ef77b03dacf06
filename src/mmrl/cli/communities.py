"""`mmrl communities`."""

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, open_home, suggested


def communities(home: Home = DEFAULT_HOME, as_of: AsOf = None, as_json: Json = False) -> None:
    """Lists the communities that posts are known of, the best known first.

    These are the names for `mmrl predict --subreddit`. Posts count that the filter keeps; matured
    ones have a settled score.
    """
    import json

    from mmrl.times import iso

    known = open_home(home).communities(as_of)
    if as_json:
        told = [{**one.as_dict(), "newest": iso(one.newest)} for one in known]
        typer.echo(json.dumps(told))
        return
    for one in known:
        typer.echo(
            f"{one.name}  {one.posts:,} posts, {one.matured:,} matured, the newest of "
            f"{one.newest:%Y-%m-%d}"
        )
    if not known:
        following = suggested("import", "table", "FILE", "--home", home)
        typer.echo(f"No post is known that the filter keeps: {following}, then mmrl run")

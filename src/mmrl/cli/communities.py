"""`mmrl communities`."""

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Json, open_home, suggested


def communities(home: Home = DEFAULT_HOME, as_of: AsOf = None, as_json: Json = False) -> None:
    """Lists the communities that posts are known of, the best known first.

    These are the names for `mmrl predict --subreddit`. Posts count that the filter keeps; matured
    ones have a settled score.
    """
    import json

    from rich.console import Console

    from mmrl.times import iso

    known = open_home(home).communities(as_of)
    if as_json:
        told = [{**one.as_dict(), "newest": iso(one.newest)} for one in known]
        typer.echo(json.dumps(told))
    elif known:
        from mmrl.cli.terminal.tables import communities_table

        Console().print(communities_table(known))
    else:
        following = suggested("import", "table", "FILE", "--home", home)
        typer.echo(f"No post is known that the filter keeps: {following}, then mmrl run")

"""`mmrl report`."""

from pathlib import Path
from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, AsOf, Home, Version, moment, open_home


def report(
    version: Version = "champion",
    home: Home = DEFAULT_HOME,
    as_of: AsOf = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; the home's reports/ if not.")
    ] = None,
) -> None:
    """Writes a model's report: one HTML file that opens without a network."""
    from mmrl.images.decode import use_limit
    from mmrl.report.write import write_report

    at = moment(as_of)
    catalog, settings = open_home(home)
    use_limit(settings.images.max_pixels)
    typer.echo(f"Report: {write_report(catalog, version, at, out)}")

"""`mmrl repair`."""

from typing import Annotated

import typer

from mmrl.cli.options import DEFAULT_HOME, Home, Json


def repair(
    home: Home = DEFAULT_HOME,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is broken and what would be done.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Mends what a crash, a full disk or a bad copy broke, as far as it can be made again.

    Tables lose the files that can't be read, images the ones that are not what their hash says,
    and the list of models the versions that don't load; what is lost is said, and what brings it
    back. Stop `mmrl collect` before.
    """
    import json

    from mmrl.errors import NotFoundError
    from mmrl.home.opened import require_folder
    from mmrl.repair import check
    from mmrl.runtime.quiet import quiet_libraries
    from mmrl.storage.opening import storage_of

    quiet_libraries()
    require_folder(home)
    if not storage_of(home).folders("catalog"):
        raise NotFoundError(f"There is no mmrl home at {home}: give --home (or MMRL_HOME) one.")
    rows = []
    for damage in check(home):
        mended = damage.mend is not None and not dry_run
        if damage.mend is not None and not dry_run:
            damage.mend()
        rows.append(
            {
                "what": damage.what,
                "broken": damage.broken,
                "way_out": damage.way_out,
                "mended": mended,
            }
        )
        if not as_json:
            mark = "mended" if mended else "would be mended" if damage.mend else "not mended"
            typer.echo(f"{damage.what}: {damage.broken}.\n  {mark}: {damage.way_out}.")
    if as_json:
        typer.echo(json.dumps(rows))
    elif not rows:
        typer.echo(f"Nothing is broken in {home}.")
    if any(not row["mended"] for row in rows):
        raise typer.Exit(1)

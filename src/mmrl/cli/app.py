"""The commands, put together. Each file beside this one holds one family of them."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import mmrl
from mmrl.cli import (
    collect as collecting,
)
from mmrl.cli import (
    demo as trying,
)
from mmrl.cli import (
    import_ as importing,
)
from mmrl.cli import (
    models,
    status,
    weights,
)
from mmrl.cli import (
    predict as predicting,
)
from mmrl.cli import (
    purge as purging,
)
from mmrl.cli import (
    run as running,
)
from mmrl.cli import (
    setup as setting_up,
)

ORDER = (
    *("demo", "init", "doctor", "weights", "import", "collect", "observe", "purge", "sandbox"),
    *("run", "status", "train", "models", "predict", "report"),
)


class InOrder(TyperGroup):
    """Lists commands in the order a person needs them; typer puts groups after all others."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    cls=InOrder,
    help="Learns every day what makes an image post popular on Reddit, and tells people "
    "before they post.\n\nNew here? `mmrl demo` runs everything on simulated posts.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mmrl {mmrl.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """mmrl."""


START = "Start here"
DATA = "Posts come in"
WORK = "The pipeline"
USE = "Models and predictions"

app.command("demo", rich_help_panel=START, epilog="Example: `mmrl demo --posts 500`")(trying.demo)
app.command("init", rich_help_panel=START, epilog="Example: `mmrl init pictures`")(setting_up.init)
app.command("doctor", rich_help_panel=START)(setting_up.doctor)
app.add_typer(weights.app, name="weights", rich_help_panel=START)
app.add_typer(importing.app, name="import", rich_help_panel=DATA)
app.command("collect", rich_help_panel=DATA)(collecting.collect)
app.command("observe", rich_help_panel=DATA)(collecting.observe)
app.command(
    "purge",
    rich_help_panel=DATA,
    epilog="Examples: `mmrl purge --for 1h`, `mmrl purge --author some_name`",
)(purging.purge)
app.command("sandbox", rich_help_panel=DATA)(trying.sandbox)
app.command(
    "run",
    rich_help_panel=WORK,
    help=running.run_help(),
    epilog="Examples: `mmrl run`, `mmrl run filter fetch-images`, `mmrl run embed merge`",
)(running.run)
app.command("status", rich_help_panel=WORK)(status.status)
app.command("train", rich_help_panel=USE)(models.train)
app.add_typer(models.app, name="models", rich_help_panel=USE)
app.command("report", rich_help_panel=USE, epilog="Example: `mmrl report latest --out it.html`")(
    models.report
)
app.command(
    "predict",
    rich_help_panel=USE,
    epilog="Example: `mmrl predict lake.jpg --title 'Lake at dawn' --subreddit EarthPorn`",
)(predicting.predict)

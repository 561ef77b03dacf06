"""The list of commands. Each has a file of its own beside this one, named as the command."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

import mmrl
from mmrl.cli.backfill import backfill
from mmrl.cli.collect import collect
from mmrl.cli.communities import communities
from mmrl.cli.demo import demo
from mmrl.cli.doctor import doctor
from mmrl.cli.experiment import experiment
from mmrl.cli.export import export
from mmrl.cli.import_ import app as import_
from mmrl.cli.init import init
from mmrl.cli.metrics import metrics
from mmrl.cli.models import app as models
from mmrl.cli.observe import observe
from mmrl.cli.predict import predict
from mmrl.cli.purge import purge
from mmrl.cli.repair import repair
from mmrl.cli.report import report
from mmrl.cli.run import run, run_help
from mmrl.cli.sandbox import sandbox
from mmrl.cli.scores import scores
from mmrl.cli.serve import serve
from mmrl.cli.start import start
from mmrl.cli.status import status
from mmrl.cli.train import train
from mmrl.cli.weights import app as weights

START = "Start here"
DATA = "Posts come in"
WORK = "The pipeline"
USE = "Models and predictions"


class Command(NamedTuple):
    """A command as `mmrl --help` lists it; `body` is a function, or a group of commands."""

    name: str
    body: Callable[..., None] | typer.Typer
    panel: str
    example: str | None = None
    help: str | None = None  # its docstring unless given


COMMANDS = (  # in the order a person needs them
    Command("demo", demo, START, "Example: `mmrl demo --posts 500`"),
    Command("start", start, START, "Example: `mmrl start EarthPorn itookapicture --days 90`"),
    Command("init", init, START, "Example: `mmrl init pictures`"),
    Command("doctor", doctor, START),
    Command("weights", weights, START),
    Command("import", import_, DATA),
    Command("collect", collect, DATA),
    Command("observe", observe, DATA),
    Command(
        "backfill",
        backfill,
        DATA,
        "Example: `mmrl backfill --subreddit pics --after 2026-08-01`",
    ),
    Command(
        "purge", purge, DATA, "Examples: `mmrl purge --for 1h`, `mmrl purge --author some_name`"
    ),
    Command("sandbox", sandbox, DATA),
    Command(
        "run",
        run,
        WORK,
        "Examples: `mmrl run`, `mmrl run filter fetch-images`, `mmrl run embed merge`",
        run_help(),
    ),
    Command("status", status, WORK),
    Command("metrics", metrics, WORK, "Example: `mmrl metrics --textfile mmrl.prom`"),
    Command("repair", repair, WORK, "Example: `mmrl repair --dry-run`"),
    Command("train", train, USE),
    Command("experiment", experiment, USE, "Example: `mmrl experiment pictures.toml`"),
    Command("models", models, USE),
    Command(
        "predict",
        predict,
        USE,
        "Example: `mmrl predict lake.jpg --title 'Lake at dawn' --subreddit EarthPorn`",
    ),
    Command("serve", serve, USE, "Example: `mmrl serve --home earth`"),
    Command("scores", scores, USE),
    Command("communities", communities, USE),
    Command("export", export, USE, "Example: `mmrl export samples --to samples --format hf`"),
    Command("report", report, USE, "Example: `mmrl report latest --out it.html`"),
)


class InOrder(TyperGroup):
    """Lists commands in their order; typer puts groups after all others."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [command.name for command in COMMANDS]


app = typer.Typer(
    cls=InOrder,
    help="Learns every day what makes an image post popular on Reddit, and tells people "
    "before they post.\n\nNew here? `mmrl demo` runs everything on simulated posts.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mmrl {mmrl.__version__}")
        raise typer.Exit


def _log(form: str, level: str) -> None:
    from mmrl.errors import InputError
    from mmrl.runtime import logs

    if form not in ("text", "json"):
        raise InputError(f"--log is {form!r}, expected text or json.")
    if level not in logs.LEVELS:
        raise InputError(f"--log-level is {level!r}, expected one of: {', '.join(logs.LEVELS)}.")
    logs.set_up(level, "json" if form == "json" else "text")


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option("--log", help="Tell work by log lines, not bars: text or json."),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option("--log-level", help="From debug, info, warning or error on; info with --log."),
    ] = None,
) -> None:
    """mmrl."""
    if log is not None or log_level is not None:
        _log(log or "text", (log_level or "info").lower())


for command in COMMANDS:
    if isinstance(command.body, typer.Typer):
        app.add_typer(command.body, name=command.name, rich_help_panel=command.panel)
    else:
        register = app.command(
            command.name,
            help=command.help,
            rich_help_panel=command.panel,
            epilog=command.example,
        )
        register(command.body)

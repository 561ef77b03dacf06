"""Options that many commands share, and the first steps of a command."""

import logging
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmrl.catalog import Catalog
    from mmrl.config import Settings

Home = Annotated[
    str,
    typer.Option(
        "--home",
        envvar="MMRL_HOME",
        help="The folder (or s3:// address) that holds what mmrl keeps.",
        show_default=True,
    ),
]
DEFAULT_HOME = "mmrl-home"
_YEARS = range(1970, 2200)  # of a moment: spans before and after it are times, too

AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="Work as if it were this UTC time (ISO 8601 or epoch seconds); the present unless "
        "given. Nothing later is used.",
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="SOURCE",
        help="`reddit`, or `arctic-shift`, which needs no credentials; `source.live` unless given.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Posts = Annotated[int, typer.Option("--posts", min=50, help="How many posts to make up.")]
Seed = Annotated[int, typer.Option("--seed", help="Another seed makes another world.")]
Version = Annotated[
    str, typer.Argument(help="A version number, `champion`, or `latest`.", show_default=True)
]


def lock(mark: str, name: str) -> str:
    """The name of a lock of a live source's own; Reddit's has no mark."""
    return mark.replace("/", "-") + name


def moment(text: str | None) -> datetime:
    """The time the work is done for: the one place where the present is asked for.

    Raises:
        InputError: the text is no time, or one that no post can have.
    """
    from mmrl.errors import InputError
    from mmrl.times import parse_time

    if text is None:
        return datetime.now(UTC)
    at = parse_time(text)
    if at.year not in _YEARS:
        raise InputError(
            f"{text!r} is the year {at.year}: give a time from {_YEARS[0]} to {_YEARS[-1]}."
        )
    return at


def pairs(option: str, texts: "Sequence[str] | None", expected: str) -> dict[str, str]:
    """An option's texts such as `NAME=VALUE` as a mapping.

    Raises:
        InputError: one is no such pair; says what was `expected`.
    """
    from mmrl.errors import InputError

    split = {text: text.partition("=") for text in texts or ()}
    for text, (name, equals, _) in split.items():
        if not (name and equals):
            raise InputError(f"{option} {text!r}: expected {expected}.")
    return {name: value for name, _, value in split.values()}


def open_home(home: str) -> "tuple[Catalog, Settings]":
    """The catalog and the settings of a home that exists."""
    from mmrl.catalog import Catalog
    from mmrl.config import load_settings

    quiet_libraries()
    check_home(home)
    return Catalog.open(home), load_settings(home)


def check_home(home: str) -> None:
    """Refuses a home that can't be one.

    Raises:
        InputError: it is a file.
    """
    from mmrl.errors import InputError
    from mmrl.runtime.location import Location

    location = Location.of(home)
    if location.is_local and location.path.is_file():
        raise InputError(f"{home} is a file, not a home: give --home (or MMRL_HOME) a folder.")


def say_if_simulated(catalog: "Catalog") -> None:
    """Says under what is shown that it speaks of simulated posts, where it does."""
    from mmrl.sources.kinds import SIMULATED

    simulated = catalog.count("posts", SIMULATED)
    if simulated:
        typer.echo(
            f"Simulated: {simulated:,} of the posts come from the sandbox; nobody wrote them."
        )


def say_if_later(posts: int, as_of: datetime) -> None:
    """Says that posts wait which came later than the moment that work is done for."""
    from mmrl.times import iso

    if posts:
        typer.echo(
            f"{posts:,} posts came later than {iso(as_of)} and wait: give a later --as-of, or none."
        )


def quiet_libraries() -> None:
    """Keeps libraries' start-up talk off a person's terminal; their errors still come through."""
    for name in ("mlflow", "alembic", "tensorflow", "absl", "httpx", "prawcore", "praw"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)

"""Options that many commands share, and the first steps of a command."""

import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import mmrl
from mmrl.runtime.counted import counted

if TYPE_CHECKING:
    from collections.abc import Sequence


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


def suggested(*words: object) -> str:
    """A command to be copied: each word quoted where a shell would take it apart."""
    return shlex.join(["mmrl", *map(str, words)])


def from_here(place: object) -> str:
    """A path or address as it is typed here: relative where it lies below the working directory."""
    shown, here = str(place), Path.cwd()
    return str(Path(shown).relative_to(here)) if Path(shown).is_relative_to(here) else shown


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


def open_home(home: str, *, quiet: bool = False) -> "mmrl.Home":
    """A home that exists.

    Args:
        quiet: show no bars and no notes.
    """
    return mmrl.open(home, quiet=quiet)


def say_if_simulated(home: "mmrl.Home") -> None:
    """Says under what is shown that it speaks of simulated posts, where it does."""
    from mmrl.home.opened import simulated_posts

    simulated = simulated_posts(home)
    if simulated:
        typer.echo(
            f"Simulated: {simulated:,} of the posts come from the sandbox; nobody wrote them."
        )


def say_if_later(posts: int, as_of: datetime) -> None:
    """Says that posts wait which came later than the moment that work is done for."""
    from mmrl.times import iso

    if posts:
        typer.echo(
            f"{counted(posts, 'post')} came later than {iso(as_of)} and "
            f"{'waits' if posts == 1 else 'wait'}: give a later --as-of, or none."
        )

"""Spans of time as options give them, and the hidden option of a sandbox's clock."""

import re
from datetime import timedelta
from typing import Annotated

import typer

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

SandboxTime = Annotated[str | None, typer.Option("--sandbox-clock", hidden=True)]


def span(text: str | None, option: str) -> timedelta | None:
    """A time such as 55m, 2h or 1h30m; None where none was given.

    Raises:
        InputError: it is none.
    """
    from mmrl.errors import InputError

    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < seconds < 1e9:
        raise InputError(f"{option} is {text!r}, expected a time such as 55m, 2h or 1h30m.")
    return timedelta(seconds=seconds)

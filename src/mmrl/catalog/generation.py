"""The generation of a catalog's rows: another one once rows went behind the stages' backs.

Stages find new work by what was written. What a purge erases or a repair takes out is written
nowhere, so both begin a new generation, and stages look at everything once more.
"""

import secrets

from mmrl.catalog.meta import set_value, value_of
from mmrl.catalog.protocol import Tables

_NAME = "generation"


def generation(catalog: Tables) -> str:
    """The present generation; "" before there was another."""
    return value_of(catalog, _NAME) or ""


def begin_generation(catalog: Tables) -> None:
    """Begins a new one; to be called where rows were taken out."""
    set_value(catalog, _NAME, secrets.token_hex(8))

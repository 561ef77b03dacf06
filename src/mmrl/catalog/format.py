"""The format of a home's tables, which a home says of itself."""

from mmrl.catalog import meta
from mmrl.catalog.protocol import Tables
from mmrl.errors import ConfigError, NotFoundError
from mmrl.storage.location import Location

FORMAT = 1  # raised when a table's meaning changes; a home with a higher one is refused
_NAME = "format"  # of its value


def check_format(catalog: Tables, home: str, create: bool) -> None:
    """Refuses a home that this mmrl can't read; says of a new one what it is.

    Raises:
        ConfigError: a newer mmrl wrote it.
        NotFoundError: it is none, and not to be made.
    """
    written = meta.value_of(catalog, _NAME)
    if written is None:
        if create:
            meta.set_once(catalog, _NAME, str(FORMAT))
        elif not Location.of(home).is_local:
            raise no_home(home)
    elif int(written) > FORMAT:
        raise ConfigError(
            f"The home at {home} was written by a newer mmrl (catalog format "
            f"{written}, this one reads up to {FORMAT}): update mmrl, or use another home."
        )


def no_home(place: object) -> NotFoundError:
    """The error that there is no home at a place."""
    return NotFoundError(
        f"There is no mmrl home at {place}: make one with `mmrl init {place}`, or point --home (or "
        "MMRL_HOME) at one."
    )

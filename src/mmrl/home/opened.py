"""A home that is open: its tables and settings, and how work on it is watched."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mmrl.errors import InputError
from mmrl.runtime.quiet import quiet_libraries
from mmrl.storage.location import Location

if TYPE_CHECKING:
    from mmrl.catalog import Catalog
    from mmrl.config import Settings
    from mmrl.home.models import Models
    from mmrl.runtime.progress import Progress


class OpenHome:
    """The part of `Home` that all its work shares."""

    address: str
    settings: "Settings"
    quiet: bool

    def __init__(
        self, home: str | Path, settings: "Settings", overrides: Mapping[str, Any], quiet: bool
    ) -> None:
        location = Location.of(home)
        self.address = str(location.path.absolute()) if location.is_local else str(location)
        self.settings, self.quiet = settings, quiet
        self._overrides = overrides

    @cached_property
    def catalog(self) -> "Catalog":
        """The tables; see docs/architecture.md."""
        from mmrl.catalog import Catalog

        return Catalog.open(self.address, create=True)

    @classmethod
    def open(
        cls, home: str | Path, *, create: bool = False, quiet: bool = False, **settings: Any
    ) -> Self:
        """Opens a home; see `mmrl.open`.

        Example:
            >>> len(mmrl.Home.open("earth", quiet=True).models)
            1
        """
        from mmrl.config import load_settings

        quiet_libraries()
        require_folder(home)
        opened = cls(home, load_settings(home, **settings), settings, quiet)
        if not create:  # else it is made when it is first written to
            from mmrl.catalog import Catalog

            opened.catalog = Catalog.open(home)
        return opened

    @cached_property
    def models(self) -> "Models":
        """Every model that was kept."""
        from mmrl.home.models import Models

        return Models(self.address)

    def _folder(self, *parts: str) -> Path:
        """A folder of the home.

        Raises:
            ConfigError: the home is in an object store.
        """
        return Location.of(self.address).path.joinpath(*parts)

    @contextmanager
    def _bars(self, *, of_bytes: bool = False) -> "Iterator[Progress]":
        from mmrl.runtime.bars import watching

        with watching(quiet=self.quiet, of_bytes=of_bytes) as bars:
            yield bars

    def _tell(self, sentence: str) -> None:
        from mmrl.runtime.bars import note

        note(sentence, quiet=self.quiet)

    def _counts(self) -> dict[str, int]:
        tables = ("posts", "observations", "images", "samples")
        return {name: self.catalog.count(name) for name in tables} | {"models": len(self.models)}

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {name}" for name, count in self._counts().items())
        return f"<home {self.address}: {counts}>"

    def _repr_html_(self) -> str:
        from mmrl.runtime.html_tables import html_table

        counts = self._counts()
        return html_table(list(counts), [list(counts.values())], caption=f"Home {self.address}")


def simulated_posts(home: OpenHome) -> int:
    """How many of a home's posts come from the sandbox."""
    from mmrl.sources.kinds import SIMULATED

    return home.catalog.count("posts", SIMULATED)


def require_folder(home: str | Path) -> None:
    """Refuses a home that can't be one.

    Raises:
        InputError: it is a file.
    """
    location = Location.of(home)
    if location.is_local and location.path.is_file():
        raise InputError(f"{home} is a file, not a home: give --home (or MMRL_HOME) a folder.")

"""Location of a home: a folder of this machine, or the address of a place in an object store."""

from dataclasses import dataclass
from pathlib import Path

from mmrl.errors import ConfigError


@dataclass(frozen=True)
class Location:
    """The location of a home.

    Attributes:
        address: a folder's path as it was given, or a URI such as `s3://bucket/mmrl`.
    """

    address: str

    @classmethod
    def of(cls, home: "str | Path | Location") -> "Location":
        """The location that a home's name stands for."""
        return home if isinstance(home, Location) else cls(str(home))

    @property
    def is_local(self) -> bool:
        """True for a folder; otherwise it is in an object store."""
        return "://" not in self.address

    @property
    def scheme(self) -> str:
        """The part of a URI before `://`; "" of a folder."""
        return "" if self.is_local else self.address.partition("://")[0]

    @property
    def path(self) -> Path:
        """The folder, with `~` written out.

        Raises:
            ConfigError: it is in an object store.
        """
        if not self.is_local:
            raise ConfigError(
                f"The home {self} is in an object store and this needs a folder: give --home (or "
                "MMRL_HOME) one on this machine."
            )
        return Path(self.address).expanduser()

    def file(self, *parts: str) -> Path | None:
        """The path of a file or folder in the home; None where the home is in an object store."""
        return self.path.joinpath(*parts) if self.is_local else None

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.address.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> "Location":
        """The location that this one lies in."""
        if self.is_local:
            return Location(str(self.path.parent))
        return Location(self.address.rstrip("/").rpartition("/")[0])

    def join(self, *parts: str) -> "Location":
        """The location of something in the home."""
        return Location("/".join([self.address.rstrip("/"), *parts]))

    def __str__(self) -> str:
        return self.address

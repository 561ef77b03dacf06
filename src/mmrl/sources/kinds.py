"""The kinds of sources that posts come from, each written once.

`posts.source` holds a kind's name, for a file with the file's name behind it: `reddit`,
`dump:RS_2024-01.zst`; `observations.source` likewise names who observed. Whatever depends on where
a post came from asks here.

A new kind of file takes two files: its reader in `sources/files/`, a `PostSource` with the
arguments of `DumpSource`, and its entry in `KINDS` here. The command `mmrl import NAME`, the
filter, fetching, purge and the sandbox's replay follow the entry.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mmrl.runtime.extensions import extensions
from mmrl.sources.permalinks import post_page


@dataclass(frozen=True)
class Kind:
    """One kind of source.

    Attributes:
        name: small letters; the command's name for a kind of file.
        known_to: the live sources that can be asked about its posts later.
        connect: of a live source, the function that connects to it, as `module:function`.
        simulated: nobody ever wrote its posts.
        local_files: its posts may name image files of this machine. A post from the net must not.
        reader: the class that reads its files, as `module:Class`; None for a live source.
        suffixes: names of its files have one of these; of a kind without suffixes are all others.
        help, example: of its command.
    """

    name: str
    known_to: tuple[str, ...] = ()
    connect: str | None = None
    simulated: bool = False
    local_files: bool = False
    reader: str | None = None
    suffixes: tuple[str, ...] = ()
    help: str = ""
    example: str = ""

    @property
    def live(self) -> bool:
        """True for a source that is asked over the network; the others are files."""
        return self.reader is None

    @property
    def condition(self) -> str:
        """A filter of the table `posts`: the posts of this kind."""
        return f"source = '{self.name}'" if self.live else f"source LIKE '{self.name}:%'"

    def mark(self, path: Path) -> str:
        """The value of `posts.source` for the posts of a file."""
        return f"{self.name}:{'stdin' if path.name == '-' else path.name}"

    def of(self, source: str) -> bool:
        """True where a value of `posts.source` is of this kind."""
        return source == self.name if self.live else source.startswith(f"{self.name}:")

    def load_reader(self) -> Any:
        """The class that reads its files, see `PostSource`; imported only when it is used."""
        return _load(self.reader)

    def load_connect(self) -> Any:
        """The function that connects to it, see `sources.connection`; imported when it is used."""
        return _load(self.connect)


def _load(address: str | None) -> Any:
    module, _, name = (address or "").partition(":")
    return getattr(import_module(module), name)


_REAL = ("reddit", "arctic-shift")
_SIMULATED = ("sandbox", "sandbox-arctic-shift")
REDDIT = Kind("reddit", known_to=_REAL, connect="mmrl.sources.reddit.connection:connect_live")
ARCTIC_SHIFT = Kind(
    "arctic-shift", known_to=_REAL, connect="mmrl.sources.arctic_shift.connection:connect_live"
)
SANDBOX = Kind("sandbox", known_to=_SIMULATED, simulated=True)  # answers as Reddit
SANDBOX_ARCTIC_SHIFT = Kind("sandbox-arctic-shift", known_to=_SIMULATED, simulated=True)
DUMP = Kind(
    "dump",
    known_to=_REAL,
    reader="mmrl.sources.files.dump:DumpSource",
    help="Imports Pushshift or Arctic Shift dumps: one submission as JSON a line.",
    example="mmrl import dump RS_2024-01.zst --subreddit EarthPorn --after 2024-01-15",
)
TABLE = Kind(  # its ids may be its own, unknown to Reddit
    "table",
    local_files=True,
    reader="mmrl.sources.files.table:TableSource",
    suffixes=(".csv", ".tsv", ".parquet"),
    help="Imports a table of posts, with a folder of their images if there is one.",
    example="mmrl import table posts.csv --images pictures --map score=score_2023",
)
KINDS = (
    *(REDDIT, ARCTIC_SHIFT, SANDBOX, SANDBOX_ARCTIC_SHIFT, DUMP, TABLE),
    *(kind for _, kind in extensions("sources")),
)
FILES = tuple(kind for kind in KINDS if not kind.live)
LIVE = tuple(kind for kind in KINDS if kind.connect is not None)
SIMULATED_NAMES = frozenset(kind.name for kind in KINDS if kind.simulated)


def condition(kinds: Iterable[Kind]) -> str:
    """A filter of the table `posts`: the posts of any of these kinds."""
    return "(" + " OR ".join(kind.condition for kind in kinds) + ")"


SIMULATED = condition(kind for kind in KINDS if kind.simulated)
ANSWERED = condition(kind for kind in KINDS if kind.known_to)


def known_to(live: str) -> str:
    """A filter of the table `posts`: those that this live source can be asked about.

    A simulated Reddit knows nothing of real posts, and Reddit nothing of simulated ones.
    """
    return condition(kind for kind in KINDS if live in kind.known_to)


def may_name_files(source: str) -> bool:
    """True where a post with this `posts.source` may name an image file of this machine."""
    return any(kind.local_files and kind.of(source) for kind in KINDS)


def link_to(permalink: str | None, source: str) -> str | None:
    """The address of a post's page on Reddit, made of its id alone; None where not known.

    Args:
        source: the post's mark; a simulated post has no page.
    """
    page = None if source in SIMULATED_NAMES else post_page(permalink)
    return None if page is None else f"https://www.reddit.com/comments/{page.post_id}/"


def recognised(path: Path, kinds: Sequence[Kind] = FILES) -> Kind:
    """The kind of a file, told by its name."""
    suffixes = set(path.suffixes)
    fitting = [kind for kind in kinds if suffixes.intersection(kind.suffixes)]
    return (fitting or [kind for kind in kinds if not kind.suffixes])[0]

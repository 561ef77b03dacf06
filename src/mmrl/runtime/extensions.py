"""Extensions of mmrl by other packages, through entry points.

    mmrl.profiles     NAME = "package"            a package that holds NAME.toml: encoders
    mmrl.sources      NAME = "module:kind"        a `mmrl.sources.kinds.Kind`: a kind of file
    mmrl.learners     NAME = "module:class"       see `mmrl.learning.learners.foreign`
    mmrl.baselines    NAME = "module:baseline"    a `mmrl.learning.baselines.Baseline`

docs/extending.md shows each.
"""

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Any

from mmrl.errors import ConfigError, first_line

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")


def offered(group: str) -> list[EntryPoint]:
    """The entry points of a group, by name; nothing of them is imported.

    Raises:
        ConfigError: a name is none that mmrl can use, or two packages offer the same one.
    """
    points = sorted(entry_points(group=f"mmrl.{group}"), key=lambda point: point.name)
    for point in points:
        if not _NAME.fullmatch(point.name):
            raise ConfigError(
                f"The package {_package(point)} offers {point.name!r} as one of mmrl's {group}: a "
                "name has small letters, digits, - and _, and begins with a letter."
            )
    for point, following in pairwise(points):
        if following.name == point.name:
            raise ConfigError(
                f"The packages {_package(point)} and {_package(following)} both offer "
                f"{point.name!r} as one of mmrl's {group}: uninstall one of them."
            )
    return points


def extensions(group: str) -> Iterator[tuple[str, Any]]:
    """What the packages offer, each with its name.

    Raises:
        ConfigError: one can't be imported.
    """
    for point in offered(group):
        try:
            yield point.name, point.load()
        except Exception as error:  # whatever a stranger's module raises
            raise ConfigError(
                f"The package {_package(point)} offers {point.name!r} as one of mmrl's {group}, "
                f"and it can't be imported ({point.value}: {first_line(error)}): mend or uninstall "
                "it."
            ) from error


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value

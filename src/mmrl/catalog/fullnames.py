"""Reddit's fullnames: the kind of a thing and its id, such as `t3_102cj7y`.

The catalog keeps bare ids; Reddit asks for, and answers with, fullnames.
"""

import re

COMMENT, ACCOUNT, POST, SUBREDDIT = "t1", "t2", "t3", "t5"


def fullname(kind: str, bare: str) -> str:
    """An id with its kind in front."""
    return f"{kind}_{bare}"


def bare_id(kind: str, name: str) -> str:
    """A fullname of this kind without the kind; anything else as it is."""
    return name.removeprefix(f"{kind}_")


def kind_of(name: str) -> str | None:
    """The kind that a fullname begins with, `t1` to `t9`; None where it begins with none."""
    kind = re.match(r"(t[1-9])_", name)
    return kind and kind[1]

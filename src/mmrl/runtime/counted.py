"""Counts of things in words."""


def counted(number: int, thing: str, things: str = "") -> str:
    """A number of things, such as `1 post` or `1,204 posts`.

    Args:
        things: several of them, where that is more than an s at the end.
    """
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"

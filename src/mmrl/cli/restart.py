"""A restart from within: a new process of the same command takes this one's place and number."""

from typing import ClassVar


class StartAnew(Exception):  # noqa: N818 - it is no error
    """Ends a command, for a new process of it to go on.

    Attributes:
        possible: whether this process is a command's own; where a command is called from Python,
            it can't be put in the place of the caller.
        options: further ones; of an option that is there twice, the last one counts.
    """

    possible: ClassVar[bool] = False

    def __init__(self, *options: str) -> None:
        super().__init__(*options)
        self.options = options

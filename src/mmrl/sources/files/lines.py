"""Lines of large files, in bounded memory."""

from collections.abc import Iterable, Iterator

LONGEST = 1 << 24  # bytes: 16 MiB; the longest submissions have a few hundred kilobytes


def lines(
    pieces: Iterable[bytes], longest: int = LONGEST, *, blank: bool = False
) -> Iterator[tuple[int, bytes | None]]:
    """The lines of a content with their numbers, without line ends; None in place of a line that
    is too long: it costs itself, and the next one is read.

    Args:
        longest: bytes that a line may have.
        blank: blank lines come too.
    """
    number = 0
    rest: list[bytes] = []  # the pieces of a line whose end has not come yet
    held = 0
    for piece in pieces:
        if not blank and not held and piece.count(b"\n") == len(piece):
            number += len(piece)  # a file made to burst may be nothing else
            continue
        first, *others = piece.split(b"\n")
        held += len(first)
        if held <= longest:
            rest.append(first)
        else:
            rest.clear()
        if not others:
            continue
        number += 1
        if held > longest:
            yield number, None
        else:
            line = b"".join(rest).removesuffix(b"\r")
            if line or blank:
                yield number, line
        for line in others[:-1]:
            number += 1
            line = line.removesuffix(b"\r")
            if len(line) > longest:
                yield number, None
            elif line or blank:
                yield number, line
        rest, held = [others[-1]], len(others[-1])
    if held > longest:
        yield number + 1, None
    elif held:
        yield number + 1, b"".join(rest).removesuffix(b"\r")


def with_line_feeds(pieces: Iterable[bytes], head: bytes) -> Iterable[bytes]:
    """The pieces with the line ends of old Macs, lone carriage returns, as line feeds.

    Args:
        head: how the content begins; only a head without any line feed shows such a file.
    """
    if b"\n" in head or b"\r" not in head:
        return pieces
    return (piece.replace(b"\r", b"\n") for piece in pieces)

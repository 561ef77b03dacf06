"""Lines of large files, in bounded memory."""

from collections.abc import Iterable, Iterator

from mmrl.errors import InputError

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


def blocks(
    pieces: Iterable[bytes], size: int, longest: int = LONGEST
) -> Iterator[tuple[bytes, int]]:
    """The content cut at line ends, each block with the bytes that it stands for.

    Of a line that is too long only the beginning comes, more bytes than it may have.

    Args:
        size: bytes that a block has at least, but for the last one.
        longest: bytes that a line may have.

    Raises:
        InputError: the content breaks; the lines that had ended before came as a last block.
    """
    held: list[bytes] = []
    length = stands_for = unended = 0  # bytes held, bytes read for them, of a line's beginning
    broken: InputError | None = None
    source = iter(pieces)
    while True:
        try:
            piece = next(source, b"")
        except InputError as error:
            broken = error
        if broken is not None or not piece:
            break
        stands_for += len(piece)
        if unended > longest:  # the rest of that line is passed over
            first = piece.find(b"\n")
            if first < 0:
                continue
            piece = piece[first:]
        end = piece.rfind(b"\n") + 1
        rest = piece[end:] if end else piece[: longest + 1 - unended]
        if end and length + end >= size:
            held.append(piece[:end])
            yield b"".join(held), stands_for - len(rest)
            held, length, stands_for = [rest], 0, len(rest)
        else:
            held.append(piece[:end] + rest)
            length += end
        unended = len(rest) if end else unended + len(rest)
        length += len(rest)
    last = b"".join(held)
    if broken is not None:
        last = last[: last.rfind(b"\n") + 1]
    if last:
        yield last, stands_for
    if broken is not None:
        raise broken


def with_line_feeds(pieces: Iterable[bytes], head: bytes) -> Iterable[bytes]:
    """The pieces with the line ends of old Macs, lone carriage returns, as line feeds.

    Args:
        head: how the content begins; only a head without any line feed shows such a file.
    """
    if b"\n" in head or b"\r" not in head:
        return pieces
    return (piece.replace(b"\r", b"\n") for piece in pieces)

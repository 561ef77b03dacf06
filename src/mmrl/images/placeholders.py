"""Placeholders that image hosts show where an image was removed: they are never learned from."""

from dataclasses import dataclass

from mmrl.images.safety import Address


@dataclass(frozen=True)
class Placeholder:
    """A host's image for "removed".

    Attributes:
        host: its name, for people.
        file: format, width, height and size in bytes of the file, which never changes. All four
            together make a mix-up with a post's own image as good as impossible.
        target: the path that the host redirects to from a removed image, on one of `names`; empty
            where the host serves the file in the image's own place.
    """

    host: str
    file: tuple[str, int, int, int]
    target: str = ""
    names: tuple[str, ...] = ()


# Many public downloaders keep the MD5 of these files.
PLACEHOLDERS = (
    # removed.png, d835884373f4d6c8f24742ceabe74946: "The image you are requesting does not exist
    # or is no longer available"
    Placeholder(
        "Imgur",
        ("PNG", 161, 81, 503),
        target="/removed.png",
        names=("i.imgur.com", "imgur.com", "www.imgur.com"),
    ),
    # f17b01901c752c1bb04928131d1661af: "If you are looking for an image, it was probably deleted"
    Placeholder("Reddit", ("PNG", 130, 60, 1048)),
)


def placeholder_at(address: Address) -> Placeholder | None:
    """The placeholder that lies at this address, if any."""
    for placeholder in PLACEHOLDERS:
        if address.host in placeholder.names and address.target == placeholder.target:
            return placeholder
    return None


def placeholder_with(
    image_format: str, width: int, height: int, byte_size: int
) -> Placeholder | None:
    """The placeholder whose file has these facts, if any."""
    for placeholder in PLACEHOLDERS:
        if placeholder.file == (image_format, width, height, byte_size):
            return placeholder
    return None

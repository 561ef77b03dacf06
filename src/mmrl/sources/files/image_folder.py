"""Folder of the image files of a table: found by path or by post id, never outside the folder."""

import os
from pathlib import Path

from mmrl.errors import InputError

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


class ImageFolder:
    """A folder of image files.

    Raises:
        InputError: it is missing, not a folder, or can't be read.
    """

    def __init__(self, folder: str | Path) -> None:
        path = Path(folder).expanduser()
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise InputError(f"The image folder {path} {what}: give --images the folder itself.")
        try:
            with os.scandir(path) as entries:
                next(entries, None)
        except OSError as error:
            raise InputError(
                f"The image folder {path} can't be read ({error.strerror}): check its permissions."
            ) from None
        self.root = path.resolve()

    def find(self, post_id: str, path: str | None) -> Path | None:
        """The image of a post.

        Args:
            post_id: a file of this name and any image suffix is taken if nothing else is there.
            path: as the table says, relative to the folder or with its name in front.

        Returns:
            a file that lies in the folder, links resolved; None where there is none.
        """
        candidates = []
        if path:
            stated = Path(path.replace("\\", "/"))
            candidates.append(stated)
            if len(stated.parts) > 1 and stated.parts[0] == self.root.name:
                candidates.append(Path(*stated.parts[1:]))
            candidates.append(Path(stated.name))
        candidates += [Path(post_id + suffix) for suffix in _SUFFIXES]
        for candidate in candidates:
            try:
                file = (self.root / candidate).resolve()
                if file.is_relative_to(self.root) and file.is_file():
                    return file
            except (OSError, ValueError):  # a name that no file can have
                continue
        return None

    def expected(self, post_id: str) -> Path:
        """The path where a missing image would lie; fetching it then tells that it is not there."""
        return self.root / f"{post_id}{_SUFFIXES[0]}"

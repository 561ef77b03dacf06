"""Folder of the image files of a table: found by path or by post id, never outside the folder."""

import os
import re
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
        self._named: dict[Path, dict[str, str]] = {}

    def find(self, post_id: str, path: str | None, subreddit: str | None = None) -> Path | None:
        """The image of a post.

        Args:
            post_id: a file of this name and any image suffix is taken if nothing else is there;
                also one that a downloader named with more words: `title_ID.jpg`, `ID title.jpg`.
            path: as the table says, relative to the folder or with its name in front.
            subreddit: of the post; the file may lie in a folder of that name.

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
        folders = [Path()]
        if subreddit and subreddit == Path(subreddit).name and subreddit != "..":
            folders += [Path(name) for name in dict.fromkeys((subreddit, subreddit.lower()))]
        candidates += [folder / (post_id + suffix) for folder in folders for suffix in _SUFFIXES]
        for candidate in candidates:
            file = self._inside(candidate)
            if file is not None:
                return file
        for folder in folders:
            named = self._by_id(folder).get(post_id.lower())
            file = None if named is None else self._inside(folder / named)
            if file is not None:
                return file
        return None

    def _inside(self, candidate: Path) -> Path | None:
        """A file of the folder; None for what is none, or lies outside."""
        try:
            path = (self.root / candidate).resolve()
            if path.is_relative_to(self.root) and path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):  # a name that no file can have, a loop of links
            pass
        return None

    def _by_id(self, folder: Path) -> dict[str, str]:
        """The image files of one folder by the word that may be an id: the first, or the last."""
        if folder not in self._named:
            by_word: dict[str, str] = {}
            try:
                with os.scandir(self.root / folder) as entries:
                    names = sorted(entry.name for entry in entries)
            except (OSError, ValueError):
                names = []
            for name in names:
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in _SUFFIXES:
                    words = re.split(r"[ _]", stem)
                    by_word.setdefault(words[-1].lower(), name)
                    by_word.setdefault(words[0].lower(), name)
            self._named[folder] = by_word
        return self._named[folder]

    def expected(self, post_id: str) -> Path:
        """The path where a missing image would lie; fetching it then tells that it is not there."""
        return self.root / f"{post_id}{_SUFFIXES[0]}"

"""Dumps of Pushshift and Arctic Shift, and what other tools and APIs give of posts as JSON."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from mmrl.catalog.reasons import Reason
from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown
from mmrl.sources.files.content import Content, existing, file_name, file_size
from mmrl.sources.files.json_content import json_lines, submissions
from mmrl.sources.files.source import BATCH, BATCH_BYTES, Batch, unstated
from mmrl.sources.kinds import DUMP
from mmrl.sources.post import Parsed, Refused, Unstated
from mmrl.sources.submission import parse_submission

# A month of Reddit is a hundred gigabytes of JSON, of which few lines are asked for. Most of the
# others are told by the subreddits that a line mentions, without parsing it.
_MENTIONED = re.compile(
    rb'"(?:subreddit(?:_name_prefixed)?"\s*:\s*"(?:r/)?|permalink"\s*:\s*"/r/)([^"\\/]*)'
)
_ASCII_ESCAPE = b"\\u00"  # such a line could hide a name from the expression above
_NAMED = 5  # subreddits named when none matches
_OUTSIDE = 200_000  # lines left out between two advances of the progress


class DumpSource:
    """One or more dump files, read one after the other.

    Args:
        paths: files with an object a line, or one document each; `-` is standard input.
        subreddits: only posts of these (upper and lower case are one); all by default.
        after, before: only posts created at or after, and before, these times.
        settled: scores that do not say when they were observed are final (Pushshift and Arctic
            Shift do say it, so this is for other files).
        scores_as_of: when such scores were observed, if known.

    Raises:
        InputError: a file is missing, or the times contradict each other.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        subreddits: Sequence[str] = (),
        after: datetime | None = None,
        before: datetime | None = None,
        settled: bool = False,
        scores_as_of: datetime | None = None,
    ) -> None:
        self.paths = [existing(Path(path)) for path in paths]
        self.name = _named(self.paths)
        self.size = sum(map(file_size, self.paths))
        if after is not None and before is not None and after >= before:
            raise InputError(
                f"--after {after.isoformat()} is not before --before {before.isoformat()}: "
                "no post can be in between."
            )
        self.subreddits = [name.removeprefix("/").removeprefix("r/") for name in subreddits]
        self._followed = {name.lower() for name in self.subreddits}
        self._after, self._before = after, before
        self._settled, self._scores_as_of = settled, scores_as_of
        self._seen: Counter[str] = Counter()  # posts by subreddit, asked for or not

    @classmethod
    def of_file(
        cls, path: Path, *, subreddit: str | None = None, images: Path | None = None
    ) -> "DumpSource":
        """One dump, of one subreddit or of all; it names no image files."""
        return cls([path], subreddits=[subreddit] if subreddit else [])

    def scores_rule(self) -> str:
        """The rule for scores without a time, as a sentence for the user."""
        if self._scores_as_of is not None:
            return f"Scores without a time were observed on {self._scores_as_of:%Y-%m-%d}."
        if self._settled:
            return "Scores without a time count as final (--settled)."
        return (
            "Scores without a time give no label: --settled if they are final, "
            "--scores-as-of DATE if you know when they were taken."
        )

    def batches(self, as_of: datetime) -> Iterator[Batch]:
        """Reads the files in batches; see `PostSource`."""
        matched = False
        for path in self.paths:
            rule = unstated(path, as_of, self._settled, self._scores_as_of)
            for batch in self._file(path, as_of, rule):
                matched = matched or any(isinstance(row, Parsed) for _, row in batch.rows)
                yield batch
        if not matched:
            raise InputError(self._nothing())

    def _file(self, path: Path, as_of: datetime, rule: Unstated) -> Iterator[Batch]:
        rows: list[tuple[str, Parsed | Refused]] = []
        outside = position = held = 0
        broken: InputError | None = None
        with Content(path) as content:
            lines = json_lines(content)
            while True:
                try:
                    number, line = next(lines)
                except StopIteration:
                    break
                except InputError as error:  # what came before the break is good
                    broken = error
                    break
                posts = [line] if isinstance(line, Refused) else self._line(line, path, as_of, rule)
                for place, result in zip(_places(content, number, posts), posts, strict=True):
                    if result is None:
                        outside += 1
                    else:
                        rows.append((place, result))
                held += 0 if isinstance(line, Refused) else len(line)
                full = len(rows) >= BATCH or held >= BATCH_BYTES
                if full or outside >= _OUTSIDE:
                    yield Batch(rows, outside, content.position - position)
                    rows, outside, held, position = [], 0, 0, content.position
            yield Batch(rows, outside, content.position - position)
        if broken is not None:
            raise broken

    def _line(
        self, line: bytes, path: Path, as_of: datetime, rule: Unstated
    ) -> Sequence[Parsed | Refused | None]:
        """The posts of one line, or document; None for each that was not asked for."""
        if self._followed and self._mentions_others_only(line):
            return [None]
        try:
            parsed = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return [Refused(Reason.NOT_A_POST, f"not JSON: {error}")]
        return [self._post(one, path, as_of, rule) for one in submissions(parsed)]

    def _post(
        self, submission: Any, path: Path, as_of: datetime, rule: Unstated
    ) -> Parsed | Refused | None:
        result = parse_submission(submission, source=DUMP.mark(path), as_of=as_of, unstated=rule)
        if isinstance(result, Refused):
            return result if self._asked_for(submission) else None
        post = result.post
        self._seen[post["subreddit"]] += 1
        if self._followed and post["subreddit"].lower() not in self._followed:
            return None
        if self._after is not None and post["created_at"] < self._after:
            return None
        if self._before is not None and post["created_at"] >= self._before:
            return None
        return result

    def _mentions_others_only(self, line: bytes) -> bool:
        """True where the line's post is certainly of another subreddit; found without parsing it.

        A crosspost's line mentions its parent's subreddit too, in no known order, so all count.
        """
        if _ASCII_ESCAPE in line:
            return False
        names = _MENTIONED.findall(line)
        bare = [name.decode("utf-8", "replace") for name in names]
        if not bare or any(name.lower() in self._followed for name in bare):
            return False
        self._seen[bare[-1]] += 1
        return True

    def _asked_for(self, submission: Any) -> bool:
        """True where a refused object is to be reported: not one that names another subreddit."""
        name = submission.get("subreddit") if isinstance(submission, dict) else None
        return not self._followed or not isinstance(name, str) or name.lower() in self._followed

    def _nothing(self) -> str:
        """The reason why no post was read, as a sentence for the user."""
        if not self._seen:
            return (
                f"No post could be read from {self.name}: expected Reddit submissions as JSON, "
                "one a line or a list (the dumps' RS_ files, not RC_, which are comments)."
            )
        most = ", ".join(f"{shown(name)} ({n:,})" for name, n in self._seen.most_common(_NAMED))
        asked = "r/" + ", r/".join(self.subreddits) if self.subreddits else "any subreddit"
        when = "".join(
            f" {word} {time:%Y-%m-%d %H:%M}"
            for word, time in (("after", self._after), ("before", self._before))
            if time is not None
        )
        return (
            f"{self.name} holds no post of {asked}{when}; of its {self._seen.total():,} posts, "
            f"most are of {most}: check --subreddit, --after and --before."
        )


def _places(content: Content, number: int, posts: Sequence[object]) -> list[str]:
    """Where each post of a line stands: `dump:7`, or `answer.json:1.3` for the third in a list."""
    place = f"{content.name}:{number}"
    if len(posts) == 1:
        return [place]
    return [f"{place}.{index}" for index in range(1, len(posts) + 1)]


def _named(paths: Sequence[Path]) -> str:
    """The files in a few words."""
    names = [file_name(path) for path in paths[:_NAMED]]
    more = len(paths) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")

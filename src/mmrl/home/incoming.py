"""Posts come into a home, from tables and dumps and live, and leave it again."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrl.errors import InputError
from mmrl.home.moments import Moment, moment, optional
from mmrl.home.opened import OpenHome

if TYPE_CHECKING:
    from mmrl.collector.observations import ObserveReport
    from mmrl.collector.status import Status
    from mmrl.home.archive import BackfillReport
    from mmrl.home.importing import Files
    from mmrl.sources.files.importer import ImportReport


class Incoming(OpenHome):
    """The part of `Home` that takes posts in, and erases them."""

    def import_table(
        self,
        files: "Files",
        *,
        images: str | Path | None = None,
        columns: Mapping[str, str] | None = None,
        features: Sequence[str] = (),
        no_features: Sequence[str] = (),
        subreddit: str | None = None,
        settled: bool | None = None,
        scores_as_of: Moment = None,
        encoding: str | None = None,
        separator: str | None = None,
        day_first: bool | None = None,
        as_of: Moment = None,
    ) -> "ImportReport":
        """Imports tables of posts, a post a row, with a folder of their images if there is one.

        What each column is, is guessed from its name and told on standard error.

        Args:
            files: .csv, .tsv (plain or packed), .parquet; one or several, also patterns.
            images: the folder with the posts' image files.
            columns: field to column where the guess is wrong, such as `{"score": "ups"}`.
            features: columns known when the post went up, to learn from.
            no_features: tags or descriptions that are not to be learned from.
            subreddit: for rows that name none.
            settled: scores that do not say when they were observed are final, or are not; decided
                by the file's columns unless given.
            scores_as_of: when such scores were observed.
            encoding, separator: of a table of text; found out unless given.
            day_first: how dates such as 9/8/2022 are meant; told by the others unless given.

        Raises:
            InputError: a file can't be read, a column is missing, or no row could be used.

        Example:
            >>> report = home.import_table("posts.csv", images="images/", subreddit="EarthPorn")
            >>> report.new, report.images_found
            (2, 2)
        """
        from mmrl.home.importing import read_into, tables
        from mmrl.sources.files.source import Several

        at = moment(as_of)
        sources, described = tables(
            files,
            images=images,
            columns=columns,
            features=features,
            no_features=no_features,
            subreddit=subreddit,
            settled=settled,
            scores_as_of=optional(scores_as_of),
            encoding=encoding,
            separator=separator,
            day_first=day_first,
        )
        with self._bars(of_bytes=True) as bars:
            source = Several(sources)
            report = read_into(self.catalog, source, described, at, bars, self._tell)
        if images is not None:
            report.images_found = sum(source.images_found for source in sources)
            report.images_missing = sum(source.images_missing for source in sources)
        return report

    def import_dump(
        self,
        files: "Files",
        *,
        kind: str = "dump",
        subreddits: Sequence[str] = (),
        after: Moment = None,
        before: Moment = None,
        settled: bool = False,
        scores_as_of: Moment = None,
        as_of: Moment = None,
    ) -> "ImportReport":
        """Imports dumps: one submission as JSON a line, plain or packed.

        Args:
            files: one or several, also patterns; they are streamed.
            kind: of the files, as `mmrl import` names them.
            subreddits: only their posts; all by default.
            after, before: only posts created since, and before.
            settled: scores that do not say their time are final.
            scores_as_of: when such scores were observed.

        Raises:
            InputError: a file can't be read, or no row could be used.

        Example:
            >>> home.import_dump("RS_2024-01.jsonl", subreddits=["pics"], settled=True).new
            1
        """
        from mmrl.home.importing import kind_of, lines_source, read_into

        at = moment(as_of)
        source, described = lines_source(
            kind_of(kind),
            files,
            subreddits=subreddits,
            after=optional(after),
            before=optional(before),
            settled=settled,
            scores_as_of=optional(scores_as_of),
        )
        with self._bars(of_bytes=True) as bars:
            return read_into(self.catalog, source, described, at, bars, self._tell)

    def backfill(
        self,
        subreddits: Sequence[str] = (),
        *,
        after: Moment = None,
        before: Moment = None,
        days: int | None = None,
        sandbox_clock: str | None = None,
    ) -> "BackfillReport":
        """Brings posts of the past from Arctic Shift, with their settled scores.

        Needs no credentials. Tells beforehand about how many requests and bytes it will take. What
        was once asked for is not asked for again, so a call that was stopped is ended by the same
        one.

        Args:
            subreddits: of these, without r/; of the followed ones unless given.
            after: only posts created since then; of the last `days` unless given.
            before: only posts created before; until now unless given.
            days: in place of `after`; 30 where neither is given.
            sandbox_clock: the time of a sandbox, for tests.

        Raises:
            InputError: the time is empty; both `after` and `days` are given.
            SourceError: the archive does not answer; what was read is kept.
            Failure: a collector runs on this home.

        Example:
            >>> report = home.backfill(["SimPics"], after="2026-06-01", sandbox_clock="jump")
            >>> report.new > 0, report.ended
            (True, True)
        """
        from mmrl.home.archive import backfill, connected

        with (
            self._bars() as bars,
            connected(
                *(self.catalog, self.settings, bars, self._tell),
                observing=False,
                sandbox_clock=sandbox_clock,
            ) as archive,
        ):
            return backfill(archive, subreddits, after, before, days)

    def collect(
        self,
        minutes: float | None = None,
        *,
        once: bool = False,
        source: str | None = None,
        observing: bool = True,
    ) -> "Status":
        """Keeps every new post of the followed subreddits, and observes each as it ages.

        Args:
            minutes: how long; until Ctrl-C (or the kernel's interrupt) unless given.
            once: one sweep and the observations that are due, then the end.
            source: `reddit`, or `arctic-shift`, which needs no credentials; the setting's by
                default.
            observing: take later observations, too.

        Returns:
            the collector's account: posts seen and kept, observations, requests, gaps.

        Raises:
            ConfigError: credentials are missing or wrong.
            Failure: a collector runs on this home already.

        Example:
            >>> home.collect(minutes=55).kept  # doctest: +SKIP
            1203
        """
        from mmrl.home import collecting

        if once and minutes is not None:
            raise InputError("once and minutes don't go together: give one of them.")
        return collecting.collect(
            *(self.catalog, self.settings, source),
            collecting.Watcher(self._tell, lambda status: None),
            span=None if minutes is None else timedelta(minutes=minutes),
            once=once,
            observing=observing,
        )

    def observe(self, *, source: str | None = None, as_of: Moment = None) -> "ObserveReport":
        """Takes the observations that are due: at each checkpoint age of every collected post.

        A collector takes them as well, unless told not to.

        Args:
            source: as in `collect`.

        Returns:
            how many were due and taken, and posts that are gone.

        Raises:
            ConfigError: credentials are missing or wrong.
            Failure: another process takes them.

        Example:
            >>> home.observe().written  # doctest: +SKIP
            250
        """
        from mmrl.home import collecting

        return collecting.observe(self.catalog, self.settings, source, as_of)

    def purge(
        self,
        *,
        posts: Sequence[str] = (),
        authors: Sequence[str] = (),
        dry_run: bool = False,
        minutes: float | None = None,
        requests: int | None = None,
        source: str | None = None,
    ) -> dict[str, Any]:
        """Erases posts from every table, version, report and file.

        Args:
            posts: ids or addresses of posts to erase now.
            authors: names of accounts whose posts to erase now.
            dry_run: say what would be erased; ask and change nothing.
            minutes, requests: where neither posts nor authors are given, ask again for at most so
                long, with at most so many requests; the rest stays due.
            source: the live source that is asked whether posts still stand, where neither posts nor
                authors are given; as in `collect`.

        Returns:
            counts, as `mmrl purge --json` prints them: `erased` by reason, and others.

        Raises:
            InputError: an id, an address or a name can't be one; a limit is 0 or less.
            Failure: another purge of this home is under way.

        Example:
            >>> home.purge(posts=["zz9"], dry_run=True)["erased"]
            {}
        """
        from mmrl.home.purging import Limits, purge

        for name, limit in (("minutes", minutes), ("requests", requests)):
            if limit is not None and limit <= 0:
                raise InputError(f"{name} is {limit}, expected more than 0, or None for no limit.")
        span = None if minutes is None else timedelta(minutes=minutes)
        with self._bars() as bars:
            outcome = purge(
                *(self.catalog, self.settings, bars),
                posts=posts,
                authors=authors,
                dry_run=dry_run,
                limits=Limits(requests, span, source=source),
            )
        error = outcome.pop("error")
        if error is not None:
            raise error
        return outcome

"""Reddit's API through PRAW: requests for up to a hundred things, and errors in one sentence.

Answers are read as the JSON they are: PRAW's objects would make a request of their own for each
attribute that an answer lacks.
"""

import configparser
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmrl.catalog.fullnames import ACCOUNT, COMMENT, POST, SUBREDDIT, bare_id, fullname
from mmrl.errors import ConfigError, SourceError
from mmrl.runtime.loopback import is_loopback
from mmrl.runtime.retry import REDDIT_TOKENS
from mmrl.sources.fields import Unreadable, count, moment
from mmrl.sources.kinds import REDDIT, SANDBOX
from mmrl.sources.live import Author, Unreachable, batches
from mmrl.sources.reddit.credentials import how_to_set, section_of, user_agent
from mmrl.sources.reddit.requestor import put_aside_limits, requestor_class
from mmrl.sources.transport import Transport

if TYPE_CHECKING:
    import praw

BATCH = 100  # the most that Reddit answers for in one request


def connect(
    site: str = "mmrl",
    home: str | Path | None = None,
    *,
    transport: Transport | None = None,
    **options: Any,
) -> "praw.Reddit":
    """A connection to Reddit; asks nothing yet, so wrong credentials show at the first request.

    Args:
        site: the section of praw.ini with the credentials.
        home: a folder whose praw.ini counts before the ones that PRAW finds by itself (in the
            working directory and the user's configuration).
        transport: sends the requests; without one PRAW does, by its own limiter.
        options: PRAW's settings given here instead, such as `client_id`; they count first.

    Raises:
        ConfigError: there are no credentials.
    """
    import praw
    from praw.exceptions import ClientException

    settings: dict[str, Any] = {"check_for_updates": False, "check_for_async": False}
    own = {} if "client_id" in options else section_of(home, site)
    by_site = () if own or "client_id" in options else (site,)
    settings["user_agent"] = user_agent({**own, **options})
    if transport is not None:
        settings["requestor_class"] = requestor_class()
        settings["requestor_kwargs"] = {"transport": transport}
    try:
        reddit = praw.Reddit(*by_site, **{**settings, **own, **options})
    except configparser.NoSectionError:
        raise ConfigError(f"There are no credentials for Reddit: {how_to_set(site)}.") from None
    except (ClientException, configparser.Error) as error:
        raise ConfigError(
            f"The credentials for Reddit are incomplete ({error}): {how_to_set(site)}."
        ) from None
    if not reddit.config.client_id:
        raise ConfigError(f"client_id is empty: {how_to_set(site)}.")
    if transport is not None:
        put_aside_limits(reddit)
    return reddit


def source_of(reddit: "praw.Reddit") -> str:
    """The live source that a connection leads to, as `posts.source` names it.

    Reddit is never on this machine, so whatever answers on loopback is a sandbox.
    """
    host = urlsplit(reddit.config.reddit_url).hostname or ""
    return SANDBOX.name if is_loopback(host) else REDDIT.name


def newest(
    reddit: "praw.Reddit", subreddits: Sequence[str], after: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the subreddits' newest posts, newest first, and where the next page begins.

    Raises:
        Unreachable: Reddit does not show (one of) them.
        SourceError, ConfigError: no answer; wrong credentials.
    """
    from prawcore.exceptions import Forbidden, NotFound, Redirect, UnavailableForLegalReasons

    params: dict[str, str | int] = {"limit": BATCH}
    if after:
        params["after"] = after
    with _clear_errors():
        try:
            answer = _get(reddit, f"r/{'+'.join(subreddits)}/new", params)
        except (Forbidden, NotFound, Redirect, UnavailableForLegalReasons) as error:
            raise Unreachable(_short(error)) from error
    children, following = _listing(answer)
    return [child for kind, child in children if kind == POST], following


def info(reddit: "praw.Reddit", fullnames: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
    """Posts or subreddits by fullname (`t3_...`, `t5_...`), a list for each request.

    Those that no longer exist are absent from the answer.
    """
    for batch in batches(fullnames, BATCH):
        with _clear_errors():
            answer = _get(reddit, "api/info", {"id": ",".join(batch)})
        yield [child for _, child in _listing(answer)[0]]


def about(reddit: "praw.Reddit", names: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
    """Subreddits by name, a list for each request; those that do not exist are absent."""
    for batch in batches(names, BATCH):
        with _clear_errors():
            answer = _get(reddit, "api/info", {"sr_name": ",".join(batch)})
        yield [child for kind, child in _listing(answer)[0] if kind == SUBREDDIT]


def comments(reddit: "praw.Reddit", subreddit: str = "all") -> list[dict[str, Any]]:
    """The hundred newest comments, newest first."""
    with _clear_errors():
        answer = _get(reddit, f"r/{subreddit}/comments", {"limit": BATCH})
    return [child for kind, child in _listing(answer)[0] if kind == COMMENT]


def authors(reddit: "praw.Reddit", ids: Iterable[str]) -> Iterator[dict[str, Author]]:
    """Accounts by bare id, a part for each request; suspended and deleted ones are absent.

    A request that Reddit refuses is sent again in halves, so that only the account at fault is
    missing from the answers.
    """
    for batch in batches(ids, BATCH):
        yield from _authors(reddit, batch)


def _authors(reddit: "praw.Reddit", ids: list[str]) -> Iterator[dict[str, Author]]:
    from praw.exceptions import RedditAPIException
    from prawcore.exceptions import BadRequest, Forbidden, NotFound

    refused = False
    authors: dict[str, Author] = {}
    with _clear_errors():
        try:
            asked = {"ids": ",".join(fullname(ACCOUNT, account) for account in ids)}
            # What PRAW's `partial_redditors` asks, which makes an object of each account.
            answer = _get(reddit, "api/user_data_by_account_ids", asked)
        except (BadRequest, Forbidden, RedditAPIException):
            refused = True
        except NotFound:  # none of them is there any more
            answer = {}
    if not refused:
        if not isinstance(answer, dict):
            raise SourceError("Reddit answered with something that is no list of accounts.")
        authors = {
            bare_id(ACCOUNT, name): _author(data)
            for name, data in answer.items()
            if isinstance(data, dict)
        }
    yield authors
    if refused and len(ids) > 1:
        yield from _authors(reddit, ids[: len(ids) // 2])
        yield from _authors(reddit, ids[len(ids) // 2 :])


def _author(data: dict[str, Any]) -> Author:
    try:
        return Author(
            link_karma=count(data.get("link_karma"), "link_karma", least=-10_000_000_000),
            comment_karma=count(data.get("comment_karma"), "comment_karma", least=-10_000_000_000),
            created_at=moment(data.get("created_utc"), "created_utc"),
        )
    except Unreadable:
        return Author(None, None, None)


def _listing(answer: Any) -> tuple[list[tuple[str, dict[str, Any]]], str | None]:
    """A listing's children with their kinds, and its `after`."""
    try:
        data = answer["data"]
        children = [(child["kind"], child["data"]) for child in data["children"]]
        return children, data.get("after") or None
    except (TypeError, KeyError, AttributeError):
        raise SourceError(
            "Reddit answered with something that is no listing: try again later."
        ) from None


def _get(reddit: "praw.Reddit", path: str, params: Mapping[str, str | int]) -> Any:
    """One GET; a token that is refused, though it is new, is replaced a few times."""
    from prawcore.exceptions import InvalidToken

    for attempt in itertools.count(1):
        try:
            return reddit.request(method="GET", path=path, params=dict(params))
        except InvalidToken:
            if REDDIT_TOKENS.exhausted(attempt):
                raise
        except KeyError as error:  # prawcore's for a 401 that does not say why
            if error.args != (401,):
                raise
            if REDDIT_TOKENS.exhausted(attempt):
                raise ConfigError(_refused("401 Unauthorized")) from None
    raise AssertionError  # the last try returned or raised


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Says in one sentence what PRAW reports; never with an answer's content or a credential."""
    from praw.exceptions import RedditAPIException
    from prawcore.exceptions import (
        InsufficientScope,
        InvalidToken,
        OAuthException,
        PrawcoreException,
        RequestException,
        ResponseException,
    )

    try:
        yield
    except (OAuthException, InvalidToken, InsufficientScope) as error:
        raise ConfigError(_refused(_short(error))) from error
    except ResponseException as error:
        if error.response.status_code == 401:
            raise ConfigError(_refused("401 Unauthorized")) from error
        raise SourceError(
            f"Reddit answered with an error ({_short(error)}): what was read so far is kept; try "
            "again later."
        ) from error
    except RequestException as error:
        cause = type(error.original_exception).__name__
        raise SourceError(
            f"Reddit could not be reached ({cause}): check the network; what was read so far is "
            "kept."
        ) from error
    except (PrawcoreException, RedditAPIException) as error:
        raise SourceError(f"Reddit refused the request ({type(error).__name__}).") from error


def _refused(why: str) -> str:
    return (
        f"Reddit refuses the credentials ({why}): check client_id, client_secret, username and "
        "password in praw.ini, and that the app is approved and of the type 'script'."
    )


def _short(error: Exception) -> str:
    from prawcore.exceptions import OAuthException

    response = getattr(error, "response", None)
    if response is None:
        return type(error).__name__
    if isinstance(error, OAuthException):  # Reddit sends it with status 200
        return str(error.error)
    return f"{response.status_code} {response.reason or ''}".strip()

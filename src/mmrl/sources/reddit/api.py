"""Talks to Reddit through PRAW, a hundred things a request, and says plainly what goes wrong.

Answers are read as the JSON they are: PRAW's objects would make a request of their own for each
attribute that an answer lacks.
"""

import configparser
import hashlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mmrl.catalog.fullnames import ACCOUNT, COMMENT, POST, SUBREDDIT, bare_id, fullname
from mmrl.errors import ConfigError, SourceError
from mmrl.runtime.location import Location
from mmrl.runtime.retry import REDDIT_TOKENS
from mmrl.sources.fields import Unreadable, count, moment
from mmrl.sources.kinds import REDDIT, SANDBOX
from mmrl.sources.reddit.transport import Transport, put_aside_limits, requestor_class

if TYPE_CHECKING:
    import praw

BATCH = 100  # the most that Reddit answers for in one request
_HOW = (
    "put client_id, client_secret and user_agent of a Reddit app under [{site}] in praw.ini "
    "(`mmrl init` writes a template)"
)


@dataclass(frozen=True)
class Author:
    """What Reddit tells of an account; None where it does not."""

    link_karma: int | None
    comment_karma: int | None
    created_at: datetime | None


class Unreachable(Exception):  # noqa: N818 - a finding about subreddits, not a fault
    """A listing that Reddit does not give: a private, banned, renamed or unknown subreddit."""


class _NoSection(ConfigError):  # noqa: N818 - another file may have it
    """A praw.ini that lacks a site."""


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
    own = {} if "client_id" in options else _own(home, site)
    by_site = () if own or "client_id" in options else (site,)
    settings["user_agent"] = _user_agent({**own, **options})
    if transport is not None:
        settings["requestor_class"] = requestor_class()
        settings["requestor_kwargs"] = {"transport": transport}
    try:
        reddit = praw.Reddit(*by_site, **{**settings, **own, **options})
    except configparser.NoSectionError:
        raise ConfigError(
            f"There are no credentials for Reddit: {_HOW.format(site=site)}."
        ) from None
    except (ClientException, configparser.Error) as error:
        raise ConfigError(
            f"The credentials for Reddit are incomplete ({error}): {_HOW.format(site=site)}."
        ) from None
    if not reddit.config.client_id:
        raise ConfigError(f"client_id is empty: {_HOW.format(site=site)}.")
    if transport is not None:
        put_aside_limits(reddit)
    return reddit


def _own(home: str | Path | None, site: str) -> dict[str, str]:
    """The section in the first praw.ini that has it; what the home's lacks where none does.

    PRAW would look by itself, but reads its files once a process.
    """
    path = find_credentials(home, site)
    if path is None and home is not None:
        path = Location.of(home).file("praw.ini")
    return {} if path is None else _section(path, site)


def _user_agent(given: dict[str, Any]) -> str:
    """As Reddit wants it: `<platform>:<app>:<version> (by /u/<name>)`; the user's own if given.

    Without an account's name the client is named, by a hash of its id.
    """
    from mmrl import __version__

    if given.get("user_agent"):
        return str(given["user_agent"])
    client = hashlib.sha256(str(given.get("client_id")).encode()).hexdigest()[:8]
    name = given.get("username")
    by = f" (by /u/{name})" if name else ""
    return f"{sys.platform}:mmrl-{client}:v{__version__}{by}"


def source_of(reddit: "praw.Reddit") -> str:
    """What posts of this connection are marked with: `reddit`, or `sandbox` for simulated ones.

    Reddit itself is never on this machine, so one that answers on loopback is a sandbox.
    """
    host = urlsplit(reddit.config.reddit_url).hostname or ""
    return SANDBOX.name if host in ("127.0.0.1", "::1", "localhost") else REDDIT.name


def find_credentials(home: str | Path | None, site: str) -> Path | None:
    """The praw.ini whose section `site` holds a client_id, where `connect` would look for it.

    Raises:
        ConfigError: one on the way there can't be read, or is none.
    """
    own = None if home is None else Location.of(home).file("praw.ini")
    places = [] if own is None else [own]
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    places += [Path("praw.ini"), Path(config) / "praw.ini"]
    for path in places:
        try:
            if _section(path, site).get("client_id"):
                return path
        except _NoSection:
            continue
    return None


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
    """What Reddit knows under these fullnames (`t3_...`, `t5_...`), a list for each request.

    What is not there any more is absent from the answer.
    """
    for batch in batches(fullnames):
        with _clear_errors():
            answer = _get(reddit, "api/info", {"id": ",".join(batch)})
        yield [child for _, child in _listing(answer)[0]]


def about(reddit: "praw.Reddit", names: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
    """Subreddits by name, a list for each request; those that are not there lack."""
    for batch in batches(names):
        with _clear_errors():
            answer = _get(reddit, "api/info", {"sr_name": ",".join(batch)})
        yield [child for kind, child in _listing(answer)[0] if kind == SUBREDDIT]


def comments(reddit: "praw.Reddit", subreddit: str = "all") -> list[dict[str, Any]]:
    """The hundred newest comments, newest first."""
    with _clear_errors():
        answer = _get(reddit, f"r/{subreddit}/comments", {"limit": BATCH})
    return [child for kind, child in _listing(answer)[0] if kind == COMMENT]


def authors(reddit: "praw.Reddit", ids: Iterable[str]) -> Iterator[dict[str, Author]]:
    """Accounts by id (without `t2_`), a part for each request; suspended and deleted ones lack.

    A request that Reddit refuses is asked again in halves, so that one odd account costs none but
    itself.
    """
    for batch in batches(ids):
        yield from _authors(reddit, batch)


def batches(values: Iterable[str]) -> Iterator[list[str]]:
    """The values in lists of at most a hundred, each value once."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), BATCH):
        yield unique[start : start + BATCH]


def _authors(reddit: "praw.Reddit", ids: list[str]) -> Iterator[dict[str, Author]]:
    from praw.exceptions import RedditAPIException
    from prawcore.exceptions import BadRequest, Forbidden, NotFound

    refused = False
    found: dict[str, Author] = {}
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
        found = {
            bare_id(ACCOUNT, name): _author(data)
            for name, data in answer.items()
            if isinstance(data, dict)
        }
    yield found
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


def _section(path: Path, site: str) -> dict[str, str]:
    """The settings of one site in a praw.ini; empty where there is no such file."""
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError):
        # The parser's own message quotes the line, which may be the secret.
        raise ConfigError(f"{path} is no valid INI file: {_HOW.format(site=site)}.") from None
    except OSError as error:
        raise ConfigError(
            f"{path} can't be read ({error.strerror}): let the user that runs mmrl read it."
        ) from None
    if not parser.has_section(site):
        sections = ", ".join(parser.sections()) or "none"
        raise _NoSection(
            f"{path} has no section [{site}] (it has {sections}): {_HOW.format(site=site)}, or "
            "name another one in mmrl.toml (reddit.site, reddit.observe_site)."
        )
    return {name: value for name, value in parser.items(site) if value}


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

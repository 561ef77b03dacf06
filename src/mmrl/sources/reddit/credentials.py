"""Credentials for Reddit: the section of a praw.ini, and the user agent that goes with it."""

import configparser
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from mmrl.errors import ConfigError
from mmrl.storage.location import Location


class _NoSection(ConfigError):  # noqa: N818 - another file may have it
    """A praw.ini that lacks a site."""


def how_to_set(site: str) -> str:
    """The advice that ends every complaint about a site's credentials."""
    return (
        f"put client_id, client_secret and user_agent of a Reddit app under [{site}] in praw.ini "
        "(`mmrl init` writes a template)"
    )


def find_credentials(home: str | Path | None, site: str) -> Path | None:
    """The praw.ini whose section `site` holds a client_id; None where there is none.

    Looked at are the home, the working directory and the user's configuration, in this order.

    Raises:
        ConfigError: a praw.ini on the way can't be read, or is no INI file.
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


def section_of(home: str | Path | None, site: str) -> dict[str, str]:
    """The settings of a site, from the praw.ini that `find_credentials` finds.

    Without one they are those of the home's own file, which then lacks a client_id. PRAW looks for
    its files by itself, but only once a process.
    """
    path = find_credentials(home, site)
    if path is None and home is not None:
        path = Location.of(home).file("praw.ini")
    return {} if path is None else _section(path, site)


def user_agent(settings: dict[str, Any]) -> str:
    """The user's own user agent, or one in Reddit's form.

    The form is `<platform>:<app>:<version> (by /u/<name>)`. The app is named by a hash of its
    client id, and the account is left out where praw.ini does not name it.
    """
    from mmrl.version import __version__

    if settings.get("user_agent"):
        return str(settings["user_agent"])
    client = hashlib.sha256(str(settings.get("client_id")).encode()).hexdigest()[:8]
    name = settings.get("username")
    by = f" (by /u/{name})" if name else ""
    return f"{sys.platform}:mmrl-{client}:v{__version__}{by}"


def _where(error: configparser.Error) -> str:
    """What is wrong in which line, without the line's own words."""
    match error:
        case configparser.MissingSectionHeaderError():
            return f", as line {error.lineno} stands before any [section]"
        case configparser.ParsingError():
            lines = ", ".join(str(line) for line, _ in error.errors)
            return f", as line {lines} is neither `name = value` nor a [section]"
        case configparser.DuplicateSectionError():
            return f", as line {error.lineno} opens a section for the second time"
        case configparser.DuplicateOptionError():
            return f", as line {error.lineno} gives a name for the second time"
    return ""


def _section(path: Path, site: str) -> dict[str, str]:
    """The settings of one site in a praw.ini; empty where there is no such file."""
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))  # Notepad writes a mark in front
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path} is not UTF-8: save it as UTF-8 (in Notepad: Save as, Encoding)."
        ) from None
    except configparser.Error as error:
        # The parser's own message quotes the line, which may be the secret.
        raise ConfigError(
            f"{path} is no valid INI file{_where(error)}: {how_to_set(site)}."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} can't be read ({error.strerror}): let the user that runs mmrl read it."
        ) from None
    if not parser.has_section(site):
        sections = ", ".join(parser.sections()) or "none"
        raise _NoSection(
            f"{path} has no section [{site}] (it has {sections}): {how_to_set(site)}, or "
            "name another one in mmrl.toml (reddit.site, reddit.observe_site)."
        )
    return {name: value for name, value in parser.items(site) if value}

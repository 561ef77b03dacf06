"""A new home: its tables and a commented `mmrl.toml`; in a folder, also a `praw.ini` to fill in
and a `.gitignore`. Reddit's credentials are never put into an object store."""

import json
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mmrl.catalog import Catalog
from mmrl.config import FILE, Settings
from mmrl.errors import InputError
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

PRAW_INI = """\
# Reddit's API credentials. New clients need Reddit's approval; docs say how to ask, and how to
# work from dumps without any. Keep this file to yourself: anyone who has it acts as you.
#
# [{site}]
# client_id = 14 to 22 letters, under the app's name on https://www.reddit.com/prefs/apps
# client_secret = the app's secret
# username = the account that made the app
# password = its password
# user_agent = linux:mmrl:v1 (by /u/your_name)
"""

GITIGNORE = """\
# Credentials, other people's posts, and what can be made again. Settings (mmrl.toml) may be kept.
*
!.gitignore
!mmrl.toml
"""


def init(home: str | Path) -> list[Location]:
    """Makes what a home lacks and leaves alone what it has.

    Returns:
        the files and folders made.

    Raises:
        InputError: `home` is a file.
    """
    location = Location.of(home)
    if location.is_local and location.path.exists() and not location.path.is_dir():
        raise InputError(f"{home} is a file; give a folder that is new, empty or a home already.")
    storage = storage_of(location)
    made = [] if storage.folders("catalog") else [location.join("catalog")]
    Catalog.open(home, create=True)
    files = {FILE: commented_toml()}
    if location.is_local:
        files |= {"praw.ini": _praw_ini(), ".gitignore": GITIGNORE}
    for name, text in files.items():
        if not storage.exists(name):
            storage.write(name, text.encode())
            made.append(location.join(name))
            if name == "praw.ini":
                (location.path / name).chmod(0o600)
    return made


def credentials_file(home: str | Path) -> str:
    """Where Reddit's credentials of a home are to be put, for people."""
    location = Location.of(home)
    return str(location.join("praw.ini")) if location.is_local else "praw.ini here or in ~/.config"


def commented_toml() -> str:
    """Every setting with its default and what it means, each line commented out."""
    lines = ["# mmrl's settings. Every line shows a default; take away its # to change it.", ""]
    sections: list[tuple[str, BaseModel]] = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, BaseModel):
            sections.append((name, default))
        else:
            lines += _setting(name, field)
    for name, section in sections:
        lines += ["", f"[{name}]  # {(type(section).__doc__ or '').strip()}"]
        for setting, field in type(section).model_fields.items():
            lines += _setting(setting, field)
    return "\n".join(lines) + "\n"


def _setting(name: str, field: FieldInfo) -> list[str]:
    default = field.get_default(call_default_factory=True)
    shown = '""  # unset' if default is None else json.dumps(default)
    about = [f"# {field.description}"] if field.description else []
    return [*about, f"# {name} = {shown}"]


def _praw_ini() -> str:
    return PRAW_INI.format(site=Settings.model_fields["reddit"].default.site)

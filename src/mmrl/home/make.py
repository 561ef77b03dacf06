"""A new home: its folder, a commented `mmrl.toml`, a `praw.ini` to fill in, a `.gitignore`."""

import json
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.errors import InputError

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


def init(home: Path) -> list[Path]:
    """Makes what a home lacks and leaves alone what it has.

    Returns:
        the files and folders made.

    Raises:
        InputError: `home` is a file.
    """
    if home.exists() and not home.is_dir():
        raise InputError(f"{home} is a file; give a folder that is new, empty or a home already.")
    made = []
    if not (home / "catalog").is_dir():
        made.append(home / "catalog")
    Catalog.open(home, create=True)
    files = {"mmrl.toml": commented_toml(), "praw.ini": _praw_ini(), ".gitignore": GITIGNORE}
    for name, text in files.items():
        path = home / name
        if not path.exists():
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600 if name == "praw.ini" else 0o644)
            made.append(path)
    return made


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

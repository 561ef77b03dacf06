"""Foreign text as people are shown it: bounded, with the signs that steer a terminal visible."""

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # control, bidi, surrogates...
_JOINERS = "\u200c\u200d"  # of letters and emoji; harmless
BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")  # in spreadsheets
_USERINFO = re.compile(r"(?<=://)\S*@")  # to the last @: a password may hold one
_KINDS = {dict: "an object", list: "a list", tuple: "a list", bytes: "bytes"}


def shown(value: object, most: int = 60) -> str:
    """A foreign value as text of one line that neither steers a terminal nor floods it.

    Control and bidirectional signs are written as escapes such as `\\x1b`; lists and objects are
    named, not written out. It is plain text: where markup is understood, hand it over as such.

    Args:
        most: signs of the result; what is left out is marked by `...`.
    """
    if not isinstance(value, str):
        if isinstance(value, tuple(_KINDS)):
            return next(name for kind, name in _KINDS.items() if isinstance(value, kind))
        try:
            value = str(value)
        except ValueError:  # an integer of more digits than Python writes out
            return "an enormous number"
    signs = "".join(map(_visible, value[: most + 1]))
    return signs if len(signs) <= most else signs[: most - 3] + "..."


def cell(text: str) -> str:
    """A foreign text for a table that people open in a spreadsheet: never a formula there."""
    return f"'{text}" if text.startswith(BEGIN_FORMULAS) else text


def without_userinfo(text: str) -> str:
    """A text with no user's name and no password in the addresses in it."""
    return _USERINFO.sub("", text)


def _visible(sign: str) -> str:
    if sign in _JOINERS or unicodedata.category(sign) not in _HIDDEN:
        return sign
    return sign.encode("unicode_escape", "surrogatepass").decode()

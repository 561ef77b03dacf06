"""Columns of a table that are features: those that the user names, and tags and descriptions.

A feature is declared known when the post went up. What is counted afterwards, such as views, is
refused: a model would learn from it what no draft can tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mmrl.errors import InputError
from mmrl.runtime.foreign_text import shown
from mmrl.sources.extras import FLAIR
from mmrl.sources.files.tables.columns import SYNONYMS, Columns, fold, listed

# Taken without being asked for, under their own names; the text of a post is a mapped field.
_TAKEN = ("tags", "tag_list", "keywords", "description")
_TEXT_FIELD = "selftext"

# Counted or written after posting. The names of the field `score` and the like come on top.
_LATER_FIELDS = ("score", "num_comments", "upvote_ratio", "removed_by", "checked_at")
_LATER = (
    *("downs", "downvotes", "dislikes", "score_hidden", "final_score", "popularity", "engagement"),
    *("views", "view_count", "num_views", "impressions", "clicks", "downloads", "download_count"),
    *("awards", "total_awards", "total_awards_received", "all_awardings", "gilded", "gildings"),
    *("num_crossposts", "num_duplicates", "shares", "num_shares", "retweets", "reposts", "saves"),
    *("favorites", "favourites", "replies", "num_replies", "num_reports", "ratings", "rank"),
    *("edited", "edited_at", "updated_at", "modified_at", "archived", "locked", "stickied"),
)


@dataclass(frozen=True)
class Features:
    """A table's columns that are features; each goes by its column's name.

    Attributes:
        asked: those that the user named.
        taken: tags, descriptions and texts that were taken without being asked for.
    """

    asked: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return self.asked + self.taken

    def lines(self) -> list[str]:
        """The features for people, to show before the import."""
        lines = [f"features: {listed(self.asked)}"] if self.asked else []
        if self.taken:
            left_out = " ".join(f"--no-feature {shown(name)}" for name in self.taken)
            lines.append(
                f"features, too: {listed(self.taken)}, taken as known when a post went up "
                f"(leave out with {left_out})"
            )
        return lines


def choose_features(
    present: Sequence[str], columns: Columns, asked: Sequence[str], refused: Sequence[str]
) -> Features:
    """The features of a table.

    Args:
        present: the table's columns.
        columns: what is read of them as fields.
        asked: columns that the user names as features.
        refused: columns that the user does not want as features.

    Raises:
        InputError: a column does not exist, is read as a field, or was not known at posting.
    """
    for option, names in (("--feature", asked), ("--no-feature", refused)):
        for name in names:
            if name not in present:
                raise InputError(
                    f"{option} {shown(name)}: the table has no column '{shown(name)}'; it has "
                    f"{listed(present)}."
                )
    if both := sorted({*asked} & {*refused}):
        raise InputError(f"{both[0]} is given with --feature and with --no-feature: give one.")
    body = columns.of.get(_TEXT_FIELD)
    for name in asked:
        _check(name, columns, body)
    known = {fold(name) for name in _TAKEN}
    field_of = {column: field for field, column in columns.of.items()}
    taken = (
        name
        for name in present
        if name == body or (fold(name) in known and name not in field_of)
        if name not in asked and name not in refused
    )
    return Features(tuple(dict.fromkeys(asked)), tuple(dict.fromkeys(taken)))


def without_features(columns: Columns, features: Features) -> Columns:
    """The columns, with none called unread that is a feature."""
    unread = [name for name in columns.unmapped if name not in features.columns]
    return replace(columns, unmapped=unread)


def _check(name: str, columns: Columns, body: str | None) -> None:
    """Refuses a column that can't be a feature."""
    later = {fold(word) for field in _LATER_FIELDS for word in SYNONYMS[field]}
    if fold(name) in later | {fold(word) for word in _LATER}:
        raise InputError(
            f"--feature {name}: by its name, it is known only after posting, and a model would "
            "learn from it what no draft can tell. If it was known when the post went up, give "
            "the column another name."
        )
    field = next((field for field, column in columns.of.items() if column == name), None)
    if field is not None and name != body:
        raise InputError(
            f"--feature {name}: this column is read as {field} already, and learned from as that."
        )
    if name == FLAIR:
        raise InputError(
            f"--feature {name}: this name is that of the posts' flair, for which --map "
            f"flair={name} is; give the column another name."
        )

"""Removers: values of `removed_by` and of a purge's reasons, with their words for people."""

ABSENT = "absent"  # of a post that the source no longer answers for
MODERATED = frozenset({"moderator", "automod_filtered", "reddit"})  # these may be taken back
REQUESTED = "requested"  # of a post that somebody asked to have erased

# A value that is not here is one that Reddit has added since.
REMOVED_BY = {
    "deleted": "deleted by the author",
    "author": "deleted by the author",
    "account_deleted": "deleted with the author's account",
    "moderator": "removed by moderators",
    "automod_filtered": "held back by the community's filter",
    "reddit": "held back by Reddit's filters",
    ABSENT: "no longer shown by Reddit",
    REQUESTED: "asked for by somebody",
}

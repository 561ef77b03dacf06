"""Reasons why a post or an image dropped out: a closed list, each with the sentence people read."""

from enum import StrEnum


class Reason(StrEnum):
    """Codes kept in `failures.reason` and `selection.reason`; `.sentence` says them in words."""

    # sources: rows that never became posts
    NOT_A_POST = "not_a_post"
    NO_ID = "no_id"
    NO_CREATION_TIME = "no_creation_time"
    NO_SUBREDDIT = "no_subreddit"
    NO_TITLE = "no_title"
    BAD_VALUE = "bad_value"
    OUT_OF_RANGE = "out_of_range"
    TOO_LONG = "too_long"
    OTHER_POST = "other_post"
    # filter: posts that are not worked on
    NO_IMAGE = "no_image"
    GALLERY_UNFINISHED = "gallery_unfinished"
    VIDEO = "video"
    HOST_NOT_ALLOWED = "host_not_allowed"
    REMOVED = "removed"
    SCORE_BELOW_MINIMUM = "score_below_minimum"
    SUBREDDIT_NOT_FOLLOWED = "subreddit_not_followed"
    OVER_18 = "over_18"
    # fetch-images
    HTTP_ERROR = "http_error"
    NETWORK_ERROR = "network_error"
    IMAGE_GONE = "image_gone"
    IMAGE_REMOVED_PLACEHOLDER = "image_removed_placeholder"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"
    NOT_AN_IMAGE = "not_an_image"
    FORMAT_NOT_READ = "format_not_read"
    BROKEN_IMAGE = "broken_image"
    ANIMATED = "animated"
    FILE_MISSING = "file_missing"
    OPTED_OUT = "opted_out"
    # caption, embed
    EMPTY_CAPTION = "empty_caption"
    PROMPT_ECHOED = "prompt_echoed"
    CAPTION_REFUSED = "caption_refused"
    CAPTION_SERVER_ERROR = "caption_server_error"
    CAPTION_BUDGET_SPENT = "caption_budget_spent"
    MODEL_ERROR = "model_error"
    # any stage on a cluster
    WORKER_DIED = "worker_died"
    # merge: no label
    TOO_YOUNG = "too_young"
    SCORE_NOT_SETTLED = "score_not_settled"
    NO_SUBSCRIBERS = "no_subscribers"

    @property
    def sentence(self) -> str:
        """The reason in words, as `mmrl status` and the report show it."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.NOT_A_POST: "is not a post",
    Reason.NO_ID: "has no post id",
    Reason.NO_CREATION_TIME: "has no time of creation",
    Reason.NO_SUBREDDIT: "names no subreddit",
    Reason.NO_TITLE: "has no title",
    Reason.BAD_VALUE: "holds a value that can't be read",
    Reason.OUT_OF_RANGE: "holds a value that no post can have",
    Reason.TOO_LONG: "is longer than a post can be",
    Reason.OTHER_POST: "has the id of another post",
    Reason.NO_IMAGE: "has no image (a text, a link or a page)",
    Reason.GALLERY_UNFINISHED: "is a gallery whose images Reddit had not made yet, or has lost",
    Reason.VIDEO: "is a video",
    Reason.HOST_NOT_ALLOWED: "its image lies on a host that is not allowed",
    Reason.REMOVED: "was removed or deleted",
    Reason.SCORE_BELOW_MINIMUM: "score at the first observation under the set minimum",
    Reason.SUBREDDIT_NOT_FOLLOWED: "its subreddit is not followed",
    Reason.OVER_18: "is marked over 18, and those are left out",
    Reason.HTTP_ERROR: "the image's server answered with an error",
    Reason.NETWORK_ERROR: "the image's server could not be reached",
    Reason.IMAGE_GONE: "the image is gone (404 or 410)",
    Reason.IMAGE_REMOVED_PLACEHOLDER: "the host shows an 'image removed' placeholder",
    Reason.TOO_MANY_BYTES: "the image file is larger than allowed",
    Reason.TOO_MANY_PIXELS: "the image has more pixels than allowed",
    Reason.TOO_SMALL: "the image is smaller than images.min_side",
    Reason.NOT_AN_IMAGE: "what came is not an image",
    Reason.FORMAT_NOT_READ: "the image is of a format that is not read (HEIC, TIFF, SVG...)",
    Reason.BROKEN_IMAGE: "the image is broken and does not decode",
    Reason.ANIMATED: "the image is animated",
    Reason.FILE_MISSING: "the image file is not in the given folder",
    Reason.OPTED_OUT: "its server asks that machines don't learn from it (X-Robots-Tag: noai)",
    Reason.EMPTY_CAPTION: "the captioner gave nothing",
    Reason.PROMPT_ECHOED: "the captioner only repeated its prompt",
    Reason.CAPTION_REFUSED: "the captioning server refused the image",
    Reason.CAPTION_SERVER_ERROR: "the captioning server did not answer as it should",
    Reason.CAPTION_BUDGET_SPENT: "the budget for captions was spent; tried again in a later run",
    Reason.MODEL_ERROR: "the model failed on it",
    Reason.WORKER_DIED: "whatever worked on it died, several times",
    Reason.TOO_YOUNG: "not matured yet",
    Reason.SCORE_NOT_SETTLED: "its score was never observed after it settled",
    Reason.NO_SUBSCRIBERS: "its subreddit's subscribers are not known",
}

"""Columns that several tables or packages share: keys, times, spaces and the lists of numbers.

Keys carry Lance's unenforced-primary-key mark, by which a table tells its key.
"""

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")


def key(name: str) -> pa.Field:
    """A text column that is (part of) its table's primary key."""
    return pa.field(
        name, pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"}
    )


def time_key(name: str) -> pa.Field:
    """A time column that is part of its table's primary key."""
    return pa.field(
        name, TIME, nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"}
    )


def key_columns(schema: pa.Schema) -> list[str]:
    """The names of a schema's primary key columns, in order."""
    return [
        field.name
        for field in schema
        if (field.metadata or {}).get(b"lance-schema:unenforced-primary-key") == b"true"
    ]


# What an embedding is of: see the glossary.
SPACES = ("title", "caption", "image", "visual")
TEXT = "text"  # the space of flair, tags and texts that people bring: a post may have several
EMBEDDED = (*SPACES, TEXT)  # the spaces that have embedding tables


# Numbers of an image's pixels: see mmrl.images.measures.quality.
IMAGE_STATISTICS = (
    # light, 0 to 100
    *("light_q05", "light_q25", "light_q50", "light_q75", "light_q95"),
    *("light_spread", "light_skew", "dark_share", "bright_share"),
    # colour
    *("red_green_mean", "red_green_spread", "yellow_blue_mean", "yellow_blue_spread"),
    *("chroma_q10", "chroma_q90", "chroma_mean", "chroma_spread"),
    *("grey_share", "vivid_share", "light_chroma_correlation"),
    *("light_parts_red_green", "light_parts_yellow_blue"),
    *("saturation_mean", "saturation_spread", "colourfulness"),
    # hue
    *("hue_cosine", "hue_sine", "hue_concentration", "hue_axis_concentration"),
    *("hue_0", "hue_45", "hue_90", "hue_135", "hue_180", "hue_225", "hue_270", "hue_315"),
    # how many colours, and the main ones
    *("log_fine_colours", "log_coarse_colours", "colour_entropy"),
    *("top_colour_share", "top_four_colours_share"),
    *("main_colours", "main_light_spread", "main_light_least", "main_light_most"),
    *("main_light_gap", "main_light_unevenness", "main_chroma_mean", "main_chroma_spread"),
    *("main_chroma_most", "main_distance_mean", "main_nearest_mean"),
    *("main_hue_concentration", "main_line_share", "main_log_volume"),
    # sharpness and form
    *("gradient_mean", "edge_share", "flat_share", "log_sharpness"),
    *("symmetry_left_right", "symmetry_top_bottom", "centre_light", "top_light"),
    # writing, and plain ground
    *("stroke_share", "text_rows", "empty_share"),
)

COLOURS = "colours"  # the column of an image's colour histogram: see mmrl.images.measures.colours
COLOUR_BINS = 125

# What a post's features say of itself at its first observation: see mmrl.samples.schema.
POST_FEATURES = (
    "log_subscribers",
    "over_18",
    "spoiler",
    "is_gallery",
    "log_gallery_size",
    "is_crosspost",
    "has_flair",
    "hour_sin",
    "hour_cos",
    "weekday_sin",
    "weekday_cos",
    "log_title_chars",
    "log_title_words",
    "title_has_question",
    "title_has_exclamation",
    "title_has_digit",
    "title_has_brackets",
    "title_upper_share",
    "log_image_pixels",
    "log_image_aspect",
    "log_image_bytes",
    "log_first_look_hours",
)

# What the first observation says of the author.
AUTHOR_FACTS = (
    "log_author_link_karma",
    "log_author_comment_karma",
    "log_author_age_days",
)

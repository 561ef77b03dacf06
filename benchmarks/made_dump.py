"""A made-up dump: submissions as Arctic Shift has them, of 1,000 equally large communities.

Fields and their sizes are those of Reddit's own objects; texts are made-up words, ids and
signatures random digits, so that it packs about as well as a real month.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import zstandard

from mmrl.sources.reddit.source import to_base36

COMMUNITIES = 1_000
WANTED = "madeup007"  # the one community that a benchmark asks for
CREATED = 1_704_067_200  # 2024-01-01
_EVERY = 0.067  # seconds between two posts: a month has 40 million
_WORDS = 8_000
_BLOCK = 2_000  # lines that are packed at once
_SIZES = ((108, 81), (216, 162), (320, 240), (640, 480), (960, 720), (1080, 810))
_PLAIN: dict[str, Any] = {  # what is the same for nearly every post
    **dict.fromkeys(("approved_at_utc", "mod_reason_title", "link_flair_css_class", "category")),
    **dict.fromkeys(("top_awarded_type", "author_flair_template_id", "secure_media", "likes")),
    **dict.fromkeys(("approved_by", "author_flair_css_class", "content_categories", "mod_note")),
    **dict.fromkeys(("removed_by_category", "banned_by", "suggested_sort", "banned_at_utc")),
    **dict.fromkeys(("view_count", "author_flair_text", "removed_by", "num_reports", "media")),
    **dict.fromkeys(("distinguished", "mod_reason_by", "removal_reason", "report_reasons")),
    **dict.fromkeys(("discussion_type", "author_flair_text_color", "link_flair_text"), None),
    **dict.fromkeys(("saved", "clicked", "hidden", "hide_score", "quarantine", "is_meta"), False),
    **dict.fromkeys(("is_original_content", "can_mod_post", "is_created_from_ads_ui"), False),
    **dict.fromkeys(("author_premium", "edited", "archived", "no_follow", "pinned"), False),
    **dict.fromkeys(("media_only", "can_gild", "locked", "visited", "author_is_blocked"), False),
    **dict.fromkeys(("contest_mode", "author_patreon_flair", "stickied", "is_video"), False),
    **dict.fromkeys(("over_18", "spoiler"), False),
    **dict.fromkeys(("is_crosspostable", "is_robot_indexable", "send_replies"), True),
    **{name: {} for name in ("media_embed", "secure_media_embed", "gildings")},
    **{name: [] for name in ("link_flair_richtext", "user_reports", "author_flair_richtext")},
    **{name: [] for name in ("all_awardings", "awarders", "treatment_tags", "mod_reports")},
    **dict.fromkeys(("gilded", "downs", "total_awards_received"), 0),
    **dict.fromkeys(("pwls", "wls"), 6),
    **dict.fromkeys(("link_flair_type", "author_flair_type"), "text"),
    "subreddit_type": "public",
    "link_flair_text_color": "dark",
    "link_flair_background_color": "",
    "whitelist_status": "all_ads",
}


def write(path: Path, size: int, seed: int = 0) -> int:
    """Writes a dump of at least so many bytes of text, packed as one frame with a long window.

    Returns:
        its lines.
    """
    window = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, enable_ldm=True)
    count = written = 0
    with (
        path.open("wb") as file,
        zstandard.ZstdCompressor(compression_params=window).stream_writer(file) as packed,
    ):
        made = posts(seed)
        while written < size:
            block = b"".join(orjson.dumps(next(made)) + b"\n" for _ in range(_BLOCK))
            packed.write(block)
            written += len(block)
            count += _BLOCK
    return count


def posts(seed: int) -> Iterator[dict[str, Any]]:
    """Submissions in the order of their times; every other one shows a picture, the others text."""
    random = Random(seed)
    words = [_word(random) for _ in range(_WORDS)]
    weights = [1 / (rank + 3) for rank in range(_WORDS)]
    texts = random.choices(words, weights, k=1_000_000)  # texts are cut out of this one
    number = 0
    while True:
        at = random.randrange(len(texts) - 2_000)
        title = " ".join(texts[at : at + random.randint(4, 18)]).capitalize()
        body = texts[at + 20 : at + 20 + int(random.expovariate(1 / 120))]
        yield _post(number, title, " ".join(body), random)
        number += 1


def _post(number: int, title: str, body: str, random: Random) -> dict[str, Any]:
    post_id = to_base36(0x40000000 + 3 * number)
    subreddit = f"madeup{random.randrange(COMMUNITIES):03}"
    created = CREATED + int(number * _EVERY)
    score = int(random.paretovariate(0.7))
    page = f"/r/{subreddit}/comments/{post_id}/{title.lower().replace(' ', '_')[:50]}/"
    shared = {
        "subreddit": subreddit,
        "author_fullname": f"t2_{to_base36(random.getrandbits(36))}",
        "title": title,
        "subreddit_name_prefixed": f"r/{subreddit}",
        "name": f"t3_{post_id}",
        "upvote_ratio": round(random.uniform(0.5, 1), 2),
        "ups": score,
        "score": score,
        "created": created,
        "subreddit_id": f"t5_{to_base36(0x200000 + int(subreddit[6:]))}",
        "id": post_id,
        "author": f"{body[:6].title()}{random.randrange(100_000)}",
        "num_comments": random.randrange(40),
        "permalink": page,
        "subreddit_subscribers": 1_000_000 + number % 977,
        "created_utc": created,
        "num_crossposts": 0,
        "retrieved_on": created + 12,
        "_meta": {"retrieved_2nd_on": created + 130_000},
    }
    return {**_PLAIN, **shared, **(_picture(random) if number % 2 else _text(body, page))}


def _picture(random: Random) -> dict[str, Any]:
    name = to_base36(random.getrandbits(66)).rjust(13, "a")
    address = f"https://preview.redd.it/{name}.jpeg"
    sizes = [
        {"url": f"{address}?width={width}&crop=smart&auto=webp&s={_hex(random)}"}
        | {"width": width, "height": height}
        for width, height in _SIZES
    ]
    source = {"url": f"{address}?auto=webp&s={_hex(random)}", "width": 4032, "height": 3024}
    image = {"source": source, "resolutions": sizes, "variants": {}, "id": name}
    url = f"https://i.redd.it/{name}.jpeg"
    return {
        "selftext": "",
        "is_self": False,
        "domain": "i.redd.it",
        "post_hint": "image",
        "url": url,
        "url_overridden_by_dest": url,
        "is_reddit_media_domain": True,
        "preview": {"images": [image], "enabled": True},
        "thumbnail": f"{address}?width=140&height=105&crop=smart&auto=webp&s={_hex(random)}",
    }


def _text(body: str, page: str) -> dict[str, Any]:
    shown = f'<!-- SC_OFF --><div class="md"><p>{body}</p>\n</div><!-- SC_ON -->'
    return {
        "selftext": body,
        "selftext_html": shown,
        "is_self": True,
        "domain": "self.madeup",
        "url": f"https://www.reddit.com{page}",
        "thumbnail": "self",
    }


def _hex(random: Random) -> str:
    return f"{random.getrandbits(160):040x}"


def _word(random: Random) -> str:
    sounds = ("ba", "co", "di", "fe", "gu", "ha", "il", "ju", "ka", "lo", "me", "nu", "or", "pe")
    return "".join(random.choices(sounds, k=random.choice((1, 2, 2, 3, 3, 4))))

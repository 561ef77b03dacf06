"""Reddit's API over a world at a time: its JSON objects, with Reddit's field names.

Nothing here, and so nothing that a pipeline can collect, holds a term of the law.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from mmrl.catalog.fullnames import ACCOUNT, COMMENT, POST, SUBREDDIT, bare_id, fullname
from mmrl.sandbox.world import WITH_IMAGE, Post, World

LISTING_DEPTH = 1_000  # Reddit shows no more of any listing
_REMOVED_AFTER = 3 * 3_600.0  # seconds until a moderator removes what will be removed

Json = dict[str, Any]
HeldBack = Callable[[str, float], bool]


class Api:
    """A world as seen through Reddit's API.

    Args:
        base: the server's own address, where the images lie.
    """

    def __init__(self, world: World, base: str) -> None:
        self.world = world
        self._base = base
        self._created = [post.created for post in world.posts]
        self._by_id = {post.id: post for post in world.posts}
        self._subreddit_number = {
            subreddit.name.lower(): number for number, subreddit in enumerate(world.subreddits)
        }
        self._author_number = {author.name: n for n, author in enumerate(world.authors)}
        self._author_by_id = {author.id: n for n, author in enumerate(world.authors)}
        self._posts_of: dict[int, list[Post]] = {}
        for post in world.posts:
            if post.author is not None:
                self._posts_of.setdefault(post.author, []).append(post)

    def subreddit_names(self) -> list[str]:
        """All subreddits, by name."""
        return [subreddit.name for subreddit in self.world.subreddits]

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The numbers of the subreddits of these names; unknown ones are left out."""
        numbers = (self._subreddit_number.get(name.lower()) for name in names)
        return [number for number in numbers if number is not None]

    def new(
        self,
        subreddits: Collection[int],
        now: float,
        limit: int,
        after: str | None,
        before: str | None,
        held_back: HeldBack = lambda post_id, age: False,
    ) -> Json:
        """A page of the newest posts, newest first, as far as listings go back.

        Args:
            after, before: fullnames of posts; the page is of what is older, or newer, than that
                one, which need not be shown any more. After an unknown one there is nothing.
            held_back: tells of a post and its age whether it does not show yet.
        """
        numbers = set(subreddits)
        shown: list[Post] = []
        for number in range(bisect_right(self._created, now) - 1, -1, -1):
            post = self.world.posts[number]
            if (
                post.subreddit in numbers
                and not self._removed(post, now)
                and not held_back(post.id, now - post.created)
            ):
                shown.append(post)
                if len(shown) == LISTING_DEPTH:
                    break
        start, end = 0, len(shown)
        if after is not None:
            start = self._place(shown, after, older=True)
        if before is not None:
            end = self._place(shown, before, older=False)
            start = max(start, end - limit)
        page = shown[start : min(end, start + limit)]
        more = start + len(page) < len(shown) and bool(page)
        children = [thing(POST, self.post(post, now)) for post in page]
        return listing(children, fullname(POST, page[-1].id) if more else None)

    def _place(self, shown: Sequence[Post], fullname: str, older: bool) -> int:
        """The place in a listing where those older than a post begin, or the newer ones end."""
        post = self._by_id.get(bare_id(POST, fullname))
        if post is None:
            return len(shown) if older else 0
        return bisect_left(shown, -post.number + older, key=lambda other: -other.number)

    def info(
        self,
        fullnames: Sequence[str],
        now: float,
        held_back: HeldBack = lambda post_id, age: False,
    ) -> Json:
        """Posts and subreddits by fullname; those that are not there yet are left out."""
        children: list[Json] = []
        for asked in fullnames:
            kind, _, name = asked.partition("_")
            post = self._by_id.get(name)
            if kind == POST and post is not None and post.created <= now:
                if not held_back(post.id, now - post.created):
                    children.append(thing(POST, self.post(post, now)))
            elif kind == SUBREDDIT:
                for number, subreddit in enumerate(self.world.subreddits):
                    if subreddit.id == name:
                        children.append(thing(SUBREDDIT, self.about(number, now)))
        return listing(children, None)

    def find(self, post_id: str, now: float) -> Post | None:
        """A post that is there by now."""
        post = self._by_id.get(post_id)
        return post if post is not None and post.created <= now else None

    def about(self, number: int, now: float) -> Json:
        """A subreddit."""
        subreddit = self.world.subreddits[number]
        return {
            "id": subreddit.id,
            "name": fullname(SUBREDDIT, subreddit.id),
            "display_name": subreddit.name,
            "display_name_prefixed": f"r/{subreddit.name}",
            "title": f"{subreddit.name} (simulated)",
            "subscribers": self._subscribers(number, now),
            "over18": False,
            "subreddit_type": "public",
            "created_utc": self.world.start.timestamp() - 1e8,
            "url": f"/r/{subreddit.name}/",
        }

    def accounts(self, ids: Iterable[str], now: float) -> Json:
        """Accounts by fullname, as `/api/user_data_by_account_ids` answers."""
        accounts = {}
        for name in ids:
            number = self._author_by_id.get(bare_id(ACCOUNT, name))
            if number is not None:
                link, comment = self._karma(number, now)
                author = self.world.authors[number]
                accounts[name] = {
                    "name": author.name,
                    "created_utc": author.created,
                    "link_karma": link,
                    "comment_karma": comment,
                    "profile_img": "",
                    "profile_over_18": False,
                }
        return accounts

    def user(self, name: str, now: float) -> Json | None:
        """An account by name, as `/user/NAME/about` answers."""
        number = self._author_number.get(name)
        if number is None:
            return None
        author = self.world.authors[number]
        link, comment = self._karma(number, now)
        return {
            "id": author.id,
            "name": author.name,
            "created_utc": author.created,
            "link_karma": link,
            "comment_karma": comment,
            "total_karma": link + comment,
            "is_suspended": False,
        }

    def comments(self, subreddits: Collection[int], now: float, limit: int) -> Json:
        """The newest comments: each post of the last day shows its latest one."""
        numbers = set(subreddits)
        children: list[Json] = []
        for number in range(bisect_right(self._created, now) - 1, -1, -1):
            post = self.world.posts[number]
            if post.created < now - 86_400 or len(children) == limit:
                break
            count = post.comments_at(now)
            if post.subreddit in numbers and count and not self._removed(post, now):
                children.append(thing(COMMENT, self._comment(post, count, now)))
        return listing(children, None)

    def post(self, post: Post, now: float) -> Json:
        """A submission."""
        subreddit = self.world.subreddits[post.subreddit]
        author = None if post.author is None else self.world.authors[post.author]
        permalink = f"/r/{subreddit.name}/comments/{post.id}/simulated/"
        removed = self._removed(post, now)
        score = max(post.score_at(now), 1 if now - post.created < 600 and post.score else 0)
        shown: Json = {
            "id": post.id,
            "name": fullname(POST, post.id),
            "title": post.title,
            "subreddit": subreddit.name,
            "subreddit_id": fullname(SUBREDDIT, subreddit.id),
            "subreddit_name_prefixed": f"r/{subreddit.name}",
            "subreddit_subscribers": self._subscribers(post.subreddit, now),
            "author": author.name if author else "[deleted]",
            "created_utc": post.created,
            "score": score,
            "ups": score,
            "upvote_ratio": round(post.ratio, 2),
            "num_comments": post.comments_at(now),
            "permalink": permalink,
            "over_18": post.over_18,
            "spoiler": post.spoiler,
            "is_self": False,
            "is_video": False,
            "is_gallery": False,
            "link_flair_text": None,
            "removed_by_category": "moderator" if removed else None,
            "selftext": "",
            "stickied": False,
            "locked": False,
        }
        if author is not None:
            shown["author_fullname"] = fullname(ACCOUNT, author.id)
        return {**shown, **self._media(post, permalink)}

    def _media(self, post: Post, permalink: str) -> Json:
        image = f"{self._base}/img/{post.id}.jpg"
        host = self._base.partition("://")[2]
        if post.kind == "text":
            return {"is_self": True, "url": permalink, "domain": "self", "selftext": "Words."}
        if post.kind == "link":
            return {"url": f"https://news.example/{post.id}", "domain": "news.example"}
        if post.kind == "video":
            return {"is_video": True, "url": f"https://v.redd.it/{post.id}", "domain": "v.redd.it"}
        if post.kind == "gallery":
            items = [{"media_id": f"{post.id}m{n}", "id": n} for n in range(2 + post.number % 4)]
            metadata = {
                item["media_id"]: {
                    "status": "valid",
                    "e": "Image",
                    "m": "image/jpg",
                    "s": {"u": f"{image}?width=320&s=0", "x": 320, "y": 256},
                }
                for item in items
            }
            return {
                "is_gallery": True,
                "url": f"https://www.reddit.com/gallery/{post.id}",
                "domain": host,
                "gallery_data": {"items": items},
                "media_metadata": metadata,
            }
        shown: Json = {
            "url": image,
            "url_overridden_by_dest": image,
            "domain": host,
            "post_hint": "image",
        }
        if post.kind == "crosspost":
            parent = {
                "id": f"x{post.id}",
                "name": fullname(POST, f"x{post.id}"),
                "is_video": False,
                **shown,
            }
            return {
                **shown,
                "crosspost_parent": parent["name"],
                "crosspost_parent_list": [parent],
            }
        return shown

    def _comment(self, post: Post, count: int, now: float) -> Json:
        subreddit = self.world.subreddits[post.subreddit]
        return {
            "id": f"c{post.id}{count:x}",
            "name": fullname(COMMENT, f"c{post.id}{count:x}"),
            "link_id": fullname(POST, post.id),
            "parent_id": fullname(POST, post.id),
            "link_title": post.title,
            "subreddit": subreddit.name,
            "subreddit_id": fullname(SUBREDDIT, subreddit.id),
            "author": "sim_reader",
            "body": "Simulated.",
            "score": 1,
            "created_utc": now,
        }

    def _removed(self, post: Post, now: float) -> bool:
        return post.kind == "removed" and now >= post.created + _REMOVED_AFTER

    def _subscribers(self, number: int, now: float) -> int:
        days = (now - self.world.start.timestamp()) / 86_400
        return self.world.subreddits[number].subscribers_at(days)

    def _karma(self, number: int, now: float) -> tuple[int, int]:
        """Link and comment karma: what an account had, and what its posts have earned since."""
        earned = sum(
            post.score_at(now) for post in self._posts_of.get(number, []) if post.created <= now
        )
        author = self.world.authors[number]
        return author.link_karma + earned, author.comment_karma


def image_answer(post: Post) -> str:
    """The answer for a post's image: `shown`, `gone` or `placeholder`."""
    if post.kind == "image_gone":
        return "gone"
    if post.kind == "placeholder":
        return "placeholder"
    return "shown" if post.kind in WITH_IMAGE or post.kind == "removed" else "gone"


def thing(kind: str, data: Json) -> Json:
    """An object with its kind, as Reddit wraps them."""
    return {"kind": kind, "data": data}


def listing(children: list[Json], after: str | None) -> Json:
    """A page of things."""
    data = {"after": after, "before": None, "dist": len(children), "children": children}
    return thing("Listing", data)

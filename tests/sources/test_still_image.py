"""Finding a post's image in its own JSON."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest

from mmrl.sources.still_image import Media, find_media
from tests.support.paths import FIXTURES

_NO_VIDEO = "not on the list of video hosts: the reason is then 'no image', and nothing is fetched"
DIFFERENCES = {  # from other tools, with the reason
    "https://www.gifdeliverynetwork.com/repulsivefinishedandalusianhorse": _NO_VIDEO,
    "http://video.pbs.org/viralplayer/2365173446/": _NO_VIDEO,
    "https://www.pornhub.com/view_video.php?viewkey=ph5a2ee0461a8d0": _NO_VIDEO,
    "https://www.erome.com/a/NWGw0F09": "its pages are not opened, and its preview is of a video",
}


def entry(media_id: str, status: str = "valid", **source: Any) -> dict[str, Any]:
    address = f"https://preview.redd.it/{media_id}.jpg?width=9&amp;s=1"
    return {"status": status, "e": "Image", "s": source or {"u": address, "x": 9, "y": 9}}


def gallery(*ids: str, **entries: Any) -> dict[str, Any]:
    return {
        "url": "https://www.reddit.com/gallery/abc",
        "is_gallery": True,
        "gallery_data": {"items": [{"media_id": media_id, "id": 1} for media_id in ids]},
        "media_metadata": entries,
    }


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("https://i.redd.it/abc.jpg", "https://i.redd.it/abc.jpg"),
        ("https://i.redd.it/abc.png?width=3&amp;x=1", "https://i.redd.it/abc.png?width=3&x=1"),
        ("https://preview.redd.it/abc.jpg?width=3&s=1", "https://i.redd.it/abc.jpg"),
        ("http://i.imgur.com/Q6YnZ.png", "https://i.imgur.com/Q6YnZ.png"),
        ("http://i.imgur.com/Q6YnZ.jpg?1", "https://i.imgur.com/Q6YnZ.jpg"),
        ("http://i.imgur.com/coZnjAL", "https://i.imgur.com/coZnjAL.jpg"),
        ("http://imgur.com/iQGP6", "https://i.imgur.com/iQGP6.jpg"),
        ("https://imgur.com/8p1xoPi.jpg", "https://i.imgur.com/8p1xoPi.jpg"),
        ("https://m.imgur.com/34k6nYj", "https://i.imgur.com/34k6nYj.jpg"),
        ("http://example.org/Cat.JPEG", "http://example.org/Cat.JPEG"),
        (
            "https://i.reddituploads.com/abcdef?fit=max",
            "https://i.reddituploads.com/abcdef?fit=max",
        ),
        ("http://imgur.com/a/cJLBx", None),
        ("http://imgur.com/gallery/JEp9sAz", None),
        ("http://imgur.com/gallery", None),
        ("http://imgur.com/abcde,fghij", None),
        ("https://en.wikipedia.org/wiki/File:Cat.jpg", None),
        ("https://www.nytimes.com/2019/12/18/story.html", None),
        ("https://notimgur.com/iQGP6", None),
        ("https://imgur.com.evil.example/iQGP6", None),
        ("javascript:alert(1)//.jpg", None),
        ("file:///etc/passwd.jpg", None),
        ("http://[::1/.jpg", None),
        ("", None),
    ],
)
def test_a_link_is_an_image_only_where_that_is_certain(url: str, image: str | None) -> None:
    media = find_media({"url": url})
    assert (media.image_url, media.is_video) == (image, False)


@pytest.mark.parametrize(
    "post",
    [
        {"url": "https://v.redd.it/abc"},
        {"url": "https://i.redd.it/abc.jpg", "is_video": True},
        {"url": "http://i.imgur.com/abcde.gifv"},
        {"url": "https://example.org/film.mp4"},
        {"url": "https://www.youtube.com/watch?v=1", "post_hint": "rich:video"},
        {"url": "https://youtu.be/1"},
        {"url": "https://gfycat.com/SomeThing"},
    ],
)
def test_videos_are_told_from_images(post: dict[str, Any]) -> None:
    assert find_media(post) == Media(is_video=True)


def test_a_text_post_has_no_image_whatever_its_text_shows() -> None:
    metadata = {"x": entry("x")}
    assert find_media({"is_self": True, "url": "/r/a", "media_metadata": metadata}) == Media()


def test_a_gallery_gives_its_first_valid_image_and_its_size() -> None:
    post = gallery("b", "c", "a", a=entry("a"), b=entry("b", status="failed"), c=entry("c"))
    signed = "https://preview.redd.it/c.jpg?width=9&s=1"
    assert find_media(post) == Media("https://i.redd.it/c.jpg", signed, gallery_size=3)


def test_an_animated_gallery_item_gives_its_gif_and_a_film_gives_nothing() -> None:
    gif = gallery("a", a=entry("a", gif="https://i.redd.it/a.gif"))
    assert find_media(gif).image_url == "https://i.redd.it/a.gif"
    film = gallery("a", a=entry("a", mp4="https://preview.redd.it/a.mp4"))
    assert find_media(film) == Media(gallery_size=1)


@pytest.mark.parametrize("broken", [None, [], {"items": None}, {"items": [None, {}]}])
def test_a_broken_gallery_has_no_image(broken: Any) -> None:
    post = {"is_gallery": True, "gallery_data": broken, "media_metadata": None}
    assert find_media(post).image_url is None


def test_a_crossposts_image_is_its_parents() -> None:
    parent = {"url": "https://i.redd.it/parent.jpg"}
    post = {"url": "https://i.redd.it/parent.jpg?x", "crosspost_parent_list": [{}, parent]}
    assert find_media(post).image_url == "https://i.redd.it/parent.jpg"
    of_gallery = {"url": "/r/a/x", "crosspost_parent_list": [gallery("a", a=entry("a"))]}
    signed = "https://preview.redd.it/a.jpg?width=9&s=1"
    assert find_media(of_gallery) == Media("https://i.redd.it/a.jpg", signed, gallery_size=1)


def test_a_preview_stands_for_an_image_page_but_not_for_an_article() -> None:
    address = "https://external-preview.redd.it/p.jpg?auto=webp&amp;s=2"
    preview = {"images": [{"source": {"url": address}}]}
    flickr = {"url": "https://www.flickr.com/photos/a/1", "preview": preview, "post_hint": "link"}
    assert find_media(flickr).image_url == "https://external-preview.redd.it/p.jpg?auto=webp&s=2"
    article = {"url": "https://www.nytimes.com/a", "preview": preview, "post_hint": "link"}
    assert find_media(article) == Media()
    shown = {"url": "https://cdn.example.org/1", "preview": preview, "post_hint": "image"}
    assert find_media(shown).image_url == "https://external-preview.redd.it/p.jpg?auto=webp&s=2"


@dataclass(frozen=True)
class PeerCase:
    """An address of another tool's public tests, and what it gives there.

    Attributes:
        kind: image, video, album (a page of several images), listing, page (no image), gone.
        image: the image's address, for the kind `image`.
    """

    peer: str
    kind: str
    address: str
    image: str


def peer_cases() -> list[PeerCase]:
    lines = (FIXTURES / "peer_addresses.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return [PeerCase(row[0], row[1], row[2], row[3] if row[3:] else "") for row in rows]


def agrees(case: PeerCase) -> bool:
    """Whether the address gives the same here, as far as an address alone can tell."""
    media = find_media({"url": case.address})
    match case.kind:
        case "image":
            name = PurePosixPath(urlsplit(case.image).path).stem  # Imgur serves any ending
            return name in (media.image_url or "") and not media.is_video
        case "video":
            return media.is_video
        case "album":  # Reddit shows the first of its images, signed, in the post's JSON
            shown = "https://external-preview.redd.it/first.jpg?s=1"
            preview = {"images": [{"source": {"url": shown}}]}
            if "reddit.com/gallery/" in case.address:
                listed = gallery("a", a=entry("a"))
                return find_media({**listed, "url": case.address}).image_url is not None
            return find_media({"url": case.address, "preview": preview}).image_url == shown
        case _:
            return media.image_url is None


def test_addresses_of_other_tools_tests_give_what_they_give_there() -> None:
    cases = peer_cases()
    assert len(cases) >= 86
    assert {case.address for case in cases if not agrees(case)} == set(DIFFERENCES)


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("https://i.stack.imgur.com/AbCdE.jpg", "https://i.stack.imgur.com/AbCdE.jpg"),
        ("https://i.stack.imgur.com/AbCdE", None),
        ("https://stack.imgur.com/AbCdE", None),
        ("https://i.imgur.com.evil.example/AbCdE", None),
        ("https://x.i.redd.it/abc", None),
        ("https://i.imgur.com/s9uXxlXb.jpg", "https://i.imgur.com/s9uXxlX.jpg"),
        ("https://i.imgur.com/AbCdEl.png", "https://i.imgur.com/AbCdE.png"),
        ("https://i.imgur.com/2TtN68X_d.webp?maxwidth=640", "https://i.imgur.com/2TtN68X.jpg"),
        ("https://imgur.com/a-title-with-dashes-AbCdEfG", "https://i.imgur.com/AbCdEfG.jpg"),
        ("https://imgur.com/r/pics/AbCdEfG", "https://i.imgur.com/AbCdEfG.jpg"),
        ("https://imgur.io/t/cats/AbCdEfGm", "https://i.imgur.com/AbCdEfG.jpg"),
        ("https://i.imgur.com/download/AbCdEfG", "https://i.imgur.com/AbCdEfG.jpg"),
        ("https://imgur.com/search?q=x", None),
        ("https://imgur.com/random", None),
        ("https://imgur.com/upload", None),
        ("https://preview.redd.it/a-title-v0-zz9.jpeg?width=9&s=1", "https://i.redd.it/zz9.jpeg"),
        ("https://preview.redd.it/v0-zz9.png?s=1", "https://i.redd.it/zz9.png"),
        ("https://i.redd.it/a-title-v0-zz9.jpeg", "https://i.redd.it/zz9.jpeg"),
        (
            "https://preview.redd.it/award_images/t5_x/y.png?s=1",
            "https://preview.redd.it/award_images/t5_x/y.png?s=1",
        ),
        (
            "https://www.reddit.com/media?url=https%3A%2F%2Fi.redd.it%2Fabc.jpg",
            "https://i.redd.it/abc.jpg",
        ),
        ("https://www.reddit.com/media?url=javascript%3Aalert(1)", None),
        ("https://evil.example/media?url=https%3A%2F%2Fi.redd.it%2Fabc.jpg", None),
    ],
)
def test_hosts_are_compared_whole_and_small_copies_give_the_image(
    url: str, image: str | None
) -> None:
    assert find_media({"url": url}).image_url == image


def test_the_signed_preview_stays_known_for_an_image_that_is_gone() -> None:
    signed = "https://preview.redd.it/abc.jpg?auto=webp&s=1"
    preview = {"images": [{"source": {"url": signed.replace("&", "&amp;")}}]}
    posted = find_media({"url": "https://i.redd.it/abc.jpg", "preview": preview})
    assert posted == Media("https://i.redd.it/abc.jpg", signed)
    itself = find_media({"url": "https://preview.redd.it/t-v0-abc.jpg?width=9&s=2"})
    assert itself.preview_url == "https://preview.redd.it/t-v0-abc.jpg?width=9&s=2"
    foreign = {"images": [{"source": {"url": "https://evil.example/x.jpg"}}]}
    assert find_media({"url": "https://i.redd.it/abc.jpg", "preview": foreign}).preview_url is None


def test_a_suffix_may_be_written_with_escapes() -> None:
    address = "https://example.org/x%2ejpg"
    assert find_media({"url": address}).image_url == address

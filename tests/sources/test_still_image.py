"""Finding a post's image in its own JSON."""

from typing import Any

import pytest

from mmrl.sources.still_image import Media, find_media


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
    assert find_media({"url": url}) == Media(image_url=image)


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
    assert find_media(post) == Media(image_url="https://i.redd.it/c.jpg", gallery_size=3)


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
    assert find_media(of_gallery) == Media("https://i.redd.it/a.jpg", gallery_size=1)


def test_a_preview_stands_for_an_image_page_but_not_for_an_article() -> None:
    address = "https://external-preview.redd.it/p.jpg?auto=webp&amp;s=2"
    preview = {"images": [{"source": {"url": address}}]}
    flickr = {"url": "https://www.flickr.com/photos/a/1", "preview": preview, "post_hint": "link"}
    assert find_media(flickr).image_url == "https://external-preview.redd.it/p.jpg?auto=webp&s=2"
    article = {"url": "https://www.nytimes.com/a", "preview": preview, "post_hint": "link"}
    assert find_media(article) == Media()
    shown = {"url": "https://cdn.example.org/1", "preview": preview, "post_hint": "image"}
    assert find_media(shown).image_url == "https://external-preview.redd.it/p.jpg?auto=webp&s=2"

"""Hostile inputs, a kind a function: each yields None where mmrl held, else what was lost."""

import asyncio
import contextlib
import csv
import io
import ipaddress
import json
import threading
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mmrl.catalog import Catalog
from mmrl.config import ImageSettings
from mmrl.errors import MmrlError
from mmrl.images.decode import Crop, open_rgb
from mmrl.images.fetching.fetch import Fetcher
from mmrl.images.image import FetchedImage, Refused
from mmrl.images.measures.quality import measure_file
from mmrl.images.probe import probe
from mmrl.images.safety import address_allowed, check_url, host_allowed
from mmrl.pipeline import Silent
from mmrl.report.thumbnails import thumbnail
from mmrl.runtime.foreign_text import shown
from mmrl.runtime.html_tables import html_table
from mmrl.sources.files.dump import DumpSource
from mmrl.sources.files.importer import import_posts
from mmrl.sources.files.table import TableSource

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_CREATED = 1_700_000_000
_ODD: list[object] = [
    *(None, True, -1, 0, 2**70, 1e308, float("nan"), "", " ", "\x1b[2J", "[/b]", "<b>", "\u202e"),
    *([], {}, [[]], {"a": {"b": 1}}, "9" * 5_000, "x" * 100_000, "1,204", "12.5k", "DELETED"),
    *("2023-11-14", "14/11/2023", "https://i.redd.it/\x00.jpg", "javascript:alert(1)", b"".hex()),
]
_LINES = 100  # of a dump; every fifth is a good post


def _good(name: str) -> dict[str, object]:
    return {
        "id": name,
        "title": "A view",
        "subreddit": "pics",
        "author": "someone",
        "created_utc": _CREATED,
        "retrieved_on": _CREATED + 200_000,
        "score": 7,
        "num_comments": 1,
        "url": f"https://i.redd.it/{name}.jpg",
        "permalink": f"/r/pics/comments/{name}/a_view/",
    }


def _flipped(data: bytes, dice: Random, most: int = 4) -> bytes:
    """The bytes with a few changed, taken out, put in or cut off."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, most)):
        place = dice.randrange(len(changed)) if changed else 0
        match dice.randrange(5):
            case 0 if changed:
                changed[place] = dice.randrange(256)
            case 1:
                changed[place:place] = dice.randbytes(dice.randint(1, 8))
            case 2:
                del changed[place : place + dice.randint(1, 16)]
            case 3:
                del changed[place:]
            case _:
                changed[place : place + 1] = changed[place : place + 1] * dice.randint(2, 50)
    return bytes(changed)


def _bad_line(dice: Random, name: str) -> bytes:
    post = _good(name)
    match dice.randrange(4):
        case 0:
            return _flipped(json.dumps(post).encode(), dice).replace(b"\n", b" ")
        case 1:
            post[dice.choice(list(post))] = dice.choice(_ODD)
        case 2:
            depth = dice.choice((10, 900, 5_000))
            return json.dumps(post).encode()[:-1] + b', "over_18": ' + b"[" * depth
        case _:
            del post[dice.choice(list(post))]
    return json.dumps(post).encode()


def dump_lines(dice: Random, folder: Path, tries: int) -> Iterator[str | None]:
    """Lines of dumps, mutated; a good one among them must come in."""
    for start in range(0, tries, _LINES):
        good, lines = set(), []
        for number in range(_LINES + _LINES // 4):
            name = f"{'g' if number % 5 == 0 else 'b'}{start}x{number}"
            if number % 5 == 0:
                good.add(name)
            line = json.dumps(_good(name)).encode() if name in good else _bad_line(dice, name)
            lines.append(line)
        file = folder / f"dump{start}.ndjson"
        file.write_bytes(b"\n".join(lines) + b"\n")
        lost = _imported(folder / f"home{start}", DumpSource([file]), good)
        yield f"lines from {start:,}: {lost}" if lost else None
        for _ in range(min(_LINES, tries - start) - 1):
            yield None


def _imported(home: Path, source: DumpSource | TableSource, good: set[str]) -> str | None:
    """What is lost when a source is read: good posts, or another error than mmrl's."""
    catalog = Catalog.open(home, create=True)
    try:
        import_posts(catalog, source, _NOW, Silent())
    except MmrlError as error:
        return f"{len(good)} good posts, by {error}" if good else None
    except Exception as error:  # whatever a library raises is what is looked for
        return f"{type(error).__name__}: {shown(error)}"
    missing = good - set(catalog.read("posts", ["post_id"])["post_id"].to_pylist())
    return f"{len(missing)} good posts" if missing else None


def _tried(home: Path, file: Path) -> str | None:
    try:
        source = TableSource(file)
    except MmrlError:
        return None
    except Exception as error:  # as above
        return f"{file.name}: {type(error).__name__}: {shown(error)}"
    lost = _imported(home, source, set())
    return f"{file.name}: {lost}" if lost else None


def text_tables(dice: Random, folder: Path, tries: int) -> Iterator[str | None]:
    """CSV files whose cells, quotes, separators and bytes are odd."""
    for number in range(tries):
        rows = [_good(f"t{number}x{row}") for row in range(8)]
        for row in rows[1:]:
            row[dice.choice(list(row))] = dice.choice(_ODD)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter=dice.choice(",;\t|"))
        writer.writeheader()
        writer.writerows(rows)
        encoding = dice.choice(("utf-8", "utf-16", "utf-8-sig", "latin-1"))
        file = folder / f"table{number}.csv"
        data = text.getvalue().encode(encoding, "replace")
        file.write_bytes(_flipped(data, dice) if dice.random() < 0.7 else data)
        yield _tried(folder / f"home{number}", file)


def parquet_tables(dice: Random, folder: Path, tries: int) -> Iterator[str | None]:
    """Parquet files with flipped bytes, and columns of odd types."""
    for number in range(tries):
        table = pa.Table.from_pylist([_good(f"q{number}x{row}") for row in range(20)])
        place = dice.randrange(table.num_columns)
        odd = pa.array([dice.choice((None, {"a": row}, {"a": -row})) for row in range(20)])
        if dice.random() < 0.3:
            table = table.set_column(place, table.column_names[place], odd)
        file = folder / f"table{number}.parquet"
        pq.write_table(table, file)
        if dice.random() < 0.8:
            file.write_bytes(_flipped(file.read_bytes(), dice))
        yield _tried(folder / f"home{number}", file)


_HOSTS = (
    *("i.redd.it", "127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433", "0x7f.1"),
    *(
        "i.redd.it@evil.example",
        "evil.example#i.redd.it",
        "i.redd.it.evil.example",
        "168.63.129.16",
    ),
    *(
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "i。redd。it",
        "xn--i-7iq.ws",
        "192.0.0.192",
    ),
)


def addresses(dice: Random, folder: Path, tries: int) -> Iterator[str | None]:
    """Addresses that hide another host, and numbers that are nobody's to fetch."""
    images = ImageSettings()
    for _ in range(tries):
        url = f"{dice.choice(('http', 'https', 'HTTPS', 'file', 'ftp'))}://{dice.choice(_HOSTS)}"
        url += dice.choice(("", ":80", ":22", ":99999")) + dice.choice(
            ("/a.jpg", "\\@x/", "/%2e%2e")
        )
        if dice.random() < 0.5:
            url = _flipped(url.encode(), dice, 2).decode("utf-8", "replace")
        try:
            found = check_url(url, images)
        except Exception as error:  # as above
            yield f"{shown(url)}: {type(error).__name__}"
            continue
        through = not isinstance(found, Refused) and not host_allowed(found.host, images)
        number = ipaddress.ip_address(dice.choice((0x7F000001, 0xA9FEA9FE, 0xA83F8110, 0xC0000008)))
        let = address_allowed(str(number), str(number), images)
        yield f"{shown(url)} or {number} was let through" if through or let else None


@contextlib.contextmanager
def _answering(raw: list[bytes]) -> Iterator[int]:
    """A port on loopback that answers request `/N` with the raw bytes at N, then hangs up."""
    loop = asyncio.new_event_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(Exception):
            asked = await reader.readuntil(b"\r\n\r\n")
            writer.write(raw[int(asked.split()[1].decode().strip("/.jpg"))])
            await writer.drain()
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()


def answers(dice: Random, folder: Path, tries: int) -> Iterator[str | None]:
    """Answers of image hosts: statuses, lengths, packings and bytes that don't agree."""
    body = _saved("JPEG")
    raw = []
    for _ in range(tries):
        head = f"HTTP/1.1 {dice.choice((200, 200, 206, 301, 404, 429, 999))} x\r\n"
        head += f"Content-Length: {dice.choice((len(body), 0, 5, 10**12, -1))}\r\n"
        head += dice.choice(("", "Content-Encoding: gzip\r\n", "Location: http://[::1\r\n"))
        answer = head.encode() + b"Connection: close\r\n\r\n" + body
        raw.append(_flipped(answer, dice) if dice.random() < 0.5 else answer)

    images = ImageSettings(allow_loopback=True, timeout_seconds=2, attempts=1)
    with _answering(raw) as port:
        for number in range(tries):
            url = f"http://127.0.0.1:{port}/{number}.jpg"
            try:
                got = Fetcher(images, seed=0).fetch([url])[url]
            except Exception as error:  # as above
                yield f"answer {number}: {type(error).__name__}: {shown(error)}"
                continue
            yield _stages(got.data) if isinstance(got, FetchedImage) else None


def _saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((96, 64), 60).convert("RGB").save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def _stages(data: bytes) -> str | None:
    """What refuses a file that fetching took."""
    for stage in (open_rgb, Crop(32, 0.9, 32).apply, measure_file, thumbnail):
        try:
            stage(data)
        except Exception as error:  # as above
            return f"{stage}: {type(error).__name__}: {shown(error)}"
    return None


def pictures(dice: Random, folder: Path, tries: int) -> Iterator[str | None]:
    """Image files of every format with changed bytes: what is taken in, every stage decodes."""
    kinds = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP")
    files = [_saved(kind) for kind in kinds] + [_saved("JPEG", progressive=True)]
    images = ImageSettings()
    for number in range(tries):
        data = _flipped(dice.choice(files), dice)
        try:
            found = probe(data, images)
        except Exception as error:  # as above
            yield f"picture {number}: {type(error).__name__}: {shown(error)}"
            continue
        yield None if isinstance(found, Refused) else _stages(data)


_PAYLOADS = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td><svg onload=alert(1)>"),
    *("[/b]", "[link=javascript:alert(1)]x[/link]", "\x1b]8;;http://x\x07", "\x1b[2J", "\u202egnp"),
    *("&lt;b&gt;", "{{7*7}}", "{% include 'x' %}", "\x00", "]]>", "<!--", "'\"><b>", "\ud800"),
)


class _Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)


def markup(dice: Random, folder: Path, tries: int) -> Iterator[str | None]:
    """Titles and names that hold markup or steer a terminal, in tables and in lines."""
    own = {"p", "table", "thead", "tbody", "tr", "th", "td"}
    for _ in range(tries):
        text = "".join(dice.choices(_PAYLOADS, k=3)) + dice.choice(("", "x" * 5_000))
        tags = _Tags()
        tags.feed(html_table([text], [[text]], caption=text))
        line = shown(text)
        steers = any(unicodedata.category(sign) in {"Cc", "Cf", "Cs"} for sign in line)
        yield f"{line}: {tags.found - own}" if tags.found - own or steers else None

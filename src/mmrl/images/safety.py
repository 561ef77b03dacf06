"""Addresses that mmrl may fetch from. Whoever posts chooses the URL: nothing in it is trusted.

A URL is parsed once, here, and the connection is made from the parts found here, so that no other
parser can read another host into it. Names are checked before the request and at every redirect;
the numbers they resolve to are checked where the connection is made (see `connect`), so that a name
which changes its mind between check and use (DNS rebinding) gains nothing.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.image import Refused
from mmrl.runtime.loopback import is_loopback

_PORTS = {"http": 80, "https": 443}
_LONGEST_URL = 4096
_NAME = re.compile(
    r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NEVER_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT_AS_WRITTEN = "%/:?[]@!$&'()*+,;=~-._"  # RFC 3986: reserved signs, and what is escaped already
_NAT64 = (  # an IPv4 address in their last 32 bits
    ipaddress.ip_network("64:ff9b::/96"),  # RFC 6052
    ipaddress.ip_network("64:ff9b:1::/48"),  # RFC 8215, local; its last 32 bits as most use it
    ipaddress.ip_network("::/96"),  # IPv4-compatible, RFC 4291
    ipaddress.ip_network("::ffff:0:0:0/96"),  # IPv4-translated, RFC 2765
)
# What answers in clouds and networks beyond the ranges that Python's tables call private; those
# tables differ by version. IANA's special-purpose registry, and the providers' own pages.
_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        "168.63.129.16/32",  # Azure's services for its machines
        *("fc00::/7", "fe80::/9", "ff00::/8", "100::/64", "2001:2::/48", "2001:db8::/32"),
        *("2001:10::/28", "2001:20::/28", "3fff::/20", "5f00::/16"),
    )
)


@dataclass(frozen=True)
class Address:
    """An http(s) address that may be asked for.

    Attributes:
        host: ASCII, lower case, no trailing dot; an IPv6 address without brackets.
        target: path and query as they go on the wire.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def netloc(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target}"


def host_allowed(host: str, images: ImageSettings) -> bool:
    """True where images may be fetched from this host.

    Args:
        host: a name or a number alone: with a port, a user or a path it is not a host, and refused.
        images: in `allowed_hosts`, `*` stands for a run of signs within one label, `*.` in front
            for any subdomain, and `*` alone for every host.
    """
    name = _plain_host(host)
    if name is None:
        return False
    if is_loopback(name):
        return images.allow_loopback
    return any(_pattern(allowed).fullmatch(name) for allowed in images.allowed_hosts)


def check_url(url: str, images: ImageSettings, base: Address | None = None) -> Address | Refused:
    """The address in a URL, or the refusal of it.

    Args:
        base: where a redirect came from, which a relative URL starts at.
    """
    if len(url) > _LONGEST_URL:
        return _not_allowed(f"the address has {len(url)} characters, {_LONGEST_URL} at most")
    if _NEVER_IN_A_URL.search(url.strip()):
        return _not_allowed("the address holds a space, a backslash or a control character")
    try:
        parts = urlsplit(urljoin(str(base), url.strip()) if base else url.strip())
        host, port = _plain_host(parts.hostname or ""), parts.port
        target = quote(parts.path or "/", safe=_KEPT_AS_WRITTEN)
        if parts.query:
            target += "?" + quote(parts.query, safe=_KEPT_AS_WRITTEN)
    except ValueError:
        return _not_allowed("the address can't be read")
    if parts.scheme not in _PORTS:
        return _not_allowed(
            f"only http and https are fetched, not {parts.scheme[:20] or 'nothing'}"
        )
    if "@" in parts.netloc:
        return _not_allowed("the address carries a user name")
    if host is None or not host_allowed(host, images):
        return _not_allowed(f"host {(parts.hostname or '')[:100]!r}")
    if port not in (None, _PORTS[parts.scheme]) and not is_loopback(host):
        return _not_allowed(f"port {port}")
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], target)


def quoted(location: str) -> str:
    """Where a server sends a request on to, with blanks and letters escaped once.

    Args:
        location: the header, decoded as Latin-1; most servers that escape nothing write UTF-8.
    """
    raw = location.strip().encode("latin-1")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raw = location.strip().encode()
    return quote(raw, safe=_KEPT_AS_WRITTEN + "#\\\t\r\n\0")


def check_file(url: str) -> Path | Refused:
    """The path in a file:// URL that an import recorded, or the refusal of it.

    Only posts of an imported table may name files. A link that leads out of the file's own folder,
    and a folder that has become a link since the import, are refused, so that a folder of images
    can't hand over the rest of the disk.
    """
    try:
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or ".." in path.parts:
            return _not_allowed("not a plain file:// address")
        if not path.is_file():
            return Refused(Reason.FILE_MISSING, str(path))
        if path.parent.resolve() != path.parent:  # an import notes where files lie, links resolved
            detail = "its folder has become a link since the import: put the folder back there"
            return Refused(Reason.HOST_NOT_ALLOWED, detail, transient=True)
        if path.resolve().parent != path.parent:
            return _not_allowed("the file is a link that leads out of its folder")
    except (ValueError, OSError, RuntimeError) as error:
        return Refused(Reason.FILE_MISSING, str(error))
    return path


def address_allowed(number: str, host: str, images: ImageSettings) -> bool:
    """True where a connection may be made to this IP address, which `host` resolved to.

    Public addresses only: nothing private, link-local (where clouds keep their metadata),
    multicast or reserved, also not when wrapped in an IPv6 address. Loopback only where the
    settings allow it and the URL named it itself, so that no foreign name can lead there.
    """
    try:
        ip = ipaddress.ip_address(number.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = _wrapped(ip)
        if wrapped is not None:
            return address_allowed(str(wrapped), host, images)
        if ip.is_site_local:
            return False
    if ip.is_loopback:
        return images.allow_loopback and is_loopback(host)
    if any(ip in network for network in _NEVER if network.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _wrapped(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, Teredo, NAT64 and the like."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if any(ip in network for network in _NAT64) and int(ip) > 1:  # ::1 is loopback itself
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def _plain_host(host: str) -> str | None:
    """A host in its one spelling: ASCII, lower case, no trailing dot; None where it is none."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not host.isascii():
        import idna

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    name = host.lower().removesuffix(".")
    return name if len(name) <= 253 and _NAME.fullmatch(name) else None


@lru_cache(maxsize=1024)
def _pattern(allowed: str) -> re.Pattern[str]:
    text = allowed.strip().lower().removesuffix(".")
    if text == "*":
        return re.compile(".+", re.DOTALL)
    front = ""
    if text.startswith("*."):
        front, text = r"([^.]+\.)+", text[2:]
    if not text.isascii():
        text = _plain_host(text) or text
    return re.compile(front + "[^.]*".join(map(re.escape, text.split("*"))))


def _not_allowed(detail: str) -> Refused:
    return Refused(Reason.HOST_NOT_ALLOWED, detail)

"""Access to the server: the host names that it answers to, and the token."""

import hashlib
import hmac
import ipaddress
import os
from dataclasses import dataclass
from typing import Self

from mmrl.errors import ConfigError
from mmrl.runtime.loopback import is_loopback

TOKEN_VARIABLE = "MMRL_SERVE_TOKEN"
_SHORTEST_TOKEN = 16  # characters
COOKIE = "mmrl_serve"


@dataclass(frozen=True)
class Access:
    """The rule of who is let in.

    Attributes:
        names: host names, lower case, that the server answers to besides loopback's.
        addresses: it also answers to any IP address; no DNS name can be rebound to one.
        token: what a client must give; None where everybody on this machine may ask.
    """

    names: frozenset[str]
    addresses: bool
    token: str | None

    @classmethod
    def of(cls, host: str, names: tuple[str, ...] = (), token: str | None = None) -> Self:
        """The rule for a server that listens on `host`.

        Raises:
            ConfigError: others than this machine could ask, and there is no token, or a short one.
        """
        if token is not None and len(token) < _SHORTEST_TOKEN:
            raise ConfigError(
                f"{TOKEN_VARIABLE} has {len(token)} characters, expected {_SHORTEST_TOKEN} or "
                "more: make one with `openssl rand -hex 24`."
            )
        if is_loopback(host.lower()):
            return cls(frozenset(name.lower() for name in names), False, token)
        if token is None:
            raise ConfigError(
                f"On {host} others than this machine could ask, so a token is needed: set "
                f"{TOKEN_VARIABLE} to one that you make with `openssl rand -hex 24`, or leave "
                "--host out to serve this machine alone."
            )
        return cls(frozenset(name.lower() for name in (host, *names)), True, token)

    def answers_to(self, host: str | None) -> bool:
        """Whether a request's Host, with or without a port, is one of the server's names."""
        name = host_name(host)
        if name is None:
            return False
        return is_loopback(name) or name in self.names or (self.addresses and _is_address(name))

    def lets_in(self, authorization: str | None, cookie: str | None) -> bool:
        """Whether a request gives the token, as a bearer or as the cookie that `cookie` makes."""
        if self.token is None:
            return True
        bearer = (authorization or "").removeprefix("Bearer ").strip()
        return _same(bearer, self.token) or _same(cookie or "", self.cookie())

    def is_token(self, candidate: str) -> bool:
        """Whether a person gave the token."""
        return self.token is not None and _same(candidate.strip(), self.token)

    def cookie(self) -> str:
        """The cookie of whoever gave the token once; the token can't be told from it."""
        return hmac.new((self.token or "").encode(), b"mmrl serve", hashlib.sha256).hexdigest()


def token_of_environment() -> str | None:
    """The token that the environment holds; None where it holds none."""
    return os.environ.get(TOKEN_VARIABLE) or None


def host_name(host: str | None) -> str | None:
    """The name in a Host header, lower case, without port and brackets; None where it has none."""
    if not host:
        return None
    if host.startswith("["):
        name, bracket, _ = host[1:].partition("]")
        return name.lower() if bracket else None
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(candidate: str, expected: str) -> bool:
    return hmac.compare_digest(candidate.encode(), expected.encode())

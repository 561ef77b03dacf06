"""Names of this machine itself: localhost, and the numbers of loopback."""

import ipaddress


def is_loopback(host: str) -> bool:
    """True where a host, as it stands in a URL, names this machine; nothing is looked up.

    Args:
        host: lower case, without port or brackets.
    """
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""The server itself: a socket that is bound at once, and uvicorn on it until a signal ends it."""

import errno
import socket
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from mmrl.errors import Failure, InputError

if TYPE_CHECKING:
    import uvicorn

_BACKLOG = 128
_LONGEST_HEAD = 512 * 1024  # bytes: drafts' titles stand in the address
_LAST_SECONDS = 15  # that requests under way get when the server ends


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; whoever connects waits until the server serves.

    Args:
        port: 0 takes a free one.

    Raises:
        InputError: the port is in use, or the host is not this machine's.
        Failure: the system refuses for another reason.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio sends small packets at once: an answer's end waits 40 ms else.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OverflowError:
        listening.close()
        raise InputError(f"{port} is no port: give one from 0 to 65535.") from None
    except socket.gaierror:
        listening.close()
        raise InputError(f"There is no host {host!r}: give an address of this machine.") from None
    except OSError as error:
        listening.close()
        raise _refused(error, host, port) from error
    return listening


def address(listening: socket.socket) -> str:
    """The URL of a server on this socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def server_of(app: ASGIApp) -> "uvicorn.Server":
    """A server that ends at SIGTERM or Ctrl-C, once requests under way are answered.

    Its `run` takes the sockets to serve on.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # it would hold drafts' titles
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=_LONGEST_HEAD,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    return uvicorn.Server(config)


def _refused(error: OSError, host: str, port: int) -> InputError | Failure:
    if error.errno == errno.EADDRINUSE:
        return InputError(
            f"Port {port} of {host} is in use, perhaps by another `mmrl serve`: give another with "
            "--port, or --port 0 for a free one."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return InputError(f"{host} is no address of this machine: leave --host out, or give one.")
    if error.errno == errno.EACCES:
        return InputError(f"Port {port} is not open to this user: give one from 1024 up.")
    return Failure(f"{host}:{port} can't be listened on ({error.strerror or error}).")

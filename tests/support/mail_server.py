"""A mail server on loopback that remembers what it was given."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """Attributes: port, where it answers; mails, those so far."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Takes mail by SMTP, without encryption or a login, while the block lasts."""
    kept = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while command := self.rfile.readline().split():
                match command[0].upper():
                    case b"DATA":
                        self._say("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        mail = message_from_bytes(b"".join(lines), policy=policy.default)
                        assert isinstance(mail, EmailMessage)
                        kept.mails.append(mail)
                        self._say("250 taken")
                    case b"QUIT":
                        return self._say("221 bye")
                    case _:
                        self._say("250 yes")
            return None

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        kept.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()

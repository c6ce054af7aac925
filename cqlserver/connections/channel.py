"""One client's socket with its session, and what waits to be sent on it."""

import socket
from collections import deque
from typing import TYPE_CHECKING

from cqlserver.connections.limits import UNSENT_SHARE, UNSENT_TOTAL_HIGH, ClientLimits
from cqlserver.connections.session import Session
from cqlserver.connections.unanswered import Served

if TYPE_CHECKING:
    from cqlserver.connections.tls import TlsSocket

UNSENT_BYTES_MAX = 1 << 23
"""A client that lets more answers than this pile up is not read from until it has taken them."""
HELD_MAX = 64
"""Goes of one connection that wait for the log's sync; it is not read from beyond that."""


class Channel:
    """One client's socket, its session, and what waits to be sent."""

    __slots__ = (
        "closed",
        "closing",
        "fd",
        "held",
        "moved_at",
        "peer",
        "reading",
        "session",
        "sock",
        "unsent",
        "unsent_bytes",
        "writing",
    )  # fmt: skip

    def __init__(self, sock: "socket.socket | TlsSocket", session: Session, peer: str) -> None:
        self.sock, self.session, self.peer = sock, session, peer
        self.fd = sock.fileno()
        self.unsent: deque[memoryview] = deque()
        self.unsent_bytes = 0  # with what has been sent of the first and can't be freed yet
        self.moved_at = 0.0  # when the client last took something, while there is something unsent
        # (position of the commit log that must be synced first, the output, what it answers)
        self.held: deque[tuple[int, bytes, Served]] = deque()
        self.reading, self.writing, self.closing, self.closed = True, False, False, False

    def may_serve(self, limits: ClientLimits) -> bool:
        return (
            self.unsent_bytes < (UNSENT_BYTES_MAX if limits.unsent < UNSENT_TOTAL_HIGH else UNSENT_SHARE)
            and not self.session.is_busy
            and len(self.held) < HELD_MAX
            and not self.closing
        )

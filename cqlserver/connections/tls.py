"""TLS for client connections: a socket that encrypts, with the same few methods as the listener uses of a plain one.

Nothing blocks: what waits for the other side is a BlockingIOError, as with a plain socket, and the handshake goes on with
each `recv`. Where encryption is optional the first byte of a client tells: 0x16 begins a handshake, a version of the
protocol does not.
"""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from cqlserver.program.tls_settings import TlsSettings
from cqlserver.state import Peer

HANDSHAKE: Final = b"\x16"
T = TypeVar("T")


class TlsSocket:
    """A client's socket. `peer` is what the session is told of it."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, is_optional: bool) -> None:
        self._sock: socket.socket = sock
        self._context = context
        self._is_decided = not is_optional
        self._fd = sock.fileno()
        if self._is_decided:
            self._encrypt()

    def _encrypt(self) -> None:
        self._sock = self._context.wrap_socket(
            self._sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )

    def fileno(self) -> int:
        return self._fd

    def recv(self, size: int) -> bytes:
        if not self._is_decided:
            first = self._sock.recv(1, socket.MSG_PEEK)
            self._is_decided = True
            if first == HANDSHAKE:
                self._encrypt()
        return _waiting(lambda: self._sock.recv(size))

    def send(self, data: bytes | memoryview) -> int:
        return _waiting(lambda: self._sock.send(data))

    def close(self) -> None:
        with suppress(OSError):
            self._sock.close()

    def peer(self) -> Peer | None:
        """What is known of an encrypted connection once its handshake is done; None of a plain one."""
        sock = self._sock
        if not isinstance(sock, ssl.SSLSocket):
            return None
        cipher = sock.cipher()
        certificate: Any = sock.getpeercert() or {}
        names = tuple(str(value) for kind, value in certificate.get("subjectAltName", ()) if kind == "URI")
        return Peer(sock.version() or "", cipher[0] if cipher else "", names, bool(certificate))


def _waiting(call: Callable[[], T]) -> T:
    try:
        return call()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
        raise BlockingIOError from error


class Tls:
    """How connections are encrypted: what was made of the settings, once."""

    def __init__(self, settings: TlsSettings, context: ssl.SSLContext) -> None:
        self._is_optional, self._context = settings.is_optional, context

    def welcome(self, sock: socket.socket) -> TlsSocket:
        return TlsSocket(sock, self._context, self._is_optional)

"""How connections between nodes are made: compressed, encrypted, or neither, by where the other one is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Compress, Decompress
from protocol.errors import PeerError, ProtocolError

if TYPE_CHECKING:
    import ssl

TLS_HANDSHAKE: Final = b"\x16"
"""What an encrypted connection begins with; a Hello does not."""
_READ_BYTES: Final = 1 << 16

Place = tuple[str, str]
"""(datacenter, rack)"""


def is_in_scope(scope: str, own: Place, other: Place | None) -> bool:
    """`scope`: all connections, those between racks (`rack`), between datacenters (`dc`), or `none`. `other` None: it is not
    known yet where that is, which may be anywhere."""
    if scope in ("all", "none"):
        return scope == "all"
    return other is None or own[0] != other[0] or (scope == "rack" and own[1] != other[1])


@dataclass(frozen=True, slots=True)
class WireTls:
    """What was made of server_encryption_options: for connections of others to here, and of here to others. `is_optional`:
    plain ones are taken, too; `verifies_endpoint`: a certificate must be of the address that it comes from."""

    accepting: "ssl.SSLContext"
    calling: "ssl.SSLContext"
    is_optional: bool = False
    verifies_endpoint: bool = False


@dataclass(frozen=True, slots=True)
class Connecting:
    """`tls` None: nothing is encrypted."""

    compresses: Callable[[Endpoint], bool]
    encrypts: Callable[[Endpoint], bool]
    tls: WireTls | None = None


PLAIN: Final = Connecting(lambda endpoint: False, lambda endpoint: False)


class TlsEnd:
    """One end of an encrypted connection: bytes in, bytes out. All of it raises PeerError."""

    def __init__(self, context: "ssl.SSLContext", is_caller: bool, hostname: str | None = None) -> None:
        import ssl

        self._ssl = ssl
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, not is_caller, hostname)
        self.is_ready = self.has_ended = False

    def shake_hands(self, received: bytes) -> bytes:
        """Goes on with what came; what is to be sent."""
        self._incoming.write(received)
        with self._complaints(), self._until_more_comes():
            self._object.do_handshake()
            self.is_ready = True
        return self._outgoing.read()

    def addresses(self) -> list[str]:
        """Those that the other one's certificate is for."""
        certificate: Any = self._object.getpeercert() or {}
        return [str(value) for kind, value in certificate.get("subjectAltName", ()) if kind == "IP Address"]

    def encrypted(self, data: bytes) -> bytes:
        view = memoryview(data)
        with self._complaints():
            while view:
                view = view[self._object.write(view) :]
        return self._outgoing.read()

    def decrypted(self, received: bytes) -> bytes:
        """What has come completely. `has_ended` says whether the other one has closed."""
        self._incoming.write(received)
        parts: list[bytes] = []
        with self._complaints(), self._until_more_comes():
            while part := self._object.read(_READ_BYTES):
                parts.append(part)
            self.has_ended = True
        return b"".join(parts)

    @contextmanager
    def _until_more_comes(self) -> Iterator[None]:
        try:
            yield
        except self._ssl.SSLWantReadError:
            pass
        except self._ssl.SSLZeroReturnError:
            self.has_ended = True

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except self._ssl.SSLError as error:
            reason = error.verify_message if isinstance(error, self._ssl.SSLCertVerificationError) else error.reason
            raise PeerError(f"the connection can't be encrypted: {reason or error}") from None


def lz4() -> tuple[Compress, Decompress]:
    """As internode frames have it."""
    from protocol.compression import lz4_block

    compress, decompress_block = lz4_block()

    def decompress(data: bytes, plain_length: int) -> bytes:
        try:
            return decompress_block(data, plain_length)
        except ProtocolError as error:
            raise ValueError(str(error)) from None

    return compress, decompress

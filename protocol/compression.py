"""LZ4 and Snappy, as the native protocol has them.

Two shapes (native_protocol_v4.spec section 5, native_protocol_v5.spec section 2.2):

- v3 and v4 compress the body of an envelope. LZ4: `[i32 length of the body, big-endian][LZ4 block]`; Snappy: its raw
  format, which begins with the length itself.
- v5 compresses the payload of a segment: a bare LZ4 block, both lengths stand in the segment's header.

Every length that is claimed is checked against a limit before the memory is taken. `cramjam` is imported when the
first client asks for compression.
"""

from collections.abc import Callable
from typing import Final, Protocol

from protocol.errors import ProtocolError

LZ4: Final = "lz4"
SNAPPY: Final = "snappy"
ALGORITHMS: Final = (SNAPPY, LZ4)  # in the order in which SUPPORTED names them

# LZ4 can't shrink by more than 255:1, Snappy by no more than 64 bytes for 3: a claim beyond is a lie.
_LZ4_RATIO_MAX = 255
_LZ4_OVERHEAD = 64
_SNAPPY_RATIO_MAX = 22
_SNAPPY_LENGTH_BYTES_MAX = 5
_DAMAGED = "Compressed lengths mismatch"


class Compressor(Protocol):
    """Compression of envelope bodies (v3 and v4)."""

    name: str

    def compress(self, body: bytes) -> bytes: ...

    def size(self, body: bytes, size_max: int) -> int:
        """What `body` claims to decompress to. Raise ProtocolError as `decompress` does."""
        ...

    def decompress(self, body: bytes, size_max: int) -> bytes:
        """Raise ProtocolError when `body` is damaged or would grow beyond `size_max` bytes."""
        ...


class Lz4Compressor:
    name: str = LZ4

    def __init__(self) -> None:
        self._compress, self._decompress = lz4_block()

    def compress(self, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + self._compress(body)

    def size(self, body: bytes, size_max: int) -> int:
        if len(body) < 4:
            raise ProtocolError(_DAMAGED)
        size = int.from_bytes(body[:4], "big", signed=True)
        if not 0 <= size <= size_max:
            raise too_large(size, size_max)
        return size

    def decompress(self, body: bytes, size_max: int) -> bytes:
        return self._decompress(body[4:], self.size(body, size_max))


class SnappyCompressor:
    name: str = SNAPPY

    def __init__(self) -> None:
        from cramjam import snappy

        self._compress: Callable[[bytes], object] = snappy.compress_raw
        self._decompress: Callable[[bytes], object] = snappy.decompress_raw

    def compress(self, body: bytes) -> bytes:
        return bytes(self._compress(body))  # type: ignore[call-overload, no-any-return]

    def size(self, body: bytes, size_max: int) -> int:
        size = _snappy_size(body)
        if size is not None and size > size_max:
            raise too_large(size, size_max)
        if size is None or size > len(body) * _SNAPPY_RATIO_MAX:
            raise ProtocolError("Provided frame does not appear to be Snappy compressed")
        return size

    def decompress(self, body: bytes, size_max: int) -> bytes:
        self.size(body, size_max)
        try:
            return bytes(self._decompress(body))  # type: ignore[call-overload, no-any-return]
        except Exception as error:  # its class has changed between releases
            raise ProtocolError("Provided frame does not appear to be Snappy compressed") from error


def compressor(name: str) -> Compressor:
    """The compressor called `name` (`lz4` or `snappy`); raise KeyError for another name."""
    makers: dict[str, Callable[[], Compressor]] = {LZ4: Lz4Compressor, SNAPPY: SnappyCompressor}
    return makers[name]()


def lz4_block() -> tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]:
    """Functions that compress to and decompress from a bare LZ4 block; the latter takes the original's exact size."""
    from cramjam import lz4

    compress_block, decompress_into = lz4.compress_block, lz4.decompress_block_into

    def compress(data: bytes) -> bytes:
        return bytes(compress_block(data, store_size=False))

    def decompress(block: bytes, size: int) -> bytes:
        if size > len(block) * _LZ4_RATIO_MAX + _LZ4_OVERHEAD:
            raise ProtocolError(_DAMAGED)
        if size == 0:
            if block not in (b"", b"\x00"):
                raise ProtocolError(_DAMAGED)
            return b""
        data = bytearray(size)
        try:
            written = decompress_into(block, data, output_len=size)
        except Exception as error:  # its class has changed between releases
            raise ProtocolError(_DAMAGED) from error
        if written != size:
            raise ProtocolError(_DAMAGED)
        return bytes(data)

    return compress, decompress


def too_large(size: int, size_max: int) -> ProtocolError:
    return ProtocolError(f"Request is too big: length {size} exceeds maximum allowed length {size_max}.")


def _snappy_size(data: bytes) -> int | None:
    """The length that raw Snappy data begins with (a little-endian varint), or None where there is none."""
    size = 0
    for index, byte in enumerate(data[:_SNAPPY_LENGTH_BYTES_MAX]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return size
    return None

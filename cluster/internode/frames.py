"""Frames between nodes: all messages of one go to one peer, under one checksum, in one send (docs/formats/internode.md).

Pure: bytes in, messages out. A header is checked before memory is taken for what it announces. A frame that is damaged ends
the connection: what it held was never acknowledged, so whoever sent it treats it as lost.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from protocol.crc32 import crc32
from protocol.errors import PeerError
from protocol.types.vints import decode_unsigned, encode_unsigned

FRAME_BYTES_MAX: Final = 64 << 20
"""Plain bytes in one frame: above the largest mutation (commitlog_segment_size / 2) and what a page of a read may hold."""
COMPRESS_BYTES_MIN: Final = 256
"""Less than that is not worth compressing."""
COMPRESSED: Final = 0x01
_HEAD = struct.Struct(">BII")
_CRC = struct.Struct(">I")
HEADER_BYTES: Final = _HEAD.size + _CRC.size

Compress = Callable[[bytes], bytes]
Decompress = Callable[[bytes, int], bytes]
"""(data, plain length) -> plain bytes. Raises ValueError."""


class Message(NamedTuple):
    """`verb` says what `body` is; `id` is the sender's, and repeated in the answer to it."""

    verb: int
    id: int
    body: bytes


class FrameEncoder:
    """For one connection. `compress` None: bytes go as they are."""

    __slots__ = ("_compress",)

    def __init__(self, compress: Compress | None = None) -> None:
        self._compress = compress

    def encode(self, messages: Iterable[Message]) -> bytes:
        """The frames with these messages: one, or several where they are more than a frame may hold."""
        frames: list[bytes] = []
        parts: list[bytes] = []
        size = 0
        for verb, message_id, body in messages:
            head = bytes((verb,)) + encode_unsigned(message_id) + encode_unsigned(len(body))
            length = len(head) + len(body)
            if length > FRAME_BYTES_MAX:
                raise ValueError(f"a message of {length} bytes, a frame holds {FRAME_BYTES_MAX}")
            if size + length > FRAME_BYTES_MAX:
                frames.append(self._frame(b"".join(parts)))
                parts, size = [], 0
            parts += (head, body)
            size += length
        if parts:
            frames.append(self._frame(b"".join(parts)))
        return b"".join(frames)

    def _frame(self, plain: bytes) -> bytes:
        flags, payload = 0, plain
        if self._compress is not None and len(plain) >= COMPRESS_BYTES_MIN:
            compressed = self._compress(plain)
            if len(compressed) < len(plain):
                flags, payload = COMPRESSED, compressed
        head = _HEAD.pack(flags, len(payload), len(plain))
        return b"".join((head, _CRC.pack(crc32(head)), payload, _CRC.pack(crc32(payload))))


class FrameDecoder:
    """For one connection: `receive_data` gives the messages of all frames that are complete. Raises PeerError, and is of no
    use after that."""

    __slots__ = ("_buffer", "_decompress", "_wanted")

    def __init__(self, decompress: Decompress | None = None) -> None:
        self._decompress = decompress
        self._buffer = bytearray()
        self._wanted = HEADER_BYTES

    def receive_data(self, data: bytes) -> list[Message]:
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        at = 0
        while len(buffer) - at >= self._wanted:
            flags, length, plain_length = self._header(buffer, at)
            end = at + HEADER_BYTES + length + _CRC.size
            if len(buffer) < end:
                self._wanted = end - at
                break
            payload = bytes(buffer[at + HEADER_BYTES : end - _CRC.size])
            if crc32(payload) != _CRC.unpack_from(buffer, end - _CRC.size)[0]:
                raise PeerError("the checksum of a frame's payload does not match")
            self._take(self._plain(flags, payload, plain_length), messages)
            at = end
            self._wanted = HEADER_BYTES
        del buffer[:at]
        return messages

    def _header(self, buffer: bytearray, at: int) -> tuple[int, int, int]:
        flags, length, plain_length = _HEAD.unpack_from(buffer, at)
        if crc32(buffer[at : at + _HEAD.size]) != _CRC.unpack_from(buffer, at + _HEAD.size)[0]:
            raise PeerError("the checksum of a frame's header does not match")
        if flags & ~COMPRESSED or (flags and self._decompress is None):
            raise PeerError(f"a frame with flags {flags:#x}, which were not agreed on")
        if not length <= plain_length <= FRAME_BYTES_MAX:
            raise PeerError(f"a frame of {length} bytes for {plain_length} plain ones, at most are {FRAME_BYTES_MAX}")
        if not flags and length != plain_length:
            raise PeerError(f"a frame of {length} bytes that are not compressed, for {plain_length}")
        return flags, length, plain_length

    def _plain(self, flags: int, payload: bytes, plain_length: int) -> bytes:
        if not flags:
            return payload
        assert self._decompress is not None
        try:
            plain = self._decompress(payload, plain_length)
        except ValueError as error:
            raise PeerError(f"a frame can't be decompressed: {error}") from None
        if len(plain) != plain_length:
            raise PeerError(f"a frame of {len(plain)} plain bytes that was to have {plain_length}")
        return plain

    @staticmethod
    def _take(plain: bytes, messages: list[Message]) -> None:
        at, end = 0, len(plain)
        try:
            while at < end:
                verb = plain[at]
                message_id, at = decode_unsigned(plain, at + 1)
                length, at = decode_unsigned(plain, at)
                if length > end - at:
                    raise PeerError(f"a message of {length} bytes where {end - at} are left in its frame")
                messages.append(Message(verb, message_id, plain[at : at + length]))
                at += length
        except IndexError:
            raise PeerError("a frame ends within a message's head") from None

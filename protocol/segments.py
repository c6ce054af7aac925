"""Segments: the checked, perhaps compressed wrapping of envelopes since v5 (native_protocol_v5.spec, section 2).

    plain   [u24 header][u24 CRC-24 of it][payload][u32 CRC-32 of it], little-endian
    LZ4     [u40 header][u24 CRC-24 of it][payload][u32 CRC-32 of it], little-endian

A self-contained segment holds whole envelopes; a larger envelope is spread over segments of its own, the first of which
begins with its header. Self-contained segments may come in between. `SegmentDecoder` is used just as
`EnvelopeDecoder`. docs/formats/native-protocol.md has the offsets and worked examples.
"""

import sys
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from protocol.compression import lz4_block
from protocol.crc32 import crc32
from protocol.envelopes import (
    BETA_VERSION,
    ENVELOPE_HEAD_LENGTH,
    GIVEN_BYTES_MAX,
    OPCODE_NAMES,
    REQUEST_OPCODES,
    RESPONSE_BIT,
    RESPONSE_OPCODES,
    USE_BETA,
    VERSIONS,
    Admit,
    Envelope,
    Refusal,
    admitted,
    invalid_version,
    opcode_error,
    other_version,
    refused_beta,
    unpack_head,
)
from protocol.errors import InvalidRequest, ProtocolError, RequestError

SEGMENTS_SINCE: Final = 5
"""The protocol version."""
# native_transport_max_message_size: the longest body that may come in several segments. Cassandra's default hangs on
# its heap; ours is the limit of an envelope.
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
# 2^17 - 1 is what the header can say; Cassandra leaves room for header and trailer in its buffers of 128 KiB.
SEGMENT_PAYLOAD_MAX: Final = 2**17 - 1
SEGMENT_PAYLOAD_SENT_MAX: Final = 2**17 - 12
# Cassandra's consecutive_message_errors_threshold: bad envelopes in a row that one segment may have.
CONSECUTIVE_ERRORS_MAX: Final = 1

# Checksums of segments. CRC-24: Koopman's polynomial, most significant bit first over the header's bytes, with a start
# value of its own; it is affine, so a table per position gives it in one exclusive-or per byte. CRC-32: zlib's, begun
# with four bytes that are not sent.

_CRC24_INIT = 0x875060
_CRC24_POLYNOMIAL = 0x1974F0B
_CRC32_INIT = crc32(b"\xfa\x2d\x55\xca")


def _crc24_shift(crc: int, bytes_count: int) -> int:
    for _ in range(8 * bytes_count):
        crc <<= 1
        if crc & 0x1000000:
            crc ^= _CRC24_POLYNOMIAL
    return crc


def _crc24_tables(length: int) -> tuple[tuple[int, ...], ...]:
    """For each byte of a header of `length` bytes, what each of its values adds to the checksum."""
    tables = []
    for position in range(length):
        table = [0] * 256
        for bit in range(8):
            table[1 << bit] = _crc24_shift(1 << (16 + bit), length - position)
        for byte in range(1, 256):
            table[byte] = table[byte & (byte - 1)] ^ table[byte & -byte]
        tables.append(tuple(table))
    start = _crc24_shift(_CRC24_INIT, length)
    tables[0] = tuple([entry ^ start for entry in tables[0]])
    return tuple(tables)


_PLAIN_TABLES = _crc24_tables(3)
_LZ4_TABLES = _crc24_tables(5)


def crc24(header: int, length: int) -> int:
    """CRC-24 of `header`, an integer of `length` (3 or 5) little-endian bytes."""
    if length == 3:
        first, second, third = _PLAIN_TABLES
        return first[header & 0xFF] ^ second[header >> 8 & 0xFF] ^ third[header >> 16]
    crc = 0
    for position, table in enumerate(_LZ4_TABLES):
        crc ^= table[header >> 8 * position & 0xFF]
    return crc


_PLAIN_HEAD_LENGTH = 6
_LZ4_HEAD_LENGTH = 8
_TRAILER_LENGTH = 4
_SELF_CONTAINED_PLAIN = 1 << 17
_SELF_CONTAINED_LZ4 = 1 << 34
_pack_trailer = Struct("<I").pack


def _signed(number: int) -> int:
    return number - 2**32 if number & 0x80000000 else number


def plain_payload(data: bytes, at: int) -> tuple[bytes, int]:
    """That of an intact segment that begins there and is not compressed, and where the segment ends."""
    start = at + _PLAIN_HEAD_LENGTH
    stop = start + (int.from_bytes(data[at : at + 3], "little") & SEGMENT_PAYLOAD_MAX)
    return data[start:stop], stop + _TRAILER_LENGTH


class SegmentDecoder:
    """Segments of v5 and later, with the envelopes in them.

    While `single_segments_only` is set, an envelope in several segments closes the connection: Cassandra does not take
    large messages from clients that have not authenticated yet.
    """

    __slots__ = ("_compressed", "_decompress", "_errors", "_first", "_head_length", "_large", "_large_left",
                 "_large_refusal", "_message_max", "_needed", "_opcodes", "_partial", "admit", "claimed", "closed",
                 "connection_id", "given_max", "has_more", "is_whole", "refusals", "responses", "single_segments_only",
                 "stalls", "version")  # fmt: skip

    def __init__(
        self,
        version: int,
        compressed: bool,
        responses: bool = False,
        message_max: int = MESSAGE_BYTES_MAX,
        connection_id: str = "00000000",
    ) -> None:
        self.version = version
        self.responses = responses
        self.connection_id = connection_id
        self.single_segments_only = False
        self.refusals: list[Refusal] = []
        self.closed = self.has_more = self.is_whole = False
        self.admit: Admit = admitted
        self.claimed = self.stalls = 0
        self.given_max = sys.maxsize
        self._compressed = compressed
        self._decompress: Callable[[bytes, int], bytes] | None = lz4_block()[1] if compressed else None
        self._head_length = _LZ4_HEAD_LENGTH if compressed else _PLAIN_HEAD_LENGTH
        self._message_max = message_max
        self._opcodes = RESPONSE_OPCODES if responses else REQUEST_OPCODES
        # The beta needs its flag on every envelope: -1 sends them all through _check.
        self._first = -1 if version == BETA_VERSION else version | (RESPONSE_BIT if responses else 0)
        self._partial = bytearray()  # the beginning of a segment
        self._needed = 0
        self._large = bytearray()  # the beginning of an envelope that comes in several segments
        self._large_left = 0  # how much of it is still to come
        self._large_refusal: Refusal | None = None  # set while a too large one passes by
        self._errors = 0  # bad envelopes in a row

    @property
    def buffered(self) -> int:
        """Bytes that are held for envelopes not complete yet."""
        return len(self._partial) + len(self._large)

    def preload(self, data: bytes) -> None:
        """Take bytes that came earlier; the next receive_data looks at them."""
        self._partial += data

    def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)
        self.closed = self.closed or refusal.fatal

    def receive_data(self, data: bytes) -> list[Envelope]:
        """The envelopes that `data` completes; look at `refusals` too."""
        if self.closed:
            return []
        if self._partial:
            partial = self._partial
            partial += data
            if len(partial) < self._needed:
                return []
            data = bytes(partial)
            self._partial = bytearray()
            is_whole = False
        else:
            is_whole = not self._compressed and not self._large_left
        envelopes: list[Envelope] = []
        head_length, compressed = self._head_length, self._compressed
        self._needed, self.has_more = head_length, False
        self.stalls = given = start = 0
        self.is_whole = False
        position, end = 0, len(data)
        while end - position >= head_length:
            start = position + head_length
            head = int.from_bytes(data[position:start], "little")
            if compressed:
                checksum, head = head >> 40, head & 0xFFFFFFFFFF
                expected = crc24(head, 5)
            else:
                checksum, head = head >> 24, head & 0xFFFFFF
                expected = crc24(head, 3)
            if checksum != expected:
                self._refuse_damaged("header", checksum, expected)
                return envelopes
            stop = start + (head & SEGMENT_PAYLOAD_MAX)
            position_next = stop + _TRAILER_LENGTH
            if position_next > end:
                self._needed = position_next - position
                break
            payload = data[start:stop]
            checksum = int.from_bytes(data[stop:position_next], "little")
            expected = crc32(payload, _CRC32_INIT)
            if checksum != expected:
                self._refuse_damaged("body", _signed(checksum), _signed(expected))
                return envelopes
            if self._unpack(head, payload, envelopes):
                return envelopes
            if self.stalls:
                self._needed = 0
                break
            position = position_next
            if compressed:
                given += head >> 17 & SEGMENT_PAYLOAD_MAX
                if given > self.given_max and position < end:
                    self._needed, self.has_more = 0, True
                    break
        if position < end:
            self._partial += data[position:]
        else:
            self.is_whole = is_whole and start == head_length and not self._large_left and not self.refusals
        return envelopes

    def _unpack(self, head: int, payload: bytes, envelopes: list[Envelope]) -> bool:
        """Take one intact segment; return whether the connection must close."""
        if self._decompress is not None:
            size = head >> 17 & SEGMENT_PAYLOAD_MAX
            if size:
                try:
                    payload = self._decompress(payload, size)
                except ProtocolError as error:
                    self.refuse(Refusal(self.version, 0, error, fatal=True))
                    return True
            self_contained = head & _SELF_CONTAINED_LZ4
        else:
            self_contained = head & _SELF_CONTAINED_PLAIN
        if not self_contained:
            self._continue_large(payload, envelopes)
        else:
            self._split(payload, envelopes)
        return self.closed

    def _split(self, payload: bytes, envelopes: list[Envelope]) -> None:
        """The envelopes of a self-contained segment, which are whole."""
        append = envelopes.append
        first_byte, opcodes = self._first, self._opcodes
        position, end = 0, len(payload)
        self._errors = 0
        while position < end:
            start = position + ENVELOPE_HEAD_LENGTH
            if start > end:
                self._refuse_layout(f"Undersized buffer supplied. Expected {ENVELOPE_HEAD_LENGTH}, actual {end - position}")
                return
            first, flags, stream, opcode, length = unpack_head(payload, position)
            stop = start + length
            if first != first_byte or opcode not in opcodes or length > 0x7FFFFFFF:
                refusal = self._check(first, flags, stream, opcode, length)
                if refusal is not None:
                    self.refuse(refusal)
                    if refusal.fatal:
                        return
                    position = min(end, stop)
                    continue
            if stop > end:
                self._refuse_layout(f"Message of {length} bytes exceeds its self-contained segment")
                return
            append((self.version, flags, stream, opcode, payload[start:stop]))
            self._errors = 0
            position = stop

    def _continue_large(self, payload: bytes, envelopes: list[Envelope]) -> None:
        """Part of an envelope that does not fit into one segment; its first part has the whole header."""
        if not self._large_left and not self._begin_large(payload):
            return
        if self.stalls:
            return
        self._large_left -= len(payload)
        if self._large_left < 0:
            self._refuse_layout("Segments exceed the message that they belong to")
            return
        if self._large_refusal is None:
            self._large += payload
        if self._large_left:
            return
        if self._large_refusal is not None:
            self.refuse(self._large_refusal)
            self._large_refusal = None
            return
        message = bytes(self._large)
        self._large = bytearray()
        self.claimed = 0
        _, flags, stream, opcode, _ = unpack_head(message)
        envelopes.append((self.version, flags, stream, opcode, message[ENVELOPE_HEAD_LENGTH:]))

    def _begin_large(self, payload: bytes) -> bool:
        if len(payload) < ENVELOPE_HEAD_LENGTH:
            self._refuse_layout(f"Undersized buffer supplied. Expected {ENVELOPE_HEAD_LENGTH}, actual {len(payload)}")
            return False
        first, flags, stream, opcode, length = unpack_head(payload)
        refusal = self._check(first, flags, stream, opcode, length)
        if refusal is not None:
            self.refuse(Refusal(self.version, 0, refusal.error, fatal=True))
            return False
        if self.single_segments_only:
            # Cassandra's text lacks a space.
            self._refuse_layout(
                "The connection is not yet in a valid state to process multi frame CQL Messages, usually this"
                f"means that authentication is still pending. type = {OPCODE_NAMES[opcode]}, size = {length}"
            )
            return False
        if length > self._message_max:
            message = f"CQL Message of size {length} bytes exceeds allowed maximum of {self._message_max} bytes"
            self._large_refusal = Refusal(self.version, stream, InvalidRequest(message), fatal=False)
        elif length > GIVEN_BYTES_MAX:
            outcome = self.admit(length)
            if isinstance(outcome, RequestError):
                self._large_refusal = Refusal(self.version, stream, outcome, fatal=False)
            elif not outcome:
                self.stalls = length
                return True
            else:
                self.claimed = length
        self._large_left = ENVELOPE_HEAD_LENGTH + length
        return True

    def _check(self, first: int, flags: int, stream: int, opcode: int, length: int) -> Refusal | None:
        """Why an envelope with this header is not taken; the second in a row is fatal."""
        version = first & 0x7F
        response = bool(first & RESPONSE_BIT)
        answer = self.version
        error: RequestError
        if length > 0x7FFFFFFF:
            error = ProtocolError(f"Invalid value for envelope header body length field: {_signed(length)}")
            return Refusal(self.version, stream, error, fatal=True)
        if version not in VERSIONS:
            error = invalid_version(version)
        elif version == BETA_VERSION and not flags & USE_BETA:
            beta = refused_beta()
            answer, error = beta.version, beta.error
        elif opcode >= len(OPCODE_NAMES) or (opcode in RESPONSE_OPCODES) != response:
            error = opcode_error(opcode, response)
        elif version != self.version:
            error = other_version(version, self.version, "previous")  # Cassandra's text lacks a space
        elif response != self.responses:
            sides = ("REQUEST", "RESPONSE")
            error = ProtocolError(
                f"Unexpected {sides[response]} message {OPCODE_NAMES[opcode]}, expecting {sides[not response]}"
            )
        else:
            return None
        self._errors += 1
        return Refusal(answer, stream, error, fatal=self._errors > CONSECUTIVE_ERRORS_MAX)

    def _refuse_damaged(self, part: str, read: int, computed: int) -> None:
        message = (
            f"{self.connection_id} invalid, unrecoverable CRC mismatch detected in frame {part}. "
            f"Read {read}, Computed {computed}"
        )
        self._refuse_layout(message)

    def _refuse_layout(self, message: str) -> None:
        self.refuse(Refusal(self.version, 0, ProtocolError(message), fatal=True))


class SegmentEncoder:
    """Whole envelopes -> bytes to send, v5: as few segments as they fit into. A large one takes segments of its own."""

    __slots__ = ("_compress", "compresses")

    def __init__(self, compressed: bool = False) -> None:
        self.compresses = compressed
        self._compress: Callable[[bytes], bytes] | None = lz4_block()[0] if compressed else None

    def encode(self, envelopes: Sequence[bytes]) -> bytes:
        payload = b"".join(envelopes)
        if len(payload) <= SEGMENT_PAYLOAD_SENT_MAX:
            return self._segment(payload, True) if payload else b""
        segments: list[bytes] = []
        batch: list[bytes] = []
        room = SEGMENT_PAYLOAD_SENT_MAX
        for envelope in envelopes:
            if len(envelope) > room and batch:
                segments.append(self._segment(b"".join(batch), True))
                batch = []
                room = SEGMENT_PAYLOAD_SENT_MAX
            if len(envelope) > SEGMENT_PAYLOAD_SENT_MAX:
                for start in range(0, len(envelope), SEGMENT_PAYLOAD_SENT_MAX):
                    segments.append(self._segment(envelope[start : start + SEGMENT_PAYLOAD_SENT_MAX], False))
                continue
            batch.append(envelope)
            room -= len(envelope)
        if batch:
            segments.append(self._segment(b"".join(batch), True))
        return b"".join(segments)

    def _segment(self, payload: bytes, self_contained: bool) -> bytes:
        length = len(payload)
        if self._compress is None:
            head = length | _SELF_CONTAINED_PLAIN if self_contained else length
            first, second, third = _PLAIN_TABLES
            crc = first[head & 0xFF] ^ second[head >> 8 & 0xFF] ^ third[head >> 16]
            prefix = (head | crc << 24).to_bytes(_PLAIN_HEAD_LENGTH, "little")
        else:
            block = self._compress(payload)
            if len(block) >= length:
                head = length  # and an uncompressed length of 0: the payload is as it was
            else:
                payload, head = block, len(block) | length << 17
            if self_contained:
                head |= _SELF_CONTAINED_LZ4
            prefix = (head | crc24(head, 5) << 40).to_bytes(_LZ4_HEAD_LENGTH, "little")
        return b"".join((prefix, payload, _pack_trailer(crc32(payload, _CRC32_INIT))))

"""Envelopes: the frames of native protocol messages, bare as v3 and v4 send them (native_protocol_v4.spec, section 2).

    [u8 version][u8 flags][i16 stream][u8 opcode][u32 length][body], big-endian

Bytes that arrive pass a decoder: `receive_data(data)` returns the envelopes that are complete, as plain tuples
`(version, flags, stream, opcode, body)`. What can't be served is put into the decoder's `refusals`, each with the
stream to answer on. After a refusal that is `fatal` the decoder is `closed` and swallows all further bytes. No length
that a peer claims takes memory before it is checked against a limit.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, TypeAlias

from protocol.compression import Compressor
from protocol.errors import InvalidRequest, PeerError, ProtocolError, RequestError

Envelope: TypeAlias = tuple[int, int, int, int, bytes]  # version, flags, stream, opcode, body

VERSIONS: Final = (3, 4, 5, 6)  # 6 is 5 under another name: Cassandra's beta, only with the USE_BETA flag
VERSION_NAMES: Final = ("3/v3", "4/v4", "5/v5", "6/v6-beta")  # as SUPPORTED has them
CURRENT_VERSION: Final = 5
BETA_VERSION: Final = 6
RESPONSE_BIT: Final = 0x80

COMPRESSED: Final = 0x01
TRACING: Final = 0x02
CUSTOM_PAYLOAD: Final = 0x04
WARNING: Final = 0x08
USE_BETA: Final = 0x10

ENVELOPE_HEAD_LENGTH: Final = 9
# native_transport_max_frame_size: the longest envelope, header included. Larger ones would let one client hold the
# memory of a thousand; smaller ones would refuse batches that Cassandra takes.
ENVELOPE_BYTES_MAX: Final = 16 * 1024 * 1024
# What a decoder takes in without asking, and what a server has it decompress at once.
GIVEN_BYTES_MAX: Final = 128 * 1024
_STARTUP = 0x01
OPCODE_NAMES = (
    "ERROR",
    "STARTUP",
    "READY",
    "AUTHENTICATE",
    "CREDENTIALS",
    "OPTIONS",
    "SUPPORTED",
    "QUERY",
    "RESULT",
    "PREPARE",
    "EXECUTE",
    "REGISTER",
    "EVENT",
    "BATCH",
    "AUTH_CHALLENGE",
    "AUTH_RESPONSE",
    "AUTH_SUCCESS",
)
REQUEST_OPCODES = frozenset((0x01, 0x04, 0x05, 0x07, 0x09, 0x0A, 0x0B, 0x0D, 0x0F))
RESPONSE_OPCODES = frozenset(range(len(OPCODE_NAMES))) - REQUEST_OPCODES

Admit: TypeAlias = Callable[[int], "RequestError | bool"]
"""Asked before a message of so many bytes is taken in: yes; not yet (the decoder `stalls`, and asks again at the next
`receive_data`); or no, and with which error it is answered once it has passed."""

_HEAD = Struct(">BBhBI")
unpack_head = _HEAD.unpack_from
_pack_head = _HEAD.pack


def pack_envelope(version: int, flags: int, stream: int, opcode: int, *body: bytes) -> bytes:
    """One envelope; its body may come in parts. `version` has RESPONSE_BIT set in responses."""
    return b"".join((_pack_head(version, flags, stream, opcode, sum(map(len, body))), *body))


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is to be answered to bytes that are no acceptable message (`responses.encode_refusal` makes bytes of it).

    `version` is the version to answer with: the connection's, and our current one where that is not settled yet. A
    client of v1 or v2 gets its own (CASSANDRA-11464), one of the beta without its flag the beta's; so each of them
    recognises the answer and steps down.
    """

    version: int
    stream: int
    error: RequestError
    fatal: bool


def version_name(version: int) -> str:
    return VERSION_NAMES[version - VERSIONS[0]]


def invalid_version(version: int) -> ProtocolError:
    names = ", ".join(VERSION_NAMES)
    return ProtocolError(f"Invalid or unsupported protocol version ({version}); supported versions are ({names})")


def opcode_error(opcode: int, response: bool) -> ProtocolError:
    if opcode >= len(OPCODE_NAMES):
        return ProtocolError(f"Unknown opcode {opcode - 256 if opcode > 127 else opcode}")
    sides = ("REQUEST", "RESPONSE")
    return ProtocolError(
        f"Wrong protocol direction (expected {sides[not response]}, got {sides[response]}) "
        f"for opcode {opcode} ({OPCODE_NAMES[opcode]})"
    )


class EnvelopeDecoder:
    """Bare envelopes: all of a v3 or v4 connection, the beginning of a v5 one.

    `version` is None until it is negotiated: any supported version is taken, and what follows a STARTUP is held back
    (see frames.py; a session that refuses the STARTUP goes on with `receive_data(b"")`). With `responses` the decoder
    is a client's.

    `is_whole`: the bytes that came last were the envelopes that they gave, end to end, and nothing else; in v5 as
    one segment that is not compressed.

    A message of more than GIVEN_BYTES_MAX, be it by what it claims to decompress to, is taken in when `admit` says so; until
    it is there, `claimed` has its length. One call decompresses no more than about `given_max`; then `has_more` says that
    there is more to be had from what has come already.
    """

    __slots__ = (
        "_compressor",
        "_discard",
        "_first",
        "_needed",
        "_opcodes",
        "_partial",
        "_too_long",
        "admit",
        "claimed",
        "closed",
        "given_max",
        "has_more",
        "is_whole",
        "refusals",
        "responses",
        "size_max",
        "stalls",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        version: int | None = None,
        compression: Compressor | None = None,
        responses: bool = False,
        size_max: int = ENVELOPE_BYTES_MAX,
    ) -> None:
        self.version = version
        self.responses = responses
        self.refusals: list[Refusal] = []
        self.closed = self.has_more = self.is_whole = False
        self.admit: Admit = admitted
        self.claimed = self.stalls = 0
        self.given_max = sys.maxsize
        self._compressor = compression
        self.size_max = size_max
        self._opcodes = RESPONSE_OPCODES if responses else REQUEST_OPCODES
        self._first = -1 if version is None else version | (RESPONSE_BIT if responses else 0)
        self._partial = bytearray()  # the beginning of an envelope, or what waits for negotiated()
        self._needed = 0  # length that _partial must reach before another look is worth it
        self._discard = 0  # bytes of a too long envelope that are still to come
        self._too_long: Refusal | None = None

    @property
    def buffered(self) -> int:
        """Bytes that are held for envelopes not complete yet."""
        return len(self._partial)

    def receive_data(self, data: bytes) -> list[Envelope]:
        """The envelopes that `data` completes; look at `refusals` too."""
        if self._discard:
            data = self._discard_from(data)
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
            is_whole = self._compressor is None
        self._needed = self.stalls = given = 0
        self.has_more = self.is_whole = False
        envelopes: list[Envelope] = []
        append = envelopes.append
        first_byte, opcodes, size_max = self._first, self._opcodes, self.size_max - ENVELOPE_HEAD_LENGTH
        position, end = 0, len(data)
        while end - position >= ENVELOPE_HEAD_LENGTH:
            first, flags, stream, opcode, length = unpack_head(data, position)
            if first != first_byte or opcode not in opcodes or length > size_max:
                refusal = self._check(first, flags, stream, opcode, length)
                if refusal is not None:
                    if refusal.fatal:
                        self.refuse(refusal)
                        return envelopes
                    position = self._skip(refusal, data, position, length)
                    if position < 0:
                        return envelopes
                    continue
            start = position + ENVELOPE_HEAD_LENGTH
            stop = start + length
            if length > GIVEN_BYTES_MAX:
                outcome = length == self.claimed or self.admit(length)
                if isinstance(outcome, RequestError):
                    position = self._skip(Refusal(first & 0x7F, stream, outcome, fatal=False), data, position, length)
                    if position < 0:
                        return envelopes
                    continue
                if not outcome:
                    self.stalls = length
                    break
                self.claimed = length if stop > end else 0
            if stop > end:
                self._needed = ENVELOPE_HEAD_LENGTH + length
                break
            body = data[start:stop]
            if flags & COMPRESSED and self._compressor is not None:
                try:
                    size = self._compressor.size(body, size_max)
                    if size > GIVEN_BYTES_MAX and size > self.claimed:
                        outcome = self.admit(size)
                        if not outcome:
                            self.stalls = size
                            break
                        if isinstance(outcome, RequestError):
                            self.refuse(Refusal(first & 0x7F, stream, outcome, fatal=False))
                            position = stop
                            continue
                    body = self._compressor.decompress(body, size_max)
                    given += size
                except ProtocolError as error:
                    self.refuse(Refusal(first & 0x7F, stream, error, fatal=True))
                    return envelopes
            position = stop
            if given > self.given_max and position < end:
                append((first & 0x7F, flags, stream, opcode, body))
                self.has_more = True
                break
            append((first & 0x7F, flags, stream, opcode, body))
            if opcode == _STARTUP and self.version is None:
                self._partial += data[position:]
                return envelopes
        if position < end:
            self._keep(data, position)
        else:
            self.is_whole = is_whole and not self.refusals
        return envelopes

    def release(self) -> bytes:
        """Give up the bytes that are held."""
        rest = bytes(self._partial)
        self._partial = bytearray()
        return rest

    def preload(self, data: bytes) -> None:
        """Take bytes that came earlier; the next receive_data looks at them."""
        self._partial += data

    def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)
        self.closed = self.closed or refusal.fatal

    def _keep(self, data: bytes, position: int) -> None:
        """Hold an incomplete envelope; a version that we do not speak is refused on its first byte, since the
        headers of v1 and v2 are shorter than ours."""
        self._partial += data[position:]
        first = data[position]
        if first != self._first and first & 0x7F not in VERSIONS:
            self._partial.clear()
            self.refuse(refused_version(first & 0x7F))

    def _check(self, first: int, flags: int, stream: int, opcode: int, length: int) -> Refusal | None:
        """Why an envelope with this header is not taken; None if it is."""
        version = first & 0x7F
        if version not in VERSIONS:
            return refused_version(version)
        if version == BETA_VERSION and not flags & USE_BETA:
            return refused_beta()
        answer = CURRENT_VERSION if self.version is None else self.version
        response = bool(first & RESPONSE_BIT)
        if opcode not in self._opcodes or response != self.responses:
            if opcode < len(OPCODE_NAMES) and (opcode in RESPONSE_OPCODES) == response:  # whole, but not for this side
                error = ProtocolError(
                    f"Unexpected {'RESPONSE' if response else 'REQUEST'} message {OPCODE_NAMES[opcode]}, "
                    f"expecting {'REQUEST' if response else 'RESPONSE'}"
                )
            else:
                error = opcode_error(opcode, response)
            return Refusal(answer, stream, error, fatal=True)
        total = length + ENVELOPE_HEAD_LENGTH
        if total > self.size_max:
            message = f"Request is too big: length {total} exceeds maximum allowed length {self.size_max}."
            return Refusal(answer, stream, InvalidRequest(message), fatal=False)
        if self.version is not None and version != self.version:
            return Refusal(self.version, stream, other_version(version, self.version, "previous "), fatal=False)
        return None

    def _skip(self, refusal: Refusal, data: bytes, position: int, length: int) -> int:
        """Leave a refused envelope out. The refusal is told when all of it has come; -1 if that is not yet so."""
        stop = position + ENVELOPE_HEAD_LENGTH + length
        if stop <= len(data):
            self.refuse(refusal)
            return stop
        self._discard, self._too_long = stop - len(data), refusal
        return -1

    def _discard_from(self, data: bytes) -> bytes:
        rest = data[self._discard :]
        self._discard -= len(data) - len(rest)
        if not self._discard and self._too_long is not None:
            self.refuse(self._too_long)
            self._too_long = None
        return rest


def admitted(size: int) -> RequestError | bool:
    """Every message is welcome."""
    return True


def refused_version(version: int) -> Refusal:
    answer = version if version in (1, 2) else CURRENT_VERSION
    return Refusal(answer, 0, invalid_version(version), fatal=True)


def refused_beta() -> Refusal:
    error = ProtocolError(f"Beta version of the protocol used ({version_name(BETA_VERSION)}), but USE_BETA flag is unset")
    return Refusal(BETA_VERSION, 0, error, fatal=True)


def other_version(version: int, negotiated: int, previous: str) -> ProtocolError:
    return ProtocolError(
        f"Invalid message version. Got {version_name(version)} but {previous}messages on this connection "
        f"had version {version_name(negotiated)}"
    )


class EnvelopeEncoder:
    """Whole envelopes -> bytes to send, v3 and v4: one after the other, their bodies compressed if so agreed."""

    __slots__ = ("_compressor", "compresses")

    def __init__(self, compression: Compressor | None = None) -> None:
        self.compresses = compression is not None
        self._compressor = compression

    def encode(self, envelopes: Sequence[bytes]) -> bytes:
        if self._compressor is not None:
            envelopes = [self._compress(envelope) for envelope in envelopes]
        return b"".join(envelopes)

    def _compress(self, envelope: bytes) -> bytes:
        version, flags, stream, opcode, _ = unpack_head(envelope)
        if opcode == _STARTUP or self._compressor is None:
            return envelope
        body = self._compressor.compress(envelope[ENVELOPE_HEAD_LENGTH:])
        return pack_envelope(version, flags | COMPRESSED, stream, opcode, body)


def raise_refusal(refusal: Refusal) -> None:
    """For callers that have no one to answer to: a fatal refusal as PeerError, another as its own error."""
    if refusal.fatal:
        raise PeerError(refusal.error.message) from refusal.error
    raise refusal.error

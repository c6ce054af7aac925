"""Requests and answers as bytes, the newest QUERY_BYTES_MAX of them.

A session tells its observer of each go what it served. Of a go one block of bytes is kept: an object that the garbage
collector never looks at, and that nobody touches again until it goes, or somebody asks.

    [f64 seconds][label: client, driver, keyspace in use, NUL behind each]
    [reads: FF, i16 stream, u32 rows, u32 tombstones, of each][requests, headers too][answers]

Where fast paths served all of a go, the requests are what came and the answers what leaves: it costs a copy. Else the
requests are put together again, and looked through for passwords, which are not kept (secrets.py). What a block says is
found out when somebody asks; texts of PREPARE at once, because they may be wanted longer than the requests are kept.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from cqlserver.password_obfuscator import may_have_password, obfuscated
from protocol.envelopes import ENVELOPE_HEAD_LENGTH, RESPONSE_BIT, pack_envelope, unpack_head
from protocol.requests import AUTH_RESPONSE, BATCH, EXECUTE, PREPARE, QUERY
from protocol.responses import ERROR

if TYPE_CHECKING:
    from cqlserver.connections.session import Session
    from cqlserver.state import ClientState, ReadWork
    from protocol.frames import Envelope

QUERY_BYTES_MAX: Final = 16 << 20
"""Of blocks; beyond that the oldest go."""
BLOCK_BYTES: Final = 64
"""About what a block takes beside its contents."""
PREPARED_MAX: Final = 10_000
DRIVER_CHARS_MAX: Final = 100
LABEL_BYTES_MAX: Final = 1_000
"""A label has less."""

_SECONDS: Final = Struct(">d")
_READ: Final = Struct(">BhII")
_READ_MARK: Final = 0xFF
"""No request begins so."""
_U32_MAX: Final = 0xFFFFFFFF
_OPCODE: Final = 3
_BODY: Final = 4
_ANSWERS_OPCODE: Final = 4
_TEXT_AT: Final = 4
_ABOUT_ROWS: Final = b"iIsSuUdD"
"""How statements begin that have no password, if they are any."""


class Go(NamedTuple):
    """What a session served in one go. `number`: of its first request; `seconds`: what all of them took together;
    `keyspace`: what was in use when it ended; `exchanges`: each request with its answer; `reads`: what requests have read,
    where that was counted, by stream: rows and tombstones."""

    number: int
    seconds: float
    client: str
    driver: str
    keyspace: str | None
    exchanges: "Sequence[tuple[Envelope, bytes]]"
    reads: Mapping[int, tuple[int, int]]

    @classmethod
    def of(cls, block: bytes, next_number: int) -> "Go":
        """`next_number`: of the request behind it."""
        (seconds,) = _SECONDS.unpack_from(block)
        parts = block[_SECONDS.size : _SECONDS.size + LABEL_BYTES_MAX].split(b"\0", 3)[:3]
        client, driver, keyspace = [part.decode() for part in parts]
        at = _SECONDS.size + sum(map(len, parts)) + len(parts)
        reads: dict[int, tuple[int, int]] = {}
        while block[at] == _READ_MARK:
            _, stream, rows, tombstones = _READ.unpack_from(block, at)
            reads[stream] = rows, tombstones
            at += _READ.size
        envelopes: list[Envelope] = []
        while at < len(block) and not block[at] & RESPONSE_BIT:
            version, flags, stream, opcode, length = unpack_head(block, at)
            at += ENVELOPE_HEAD_LENGTH + length
            envelopes.append((version, flags, stream, opcode, block[at - length : at]))
        exchanges: list[tuple[Envelope, bytes]] = []
        for envelope in envelopes:
            if at >= len(block):
                break
            end = at + ENVELOPE_HEAD_LENGTH + unpack_head(block, at)[-1]
            exchanges.append((envelope, block[at:end]))
            at = end
        return cls(next_number - len(envelopes), seconds, client, driver, keyspace or None, exchanges, reads)


class QueryLog:
    """See the module. `next_number`: what the next request will have; `prepared`: texts of prepared statements, by id."""

    __slots__ = ("_blocks", "_prepared", "_size", "next_number")

    def __init__(self, prepared: dict[bytes, str]) -> None:
        self.next_number = 0
        self._prepared = {statement_id: obfuscated(text) for statement_id, text in prepared.items()}
        self._blocks: deque[bytes] = deque()
        self._size = 0

    def served(
        self,
        session: "Session",
        envelopes: "Sequence[Envelope]",
        answers: Sequence[bytes],
        seconds: float,
        received: bytes = b"",
    ) -> None:
        """See Observer."""
        reads = b""
        if not received:
            if not envelopes:
                return
            received, answers = self._put_together(envelopes, answers)
            reads = _packed_reads(session.reads)
        state = session.state
        keyspace, options, label = state.label
        if options is not state.options or keyspace != state.keyspace:
            label = _label(state)
        block = b"".join((_pack_seconds(seconds), label, reads, received, *answers))
        self.next_number += len(envelopes)
        blocks, size = self._blocks, self._size + len(block) + BLOCK_BYTES
        blocks.append(block)
        while size > QUERY_BYTES_MAX and len(blocks) > 1:
            size -= len(blocks.popleft()) + BLOCK_BYTES
        self._size = size

    def _put_together(
        self, envelopes: "Sequence[Envelope]", answers: Sequence[bytes]
    ) -> tuple[bytes, Sequence[bytes]]:
        """The bytes of requests, and their answers, as they may be kept."""
        opcodes = bytes([envelope[_OPCODE] for envelope in envelopes])
        if opcodes.count(EXECUTE) != len(opcodes):
            envelopes, answers = _without_secrets(envelopes, answers)
            if PREPARE in opcodes:
                self._remember(envelopes, answers)
        return b"".join([pack_envelope(*envelope) for envelope in envelopes]), answers

    def _remember(self, envelopes: "Sequence[Envelope]", answers: Sequence[bytes]) -> None:
        """Keeps the texts of what was prepared."""
        from cqlserver.query_log.entries import prepared_text

        for envelope, answer in zip(envelopes, answers, strict=False):
            pair = prepared_text(envelope, answer) if envelope[_OPCODE] == PREPARE else None
            if pair is not None:
                if len(self._prepared) >= PREPARED_MAX:
                    del self._prepared[next(iter(self._prepared))]
                self._prepared[pair[0]] = pair[1]

    def prepared(self) -> dict[bytes, str]:
        """The texts of prepared statements, by id."""
        return self._prepared

    def goes(self, since: int) -> list[Go]:
        """Those with requests of this number and later."""
        found: list[Go] = []
        number = self.next_number
        for block in reversed(self._blocks):
            if number <= since:
                break
            found.append(Go.of(block, number))
            number = found[-1].number
        return found[::-1]


def _label(state: "ClientState") -> bytes:
    """Who it is, as blocks have it."""
    parts = (f"{state.address}:{state.port}", state.driver[:DRIVER_CHARS_MAX], state.keyspace or "")
    label = b"".join([part.replace("\0", " ").encode() + b"\0" for part in parts])
    state.label = state.keyspace, state.options, label
    return label


def _packed_reads(reads: "Mapping[int, ReadWork]") -> bytes:
    return b"".join(
        [
            _READ.pack(_READ_MARK, stream, min(work.rows, _U32_MAX), min(work.tombstones, _U32_MAX))
            for stream, work in reads.items()
        ]
    )


def _without_secrets(
    envelopes: "Sequence[Envelope]", answers: Sequence[bytes]
) -> "tuple[Sequence[Envelope], Sequence[bytes]]":
    suspects = [
        index
        for index, ((_, _, _, opcode, body), answer) in enumerate(zip(envelopes, answers, strict=False))
        if (answer[_ANSWERS_OPCODE] == ERROR or opcode != QUERY or body[_TEXT_AT] not in _ABOUT_ROWS)
        and _may_have_secret(opcode, body, answer)
    ]
    if not suspects:
        return envelopes, answers
    from cqlserver.query_log.secrets import without_secrets

    kept, kept_answers = list(envelopes), list(answers)
    for index in suspects:
        kept[index], kept_answers[index] = without_secrets(envelopes[index], answers[index])
    return kept, kept_answers


def _may_have_secret(opcode: int, body: bytes, answer: bytes) -> bool:
    """What was refused may be anything; of what was not, a batch has none."""
    if opcode == EXECUTE or (opcode == BATCH and answer[_ANSWERS_OPCODE] != ERROR):
        return False
    return opcode == AUTH_RESPONSE or may_have_password(body)


_pack_seconds = _SECONDS.pack

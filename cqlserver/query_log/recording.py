"""Requests and answers as bytes, the newest QUERY_BYTES_MAX of them.

A session tells of each of its goes what it served. Until the listener has gone round (`seal`) they are gathered as they
are; then one block of bytes is made of all of them: an object that the garbage collector never looks at, and that nobody
touches again until it goes, or somebody asks.

    [u32 number of goes][f64 seconds of each], in the machine's order of bytes; then of each go
    [label: u8 form; client, driver, keyspace in use, NUL behind each]
    [reads: FF, i16 stream, u32 rows, u32 tombstones, of each][requests, headers too][answers]

Where fast paths served all of a go, the requests are what came (form IN_SEGMENT: in a segment of v5) and the answers what
leaves: it costs a few references, and a copy later. Else the
requests are put together again, and looked through for passwords, which are not kept (secrets.py). What a block says is
found out when somebody asks; texts of PREPARE at once, because they may be wanted longer than the requests are kept.
"""

from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from cqlserver.password_obfuscator import may_have_password, obfuscated
from protocol.envelopes import ENVELOPE_HEAD_LENGTH, RESPONSE_BIT, Envelope, pack_envelope, unpack_head
from protocol.requests import AUTH_RESPONSE, BATCH, EXECUTE, PREPARE, QUERY
from protocol.responses import ERROR
from protocol.segments import SEGMENTS_SINCE, plain_payload

if TYPE_CHECKING:
    from cqlserver.connections.session import Session
    from cqlserver.state import ReadWork

QUERY_BYTES_MAX: Final = 16 << 20
"""Of blocks; beyond that the oldest go. What is gathered for the next one, and the block that is made of it, is what the
listener serves before it looks at its deadline: some megabytes at most."""
BLOCK_BYTES: Final = 64
"""About what a block takes beside its contents."""
PREPARED_MAX: Final = 10_000
DRIVER_CHARS_MAX: Final = 100
LABEL_BYTES_MAX: Final = 1_000
"""A label has less."""
GOES_MAX: Final = 256
"""In a block, where no listener goes round."""
BARE, IN_SEGMENT = b"\0", b"\1"
"""Forms in which requests are kept. Nothing else in a block begins so."""

_COUNT: Final = Struct("=I")
_ONE: Final = Struct("=Id")  # the head of a block of one go
_SECONDS_TYPE: Final = "d"
_SECONDS_BYTES: Final = array(_SECONDS_TYPE).itemsize
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
    def all_of(cls, block: bytes, next_number: int) -> "list[Go]":
        """`next_number`: of the request behind it."""
        (count,) = _COUNT.unpack_from(block)
        at = _COUNT.size + count * _SECONDS_BYTES
        times = array(_SECONDS_TYPE, block[_COUNT.size : at])
        found: list[Go] = []
        for seconds in times:
            go, at = cls._at(block, at, seconds)
            found.append(go)
        number = next_number
        for index in reversed(range(count)):
            number -= len(found[index].exchanges)
            found[index] = found[index]._replace(number=number)
        return found

    @classmethod
    def _at(cls, block: bytes, at: int, seconds: float) -> "tuple[Go, int]":
        """The one that begins there, its number left out, and where it ends."""
        form = block[at : at + 1]
        parts = block[at + 1 : at + LABEL_BYTES_MAX].split(b"\0", 3)[:3]
        client, driver, keyspace = [part.decode() for part in parts]
        at += 1 + sum(map(len, parts)) + len(parts)
        reads: dict[int, tuple[int, int]] = {}
        while block[at] == _READ_MARK:
            _, stream, rows, tombstones = _READ.unpack_from(block, at)
            reads[stream] = rows, tombstones
            at += _READ.size
        envelopes: list[Envelope] = []
        if form == IN_SEGMENT:
            payload, at = plain_payload(block, at)
            envelopes.extend(_envelopes(payload))
        else:
            while block[at] < RESPONSE_BIT:
                envelope = _envelope_at(block, at)
                envelopes.append(envelope)
                at += ENVELOPE_HEAD_LENGTH + len(envelope[_BODY])
        exchanges: list[tuple[Envelope, bytes]] = []
        for envelope in envelopes:
            end = at + ENVELOPE_HEAD_LENGTH + unpack_head(block, at)[-1]
            exchanges.append((envelope, block[at:end]))
            at = end
        return cls(0, seconds, client, driver, keyspace or None, exchanges, reads), at


class QueryLog:
    """See the module."""

    __slots__ = ("_blocks", "_parts", "_prepared", "_sealed_count", "_seconds", "_size")

    def __init__(self, prepared: dict[bytes, str]) -> None:
        self._prepared = {statement_id: obfuscated(text) for statement_id, text in prepared.items()}
        self._blocks: deque[bytes] = deque()
        self._size = self._sealed_count = 0
        self._parts: list[bytes] = []  # of each go: label; requests, behind its reads; one for each answer
        self._seconds: list[float] = []

    @property
    def next_number(self) -> int:
        """What the next request will have."""
        return self._sealed_count + len(self._parts) - 2 * len(self._seconds)

    def came(self, session: "Session", received: bytes, answers: Sequence[bytes], seconds: float) -> None:
        """A session served what it received, and nothing else, on fast paths alone: so none of it has a password, and
        nobody counted what one read. `seconds`: what all took together."""
        parts = self._parts
        parts += (session.label or _labelled(session), received)
        parts += answers
        self._seconds.append(seconds)

    def served(
        self, session: "Session", envelopes: "Sequence[Envelope]", answers: Sequence[bytes], seconds: float
    ) -> None:
        """See Observer."""
        if len(envelopes) != len(answers):  # of two on one stream nobody knows which was answered
            count = min(len(envelopes), len(answers))
            envelopes, answers = envelopes[:count], answers[:count]
        if not envelopes:
            return
        requests, answers = self._put_together(envelopes, answers)
        label = _labelled(session)  # anew: one of them may have changed what it says
        self._parts += (BARE + label[1:], _packed_reads(session.reads) + requests, *answers)
        self._seconds.append(seconds)
        if len(self._seconds) >= GOES_MAX:
            self.seal()

    def seal(self) -> None:
        """Makes a block of what was gathered."""
        parts, times = self._parts, self._seconds
        if not times:
            return
        count = len(times)
        self._sealed_count += len(parts) - 2 * count
        head = _pack_one(1, times[0]) if count == 1 else _pack_count(count) + array(_SECONDS_TYPE, times).tobytes()
        block = b"".join((head, *parts))
        parts.clear()
        times.clear()
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
        self.seal()
        found: list[Go] = []
        number = self.next_number
        for block in reversed(self._blocks):
            if number <= since:
                break
            goes = Go.all_of(block, number)
            found += reversed(goes)
            number = goes[0].number
        return [go for go in reversed(found) if go.number + len(go.exchanges) > since]


def _envelope_at(data: bytes, at: int) -> Envelope:
    version, flags, stream, opcode, length = unpack_head(data, at)
    at += ENVELOPE_HEAD_LENGTH
    return version, flags, stream, opcode, data[at : at + length]


def _envelopes(data: bytes) -> Iterator[Envelope]:
    at = 0
    while at < len(data):
        envelope = _envelope_at(data, at)
        yield envelope
        at += ENVELOPE_HEAD_LENGTH + len(envelope[_BODY])


def _labelled(session: "Session") -> bytes:
    """Who it is, as blocks have it, of goes on fast paths."""
    state = session.state
    parts = (f"{state.address}:{state.port}", state.driver[:DRIVER_CHARS_MAX], state.keyspace or "")
    form = IN_SEGMENT if state.version >= SEGMENTS_SINCE else BARE
    session.label = label = b"".join([form, *[part.replace("\0", " ").encode() + b"\0" for part in parts]])
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


_pack_count, _pack_one = _COUNT.pack, _ONE.pack

"""Requests and answers as bytes, the newest QUERY_BYTES_MAX of them.

A session tells its observer of each go what it served: a list of envelopes, and as many answers. They are kept in one block
of bytes a go, which the garbage collector does not look at. What is decoded of them is decoded when somebody asks; texts of
PREPARE at once, because they may be wanted longer than the requests are kept. Passwords are not kept (secrets.py).
"""

from collections import deque
from collections.abc import Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from cqlserver.password_obfuscator import may_have_password, obfuscated
from protocol.frames import RESPONSE_BIT
from protocol.requests import AUTH_RESPONSE, BATCH, EXECUTE, PREPARE, QUERY
from protocol.responses import ERROR

if TYPE_CHECKING:
    from cqlserver.connections.session import Session
    from cqlserver.state import ClientState
    from protocol.frames import Envelope

QUERY_BYTES_MAX: Final = 16 << 20
"""Of requests and answers; beyond that the oldest go."""
GO_BYTES: Final = 350
"""About what a go takes beside the block."""
PREPARED_MAX: Final = 10_000

HEAD: Final = Struct(">BBhBI")
_FLAGS: Final = 1
_OPCODE: Final = 3
_BODY: Final = 4
_ANSWERS_OPCODE: Final = 4
_TEXT_AT: Final = 4
_ABOUT_ROWS: Final = b"iIsSuUdD"
"""How statements begin that have no password, if they are any."""


class Go(NamedTuple):
    """What a session served in one go. `number`: of its first request; `requests`: how many; `seconds`: what all of them
    took together; `keyspace`: what was in use when it ended; `opcodes`, `flags` and `sizes` of its
    requests, `block`: their bodies, and then the answers; `reads`: what requests have read, where that was counted: (stream,
    rows, tombstones)."""

    number: int
    requests: int
    seconds: float
    state: "ClientState"
    keyspace: str | None
    opcodes: bytes
    flags: bytes
    sizes: tuple[int, ...]
    block: bytes
    reads: tuple[tuple[int, int, int], ...]

    def exchanges(self) -> "list[tuple[Envelope, bytes]]":
        """Each request with its answer."""
        found: list[tuple[Envelope, bytes]] = []
        block, body_at, answer_at = self.block, 0, sum(self.sizes)
        for opcode, flag, size in zip(self.opcodes, self.flags, self.sizes, strict=True):
            if answer_at >= len(block):
                break
            version, _, stream, _, length = HEAD.unpack_from(block, answer_at)
            answer = block[answer_at : answer_at + HEAD.size + length]
            envelope = (version & ~RESPONSE_BIT, flag, stream, opcode, block[body_at : body_at + size])
            found.append((envelope, answer))
            body_at, answer_at = body_at + size, answer_at + len(answer)
        return found


class QueryLog:
    """See the module. `next_number`: what the next request will have; `prepared`: texts of prepared statements, by id."""

    def __init__(self, prepared: dict[bytes, str]) -> None:
        self.next_number = 0
        self._prepared = {statement_id: obfuscated(text) for statement_id, text in prepared.items()}
        self._goes: deque[Go] = deque()
        self._size = 0

    def served(self, session: "Session", envelopes: "Sequence[Envelope]", answers: Sequence[bytes], seconds: float) -> None:
        """Called by sessions; neither sequence changes any more."""
        count = len(envelopes)
        opcodes = bytes([envelope[_OPCODE] for envelope in envelopes])
        if opcodes.count(EXECUTE) != count:
            envelopes, answers = _without_secrets(envelopes, answers)
            if PREPARE in opcodes:
                self._remember(envelopes, answers)
        bodies = [envelope[_BODY] for envelope in envelopes]
        flags, sizes = bytes([envelope[_FLAGS] for envelope in envelopes]), tuple(map(len, bodies))
        block, state = b"".join([*bodies, *answers]), session.state
        reads: tuple[tuple[int, int, int], ...] = ()
        if session.reads:
            reads = tuple((stream, work.rows, work.tombstones) for stream, work in session.reads.items())
        number = self.next_number
        self.next_number = number + count
        self._goes.append(_go(Go, (number, count, seconds, state, state.keyspace, opcodes, flags, sizes, block, reads)))
        self._size += GO_BYTES + len(block)
        if self._size > QUERY_BYTES_MAX:
            self._shrink()

    def _shrink(self) -> None:
        while self._size > QUERY_BYTES_MAX and len(self._goes) > 1:
            self._size -= GO_BYTES + len(self._goes.popleft().block)

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
        found = []
        for go in reversed(self._goes):
            if go.number + go.requests <= since:
                break
            found.append(go)
        return found[::-1]


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


_go: Callable[[type[Go], tuple[object, ...]], Go] = tuple.__new__  # half the time of Go(...)

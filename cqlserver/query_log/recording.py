"""Requests and answers as bytes, the newest QUERY_BYTES_MAX of them.

A session tells its observer of each go what it served: a list of envelopes, and as many answers. They are kept in one block
of bytes a go, which the garbage collector does not look at. What is decoded of them is decoded when somebody asks, or, of
PREPARE, when it goes: a statement's text may be wanted longer than that. Passwords are not kept (secrets.py).
"""

import marshal
from collections import deque
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from cqlserver.password_obfuscator import may_have_password, obfuscated
from protocol.requests import AUTH_RESPONSE, EXECUTE, PREPARE

if TYPE_CHECKING:
    from cqlserver.connections.session import Session
    from cqlserver.state import ClientState
    from protocol.frames import Envelope

QUERY_BYTES_MAX: Final = 16 << 20
"""Of requests and answers; beyond that the oldest go."""
GO_BYTES: Final = 200
"""About what a go takes beside the block."""
PREPARED_MAX: Final = 10_000

_OPCODE: Final = 3
_BODY: Final = 4
_WITHOUT_TEXT: Final = frozenset((EXECUTE,))
_PLAIN: Final = 2
"""marshal's version that looks for no equal objects: half the time."""
_opcode = itemgetter(_OPCODE)


class Go(NamedTuple):
    """What a session served in one go. `number`: of its first request; `requests`: how many; `seconds`: what all of them
    took together; `keyspace`: what was in use when it ended; `block`: its envelopes and answers."""

    number: int
    requests: int
    seconds: float
    state: "ClientState"
    keyspace: str | None
    block: bytes

    def exchanges(self) -> "list[tuple[Envelope, bytes]]":
        """Each request with its answer."""
        envelopes, answers = marshal.loads(self.block)  # our own, of this process
        return list(zip(envelopes, answers, strict=False))


class QueryLog:
    """See the module. `next_number`: what the next request will have; `prepared`: texts of prepared statements, by id."""

    def __init__(self, prepared: dict[bytes, str]) -> None:
        self.next_number = 0
        self._prepared = {statement_id: obfuscated(text) for statement_id, text in prepared.items()}
        self._goes: deque[Go] = deque()
        self._size = 0

    def served(self, session: "Session", envelopes: "Sequence[Envelope]", answers: Sequence[bytes], seconds: float) -> None:
        """Called by sessions; neither sequence changes any more."""
        if not _WITHOUT_TEXT.issuperset(map(_opcode, envelopes)):
            envelopes, answers = _without_secrets(envelopes, answers)
        block = marshal.dumps((envelopes, answers), _PLAIN)   # type: ignore[arg-type]  # lists of tuples, of bytes
        state, number, count = session.state, self.next_number, len(envelopes)
        self.next_number = number + count
        self._goes.append(_go(Go, (number, count, seconds, state, state.keyspace, block)))
        self._size += GO_BYTES + len(block)
        if self._size > QUERY_BYTES_MAX:
            self._shrink()

    def _shrink(self) -> None:
        while self._size > QUERY_BYTES_MAX and len(self._goes) > 1:
            gone = self._goes.popleft()
            self._size -= GO_BYTES + len(gone.block)
            self._remember(gone)

    def _remember(self, go: Go) -> None:
        """Keeps the texts of what was prepared in a go."""
        for envelope, answer in go.exchanges():
            if envelope[_OPCODE] == PREPARE:
                from cqlserver.query_log.entries import prepared_text

                pair = prepared_text(envelope, answer)
                if pair is not None:
                    if len(self._prepared) >= PREPARED_MAX:
                        del self._prepared[next(iter(self._prepared))]
                    self._prepared[pair[0]] = pair[1]

    def prepared(self) -> dict[bytes, str]:
        """The texts of prepared statements, by id."""
        for go in self._goes:
            self._remember(go)
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
        for index, envelope in enumerate(envelopes)
        if envelope[_OPCODE] == AUTH_RESPONSE or (envelope[_OPCODE] != EXECUTE and may_have_password(envelope[_BODY]))
    ]
    if not suspects:
        return envelopes, answers
    from cqlserver.query_log.secrets import without_secrets

    kept, kept_answers = list(envelopes), list(answers)
    for index in suspects:
        if index < len(answers):
            kept[index], kept_answers[index] = without_secrets(envelopes[index], answers[index])
    return kept, kept_answers


_go: Callable[[type[Go], tuple[object, ...]], Go] = tuple.__new__  # half the time of Go(...)

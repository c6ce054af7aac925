"""The hot path of SELECT where other nodes have a say: the rows are this node's, the answer leaves when as many others as
the level wants have said that theirs are the same (cluster/coordination/read_bundle.py).

Fits what `read` fits, where the local node is a replica and the partition is plain (cluster/reading/plain.py).
"""

from typing import TYPE_CHECKING

from cluster.consistency import SERIAL_LEVELS, Consistency
from cluster.coordination.decisions import Decision, GeneralWay
from cluster.coordination.plans import Deciders, ReadPlan
from cluster.coordinator import RequestKind
from cluster.paxos.encoding import PaxosKey
from cluster.reading.plain import ALL_ROWS, Digests, encode_plain, maybe_plain_rows
from cqlserver.plans.fast.read import NO_LIMIT, Find
from cqlserver.plans.plan import LATER, OPTIONS_AT, FastPath
from protocol.errors import RequestError
from storage.projection import Projector
from storage.reads import TableStore
from storage.token import token

if TYPE_CHECKING:
    from cqlserver.clustering.member import Member

LEVELS = tuple(level.value for level in Consistency if level is not Consistency.ANY and level not in SERIAL_LEVELS)
"""Those that are refused are so when they are looked up."""
SERIAL = tuple(level.value for level in SERIAL_LEVELS)
"""Reads of one row at these are decisions that lead to nothing (cluster/coordination/decisions.py)."""
ANSWER_BYTES_MAX = 1 << 16
"""A longer answer would have to be kept for too long."""
_NOW = -1
"""In place of a level: that of a serial read, when it is decided what it sees."""
_LATER = -1, b""


class ReplicatedRead:
    """Of one statement and protocol version. `find` is the local node's, for levels at which it may answer alone."""

    def __init__(
        self, member: "Member", store: TableStore, projector: Projector, limit: int, version: int, find: Find
    ) -> None:
        self._levels = member.levels(store.table, RequestKind.READ)
        self._add = member.cluster.bundles.add_read
        self._store, self._wire_rows, self._find_here = store, projector.wire_rows, find
        self._limit, self._rows_max = limit, limit if limit < NO_LIMIT else ALL_ROWS
        self._digests = Digests(store.layouts)
        self._level_at = OPTIONS_AT[version] + 1
        self._level = 0
        self._asked: tuple[ReadPlan, bytes, bytes] | None = None  # of the read that was found last: (whom, command, digest)
        self._member = member
        self._serial: tuple[Deciders, bytes, bytes] | None = None  # of a serial one: (who decides, key, order key)

    def path(self, read: FastPath) -> FastPath:
        """`read` finds rows with `find`, and makes the answer of them."""
        level_at, add, store = self._level_at, self._add, self._store
        add_decision, table_id = self._member.cluster.bundles.add_decision, store.table.id.bytes

        def read_now(body: bytes) -> bytes:
            """Of the local replica, which has what a quorum has."""
            self._level = _NOW
            tail = read(body)
            if tail is None or len(tail) > ANSWER_BYTES_MAX:
                raise GeneralWay
            return tail

        def fast(body: bytes) -> bytes | None:
            self._level, self._asked = body[level_at], None
            tail = read(body)
            if tail == b"" and self._serial is not None:
                deciders, key, ck = self._serial
                self._serial = None
                about = PaxosKey(table_id, key)
                add_decision(Decision(about, deciders, ck, lambda ballot_us: (None, read_now(body)), is_read=True))
                return LATER
            if tail is None or self._asked is None:
                return tail
            if len(tail) > ANSWER_BYTES_MAX:
                return None
            plan, command, digest = self._asked
            add(plan, store, command, digest, tail)
            return LATER

        return fast

    def find(self, key: bytes, ck: bytes, head: bytes, page_size: int) -> tuple[int, bytes] | None:
        plans = self._levels.get(self._level)
        if plans is None:  # not asked for yet, or refused
            return self._find_here(key, ck, head, page_size) if self._level == _NOW else None
        if self._level in SERIAL:
            return self._find_serially(key, ck, page_size)
        try:
            plan = plans.to_read(token(key))
        except RequestError:
            return None
        if not plan.has_local:
            return None
        if plan.required == 1:
            return self._find_here(key, ck, head, page_size)
        rows = maybe_plain_rows(self._store, key, ck, self._rows_max)
        if rows is None:
            return None
        count = len(rows)
        if count >= page_size and self._limit > page_size:  # a full page has a following one
            return None
        self._asked = plan, encode_plain(key, ck, self._rows_max), self._digests.of(rows)
        return count, self._wire_rows(rows, head)

    def _find_serially(self, key: bytes, ck: bytes, page_size: int) -> tuple[int, bytes] | None:
        member, table = self._member, self._store.table
        if page_size == 1 < self._limit:  # a full page has a following one
            return None
        try:
            deciders = member.serial_readers(table, self._level).of(token(key))
        except RequestError:
            return None
        if deciders is None or member.cluster.local not in deciders.voters or not deciders.are_settled:
            return None
        self._serial = deciders, key, ck
        return _LATER

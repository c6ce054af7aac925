"""What every plan is: a statement compiled against one version of the schema."""

from collections.abc import Callable, Sequence
from re import Match
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from cluster.coordinator import RequestKind
from cluster.ring import Node as RingNode
from cqlserver.metrics.meters import Metering, RequestMeter
from cqlserver.pending import Pending
from cqlserver.plans.gathered import Gathered
from cqlserver.state import ClientState
from protocol.requests import QueryOptions
from protocol.responses import ColumnSpec, Result, ResultMetadata
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata

if TYPE_CHECKING:
    from cqlserver.clustering.member import Member
    from cqlserver.metrics.profile import Profile

FastPath: TypeAlias = Callable[[bytes], bytes | None]
"""The body of an EXECUTE -> the answer's envelope from the opcode on (opcode, length, body), or None: not a case for the
fast path, nothing was done; or LATER. The statement's id is known to be 16 bytes long; OPTIONS_AT says where the options
begin."""

LATER = b""
"""The request is under way to other nodes: whoever asked says who is to be answered when they have (Member.answer_later)."""

class FastPaths(Protocol):
    """Of prepared statements, by their ids."""

    def get(self, statement_id: bytes, /) -> FastPath | None: ...


QueryPath: TypeAlias = Callable[[bytes, str | None], bytes | None]
"""The same for the body of a QUERY and the connection's keyspace."""

LiteralWriter: TypeAlias = Callable[[Sequence[bytes], bytes], bool]
"""(literals as a shape's pattern cuts them out, 8 bytes of timestamp) -> whether they were written; False: they are not
plain, and nothing was done."""


LiteralReader: TypeAlias = Callable[[Sequence[bytes], bytes, bytes], bytes | None]
"""(literals, consistency and flags of a QUERY without values, the options behind them) -> the answer, as of a FastPath."""


class KnownShape(NamedTuple):
    """A shape whose texts are known by a pattern (grammar/shape_pattern.py): (request, start, end) -> match. Either
    `execute` answers a text with these literals, or `write` writes them, at the consistency levels at which the local node
    goes ahead alone. `plan`: of the shape, or of its twin; `meter` counts what is written."""

    match: Callable[[bytes, int, int], Match[bytes] | None]
    plan: "Plan"
    meter: RequestMeter
    local_levels: frozenset[int]
    write: LiteralWriter
    execute: LiteralReader | None = None


KnownShapes: TypeAlias = dict[tuple[str | None, bytes], list[KnownShape]]
"""Of one protocol version, by the connection's keyspace and how the texts begin."""
PATTERNS_TOTAL_MAX = 250
"""All of these: applications have one for each table and verb."""
PATTERN_BYTES = 20_000
"""What a pattern takes with its plan; larger plans have none."""

OPTIONS_AT = {3: 18, 4: 18, 5: 36, 6: 36}
"""Behind `[short 16][id]`, and in v5 `[short 16][result metadata id]`."""


class ReadNode(Protocol):
    """What reading asks of the node."""

    ring_node: RingNode
    gathered: Gathered
    metering: Metering
    profile: "Profile | None"

    @property
    def tombstone_thresholds(self) -> tuple[int, int]:
        """As many may a read pass over before it is told, and before it fails."""
        ...

    @property
    def tracks_reads(self) -> bool:
        """Whether what replicas say of their reads is told in one line (read_thresholds_enabled)."""
        ...

    @property
    def referenced_thresholds(self) -> tuple[int, int]:
        """Of more SSTables than the first are a read's indexes told, of more than the second refused."""
        ...

    @property
    def protection_thresholds(self) -> tuple[int, int]:
        """As many rows may be held to complete what replicas filtered before it is told, and before the read fails."""
        ...

    def check_read_consistency(self, table: TableMetadata, level: int, is_scan: bool) -> None:
        """Raises InvalidRequest or Unavailable where the level won't do."""
        ...

    def maybe_member(self, table: TableMetadata) -> "Member | None":
        """This node among the others, where these have a say in the table."""
        ...

    def read_store(self, table: TableMetadata) -> TableStore:
        """Where the table's rows are; for a virtual table they are computed now."""
        ...

    def source(self, table: TableMetadata, level: int, rows: int, is_scan: bool) -> TableStore:
        """Where they are read at a consistency level: the same, or the replicas together, of which about so many rows are
        wanted."""
        ...

    def now_s(self) -> int: ...

    def replication_factor(self, table: TableMetadata) -> int:
        """As many nodes are to have each of its rows."""
        ...

    def local_levels(self, table: TableMetadata, kind: RequestKind) -> tuple[int, ...]:
        """The consistency levels that the local node meets at once, alone."""
        ...


class Plan(Protocol):
    """`tables` are the (keyspace, table) that the plan was compiled against: it is dropped when one of them changes.
    `execute` raises RequestError; a Pending is returned where the work is long or has to wait for others."""

    @property
    def bind_specs(self) -> tuple[ColumnSpec, ...]: ...
    @property
    def partition_key_indexes(self) -> tuple[int, ...]: ...
    @property
    def result_metadata(self) -> ResultMetadata | None: ...
    @property
    def tables(self) -> tuple[tuple[str, str], ...]: ...

    def execute(self, state: ClientState, options: QueryOptions) -> "Result | Pending[Result]": ...

    def meters(self, level: int) -> tuple[RequestMeter, ...]:
        """Which count a request at this consistency level: one for each table, none for those without rows."""
        ...

    def maybe_fast(self, version: int) -> FastPath | None:
        """The fast path for requests of this protocol version, where the statement has one."""

"""What the node keeps of how far its views are built: system.view_builds_in_progress, system.built_views, and for all nodes
system_distributed.view_build_status (db/SystemKeyspace.java, schema/SystemDistributedKeyspace.java).

Cassandra cuts a node's part of the ring into pieces and builds them side by side; here it is one, from the ring's minimum
round to it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from protocol.types import TEXT
from storage.keys import clustering_order_key, compose_key
from storage.memtable.memtable import token_position
from storage.mutation import LIVE, Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.projection import column_value
from storage.reads import FIRST_POSITION, Slice, TableStore
from storage.schema.metadata import ViewMetadata
from storage.token import MIN_TOKEN

if TYPE_CHECKING:
    from storage.engine import Engine

STARTED: Final = b"STARTED"
SUCCESS: Final = b"SUCCESS"
_EDGE: Final = str(MIN_TOKEN).encode()
_TRUE: Final = b"\x01"


class BuildProgress:
    """See the module. A program without these tables keeps nothing."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def is_built(self, view: ViewMetadata) -> bool:
        keyspace, name = _names(view)
        store = self._maybe_store("system", "built_views")
        if store is None:
            return False
        return store.row_at(keyspace, TEXT.order_key(name), self._now_s) is not None

    def position(self, view: ViewMetadata) -> bytes:
        """Where a build goes on."""
        keyspace, name = _names(view)
        store = self._maybe_store("system", "view_builds_in_progress")
        if store is None:
            return FIRST_POSITION
        ck = clustering_order_key(store.table)((name, _EDGE, _EDGE))
        row = store.row_at(keyspace, ck, self._now_s)
        text = None if row is None else column_value(store.table.by_name["last_token"], False)(store.layouts.explode(row))
        return FIRST_POSITION if text is None else token_position(int(text))

    def started(self, view: ViewMetadata) -> None:
        self._tell(view, STARTED)

    def reached(self, view: ViewMetadata, token: int, keys: int) -> None:
        """All partitions before a token are in the view, and some of the token."""
        keyspace, name = _names(view)
        values = {"last_token": str(token).encode(), "keys_built": keys.to_bytes(8, "big")}
        self._put("system", "view_builds_in_progress", keyspace, (name, _EDGE, _EDGE), values)

    def finished(self, view: ViewMetadata) -> None:
        keyspace, name = _names(view)
        self._remove("system", "view_builds_in_progress", keyspace, name)
        self._put("system", "built_views", keyspace, (name,), {"status_replicated": _TRUE})
        self._tell(view, SUCCESS)

    def forget(self, view: ViewMetadata) -> None:
        """The view is no more."""
        keyspace, name = _names(view)
        self._remove("system", "view_builds_in_progress", keyspace, name)
        self._remove("system", "built_views", keyspace, name)
        store = self._maybe_store("system_distributed", "view_build_status")
        if store is not None:
            self._engine.apply_plain([PartitionUpdate(store.table.id, compose_key((keyspace, name)), self._deletion())])

    # -- inside -------------------------------------------------------------------------------------------------------

    def _tell(self, view: ViewMetadata, status: bytes) -> None:
        host_id = self._engine.host_id
        if host_id is not None:
            key = compose_key(_names(view))
            self._put("system_distributed", "view_build_status", key, (host_id.bytes,), {"status": status})

    def _maybe_store(self, keyspace: str, name: str) -> TableStore | None:
        table = self._engine.schema.maybe_table(keyspace, name)
        return None if table is None else self._engine.stores.get(table.id)

    @property
    def _now_s(self) -> int:
        return self._engine.environment.clock.now_s()

    def _deletion(self) -> Deletion:
        now_us = self._engine.environment.clock.wall_us()
        return Deletion(now_us, now_us // 1_000_000)

    def _put(self, keyspace: str, name: str, key: bytes, clustering: tuple[bytes, ...], values: Mapping[str, bytes]) -> None:
        store = self._maybe_store(keyspace, name)
        if store is None:
            return
        now_us = self._engine.environment.clock.wall_us()
        cells = {column: Cell(now_us, value) for column, value in values.items()}
        ck = clustering_order_key(store.table)(clustering)
        row = Row(clustering, Liveness(now_us), LIVE, cells)
        self._engine.apply_plain([PartitionUpdate(store.table.id, key, rows={ck: row})])

    def _remove(self, keyspace: str, table: str, key: bytes, name: bytes) -> None:
        """The rows of a view, where there are any."""
        store = self._maybe_store(keyspace, table)
        if store is None:
            return
        start = TEXT.order_key(name)
        view = store.read(key, (Slice(start, start + b"\xff"),), self._now_s)
        if view is not None and next(view.rows(), None) is not None:
            tombstone = RangeTombstone(start, start + b"\xff", self._deletion(), (name,), (name,))
            self._engine.apply_plain([PartitionUpdate(store.table.id, key, range_tombstones=(tombstone,))])


def _names(view: ViewMetadata) -> tuple[bytes, bytes]:
    return view.table.keyspace.encode(), view.name.encode()

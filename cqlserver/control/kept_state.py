"""saved_state.py for a node that keeps its data: what memtables had is kept in memory, SSTables as links in DIR/saved/.

Bringing it back is one record of the log: the schema, that the tables are empty, the rows of memtables, and that the
SSTables that were put in place (storage/files/adoptions.py) count. So a crash leaves all of it or nothing, and no client
sees a half. What is kept goes with the process: a start removes the links.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

import trio

from cqlserver.control import saved_state
from cqlserver.control.context import Control, Refused
from cqlserver.control.storing import flush_stores
from cqlserver.node import Node
from protocol.errors import CorruptionError
from storage.commitlog.log import CommitLog
from storage.commitlog.records import group_record
from storage.environment.environment import Disk
from storage.files import snapshots
from storage.files.adoptions import Adoption
from storage.files.tables import SAVED
from storage.reads import SavedData, TableStore
from storage.saved_records import records_of
from storage.sstable.descriptor import Descriptor
from storage.sstable.reader import SSTableReader
from storage.sstable.statistics import LogPosition

MEMTABLE_BYTES_MAX: Final = 4 << 20
"""As much of memtables is kept as rows; what is more is flushed first."""
TRIES: Final = 100
AGAIN_S: Final = 0.01
"""How often, and how soon again, where a flush or compaction comes in between."""
_SEGMENT_END: Final = 0x7FFF_FFFF


@dataclass(eq=False, slots=True)
class KeptState:
    """`folders`: by table, where its SSTables are; `records`: by table, what its memtable had, made when first wanted."""

    state: saved_state.SavedState
    folder: str
    sstables: Mapping[UUID, Sequence[Descriptor]]
    records: dict[UUID, bytes] = field(default_factory=dict)


class Again(Exception):
    """A flush or compaction came in between."""


async def save(control: Control, name: str, only: str | None) -> KeptState:
    """Raises StorageError where what has to be flushed can't be, Refused where an SSTable is damaged."""
    (kept,) = await save_all((control.node,), name, control.exclusively, only)
    return kept


async def save_all(
    nodes: Sequence[Node],
    name: str,
    exclusively: Callable[[Callable[[], list[KeptState]]], Awaitable[list[KeptState]]],
    only: str | None,
) -> list[KeptState]:
    """Of some nodes at one moment; `exclusively` calls what saves them while no request is under way at any. Raises
    StorageError, Refused."""
    root = f"{SAVED}/{name.encode().hex()}-{nodes[0].timeuuids.timeuuid()}"
    folders = [f"{node.engine.files.root}/{root}" for node in nodes]

    def save_now() -> list[KeptState]:
        return [_save(node, folder, only) for node, folder in zip(nodes, folders, strict=True)]

    for _ in range(TRIES):
        for node in nodes:
            await flush_stores(node.engine, _to_flush(node, only))
        try:
            return await exclusively(save_now)
        except (Again, FileNotFoundError):
            for node, folder in zip(nodes, folders, strict=True):
                await forget(node, folder)
            await trio.sleep(AGAIN_S)
    raise Refused("tables are written to faster than they can be flushed, or can't be flushed: the reason stands in the log")


async def forget(node: Node, folder: str) -> None:
    """Removes the links."""
    await trio.to_thread.run_sync(snapshots.remove, node.environment.disk, folder)


def _to_flush(node: Node, only: str | None) -> list[TableStore]:
    stores = saved_state.user_stores(node, only)
    total = sum(store.memtable.live_bytes for store in stores)
    limit = min(MEMTABLE_BYTES_MAX, _log(node).options.mutation_bytes_max // 4)
    wanted = [store for store in stores if store.is_being_flushed]
    for store in sorted(stores, key=lambda store: -store.memtable.live_bytes):
        if total <= limit:
            break
        wanted.append(store)
        total -= store.memtable.live_bytes
    return wanted


def _save(node: Node, folder: str, only: str | None) -> KeptState:
    if _to_flush(node, only):
        raise Again
    disk = node.environment.disk
    sstables: dict[UUID, list[Descriptor]] = {}
    for store in saved_state.user_stores(node, only):
        for source in store.flushed:
            if not isinstance(source, SSTableReader):
                raise Refused(f"{store.table} has an SSTable that can't be read: `nodetool verify` names it")
            sstables.setdefault(store.table.id, []).append(source.descriptor)
            _link(disk, source, f"{folder}/{store.table.id}")
    return KeptState(saved_state.save(node, only), folder, sstables)


def _link(disk: Disk, reader: SSTableReader, folder: str) -> None:
    disk.mkdirs(folder, durably=False)
    snapshots.link(disk, reader, folder)


async def bring_back(control: Control, kept: KeptState, with_schema: bool) -> None:
    """Raises Refused, OSError; then nothing changed."""
    await bring_all_back(control, ((control.node, kept),), with_schema, control.exclusively)


async def bring_all_back(
    control: Control,
    states: Sequence[tuple[Node, KeptState]],
    with_schema: bool,
    exclusively: Callable[[Callable[[], bool]], Awaitable[bool]],
) -> None:
    """Each node's state; `exclusively` calls what brings them back while no request is under way at any. Raises Refused,
    OSError; then nothing changed."""
    for node, kept in states:
        await _make_records(control, node, kept)
    spreads = len(states) == 1
    while True:
        prepared: list[_Prepared | None] = []
        is_done = False

        def bring_back_now(prepared: Sequence[_Prepared | None] = prepared) -> bool:
            together = [(*state, one) for state, one in zip(states, prepared, strict=True)]
            if not all(_is_current(node, one, with_schema) for node, _, one in together):
                return False
            for node, kept, one in together:
                _bring_back(node, kept, with_schema, one, spreads)
            return True

        try:
            for node, kept in states:
                prepared.append(await _prepare(node, kept, with_schema))
            is_done = await exclusively(bring_back_now)
        finally:
            if not is_done:
                for (node, _), one in zip(states, prepared, strict=False):
                    if one is not None:
                        await trio.to_thread.run_sync(node.engine.files.adoptions.abandon, one.adoption)
        if is_done:
            return


async def _make_records(control: Control, node: Node, kept: KeptState) -> None:
    """Raises Refused."""
    for table_id, (store, data) in kept.state.tables.items():
        if table_id not in kept.records and len(data.memtable):
            kept.records[table_id] = await control.in_turns(partial(_records, store, data))
    size, limit = sum(map(len, kept.records.values())), _log(node).options.mutation_bytes_max
    if size > limit - limit // 8:
        raise Refused(f"{size} bytes of rows are more than a record of the log may have ({limit}): flush before `snapshot`")


@dataclass(frozen=True, slots=True)
class _Prepared:
    adoption: Adoption
    readers: Sequence[tuple[TableStore, SSTableReader]]


def _records(store: TableStore, data: SavedData) -> bytes:
    memtable = data.memtable
    found: list[bytes] = []
    for key in list(memtable.keys()):
        stored = memtable.get(key)
        if stored is not None:
            found += records_of(store, key, stored)
    return group_record(found)


async def _prepare(node: Node, kept: KeptState, with_schema: bool) -> _Prepared | None:
    """The SSTables that are to be brought back, in place, but not counting yet."""
    engine = node.engine
    wanted = [
        (store, f"{kept.folder}/{table_id}", descriptor)
        for table_id, descriptors in kept.sstables.items()
        for store in (kept.state.tables[table_id][0],)
        if with_schema or engine.stores.get(table_id) is store
        for descriptor in descriptors
    ]
    if not wanted:
        return None
    files = engine.files
    adoption = files.adoption(wanted, _segment_end(_log(node)))
    await trio.to_thread.run_sync(files.adoptions.prepare, adoption, engine.host_id)
    readers = []
    try:
        for (store, _, _), one in zip(wanted, adoption.sstables, strict=True):
            readers.append((store, files.opened(store, one.folder, one.made)))
            await trio.lowlevel.checkpoint()
    except CorruptionError as error:
        await trio.to_thread.run_sync(files.adoptions.abandon, adoption)
        raise Refused(str(error)) from error
    return _Prepared(adoption, readers)


def _segment_end(log: CommitLog) -> LogPosition:
    return log.segment, _SEGMENT_END


def _is_current(node: Node, prepared: _Prepared | None, with_schema: bool) -> bool:
    """Whether what was prepared is not out of date."""
    _log(node).write()
    if prepared is None:
        return True
    if prepared.adoption.end != _segment_end(_log(node)):
        return False
    stores = node.engine.stores
    return with_schema or all(stores.get(store.table.id) is store for store, _ in prepared.readers)


def _bring_back(node: Node, kept: KeptState, with_schema: bool, prepared: _Prepared | None, spreads: bool) -> None:
    engine, log = node.engine, _log(node)
    if prepared is not None:
        log.begin_segment()  # which is behind all that the SSTables stand in for
    with log.as_one():
        if with_schema:
            saved_state.bring_schema_back(node, kept.state, spreads)
        saved_state.empty(node, kept.state.only)
        for table_id, (store, data) in kept.state.tables.items():
            if engine.stores.get(table_id) is store:
                if engine.is_logged(table_id) and table_id in kept.records:
                    log.append(kept.records[table_id])
                store.bring_back(data._replace(flushed=()))
        if prepared is not None:
            engine.files.adopt(prepared.adoption, prepared.readers)


def _log(node: Node) -> CommitLog:
    assert node.commit_log is not None
    return node.commit_log

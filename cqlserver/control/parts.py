"""What a node says of single keys and SSTables, and does with some of a table's SSTables alone."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from cqlserver.control.compacting import held_ranges
from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.storing import chosen_stores, wait_for
from protocol.errors import CorruptionError, InvalidRequest, StorageError
from protocol.types import MarshalError
from storage.background import Task
from storage.compaction.choices import class_name, thresholds
from storage.compaction.verifying import VerifyOptions
from storage.files.table_files import TableFiles
from storage.files.tables import StoredTables
from storage.keys import compose_key
from storage.memtable.memtable import token_position
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata
from storage.sstable.constants import DATA
from storage.sstable.descriptor import parse_file_name
from storage.sstable.reader import SSTableReader
from storage.stored_values import stored_values
from storage.token import MAX_TOKEN, MIN_TOKEN

log = logging.getLogger("cqlserver.control")

_LEVELED: Final = "LeveledCompactionStrategy"


class NoSuchStore(Refused):
    code = "NoSuchStore"


class BadKey(Refused):
    """A text that is no partition key of the table."""

    code = "BadKey"


def the_store(control: Control, keyspace: str, table: str) -> TableStore:
    """Raises NoSuchStore."""
    stores = control.node.engine.stores.values()
    store = next((s for s in stores if (s.table.keyspace, s.table.name) == (keyspace, table)), None)
    if store is None:
        raise NoSuchStore(f"ColumnFamilyStore for {keyspace}/{table} not found.")
    return store


def key_of_text(table: TableMetadata, text: str) -> bytes:
    """A partition key as Cassandra's tools write it: components with colons between them, \\: for one within. Raises
    BadKey."""
    columns = table.partition_key
    texts = [text] if len(columns) == 1 else _split(text)
    if len(texts) > len(columns):
        raise BadKey(f"{len(texts)} components where the key has {len(columns)}: {text}")
    try:
        values = [column.type.from_text(part) for column, part in zip(columns, texts, strict=False)]
        # one of too few components is a key that nobody has
        return compose_key(values) if len(values) == len(columns) else b"".join(compose_key((v, b""))[:-3] for v in values)
    except (MarshalError, InvalidRequest) as error:
        raise BadKey(str(error)) from None


def _split(text: str) -> list[str]:
    parts, part = [], ""
    for character in text:
        if character != ":":
            part += character
        elif part.endswith("\\"):
            part = part[:-1] + ":"
        else:
            parts.append(part)
            part = ""
    return [*parts, part]


# --- compactions ----------------------------------------------------------------------------------------------------


async def compact_range(
    control: Control, *, keyspace: str | None, tables: list[str], keyspaces: str, start: str, end: str
) -> object:
    """Of each table those SSTables that have a token from `start` to `end`, both included; round the ring's end, if `start`
    is the greater one."""
    try:
        first, last = int(start), int(end)
    except ValueError:
        text = end if start.lstrip("-").isdigit() else start
        raise Refused(
            f"Invalid token for Murmur3Partitioner. Got {text} but expected a long value (unsigned 8 bytes integer)."
        ) from None
    ranges = [(first, last)] if first < last else [(first, MAX_TOKEN), (MIN_TOKEN, last)] if first > last else []
    bounds = [(token_position(low), token_position(high) + b"\xff") for low, high in ranges]

    def is_wanted(reader: SSTableReader) -> bool:
        return any(low <= reader.last_position and reader.first_position <= high for low, high in bounds)

    await _compact(control, chosen_stores(control, keyspace, tables, keyspaces), lambda files: is_wanted)
    return {}


async def compact_partition(
    control: Control, *, keyspace: str | None, tables: list[str], keyspaces: str, key: str
) -> object:
    """Of each table those SSTables that may have a partition."""
    stores = chosen_stores(control, keyspace, tables, keyspaces)
    keys: dict[TableStore, bytes] = {}
    for store in stores:
        try:
            keys[store] = key_of_text(store.table, key)
        except BadKey as error:
            raise Refused(f"Unable to parse partition key '{key}' for table {store.table}; {error.message}") from None

    def wanted(files: TableFiles) -> Callable[[SSTableReader], bool]:
        return lambda reader: reader.may_contain(keys[files.store])

    await _compact(control, stores, wanted)
    return {}


async def _compact(
    control: Control, stores: Sequence[TableStore], wanted: Callable[[TableFiles], Callable[[SSTableReader], bool]]
) -> None:
    found = control.node.engine.maybe_files
    if found is not None:
        tables = [found.files_of(store) for store in stores if found.readers_of(store.table.id)]
        await wait_for([found.compactions.compact_such(files, wanted(files)) for files in tables])


async def compact_sstables(control: Control, *, files: list[str]) -> object:
    """Those SSTables of each table together, by the names of their data files; which are not there are left out."""
    for path in files:
        if parse_file_name(path.strip().rpartition("/")[2]) is None:
            raise Refused(f"Invalid sstable file {path}: the name doesn't look like a supported sstable file name")
    stored = control.node.engine.maybe_files
    tasks = []
    if stored is not None:
        chosen: dict[TableFiles, list[SSTableReader]] = {}
        for path in files:
            for of, reader in _readers_at(control, stored, path):
                chosen.setdefault(of, []).append(reader)
        tasks = [stored.compactions.compact_these(of, readers) for of, readers in chosen.items()]
    await wait_for(tasks)
    return {}


def _readers_at(control: Control, stored: StoredTables, path: str) -> list[tuple[TableFiles, SSTableReader]]:
    folder, _, name = path.strip().rpartition("/")
    found = [stored.files_of(store) for store in control.node.engine.stores.values() if stored.readers_of(store.table.id)]
    return [
        (files, reader)
        for files in found
        if folder.rpartition("/")[2] == files.folder.rpartition("/")[2]
        for reader in files.readers
        if reader.descriptor.file_name(DATA) == name
    ]


async def compaction_thresholds(control: Control, *, keyspace: str, table: str) -> object:
    store = the_store(control, keyspace, table)
    stored = control.node.engine.maybe_files
    found = stored.compactions.thresholds.get(store.table.id) if stored is not None else None
    least, most = found or thresholds(store.table.params.compaction)
    return {"min": least, "max": most}


async def set_compaction_thresholds(control: Control, *, keyspace: str, table: str, min: int, max: int) -> object:
    """How many SSTables of about one size are compacted together; until the next start."""
    store = the_store(control, keyspace, table)
    if not min or not max:
        raise Refused(
            "Disabling compaction by setting min_compaction_threshold or max_compaction_threshold to 0 is deprecated, set "
            "the compaction strategy option 'enabled' to 'false' instead or use the nodetool command "
            "'disableautocompaction'."
        )
    if min > max:
        raise BadArgument(f"min is {min}, and more than max, which is {max}")
    if control.node.durable:
        compactions = control.node.engine.files.compactions
        compactions.thresholds[store.table.id] = min, max
        compactions.consider(control.node.engine.files.files_of(store))
    return {}


async def verify(
    control: Control,
    *,
    keyspace: str | None,
    tables: list[str],
    keyspaces: str,
    extended: bool,
    quick: bool,
    check_version: bool,
    check_tokens: bool,
    unmark_damaged: bool,
    follow_policy: bool,
) -> object:
    """Whether SSTables are whole."""
    node = control.node
    stores, stored = chosen_stores(control, keyspace, tables, keyspaces), node.engine.maybe_files
    if stored is None:
        return {}
    tasks: list[Task] = []
    for store in stores:
        if stored.readers_of(store.table.id):
            ranges = held_ranges(node, store.table.keyspace) if check_tokens else None
            options = VerifyOptions(extended, quick, check_version, ranges, unmark_damaged)
            tasks += stored.compactions.verify([stored.files_of(store)], options)
    try:
        await wait_for(tasks)
    except StorageError:
        if follow_policy and any(isinstance(task.error, CorruptionError) for task in tasks):
            await _follow_disk_failure_policy(control)
        raise
    return {}


async def _follow_disk_failure_policy(control: Control) -> None:
    """An SSTable is not whole (service/DefaultFSErrorHandler.java, handleCorruptSSTable)."""
    policy = control.node.config.storage.disk_failure_policy
    if policy in ("die", "stop_paranoid"):
        log.error("Stopping transports as disk_failure_policy is %s", policy)
        await control.exclusively(control.turn_clients_away, settles=True)


# --- keys -----------------------------------------------------------------------------------------------------------


async def sstables_of_key(control: Control, *, keyspace: str, table: str, key: str, is_hex: bool) -> object:
    """The data files that have a partition, each with its level (0 where the strategy knows none)."""
    store = the_store(control, keyspace, table)
    if is_hex:
        try:
            wanted = bytes.fromhex(key)
        except ValueError:
            what = "An hex string representing bytes must have an even length"
            raise BadArgument(what if len(key) % 2 else f"{key} is no text of bytes in hex") from None
    else:
        wanted = key_of_text(store.table, key)
    stored = control.node.engine.maybe_files
    found = stored.readers_of(store.table.id) if stored is not None else ()
    return {
        "sstables": [
            {"path": reader.path, "level": reader.level} for reader in found if reader.maybe_partition(wanted) is not None
        ],
        "has_levels": class_name(store.table.params.compaction) == _LEVELED,
    }


async def rebuild_indexes(control: Control, *, keyspace: str, table: str, indexes: list[str]) -> object:
    """Begins to build indexes anew."""
    try:
        store = the_store(control, keyspace, table)
    except NoSuchStore:
        raise BadArgument(f"Unknown keyspace/cf pair ({keyspace}.{table})") from None
    await control.exclusively(lambda: control.node.engine.indexed.rebuild(store, indexes))
    return {}


async def view_build_status(control: Control, *, keyspace: str, view: str) -> object:
    """Of each node of the cluster: UNKNOWN, STARTED or SUCCESS (StorageProxy.getViewBuildStatuses)."""
    node = control.node
    table = node.schema.maybe_table("system_distributed", "view_build_status")
    assert table is not None, "it is built in"
    found = {}
    for row in stored_values(node.engine.stores[table.id], node.now_s()):
        if (row["keyspace_name"], row["view_name"]) == (keyspace.encode(), view.encode()) and row["host_id"] is not None:
            found[row["host_id"]] = (row["status"] or b"").decode()
    return {
        "nodes": [
            {"address": each.address, "port": each.port, "status": found.get(each.host_id.bytes, "UNKNOWN")}
            for each in node.coordinator.ring.nodes
        ]
    }


async def data_paths(control: Control) -> object:
    """Of all tables that are kept."""
    engine = control.node.engine
    stores = [s for s in engine.stores.values() if s.table.id not in engine.indexed.hidden] if control.node.durable else []
    return {
        "tables": [
            {"keyspace": s.table.keyspace, "table": s.table.name, "path": engine.files.folders.name(s.table)}
            for s in stores
        ]
    }

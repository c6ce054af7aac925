"""SSTables that others wrote become a table's: those of a folder (`nodetool import`), or such as lie beside its own
(`nodetool refresh`); Cassandra's too (db/SSTableImporter.java).

All are looked at before any is taken. They get numbers and a Statistics.db of their own, so that neither what their commit
log, nor what ours has had by then is taken for what they have (storage/files/adoptions.py); a crash leaves all or none.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

import trio

from cqlserver.control.compacting import held_ranges
from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.parts import NoSuchStore, the_store
from cqlserver.control.storing import NothingKept, flush_stores, wait_for
from protocol.errors import CorruptionError
from storage.commitlog.format import POSITION_SHIFT, CommitLogPosition
from storage.environment.environment import Disk
from storage.files.table_files import sstables_in
from storage.files.tables import StoredTables
from storage.files.transaction import remove_files
from storage.indexes.target import CLASS_OPTION
from storage.reads import TableStore
from storage.sstable.constants import TOC
from storage.sstable.descriptor import Descriptor
from storage.sstable.verify import verify, verify_digest, verify_index, verify_owned

log = logging.getLogger("cqlserver.import")

STEPS_PER_TURN: Final = 64


SAI_GROUP: Final = re.compile(r"SAI\+\w+\+GroupComplete\.db")
SAI_COLUMN: Final = re.compile(r"SAI\+\w+\+(.*)\+ColumnComplete\.db")
"""What Cassandra writes last of the indexes of an SSTable, and of one of them (index/sai/disk/format/Version.java)."""


class NotTaken(Exception):
    """An SSTable is whole, and lacks what was asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is done with SSTables, as nodetool's options say."""

    keeps_level: bool
    keeps_repaired: bool
    copies: bool
    verifies: bool = False
    verifies_extended: bool = False
    verifies_tokens: bool = False
    requires_indexes: bool = False


async def import_sstables(
    control: Control,
    *,
    keyspace: str,
    table: str,
    directories: list[str],
    keep_level: bool,
    keep_repaired: bool,
    verify: bool,
    extended_verify: bool,
    verify_tokens: bool,
    require_indexes: bool,
    copy: bool,
) -> object:
    """Of each directory all or none; answers those of which none were taken. The log names what is wrong with them."""
    files, store = _files(control), the_store(control, keyspace, table)
    disk = control.node.environment.disk
    for directory in directories:
        if not disk.is_folder(directory):
            raise Refused(f"Directory {directory} does not exist")
    wanted = Wanted(keep_level, keep_repaired, copy, verify, extended_verify, verify_tokens, require_indexes)
    failed: list[str] = []
    for directory in directories:
        try:
            found = _found(control, directory)
            await _look_at(control, files, store, directory, found, wanted)
            await _take(control, files, store, directory, found, wanted)
        except (CorruptionError, OSError, NotTaken) as error:
            log.error("nothing of %s is taken: %s", directory, error)
            failed.append(directory)
    return {"failed": failed}


async def refresh(control: Control, *, keyspace: str, table: str) -> object:
    """Takes what somebody has put into the table's folder. Raises Refused where it is damaged."""
    if keyspace not in control.node.schema.keyspaces:
        raise BadArgument(f"Keyspace {keyspace} does not exist")
    try:
        store = the_store(control, keyspace, table)
    except NoSuchStore:
        raise BadArgument(f"Unknown keyspace/cf pair ({keyspace}.{table})") from None
    files = _files(control)
    folder = files.folders.maybe_folder(store.table.id)
    if folder is None:
        return {}
    wanted = Wanted(keeps_level=True, keeps_repaired=True, copies=False)
    try:
        found = [descriptor for descriptor in _found(control, folder) if not files.is_known(store, descriptor)]
        await _look_at(control, files, store, folder, found, wanted)
        await _take(control, files, store, folder, found, wanted)
    except (CorruptionError, OSError) as error:
        raise Refused(str(error)) from error
    return {}


def _files(control: Control) -> StoredTables:
    if not control.node.durable:
        raise NothingKept("SSTables are for servers that keep their data on disk: this one keeps nothing")
    return control.node.engine.files


def _found(control: Control, folder: str) -> list[Descriptor]:
    """The SSTables in a folder that are whole. Raises CorruptionError for one of a foreign version, OSError."""
    names = control.node.environment.disk.list(folder)
    there = set(names)
    return [descriptor for descriptor in sstables_in(folder, names) if descriptor.file_name(TOC) in there]


async def _look_at(
    control: Control,
    files: StoredTables,
    store: TableStore,
    folder: str,
    found: Sequence[Descriptor],
    wanted: Wanted,
) -> None:
    """Raises CorruptionError, which names the file: of a table with other columns, too. Raises NotTaken."""
    disk = control.node.environment.disk
    held = held_ranges(control.node, store.table.keyspace) if wanted.verifies_tokens else None
    for descriptor in found:
        if wanted.requires_indexes:
            _assure_indexes(disk, store, folder, descriptor)
        reader = files.opened(store, folder, descriptor)
        steps: list[Iterator[object]] = []
        if held is not None:
            steps.append(verify_owned(reader, held))
        if wanted.verifies:
            if wanted.verifies_extended:
                steps.append(verify(disk, folder, reader))
            else:
                await trio.to_thread.run_sync(verify_digest, disk, folder, reader)
                steps.append(verify_index(reader))
        for number, _ in enumerate(chain.from_iterable(steps), 1):
            if not number % STEPS_PER_TURN:
                await trio.lowlevel.checkpoint()


def _assure_indexes(disk: Disk, store: TableStore, folder: str, descriptor: Descriptor) -> None:
    """Whether an SSTable comes with all that Cassandra has of its table's SAI indexes; here they are made anew anyway."""
    from storage.indexes.attached import SAI_CLASS, java_class  # which imports the analyzers

    indexes = store.table.indexes.items()
    names = [name for name, index in indexes if java_class(index.options.get(CLASS_OPTION, "")) == SAI_CLASS]
    there = {name.removeprefix(descriptor.file_name("")) for name in disk.list(folder)}
    if names and not any(SAI_GROUP.fullmatch(name) for name in there):
        raise NotTaken(f"Missing SAI index to import for SSTable {folder}/{descriptor.file_name('')} on {store.table}")
    for name in names:
        if not any((found := SAI_COLUMN.fullmatch(each)) and found[1] == name for each in there):
            raise NotTaken(f"Missing SAI index to import for index {name} on {store.table}")


async def _take(
    control: Control,
    files: StoredTables,
    store: TableStore,
    folder: str,
    found: Sequence[Descriptor],
    wanted: Wanted,
) -> None:
    if not found:
        return
    engine = control.node.engine
    end = await _flushed_until(control, files, store)
    adoption = files.adoption([(store, folder, descriptor) for descriptor in found], divmod(end, 1 << POSITION_SHIFT))
    level, repaired_at_ms = None if wanted.keeps_level else 0, None if wanted.keeps_repaired else 0
    adoption.sstables = [one._replace(level=level, repaired_at_ms=repaired_at_ms) for one in adoption.sstables]
    await trio.to_thread.run_sync(files.adoptions.prepare, adoption, engine.host_id, wanted.copies)

    def adopt() -> None:
        if engine.stores.get(store.table.id) is not store:
            raise Refused(f"{store.table} was dropped meanwhile")
        files.adopt(adoption, [(store, files.opened(store, one.folder, one.made)) for one in adoption.sstables])
        if store.indexes is not None:
            engine.indexed.rebuild(store, list(store.table.indexes))

    try:
        await control.exclusively(adopt)
    except (CorruptionError, Refused):
        await trio.to_thread.run_sync(files.adoptions.abandon, adoption)
        raise
    await wait_for(files.adoptions.tasks)
    if not wanted.copies:
        prefixes = [descriptor.file_name("") for descriptor in found]
        await trio.to_thread.run_sync(partial(remove_files, control.node.environment.disk, folder, prefixes))


async def _flushed_until(control: Control, files: StoredTables, store: TableStore) -> CommitLogPosition:
    """A position of the log, behind the table's last TRUNCATE, before which SSTables have all of it."""
    engine = control.node.engine
    while True:
        await flush_stores(engine, [store])
        truncation = engine.truncations.get(store.table.id)
        end = files.written_before(store.table.id)
        if truncation is None or end > truncation.position:
            return end
        await trio.lowlevel.checkpoint()

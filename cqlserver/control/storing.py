"""What a node does with its memtables and SSTables on command: flush, compact, drain; and how far it is.

An operation answers when the work is done; meanwhile it is a task of the engine's (storage/background.py).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio

from cqlserver.control.context import BadArgument, Control, Refused
from protocol.errors import StorageError
from storage.background import Lane, Task, TaskState
from storage.engine import Engine
from storage.reads import TableStore
from storage.schema.metadata import is_local_system_keyspace, is_system_keyspace
from storage.sstable.reader import SSTableReader

DRAINED: Final = "the node is drained: it takes no writes until it is restarted"
KEYSPACES: Final[dict[str, Callable[[str], bool]]] = {
    "all": lambda name: True,
    "distributed": lambda name: not is_local_system_keyspace(name),
    "users": lambda name: not is_system_keyspace(name),
}
"""What is meant where no keyspace is named."""


class NoSuchKeyspace(Refused):
    code = "NoSuchKeyspace"


class NoSuchTable(Refused):
    code = "NoSuchTable"


class NothingKept(Refused):
    code = "NothingKept"


def chosen_stores(control: Control, keyspace: str | None, tables: Sequence[str], keyspaces: str) -> list[TableStore]:
    """The stores of the tables that are named, of a keyspace, or of all keyspaces of a kind; the hidden ones of built-in
    indexes go with their table's. Raises NoSuchKeyspace, NoSuchTable."""
    schema, engine = control.node.schema, control.node.engine
    if keyspace is None:
        if keyspaces not in KEYSPACES:
            raise BadArgument(f"keyspaces is {keyspaces!r}, and none of {', '.join(KEYSPACES)}")
        belongs = KEYSPACES[keyspaces]
        return [store for store in engine.stores.values() if belongs(store.table.keyspace)]
    found = schema.keyspaces.get(keyspace)
    if found is None or found.is_virtual:
        raise NoSuchKeyspace(f"Keyspace [{keyspace}] does not exist.")
    for name in tables:
        if name not in found.tables and name not in found.views:
            raise NoSuchTable(f"Unknown keyspace/cf pair ({keyspace}.{name})")
    wanted = set(tables)
    return [
        store
        for store in engine.stores.values()
        if store.table.keyspace == keyspace and (not wanted or store.table.name.partition(".")[0] in wanted)
    ]


def readers(engine: Engine, store: TableStore | None = None) -> list[SSTableReader]:
    """The SSTables of a table, or of all."""
    files = engine.maybe_files
    if files is None:
        return []
    ids = list(engine.stores) if store is None else [store.table.id]
    return [reader for table_id in ids for reader in files.readers_of(table_id)]


async def wait_for(tasks: Iterable[Task]) -> None:
    """Until they have ended. Raises StorageError where one could not do it."""
    for task in tasks:
        if not task.has_ended:
            ended = trio.Event()
            task.on_end.append(ended.set)
            await ended.wait()
        if task.state is TaskState.FAILED:
            raise StorageError(f"{task.kind} of {task.subject} has failed: {task.error}")
        if task.state is TaskState.CANCELLED:
            raise StorageError(f"{task.kind} of {task.subject} was stopped")
    await trio.lowlevel.checkpoint()


async def flush_stores(engine: Engine, stores: Iterable[TableStore]) -> None:
    """Until what their memtables have now is in SSTables. Raises StorageError."""
    names = {str(store.table) for store in stores}
    running = [task for task in engine.background.tasks if task.lane is Lane.FLUSH and task.subject in names]
    await wait_for([*running, *engine.flush([id for id, store in engine.stores.items() if str(store.table) in names])])


async def flush(control: Control, *, keyspace: str | None, tables: list[str], keyspaces: str) -> object:
    await flush_stores(control.node.engine, chosen_stores(control, keyspace, tables, keyspaces))
    return {}


async def compact(
    control: Control, *, keyspace: str | None, tables: list[str], keyspaces: str, split_output: bool
) -> object:
    engine = control.node.engine
    stores = chosen_stores(control, keyspace, tables, keyspaces)
    await flush_stores(engine, stores)
    await wait_for(engine.compact([store.table.id for store in stores], split_output))
    return {}


async def drain(control: Control) -> object:
    node = control.node
    engine, commit_log = node.engine, node.commit_log
    if commit_log is None:
        raise NothingKept("drain works on servers that keep their data on disk: this one keeps nothing")
    if commit_log.failure == DRAINED:
        return {}
    await flush_stores(engine, engine.stores.values())

    def drain_now() -> None:
        control.turn_clients_away()
        for task in engine.background.tasks:
            if task.lane is Lane.COMPACTION:
                task.cancel()
        engine.drain()
        if engine.maybe_files is not None:
            engine.maybe_files.compactions.are_automatic = False
        commit_log.refuse(DRAINED)

    await control.exclusively(drain_now, settles=False)
    return {}


async def tasks(control: Control) -> object:
    return {"tasks": [task_facts(task) for task in control.node.engine.background.tasks]}


def task_facts(task: Task) -> dict[str, object]:
    """What JSON says of a task."""
    keyspace, _, table = task.subject.partition(".")
    return {
        "id": task.id,
        "kind": task.kind,
        "lane": task.lane.value,
        "keyspace": keyspace,
        "table": table,
        "state": task.state.value,
        "completed": task.completed,
        "total": task.total,
        "unit": task.unit,
        "sstables": task.sstables,
        "target": task.target,
    }


async def backups(control: Control, *, on: bool) -> object:
    """Until the next start."""
    if control.node.durable:
        control.node.engine.files.keeps_backups = on
    return {}

"""What the operations of a test double do: reset, snapshot, restore, execute."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import trio

from cqlserver.control import saved_state
from cqlserver.control.context import TURN_S, BadArgument, Control, Loading, Refused, Snapshot
from cqlserver.control.raw_json import RawJson, rows_json
from cqlserver.control.saved_state import SavedState
from cqlserver.program.init_files import is_counter
from cqlserver.program.seeder import Seeder
from cqlserver.seeding.cql_text import split_statements
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import files_of, statements_of
from cqlserver.state import SYSTEM, ClientState
from cqlserver.system.tables import RELEASE_VERSION
from protocol.errors import RequestError
from protocol.requests import QueryOptions
from protocol.responses import Response, RowsResult
from protocol.types.turns import long_work

if TYPE_CHECKING:
    from cqlserver.clustering.in_process import LocalCluster
    from cqlserver.clustering.saved import KeptCluster, SavedCluster
    from cqlserver.control.kept_state import KeptState

PAGE_SIZE_MAX: Final = 10_000
"""An answer is put together in memory, and sent in one piece."""
JSON_BYTES_PER_GO: Final = 50_000
"""Longer answers become JSON in turns with the clients."""
SNAPSHOTS_MAX: Final = 1_000
"""Each holds a whole state in memory, so a test that makes one in a loop is told."""
SETTLED_TURNS: Final = 100
"""Turns of a load after which the commit log has what was written: until then it is in memory."""
_VERSION: Final = 5


class NoSuchSnapshot(Refused):
    code = "NoSuchSnapshot"


class BadSeed(Refused):
    code = "BadSeed"


async def reset(control: Control, *, schema: bool, keyspace: str | None) -> object:
    node = control.node
    if node.is_alone:
        do = saved_state.drop_all if schema else saved_state.empty
        await control.exclusively(partial(do, node, keyspace))
    elif schema:
        await control.in_turns(partial(saved_state.drop_all, node, keyspace))
    else:
        for store in saved_state.user_stores(node, keyspace):
            await control.in_turns(partial(node.truncate, store.table))
    return {}


async def snapshot(control: Control, *, name: str, keyspace: str | None) -> object:
    if len(control.snapshots) >= SNAPSHOTS_MAX and name not in control.snapshots:
        raise Refused(f"there are {SNAPSHOTS_MAX} snapshots already; `forget` some of them")
    before = control.snapshots.get(name)
    if control.cluster is not None or not control.node.is_alone:
        from cqlserver.clustering import saved

        with _whole_cluster(control) as cluster:
            if control.node.durable:
                control.snapshots[name] = await saved.keep(cluster, name, keyspace)
            else:
                control.snapshots[name] = await saved.save(cluster, keyspace)
        await _let_go(control, before)
        return {}
    if not control.node.durable:
        control.snapshots[name] = await control.exclusively(partial(saved_state.save, control.node, keyspace))
        return {}
    from cqlserver.control import kept_state

    control.snapshots[name] = await kept_state.save(control, name, keyspace)
    await _let_go(control, before)
    return {}


@contextmanager
def _whole_cluster(control: Control) -> "Iterator[LocalCluster]":
    """The nodes of this process, of which all run. Raises Refused."""
    from cqlserver.clustering.saved import NotAll

    if control.cluster is None:
        raise Refused("of a cluster, one in one process can be remembered")
    try:
        yield control.cluster
    except NotAll:
        raise Refused("all nodes have to run, and to be those that the snapshot is of") from None


async def _let_go(control: Control, saved: "Snapshot | None") -> None:
    """What is on disk of it."""
    if saved is None or not control.node.durable:
        return
    from cqlserver.control import kept_state

    if control.cluster is not None:
        from cqlserver.clustering.saved import forget_kept

        await forget_kept(control.cluster, cast("KeptCluster", saved))
    else:
        await kept_state.forget(control.node, cast("KeptState", saved).folder)


async def restore(control: Control, *, name: str, schema: bool) -> object:
    saved = _snapshot(control, name)
    if isinstance(saved, SavedState):
        await control.exclusively(partial(saved_state.bring_back, control.node, saved, schema))
    elif control.cluster is not None:
        from cqlserver.clustering import saved as of_clusters

        with _whole_cluster(control) as cluster:
            if control.node.durable:
                await of_clusters.bring_kept_back(control, cluster, cast("KeptCluster", saved), schema)
            else:
                await of_clusters.bring_back(cluster, cast("SavedCluster", saved), schema)
    else:
        from cqlserver.control import kept_state

        await kept_state.bring_back(control, cast("KeptState", saved), schema)
    return {}


async def snapshots(control: Control) -> object:
    return {"snapshots": list(control.snapshots)}


async def about(control: Control) -> object:
    node = control.node
    return {
        "host": node.config.host,
        "port": node.port,
        "pid": os.getpid(),
        "release_version": RELEASE_VERSION,
        "data": str(node.config.data.resolve()) if node.config.data is not None else None,
    }


async def forget(control: Control, *, name: str) -> object:
    found = _snapshot(control, name)
    del control.snapshots[name]
    await _let_go(control, found)
    return {}


def _snapshot(control: Control, name: str) -> Snapshot:
    found = control.snapshots.get(name)
    if found is None:
        names = ", ".join(control.snapshots) or "none"
        raise NoSuchSnapshot(f"there is no snapshot {name!r}; there are: {names}. `snapshot` makes one")
    return found


async def execute(
    control: Control, *, cql: str, keyspace: str | None, page_size: int, paging_state: str | None
) -> object:
    if page_size < 1:
        raise BadArgument(f"execute: page_size is {page_size}, and less than 1")
    if page_size > PAGE_SIZE_MAX:
        most = f"an answer has at most {PAGE_SIZE_MAX} rows; its paging_state gets the next ones"
        raise BadArgument(f"execute: page_size is {page_size}: {most}")
    try:
        options = QueryOptions(page_size=page_size, paging_state=bytes.fromhex(paging_state) if paging_state else None)
    except ValueError:
        raise BadArgument("execute: paging_state is none that an answer had") from None
    state = ClientState("127.0.0.1", 0, keyspace, _VERSION, user=SYSTEM)
    statements = list(split_statements(cql))
    if not statements:
        raise BadArgument("execute: there is no statement in cql")
    result: Response | None = None
    for line, text in statements:
        state.warnings.clear()
        try:
            result = await run_statement(control, state, text, options)
        except RequestError as error:
            if len(statements) > 1:
                error.message = f"line {line}: {error.message}"
            raise
    await control.settle()
    warnings = json.dumps(state.warnings)
    if not isinstance(result, RowsResult):
        return RawJson(f'{{"columns": [], "rows": [], "paging_state": null, "warnings": {warnings}}}')
    return RawJson(await control.in_turns(partial(_as_json, result, warnings), len(result.content)))


def _as_json(result: RowsResult, warnings: str) -> str:
    if len(result.content) > JSON_BYTES_PER_GO:
        long_work()
    return rows_json(result, warnings)


async def load(control: Control, *, path: str, keyspace: str | None) -> object:
    node, count = control.node, 0
    try:
        for file in files_of(Path(path)):
            state = ClientState("127.0.0.1", 0, keyspace, _VERSION, user=SYSTEM)
            seeder = Seeder(node, state, statements_of(file, partial(is_counter, node, state)))
            turns = 0
            while await control.in_turns(partial(seeder.take_turn, TURN_S)):
                control.loading = Loading(str(file), seeder.count, count + seeder.count)
                turns += 1
                if turns % SETTLED_TURNS == 0:
                    await control.settle()
                await trio.lowlevel.checkpoint()
            count += seeder.count
    except SeedError as error:
        raise BadSeed(str(error)) from error
    except OSError as error:
        raise BadSeed(f"{path}: {error.strerror or error}") from error
    finally:
        control.loading = None
        await control.settle()
    return {"statements": count}


async def loading(control: Control) -> object:
    found = control.loading
    return {} if found is None else found._asdict()


async def run_statement(control: Control, state: ClientState, text: str, options: QueryOptions) -> Response:
    """One statement, in turns with the clients. Raises RequestError."""
    statements = control.node.statements
    return await control.in_turns(lambda: statements.query(state, text, options), len(text))

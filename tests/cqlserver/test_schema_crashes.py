"""Changes of the schema on a machine that stops, and on a disk that fails, at any operation: tables made, changed,
truncated and dropped, with data in the log and in SSTables, with auto_snapshot.

What was acknowledged (and synced) is there after the start, what was under way is wholly there or not at all. All
operations of the history are tried with SCHEMA_CRASHES=all, else some of each kind, CRASH_SEED says which.
"""

import errno
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from crash_machine import CrashMachine

from cqlserver.node import Node
from cqlserver.program.config import Config
from protocol import responses
from protocol.requests import Query

FLUSH = "flush"
HISTORY = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TYPE ks.u (a int)",
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text, u frozen<u>)",
    "INSERT INTO ks.t (k, v, u) VALUES (1, 'a', {a: 1})",
    FLUSH,
    "INSERT INTO ks.t (k, v) VALUES (2, 'b')",
    "ALTER TYPE ks.u ADD b int",
    "ALTER TABLE ks.t ADD w int",
    "INSERT INTO ks.t (k, w) VALUES (2, 2)",
    "CREATE INDEX i ON ks.t (w)",
    "ALTER TABLE ks.t DROP v",
    FLUSH,
    "INSERT INTO ks.t (k, w) VALUES (3, 3)",
    "TRUNCATE ks.t",
    "INSERT INTO ks.t (k, w) VALUES (4, 4)",
    "DROP INDEX ks.i",
    "ALTER TABLE ks.t WITH comment = 'changed' AND compression = {'enabled': false}",
    FLUSH,
    "DROP TABLE ks.t",
    "CREATE TABLE ks.t (k int PRIMARY KEY, z int)",
    "INSERT INTO ks.t (k, z) VALUES (5, 5)",
    "DROP KEYSPACE ks",
)
OPERATIONS = ("open", "write", "sync", "sync_folder", "unlink", "rename", "link", "read")
ALL = os.environ.get("SCHEMA_CRASHES") == "all"
SEED = int(os.environ.get("CRASH_SEED", "1"))
TRIED = 2
"""Of each kind of operation."""

State = tuple[str, object, tuple[str, ...]]
"""The keyspace as DESCRIBE has it, what its table holds, the snapshots."""


class Machine(CrashMachine):
    """Its clock goes on with each statement."""

    seed = b"crashes"

    def config(self) -> Config:
        return Config(port=0, data=Path("/data"), auto_snapshot=True)

    def start(self) -> Node:
        super().start()
        self.node.engine.background.finish()
        return self.node

    def do(self, step: str) -> None:
        """One step of the history, acknowledged and durable when it returns. Raises what went wrong."""
        self.clock.advance(1)
        engine = self.node.engine
        if step == FLUSH:
            tasks = engine.flush(list(engine.stores))
            engine.background.finish()
            for task in tasks:
                if task.error is not None:
                    raise task.error
            return
        response = self.ask(Query(step))
        assert engine.commit_log is not None
        engine.commit_log.write()
        engine.commit_log.sync()
        if isinstance(response, responses.Error):
            raise response.error
        engine.background.finish()

    def state(self) -> State:
        described = self.ask(Query("DESCRIBE KEYSPACE ks"))
        text = ""
        if isinstance(described, responses.RowsResult):
            text = "\n".join((row[3] or b"").decode() for row in described.rows())
        files = self.node.engine.files
        snapshots = sorted(f"{one.table} {one.name.partition('-')[0]}" for one in files.all_snapshots())
        return text, self.rows(), tuple(snapshots)

    def rows(self) -> object:
        """What needs no more of the disk than the node has open."""
        found = self.ask(Query("SELECT * FROM ks.t"))
        return sorted(found.rows()) if isinstance(found, responses.RowsResult) else None


def states() -> tuple[list[State], Counter[str]]:
    """After each step, and before the first; how many operations of each kind that took."""
    machine, unasked = Machine(), Machine()  # to look at the state takes reads
    before = Counter(unasked.disk.calls)
    found = [machine.state()]
    for step in HISTORY:
        machine.do(step)
        unasked.do(step)
        found.append(machine.state())
    return found, unasked.disk.calls - before


STATES, CALLS = states()


def tried(operation: str) -> list[int]:
    count = CALLS[operation]
    if ALL:
        return list(range(count))
    rng = random.Random(f"{SEED} {operation}")
    return sorted(rng.sample(range(count), min(TRIED, count)))


def interrupted(machine: Machine) -> int:
    """Goes through the history up to where a step fails; how many did not."""
    for number, step in enumerate(HISTORY):
        try:
            machine.do(step)
        except Exception:  # noqa: BLE001 - whatever: the machine stops, or is asked on
            return number
    return len(HISTORY)


def test_the_history_makes_snapshots_and_tables_with_data() -> None:
    assert {len(snapshots) for _, _, snapshots in STATES} == {0, 1, 2, 3}
    assert [rows and len(rows) for _, rows, _ in STATES].count(2) > 3
    assert all(CALLS[operation] > 2 for operation in OPERATIONS), CALLS


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_crash_at_any_operation_leaves_each_change_whole_or_undone(operation: str) -> None:
    print(f"CRASH_SEED={SEED}")
    for after in tried(operation):
        machine = Machine()
        machine.disk.fail(operation, after)
        done = interrupted(machine)
        assert machine.disk.failed[operation], (operation, after)
        wanted = STATES[done : done + 2]
        for kept in machine.crashes():
            machine.start()
            found = machine.state()
            assert found in wanted, (operation, after, kept, done, found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_disk_that_fails_at_any_operation_loses_nothing(operation: str, code: int) -> None:
    """The node goes on: what it says then, and after its end and a start, is what was acknowledged."""
    print(f"CRASH_SEED={SEED}")
    for after in tried(operation):
        machine = Machine()
        machine.disk.fail(operation, after, code)
        done = interrupted(machine)
        where = operation, after, done
        assert machine.disk.failed[operation], where
        rows = [state[1] for state in STATES[done : done + 2]]
        assert machine.rows() in rows, where
        machine.disk.heal()
        assert machine.rows() in rows, where
        machine.disk.crash(lambda unsynced: unsynced, names_kept=True)
        machine.start()
        assert machine.state() in STATES[done : done + 2], (*where, machine.state(), STATES[done : done + 2])
        done = STATES.index(machine.state(), done)
        for number in range(done, len(HISTORY)):
            machine.do(HISTORY[number])
            assert machine.state() == STATES[number + 1], (*where, number)

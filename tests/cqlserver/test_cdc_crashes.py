"""cdc_raw on a machine that stops, and on a disk that fails, at any operation, at starts too.

What was acknowledged (and synced) is in cdc_raw once, in its order; what is in cdc_raw is in the table, too. All operations
of the history are tried with CDC_CRASHES=all, else some of each kind, CRASH_SEED says which.
"""

import errno
import os
import random
from collections import Counter
from copy import deepcopy

import pytest
from cdc_machine import CDC_RAW, KEYSPACE, CdcMachine

from cqlserver.program.cdc_settings import CdcSettings

SEGMENT_BYTES = 8 << 10
"""So small that most writes begin another one."""
FLUSH, STOP = "flush", "stop"
_X = "x" * 1500
HISTORY = (
    KEYSPACE,
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text) WITH cdc = true",
    "CREATE TABLE ks.u (k int PRIMARY KEY, v text)",
    f"INSERT INTO ks.t (k, v) VALUES (1, '{_X}')",
    f"INSERT INTO ks.u (k, v) VALUES (1, '{_X}{_X}')",
    f"INSERT INTO ks.t (k, v) VALUES (2, '{_X}')",
    f"BEGIN BATCH INSERT INTO ks.t (k, v) VALUES (3, 'a'); INSERT INTO ks.t (k, v) VALUES (4, '{_X}'); APPLY BATCH",
    f"INSERT INTO ks.t (k, v) VALUES (5, '{_X}')",
    FLUSH,
    f"INSERT INTO ks.t (k, v) VALUES (6, '{_X}')",
    STOP,
    "ALTER TABLE ks.u WITH cdc = true",
    f"INSERT INTO ks.u (k, v) VALUES (2, '{_X}')",
    "ALTER TABLE ks.t WITH cdc = false",
    f"INSERT INTO ks.t (k, v) VALUES (7, '{_X}')",
    "DELETE FROM ks.u WHERE k = 2",
    FLUSH,
    "TRUNCATE ks.t",
    f"INSERT INTO ks.u (k, v) VALUES (3, '{_X}')",
    f"INSERT INTO ks.u (k, v) VALUES (4, '{_X}')",
    "DROP TABLE ks.t",
)
OPERATIONS = ("open", "write", "sync", "sync_folder", "unlink", "rename", "read")
ALL = os.environ.get("CDC_CRASHES") == "all"
SEED = int(os.environ.get("CRASH_SEED", "1"))
TRIED = 2
"""Of each kind of operation."""

State = tuple[list[bytes], object]
"""The keys in cdc_raw, in order, and what tables there are, with their keys."""


def make() -> CdcMachine:
    return CdcMachine(CdcSettings(enabled=True, total_mib=100), SEGMENT_BYTES)


def do(machine: CdcMachine, step: str) -> None:
    """One step, acknowledged and durable when it returns. Raises what went wrong."""
    engine = machine.node.engine
    if step == STOP:
        machine.stop()
        machine.start()
    elif step == FLUSH:
        tasks = engine.flush(list(engine.stores))
        engine.background.finish()
        for task in tasks:
            if task.error is not None:
                raise task.error
    else:
        machine.do(step)
        machine.sync()
        engine.background.finish()


def state(machine: CdcMachine) -> State:
    keyspaces = machine.node.schema.keyspaces
    tables: dict[str, object] = {"keyspace": "ks" in keyspaces}
    for name in "tu":
        if machine.node.schema.maybe_table("ks", name) is not None:
            table = keyspaces["ks"].tables[name]
            tables[name] = table.params.cdc, [row[0] for row in machine.rows(f"SELECT k FROM ks.{name}")]
    return [mutation[18:22] for mutation in machine.mutations()], tables


def states() -> tuple[list[State], Counter[str]]:
    """After each step, and before the first; how many operations of each kind that took."""
    machine, unasked = make(), make()  # to look at the state takes reads
    before = Counter(unasked.disk.calls)
    found = [state(machine)]
    for step in HISTORY:
        do(machine, step)
        do(unasked, step)
        found.append(state(machine))
    return found, unasked.disk.calls - before


STATES, CALLS = states()


def tried(operation: str) -> list[int]:
    count = CALLS[operation]
    if ALL:
        return list(range(count))
    rng = random.Random(f"{SEED} {operation}")
    return sorted(rng.sample(range(count), min(TRIED, count)))


def interrupted(machine: CdcMachine, begin: int = 0) -> int:
    """Goes through the history up to where a step fails; how far that is."""
    for number, step in enumerate(HISTORY[begin:], begin):
        try:
            do(machine, step)
        except Exception:  # noqa: BLE001 - whatever: the machine stops
            return number
    return len(HISTORY)


def assert_whole(machine: CdcMachine, done: int, where: object) -> int:
    """That the state is that after so many steps, or one more; which it is."""
    found = state(machine)
    assert found in STATES[done : done + 2], (where, done, found, STATES[done : done + 2])
    assert all(machine.completed().get(name) for name in machine.segments()), (where, machine.completed())
    ends = {name: contents.end for name, contents in machine.segments().items()}
    assert machine.durable() == ends, (where, machine.durable(), ends)
    return STATES.index(found, done)


def test_the_history_fills_segments() -> None:
    assert len(STATES[-1][0]) == 10
    machine = make()
    interrupted(machine)
    assert len(machine.segments()) > 4
    assert all(CALLS[operation] for operation in OPERATIONS), CALLS


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_crash_at_any_operation_leaves_cdc_raw_as_the_tables_are(operation: str) -> None:
    """And the history goes on from there."""
    print(f"CRASH_SEED={SEED}")
    for after in tried(operation):
        machine = make()
        machine.disk.fail(operation, after)
        came = interrupted(machine)
        assert machine.disk.failed[operation], (operation, after)
        for kept in machine.crashes():
            machine.start()
            done = assert_whole(machine, came, (operation, after, kept))
            assert interrupted(machine, done) == len(HISTORY)
            assert state(machine) == STATES[-1], (operation, after, kept)


def crashed(after: int) -> tuple[CdcMachine, int]:
    """A machine that stopped at that write, half of what was not synced there; how far it came."""
    machine = make()
    machine.disk.fail("write", after)
    done = interrupted(machine)
    machine.crash("half")
    return machine, done


@pytest.mark.slow
def test_a_crash_of_a_start_after_a_crash() -> None:
    """Nothing is lost, and nothing is there twice, wherever the second one comes."""
    print(f"CRASH_SEED={SEED}")
    rng, crashes = random.Random(f"{SEED} again"), Counter[str]()
    for after in range(CALLS["write"]) if ALL else rng.sample(range(CALLS["write"]), 5):
        machine, done = crashed(after)
        disk, before = deepcopy(machine.disk), Counter(machine.disk.calls)
        machine.start()
        for operation, count in (machine.disk.calls - before).items():
            if operation not in OPERATIONS:
                continue
            for again in range(count) if ALL else rng.sample(range(count), min(TRIED, count)):
                machine.disk = deepcopy(disk)
                machine.disk.fail(operation, again)
                with pytest.raises(Exception):  # noqa: B017 - whatever: the machine stops
                    machine.start()
                machine.disk.heal()
                machine.disk.crash(lambda unsynced: unsynced // 2)
                machine.start()
                assert_whole(machine, done, (after, operation, again))
                crashes[operation] += 1
    assert set(crashes) >= {"open", "write", "sync", "sync_folder", "read"}, crashes


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_disk_that_fails_at_any_operation_acknowledges_nothing_that_is_not_captured(operation: str, code: int) -> None:
    print(f"CRASH_SEED={SEED}")
    for after in tried(operation):
        machine = make()
        machine.disk.fail(operation, after, code)
        done = interrupted(machine)
        where = operation, after, done
        assert machine.disk.failed[operation], where
        machine.disk.heal()
        machine.disk.crash(lambda unsynced: unsynced, names_kept=True)
        machine.start()
        assert_whole(machine, done, where)


def test_a_segment_that_was_torn_is_whole_again() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, "CREATE TABLE ks.t (k int PRIMARY KEY, v text) WITH cdc = true")
    machine.do(*(f"INSERT INTO ks.t (k, v) VALUES ({k}, 'value')" for k in range(5)))
    ((name, contents),) = machine.segments().items()
    path, wanted = f"{CDC_RAW}/{name}", machine.disk.read_file(f"{CDC_RAW}/{name}")
    ends = [contents.start, *(section.end for section in contents.sections)]
    for size in range(len(wanted) + 1):
        machine.disk.crash(lambda unsynced: unsynced, names_kept=True)
        machine.disk.truncate(path, size)
        machine.start()
        kept = max((end for end in ends if end <= size), default=0)
        assert machine.disk.read_file(path)[:kept] == wanted[:kept], size
        assert machine.mutations() == contents.mutations, size
        assert machine.completed() == {name: True}, size
        machine.disk.truncate(path, 0)
        file = machine.disk.open_append(path)
        file.write(wanted)
        file.close()


def test_what_the_log_does_not_have_is_cut_off() -> None:
    """Where the machine stopped before the log was synced, but after cdc_raw was."""
    machine = CdcMachine()
    machine.do(KEYSPACE, "CREATE TABLE ks.t (k int PRIMARY KEY, v text) WITH cdc = true")
    machine.sync()
    machine.do("INSERT INTO ks.t (k, v) VALUES (1, 'lost')")
    (name,) = machine.segments()
    data = machine.disk.read_file(f"{CDC_RAW}/{name}")
    machine.disk.crash(lambda unsynced: 0)
    file = machine.disk.open_append(f"{CDC_RAW}/{name}")
    file.write(data)
    file.close()
    machine.start()
    assert machine.mutations() == machine.rows("SELECT k FROM ks.t") == []
    machine.do("INSERT INTO ks.t (k, v) VALUES (1, 'kept')")
    assert len(machine.mutations()) == 1


def test_a_dropped_table_leaves_what_was_captured_of_it() -> None:
    """The log has the bytes, whatever has become of the table."""
    machine = CdcMachine()
    machine.do(KEYSPACE, "CREATE TABLE ks.t (k int PRIMARY KEY, v text) WITH cdc = true")
    machine.do("INSERT INTO ks.t (k, v) VALUES (1, 'a')", "ALTER TABLE ks.t DROP v", "INSERT INTO ks.t (k) VALUES (2)")
    machine.do("DROP TABLE ks.t")
    wanted = machine.mutations()
    assert len(wanted) == 2
    machine.sync()
    machine.disk.crash(lambda unsynced: 0)
    for name in machine.disk.list(CDC_RAW):
        machine.disk.unlink(f"{CDC_RAW}/{name}")
    machine.start()
    assert machine.mutations() == wanted

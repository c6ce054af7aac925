"""The engine: what is applied is there after a start; the schema decides which tables there are."""

from dataclasses import replace
from uuid import UUID

import pytest
from storage_tables import bigint_value, counter_table

from protocol.errors import ConfigurationError, CorruptionError, InvalidRequest, StorageError
from protocol.types import BLOB, INT, TEXT
from storage.commitlog.log import CommitLogFailed, CommitLogOptions
from storage.counters.contexts import Shard, increment, shards
from storage.engine import Engine, EngineOptions
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers
from storage.keys import compose_key, key_text
from storage.local_node import LocalNode, maybe_local_node, save_local_node
from storage.memtable.packed import Layout, join_wire_values
from storage.mutation import LIVE, Cell, Liveness, PartitionUpdate, Row
from storage.packed_writes import PackedRun
from storage.schema.definitions import schema_keyspace
from storage.schema.metadata import (
    ColumnKind,
    ColumnMetadata,
    DroppedColumn,
    KeyspaceMetadata,
    KeyspaceParams,
    Schema,
    TableMetadata,
    system_table_id,
)
from storage.schema.table_definitions import define_table
from storage.schema.tables import schema_mutations
from storage.stored_values import stored_values

SIMPLE = {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"}
LOCAL_TABLE = define_table(
    "system", "local", "key text", "", "cluster_name text, host_id uuid, tokens set<text>", comment=""
)
SYSTEM = KeyspaceMetadata("system", KeyspaceParams({"class": "LocalStrategy"})).with_table(LOCAL_TABLE)
BUILT_IN = (SYSTEM, schema_keyspace())


def table(name: str = "t", number: int = 1, keyspace: str = "ks") -> TableMetadata:
    columns = (
        ColumnMetadata("k", ColumnKind.PARTITION_KEY, INT, 0),
        ColumnMetadata("c", ColumnKind.CLUSTERING, INT, 0),
        ColumnMetadata("v", ColumnKind.REGULAR, TEXT),
    )
    return TableMetadata(keyspace, name, UUID(int=number), columns)


class Harness:
    """One node that is started again and again on one disk."""

    def __init__(self, options: EngineOptions | None = None) -> None:
        self.disk = FaultyDisk()
        self.clock = ManualClock()
        self.options = options or EngineOptions("/d", CommitLogOptions(segment_bytes=16384))
        self.engine = self.start()

    def start(self) -> Engine:
        environment = Environment(self.clock, Rng(b"seed"), self.disk, InlineWorkers())
        self.engine = Engine(environment, self.options, BUILT_IN)
        self.engine.start()
        return self.engine

    def kill(self) -> Engine:
        """The process dies after the last write to the log; the next one starts."""
        log = self.engine.commit_log
        if log is not None and log.gathered:
            log.write()
        self.disk.crash(lambda unsynced: unsynced)
        return self.start()

    def change(self, new: Schema) -> None:
        self.engine.change_schema(new, schema_mutations(self.engine.schema, new, self.clock.wall_us()))

    def create(self, *tables: TableMetadata, durable: bool = True) -> None:
        schema = self.engine.schema
        for made in tables:
            keyspace = schema.keyspaces.get(made.keyspace)
            if keyspace is None:
                keyspace = KeyspaceMetadata(made.keyspace, KeyspaceParams(SIMPLE, durable))
            schema = schema.with_keyspace(keyspace.with_table(made))
        self.change(schema)

    def insert(self, made: TableMetadata, k: int, c: int, text: str) -> None:
        store = self.engine.stores[made.id]
        layout = store.layouts.maybe_layout(("v",), True)
        assert layout is not None
        clustering = INT.encode(c)
        timestamp, values = bigint_value(self.clock.wall_us()), join_wire_values([clustering, text.encode()])
        self.engine.packed_writer(store, layout)(INT.encode(k), INT.order_key(clustering), timestamp, values)

    def rows(self, made: TableMetadata) -> list[tuple[int, int, str]]:
        found = [
            (int.from_bytes(row["k"] or b"", "big"), int.from_bytes(row["c"] or b"", "big"), (row["v"] or b"").decode())
            for row in stored_values(self.engine.stores[made.id], self.clock.now_s())
        ]
        return sorted(found)


@pytest.fixture
def node() -> Harness:
    return Harness()


def full_row(clock: ManualClock, made: TableMetadata, k: int, c: int, text: str) -> PartitionUpdate:
    now = clock.wall_us()
    clustering = INT.encode(c)
    row = Row((clustering,), Liveness(now), LIVE, {"v": Cell(now, text.encode(), 100, clock.now_s() + 100)})
    return PartitionUpdate(made.id, INT.encode(k), rows={INT.order_key(clustering): row})


def test_rows_and_schema_come_back(node: Harness) -> None:
    made = table()
    node.create(made)
    node.insert(made, 1, 1, "packed")
    node.insert(made, 1, 2, "second")
    node.engine.apply(full_row(node.clock, made, 2, 1, "expiring"))
    before = node.rows(made)
    version = node.engine.schema.version
    node.kill()
    assert node.rows(made) == before == [(1, 1, "packed"), (1, 2, "second"), (2, 1, "expiring")]
    assert node.engine.schema.version == version
    assert node.engine.schema.maybe_table("ks", "t") == made


def test_counters_come_back_merged_from_both_kinds_of_records(node: Harness) -> None:
    made = counter_table()
    node.create(made)
    store = node.engine.stores[made.id]
    layout = store.layouts.maybe_layout(("n",), False)
    assert layout is not None
    write = node.engine.packed_writer(store, layout)
    key, other, context = bigint_value(1), b"O" * 16, None
    for now_us in (7, 9, 8):  # a clock that goes back
        context = increment(context, b"N" * 16, 5, now_us)
        write(key, b"", bigint_value(now_us), join_wire_values([context]))
    cell = Cell(3, increment(None, other, 100, 3))
    node.engine.apply(PartitionUpdate(made.id, key, rows={b"": Row((), columns={"n": cell})}))
    for _ in range(2):
        row = node.engine.stores[made.id].row_at(key, b"", 0)
        assert type(row) is bytes
        stored = node.engine.stores[made.id].maybe_cell(row, "n")
        assert isinstance(stored, Cell)
        assert stored.timestamp_us == 9
        assert stored.value is not None
        assert sorted(shards(stored.value)) == [Shard(b"N" * 16, 10, 15), Shard(other, 3, 100)]
        node.kill()


def test_rows_written_together_come_back_before_and_behind_their_table(node: Harness) -> None:
    made = table()
    node.create(made)
    store = node.engine.stores[made.id]
    plain, unmarked = store.layouts.maybe_layout(("v",), True), store.layouts.maybe_layout(("v",), False)
    assert plain is not None
    assert unmarked is not None
    timestamp = (5).to_bytes(8, "big")

    def run(layout: Layout, *texts: bytes) -> PackedRun:
        clusterings = [INT.encode(len(text)) for text in texts]
        values = [join_wire_values(both) for both in zip(clusterings, texts, strict=True)]
        return PackedRun(layout, list(map(INT.order_key, clusterings)), values)

    node.engine.apply_packed_runs(store, INT.encode(1), timestamp, [run(plain, b"a", b"bb", b"a")])
    runs = [run(plain, b"c"), run(unmarked, b"dd", b"eee")]
    node.engine.apply_packed_runs(store, INT.encode(2), timestamp, runs)
    before = node.rows(made)
    assert before == [(1, 1, "a"), (1, 2, "bb"), (2, 1, "c"), (2, 2, "dd"), (2, 3, "eee")]
    for _ in range(2):
        node.kill()
        assert node.rows(made) == before


def test_rows_come_back_through_many_segments_and_starts(node: Harness) -> None:
    made = table()
    node.create(made)
    for start in range(3):
        for index in range(100):
            node.insert(made, start, index, "x" * 100)
            assert node.engine.commit_log is not None
            node.engine.commit_log.write()
        node.kill()
    assert len(node.rows(made)) == 300
    assert len(node.disk.list("/d/commitlog")) > 5


def test_a_truncated_table_stays_empty(node: Harness) -> None:
    made, other = table(), table("other", 2)
    node.create(made, other)
    node.insert(made, 1, 1, "gone")
    node.insert(other, 1, 1, "stays")
    node.engine.truncate(made, 1_000)
    assert node.rows(made) == []
    node.insert(made, 2, 2, "after")
    node.kill()
    assert node.rows(made) == [(2, 2, "after")]
    assert node.rows(other) == [(1, 1, "stays")]
    assert [(key, known.timestamp_us) for key, known in node.engine.truncations.items()] == [(made.id, 1_000)]
    # now the tables are known from the start of the replay on: the other way through it
    node.engine.truncate(made, 2_000)
    truncations = dict(node.engine.truncations)
    node.kill()
    assert node.rows(made) == []
    assert node.engine.truncations == truncations
    node.change(node.engine.schema.with_keyspace(node.engine.schema.keyspaces["ks"].without_table("t")))
    assert node.engine.truncations == {}
    node.kill()
    assert node.engine.truncations == {}


def test_a_dropped_table_stays_gone_and_its_rows_are_skipped(node: Harness) -> None:
    made, kept = table(), table("kept", 2)
    node.create(made, kept)
    node.insert(made, 1, 1, "gone")
    node.insert(kept, 1, 1, "stays")
    keyspace = node.engine.schema.keyspaces["ks"]
    node.change(node.engine.schema.with_keyspace(keyspace.without_table("t")))
    assert made.id not in node.engine.stores
    node.kill()
    assert made.id not in node.engine.stores
    assert node.engine.schema.maybe_table("ks", "t") is None
    assert node.rows(kept) == [(1, 1, "stays")]


def test_a_table_made_again_is_another_table(node: Harness) -> None:
    first, second = table(number=1), table(number=2)
    node.create(first)
    node.insert(first, 1, 1, "first")
    keyspace = node.engine.schema.keyspaces["ks"]
    node.change(node.engine.schema.with_keyspace(keyspace.without_table("t")))
    node.create(second)
    node.insert(second, 2, 2, "second")
    node.kill()
    assert node.rows(second) == [(2, 2, "second")]
    assert first.id not in node.engine.stores


def test_a_dropped_keyspace_takes_its_tables(node: Harness) -> None:
    made = table()
    node.create(made)
    node.insert(made, 1, 1, "gone")
    node.change(node.engine.schema.without_keyspace("ks"))
    assert made.id not in node.engine.stores
    node.kill()
    assert "ks" not in node.engine.schema.keyspaces


def test_an_added_column_is_there_after_a_start(node: Harness) -> None:
    made = table()
    node.create(made)
    node.insert(made, 1, 1, "old")
    store = node.engine.stores[made.id]
    wider = replace(made, columns=(*made.columns, ColumnMetadata("w", ColumnKind.REGULAR, INT)))
    node.create(wider)
    assert node.engine.stores[made.id] is store
    assert store.table is wider
    assert node.rows(wider) == [(1, 1, "old")]
    node.kill()
    assert node.engine.stores[made.id].table == wider
    assert node.rows(wider) == [(1, 1, "old")]


def test_a_keyspace_without_durable_writes_is_not_logged(node: Harness) -> None:
    made = table()
    node.create(made, durable=False)
    node.insert(made, 1, 1, "forgotten")
    node.engine.apply(full_row(node.clock, made, 2, 1, "forgotten too"))
    assert len(node.rows(made)) == 2
    node.kill()
    assert node.rows(made) == []
    assert node.engine.schema.maybe_table("ks", "t") is not None


def test_durable_writes_can_be_switched_on(node: Harness) -> None:
    made = table()
    node.create(made, durable=False)
    keyspace = replace(node.engine.schema.keyspaces["ks"], params=KeyspaceParams(SIMPLE, True))
    node.change(node.engine.schema.with_keyspace(keyspace))
    node.insert(made, 1, 1, "kept")
    node.kill()
    assert node.rows(made) == [(1, 1, "kept")]


def test_several_updates_come_back_together_or_not_at_all(node: Harness) -> None:
    first, second = table("a", 1), table("b", 2)
    node.create(first, second)
    node.kill()
    node.engine.apply_all([full_row(node.clock, first, 1, 1, "x"), full_row(node.clock, second, 1, 1, "y")])
    log = node.engine.commit_log
    assert log is not None
    log.write()
    newest = f"/d/commitlog/{node.disk.list('/d/commitlog')[-1]}"
    whole = node.disk.size(newest)
    node.kill()
    assert (len(node.rows(first)), len(node.rows(second))) == (1, 1)
    node.disk.truncate(newest, whole - 1)
    node.kill()
    assert (len(node.rows(first)), len(node.rows(second))) == (0, 0)


def test_an_oversized_mutation_is_refused_with_its_key(node: Harness) -> None:
    made = table()
    node.create(made)
    with pytest.raises(InvalidRequest) as caught:
        node.insert(made, 7, 1, "x" * 9000)
    assert caught.value.message.startswith("Rejected an oversized mutation (9")
    assert caught.value.message.endswith("/8192) for keyspace: ks. Top keys are: t.7")
    with pytest.raises(InvalidRequest, match=r"Top keys are: t\.8, t\.9"):
        updates = [full_row(node.clock, made, k, 1, "x" * 4200) for k in (8, 9)]
        node.engine.apply_all(updates)
    assert node.rows(made) == []


def test_long_clusterings_and_keys_take_the_other_ways() -> None:
    node = Harness(EngineOptions("/d"))
    columns = (
        ColumnMetadata("k", ColumnKind.PARTITION_KEY, BLOB, 0),
        ColumnMetadata("c", ColumnKind.CLUSTERING, BLOB, 0),
        ColumnMetadata("v", ColumnKind.REGULAR, TEXT),
    )
    made = TableMetadata("ks", "t", UUID(int=1), columns)
    node.create(made)
    store = node.engine.stores[made.id]
    layout = store.layouts.maybe_layout(("v",), True)
    assert layout is not None
    write = node.engine.packed_writer(store, layout)
    sizes = [(10, 5), (2000, 1500), (65535, 300), (3, 50_000)]
    for key_size, clustering_size in sizes:
        clustering = bytes(clustering_size)  # zeros are escaped: the order key is twice as long
        values = join_wire_values([clustering, b"v"])
        write(b"k" * key_size, BLOB.order_key(clustering), bigint_value(node.clock.wall_us()), values)
    node.kill()
    found = [(len(r["k"] or b""), len(r["c"] or b"")) for r in stored_values(node.engine.stores[made.id], 0)]
    assert sorted(found) == sorted(sizes)


def test_a_failed_log_refuses_writes_and_truncation_and_keeps_reading(node: Harness) -> None:
    made = table()
    node.create(made)
    node.insert(made, 1, 1, "before")
    log = node.engine.commit_log
    assert log is not None
    log.write()
    node.disk.fail("write")
    node.insert(made, 1, 2, "lost")
    with pytest.raises(CommitLogFailed):
        log.write()
    for refused in (lambda: node.insert(made, 1, 3, "no"), lambda: node.engine.truncate(made, 1)):
        with pytest.raises(CommitLogFailed):
            refused()
    with pytest.raises(CommitLogFailed):
        node.create(table("more", 9))
    assert node.engine.schema.maybe_table("ks", "more") is None
    assert (1, 1, "before") in node.rows(made)
    node.disk.heal()
    node.kill()
    assert node.rows(made) == [(1, 1, "before")]


def test_a_node_that_keeps_nothing_works_and_has_no_log() -> None:
    node = Harness(EngineOptions(None))
    made = table()
    node.create(made)
    node.insert(made, 1, 1, "x")
    node.engine.apply(full_row(node.clock, made, 2, 1, "y"))
    assert len(node.rows(made)) == 2
    node.engine.truncate(made, 1)
    assert node.rows(made) == []
    assert node.engine.commit_log is None
    assert node.disk.list("/") == []
    node.engine.close()


def test_a_second_server_on_the_folder_is_refused(node: Harness) -> None:
    environment = Environment(node.clock, Rng(b""), node.disk, InlineWorkers())
    with pytest.raises(StorageError, match="is in use by another server"):
        Engine(environment, node.options, BUILT_IN).start()
    node.engine.close()
    Engine(environment, node.options, BUILT_IN).start()


def test_a_node_keeps_its_identity_and_refuses_another_cluster(node: Harness) -> None:
    assert maybe_local_node(node.engine, "Test Cluster") is None
    local = LocalNode(UUID(int=77), (-5, 12), "Test Cluster")
    save_local_node(node.engine, local)
    node.kill()
    assert maybe_local_node(node.engine, "Test Cluster") == local
    with pytest.raises(ConfigurationError, match="Saved cluster name Test Cluster != configured name Other"):
        maybe_local_node(node.engine, "Other")


def test_a_composite_key_is_printed_with_colons() -> None:
    columns = (
        ColumnMetadata("a", ColumnKind.PARTITION_KEY, INT, 0),
        ColumnMetadata("b", ColumnKind.PARTITION_KEY, TEXT, 1),
    )
    made = TableMetadata("ks", "t", UUID(int=1), columns)
    assert key_text(made, compose_key([INT.encode(1), b"x"])) == "1:x"


def test_many_schema_changes_replay_with_few_reloads(node: Harness) -> None:
    """A test suite makes and drops tables by the thousand; the start after it must not take the square of that."""
    reloads = 0
    for index in range(200):
        made = table(f"t{index}", index + 1)
        node.create(made)
        node.insert(made, 1, 1, "x")
    original = Engine._reload

    def counting(engine: Engine) -> None:
        nonlocal reloads
        reloads += 1
        original(engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_reload", counting)
        node.kill()
    assert reloads == 1
    assert len(node.engine.schema.keyspaces["ks"].tables) == 200
    assert node.rows(table("t7", 8)) == [(1, 1, "x")]


def test_system_tables_have_fixed_ids() -> None:
    assert system_table_id("system", "local") == UUID("7ad54392-bcdd-35a6-8417-4e047860b377")


def test_tables_that_come_and_go_leave_nothing_behind(node: Harness) -> None:
    """Before, each dropped table left tombstones of its rows in system_schema, for good."""

    def held() -> list[tuple[int, int]]:
        memtables = [store.memtable for store in node.engine.stores.values()]
        return [(len(memtable), memtable.live_bytes) for memtable in memtables]

    node.create(table("kept", 9))
    before: list[tuple[int, int]] = []
    for number in range(10, 40):
        made = table(f"t{number}", number)
        node.create(made)
        node.insert(made, 1, 1, "x")
        node.change(node.engine.schema.with_keyspace(node.engine.schema.keyspaces["ks"].without_table(made.name)))
        node.create(table("t", number, f"ks{number}"))
        node.change(node.engine.schema.without_keyspace(f"ks{number}"))
        before = before or held()  # the partitions of "ks" have their wider form now
    assert held() == before
    version = node.engine.schema.version
    node.kill()
    assert sorted(held()) == sorted(before)
    assert node.engine.schema.version == version


def test_a_table_made_again_has_its_new_columns_only(node: Harness) -> None:
    node.create(table())
    keyspace = node.engine.schema.keyspaces["ks"]
    again = replace(table(number=2), columns=table().columns[:2])
    # in one change, and in two
    node.change(node.engine.schema.with_keyspace(keyspace.with_table(again)))
    node.kill()
    assert node.engine.schema.maybe_table("ks", "t") == again
    node.change(node.engine.schema.with_keyspace(keyspace.without_table("t")))
    node.create(table(number=3))
    node.kill()
    assert node.engine.schema.maybe_table("ks", "t") == table(number=3)


def test_a_table_made_again_with_its_id_shows_nothing_of_the_one_before(node: Harness) -> None:
    """The log's records say ids only: those of a table that was dropped came back as rows of its successor."""
    first = table()
    columns = (ColumnMetadata("k", ColumnKind.PARTITION_KEY, INT, 0), ColumnMetadata("v", ColumnKind.REGULAR, TEXT))
    for second in (first, replace(first, columns=columns), replace(first, keyspace="another", name="u")):
        node.create(first)
        node.insert(first, 1, 1, "old")
        node.change(node.engine.schema.without_keyspace("ks"))
        node.create(second)
        node.kill()
        assert list(stored_values(node.engine.stores[second.id], 0)) == []
        node.kill()
        assert node.engine.stores[second.id].table.columns == second.columns
        node.change(node.engine.schema.without_keyspace(second.keyspace))


def test_a_dropped_column_is_gone_to_the_microsecond(node: Harness) -> None:
    """system_schema has milliseconds: what was written in the same one before the drop came back with a start."""
    made = table()
    node.create(made)
    dropped_us = 5_001_500
    for k, timestamp_us in ((1, dropped_us), (2, dropped_us + 1)):
        row = Row((INT.encode(1),), Liveness(timestamp_us), LIVE, {"v": Cell(timestamp_us, b"x")})
        node.engine.apply(PartitionUpdate(made.id, INT.encode(k), rows={INT.order_key(INT.encode(1)): row}))
    dropped = {"v": DroppedColumn("v", TEXT, dropped_us)}
    node.create(replace(made, dropped_columns=dropped))
    for _ in range(2):
        assert node.rows(made) == [(1, 1, ""), (2, 1, "x")]
        node.kill()


def test_a_record_that_does_not_fit_is_refused_by_name_and_may_be_given_up(
    node: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    made = table()
    node.create(made)
    node.insert(made, 1, 1, "misfit")
    node.insert(made, 2, 1, "second")
    log = node.engine.commit_log
    assert log is not None
    index = next(i for i, part in enumerate(log._parts) if b"misfit" in part)
    log._lengths[index // 2] -= 1
    log._parts[index] = log._parts[index][:-1]
    node.insert(made, 3, 1, "third")
    with pytest.raises(CorruptionError) as info:
        node.kill()
    for said in ("/d/commitlog/CommitLog-1-", "ks.t", str(made.id), "--ignore-replay-errors"):
        assert said in str(info.value)
    node.options = EngineOptions("/d", replace(node.options.commit_log, ignore_replay_errors=True))
    node.start()
    assert [row[2] for row in node.rows(made)] == ["second", "third"]
    node.options = EngineOptions("/d", replace(node.options.commit_log, ignore_replay_errors=False))
    node.kill()
    assert [row[2] for row in node.rows(made)] == ["second", "third"]


def test_rows_of_a_table_that_the_log_does_not_make_are_told(node: Harness, caplog: pytest.LogCaptureFixture) -> None:
    made = table()
    assert node.engine.commit_log is not None
    node.engine.commit_log.append(full_row(node.clock, made, 1, 1, "x").encode())
    node.kill()
    assert "Skipped 1 mutations of unknown tables" in caplog.text
    assert str(made.id) in caplog.text

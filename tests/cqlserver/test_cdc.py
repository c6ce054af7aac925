"""Change data capture: what statements leave in cdc_raw, and what a server does when there is no room."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from cdc_machine import CDC_RAW, KEYSPACE, CdcMachine

from cqlserver.program.cdc_settings import CdcSettings
from cqlserver.program.config import Config, ConfigError, apply_setting
from cqlserver.system.settings import setting_rows
from protocol.errors import WriteFailure, WriteTimeout
from protocol.requests import Query, QueryOptions
from protocol.responses import Error, VoidResult
from storage.cdc.format import segment_header

DATA = Path(__file__).parent / "data"
MODES = {7: "CASSANDRA_4", 8: "NONE"}
"""storage_compatibility_mode, by the version of segments that follows from it."""
T = "CREATE TABLE ks.t (k int PRIMARY KEY, v text) WITH cdc = true"


@pytest.mark.parametrize("version", MODES)
def test_the_same_statements_make_the_bytes_that_cassandra_makes(version: int) -> None:
    samples = json.loads((DATA / f"cdc-{version}.json").read_text())
    machine = CdcMachine(compatibility_mode=MODES[version])
    machine.do(KEYSPACE.replace(" ks ", " cdcsamples "), *samples["tables"], "USE cdcsamples")
    wanted, count = samples["mutations"], 0
    for statement, timestamp_us, now_s in samples["statements"]:
        machine.do_at(statement, QueryOptions(timestamp_us=timestamp_us, now_s=now_s))
        made = machine.mutations()
        assert len(made) > count, statement
        # those of several keys come in any order
        assert sorted(mutation.hex() for mutation in made[count:]) == sorted(wanted[count : len(made)]), statement
        count = len(made)
    assert count == len(wanted) > 40
    begin = bytes.fromhex(samples["segment"]["begin"])
    _, version_text, id_text = samples["segment"]["name"].removesuffix(".log").split("-")
    assert segment_header(int(version_text), int(id_text)) == begin[:-8]
    assert {contents.version for contents in machine.segments().values()} == {int(version_text)} == {version}


def test_only_tables_that_ask_for_it_are_captured() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "CREATE TABLE ks.u (k int PRIMARY KEY, v text)")
    machine.do("INSERT INTO ks.u (k, v) VALUES (1, 'no')")
    assert machine.mutations() == []
    assert machine.disk.list(CDC_RAW) == []
    machine.do("INSERT INTO ks.t (k, v) VALUES (1, 'yes')")
    assert b"yes" in machine.mutations()[0]
    machine.do("ALTER TABLE ks.u WITH cdc = true", "INSERT INTO ks.u (k, v) VALUES (2, 'now')")
    assert b"now" in machine.mutations()[1]
    machine.do("ALTER TABLE ks.u WITH cdc = false", "INSERT INTO ks.u (k, v) VALUES (3, 'later')")
    machine.do("ALTER TABLE ks.t WITH cdc = false", "INSERT INTO ks.t (k, v) VALUES (3, 'later')")
    assert len(machine.mutations()) == 2


def test_what_is_not_logged_is_not_captured() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "ALTER KEYSPACE ks WITH durable_writes = false", "INSERT INTO ks.t (k, v) VALUES (1, 'a')")
    assert machine.mutations() == []
    machine.do("ALTER KEYSPACE ks WITH durable_writes = true", "INSERT INTO ks.t (k, v) VALUES (1, 'b')")
    assert len(machine.mutations()) == 1


def test_tables_with_indexes_and_views_are_captured_without_what_follows() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "CREATE INDEX ON ks.t (v)")
    view = "SELECT k, v FROM ks.t WHERE k IS NOT NULL AND v IS NOT NULL PRIMARY KEY (v, k)"
    machine.do(f"CREATE MATERIALIZED VIEW ks.m AS {view}", "INSERT INTO ks.t (k, v) VALUES (1, 'a')")
    machine.do("UPDATE ks.t SET v = 'b' WHERE k = 1")
    assert len(machine.mutations()) == 2
    machine.do("ALTER MATERIALIZED VIEW ks.m WITH cdc = true", "UPDATE ks.t SET v = 'c' WHERE k = 1")
    assert len(machine.mutations()) == 5  # of the base; in the view a row goes, another comes
    machine.do("ALTER TABLE ks.t WITH cdc = false", "INSERT INTO ks.t (k, v) VALUES (2, 'only in the view')")
    assert len(machine.mutations()) == 6


def test_counters_conditions_and_batches_are_captured() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "CREATE TABLE ks.n (k int PRIMARY KEY, n counter) WITH cdc = true")
    machine.do("UPDATE ks.n SET n = n + 1 WHERE k = 1", "UPDATE ks.n SET n = n + 1 WHERE k = 1")
    assert len(machine.mutations()) == 2
    machine.do("INSERT INTO ks.t (k, v) VALUES (1, 'a') IF NOT EXISTS", "UPDATE ks.t SET v = 'b' WHERE k = 1 IF v = 'a'")
    assert len(machine.mutations()) == 4
    machine.do("UPDATE ks.t SET v = 'c' WHERE k = 1 IF v = 'a'")
    assert len(machine.mutations()) == 4
    inserts = "; ".join(f"INSERT INTO ks.t (k, v) VALUES ({k}, 'in a batch')" for k in range(10))
    machine.do(f"BEGIN BATCH {inserts}; APPLY BATCH")
    assert len(machine.mutations()) == 14


def test_an_index_says_how_far_a_segment_is_durable() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "INSERT INTO ks.t (k, v) VALUES (1, 'a')")
    ((name, contents),) = machine.segments().items()
    assert machine.durable() == {}
    machine.sync()
    assert machine.durable() == {name: contents.end}
    assert machine.completed() == {name: False}
    machine.do("INSERT INTO ks.t (k, v) VALUES (2, 'b')")
    assert machine.durable() == {name: contents.end}
    machine.stop()
    assert machine.completed() == {name: True}
    assert machine.durable() == {name: machine.segments()[name].end}


def test_what_its_consumer_removed_does_not_come_back() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "INSERT INTO ks.t (k, v) VALUES (1, 'a')")
    machine.stop()
    for name in machine.disk.list(CDC_RAW):
        machine.disk.unlink(f"{CDC_RAW}/{name}")
    machine.start()
    assert machine.mutations() == []
    machine.do("INSERT INTO ks.t (k, v) VALUES (2, 'b')")
    assert len(machine.mutations()) == 1
    assert len(machine.rows("SELECT k FROM ks.t")) == 2


def test_a_drained_log_leaves_whole_segments() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "INSERT INTO ks.t (k, v) VALUES (1, 'a')")
    machine.node.engine.drain()
    assert list(machine.completed().values()) == [True]
    machine.do("INSERT INTO ks.t (k, v) VALUES (2, 'b')")
    assert len(machine.segments()) == 2
    assert len(machine.mutations()) == 2


# -- space ------------------------------------------------------------------------------------------------------------

SEGMENT_BYTES = 64 << 10


def filled(blocks: bool) -> tuple[CdcMachine, int]:
    """A machine whose cdc_raw may take a MiB, in segments that are small; how many writes it took."""
    machine = CdcMachine(CdcSettings(enabled=True, total_mib=1, blocks_writes=blocks), SEGMENT_BYTES)
    machine.do(KEYSPACE, T, "CREATE TABLE ks.u (k int PRIMARY KEY, v text)")
    machine.do("CREATE TABLE ks.n (k int PRIMARY KEY, n counter) WITH cdc = true")
    for number in range(400):
        try:
            machine.do(f"INSERT INTO ks.t (k, v) VALUES ({number}, '{'x' * 5000}')")
        except WriteFailure:
            return machine, number
        machine.sync()
    return machine, 400


def test_mutations_are_refused_where_there_is_no_room() -> None:
    machine, count = filled(blocks=True)
    size = sum(machine.disk.size(f"{CDC_RAW}/{name}") for name in machine.disk.list(CDC_RAW))
    assert (1 << 20) - SEGMENT_BYTES < size <= 1 << 20
    assert 180 < count < 210
    with pytest.raises(WriteFailure, match=r"0 responses and 1 failures: UNKNOWN from /127\.0\.0\.1:7000") as caught:
        machine.do("DELETE FROM ks.t WHERE k = 1")
    assert (caught.value.write_type, caught.value.received, caught.value.block_for) == ("SIMPLE", 0, 1)
    with pytest.raises(WriteFailure) as caught:
        machine.do("INSERT INTO ks.t (k, v) VALUES (-1, 'a') IF NOT EXISTS")
    assert caught.value.write_type == "SIMPLE"
    with pytest.raises(WriteFailure) as caught:
        machine.do("BEGIN BATCH INSERT INTO ks.t (k) VALUES (-1); INSERT INTO ks.u (k) VALUES (-2); APPLY BATCH")
    assert caught.value.write_type == "BATCH"
    with pytest.raises(WriteTimeout) as timeout:
        machine.do("UPDATE ks.n SET n = n + 1 WHERE k = 1")
    assert timeout.value.write_type == "COUNTER"
    machine.do("INSERT INTO ks.u (k, v) VALUES (1, 'of another table')")
    assert len(machine.mutations()) == count == len(machine.rows("SELECT k FROM ks.t"))
    assert machine.rows("SELECT k FROM ks.u WHERE k = -2") == machine.rows("SELECT k FROM ks.n") == []


def test_they_are_taken_again_when_a_consumer_has_made_room() -> None:
    machine, _ = filled(blocks=True)
    oldest = min(machine.segments())
    for name in (oldest, oldest.removesuffix(".log") + "_cdc.idx"):
        machine.disk.unlink(f"{CDC_RAW}/{name}")
    insert = Query("INSERT INTO ks.t (k, v) VALUES (-1, 'a')")
    assert isinstance(machine.ask(insert), Error)  # it was looked just now
    machine.clock.advance(0.24)
    assert isinstance(machine.ask(insert), Error)
    machine.clock.advance(0.01)  # cdc_free_space_check_interval
    assert isinstance(machine.ask(insert), VoidResult)


def test_without_blocking_the_oldest_segments_go() -> None:
    machine, count = filled(blocks=False)
    assert count == 400
    size = sum(machine.disk.size(f"{CDC_RAW}/{name}") for name in machine.disk.list(CDC_RAW))
    assert (1 << 20) - 2 * SEGMENT_BYTES < size <= 1 << 20
    kept = machine.mutations()
    assert 180 < len(kept) < 210
    assert (399).to_bytes(4, "big") in kept[-1]
    assert len(machine.rows("SELECT k FROM ks.t")) == 400
    indexes = [name for name in machine.disk.list(CDC_RAW) if name.endswith(".idx")]
    assert len(indexes) == len(machine.segments())


# -- schema and settings ----------------------------------------------------------------------------------------------


def test_system_schema_tells_of_cdc_where_there_is_any() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "CREATE TABLE ks.u (k int PRIMARY KEY, v text)")
    select = "SELECT table_name, cdc FROM system_schema.tables WHERE keyspace_name = 'ks'"
    assert machine.rows(select) == [(b"t", b"\1"), (b"u", b"\0")]
    version = machine.node.schema.version
    machine.do("ALTER TABLE ks.u WITH cdc = true")
    assert machine.node.schema.version != version
    version = machine.node.schema.version
    machine.stop()
    machine.start()
    assert machine.node.schema.version == version
    assert machine.rows(select) == [(b"t", b"\1"), (b"u", b"\1")]
    own = "SELECT cdc FROM system_schema.tables WHERE keyspace_name = 'system' AND table_name = 'local'"
    assert machine.rows(own) == [(b"\0",)]
    machine.stop()
    machine.cdc = CdcSettings()
    machine.start()
    machine.do("INSERT INTO ks.t (k, v) VALUES (1, 'not captured')")
    assert machine.mutations() == []


def read(*texts: str) -> Config:
    config = Config()
    for text in texts:
        config = apply_setting(config, text)
    return config


def test_settings() -> None:
    found = read("cdc_enabled=true", "cdc_raw_directory=/raw", "cdc_total_space=7MiB", "cdc_block_writes=false").cdc
    assert found == CdcSettings(True, "/raw", 7, 250, blocks_writes=False)
    assert read("cdc_total_space_in_mb=9", "cdc_free_space_check_interval_ms=100").cdc == CdcSettings(
        total_mib=9, check_interval_ms=100
    )
    assert not read("cdc_on_repair_enabled=false").cdc.on_repair
    assert read().cdc.folder(Path("/data")) == Path("/data/cdc_raw")
    for wrong in ("cdc_enabled=maybe", "cdc_total_space=much", "cdc_free_space_check_interval=soon"):
        with pytest.raises(ConfigError):
            read(wrong)


def test_the_space_that_is_not_set_follows_the_disk(tmp_path: Path) -> None:
    found = CdcSettings(enabled=True).total_bytes(tmp_path / "not" / "there")
    assert 0 < found <= 4096 << 20
    assert found % (1 << 20) == 0


def test_the_settings_table_tells_what_is_so(tmp_path: Path) -> None:
    config = read("cdc_enabled=true", "cdc_total_space=7MiB", f"data_file_directories=[{tmp_path}]")
    found = {row["name"]: row["value"] for row in setting_rows(config) if str(row["name"]).startswith("cdc_")}
    assert found == {
        "cdc_block_writes": "true",
        "cdc_enabled": "true",
        "cdc_free_space_check_interval": "250ms",
        "cdc_free_space_check_interval_ms": "250",
        "cdc_on_repair_enabled": "true",
        "cdc_raw_directory": f"{tmp_path}/cdc_raw",
        "cdc_total_space": "7MiB",
        "cdc_total_space_in_mb": "7",
    }


def test_ids_of_tables_stand_in_the_mutations() -> None:
    machine = CdcMachine()
    machine.do(KEYSPACE, T, "INSERT INTO ks.t (k, v) VALUES (1, 'a')")
    table = machine.node.schema.maybe_table("ks", "t")
    assert table is not None
    assert UUID(bytes=machine.mutations()[0][1:17]) == table.id

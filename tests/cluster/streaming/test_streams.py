"""Streams between two nodes: everything arrives once and whole, whatever happens meanwhile."""

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from pair import TABLE, WHOLE, Bug, Pair, put, some_data

from cluster.internode.verbs import Verb
from cluster.streaming import session as sessions
from cluster.streaming import source as sources
from cluster.streaming.messages import Reason, TableRanges
from cluster.streaming.ranges import TokenRange
from cluster.streaming.session import FetchSession, Session
from cluster.streaming.source import TableSource
from cluster.streaming.streams import Streams
from cluster.streaming.target import TableTarget
from protocol.errors import StreamFailed
from protocol.types import BLOB
from storage.schema.metadata import ColumnKind, ColumnMetadata, IndexMetadata, Schema
from storage.schema.tables import schema_mutations
from storage.token import token


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "CHUNK_BYTES", 1_000)


def fetched(pair: Pair) -> FetchSession:
    session = pair.target.streams.fetch(pair.source.node, WHOLE, Reason.BOOTSTRAP)
    pair.run(session)
    return session


@pytest.mark.parametrize("keeps", [True, False])
def test_all_that_a_table_has_arrives(keeps: bool) -> None:
    pair = Pair(keeps)
    some_data(pair.source, flushes=keeps)
    session = fetched(pair)
    assert session.outcome.result is None
    assert pair.target.contents() == pair.source.contents()
    assert len(pair.target.contents()) == 501
    assert session.completed == list(WHOLE)
    assert pair.delivered.count(Verb.STREAM_CHUNK) > 10
    if keeps:
        assert pair.target.sstables == pair.source.sstables == 2
        assert session.progress[0].files == 3


def test_what_arrived_survives_a_crash() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    fetched(pair)
    pair.target.crash()
    assert pair.target.contents() == pair.source.contents()


@pytest.mark.parametrize("before", ["nothing", "rows that only the log has", "an empty log", "a flush that has failed"])
def test_what_arrived_before_a_truncation_does_not_come_back_and_what_arrives_after_it_stays(before: str) -> None:
    """The log's record was durable, the files were there still: a start took them for newer than the record."""
    pair = Pair()
    some_data(pair.source, flushes=True)
    target = pair.target
    if before != "nothing":
        target.apply(put(b"own", b"", b"x"))
        target.work()
    if before == "an empty log":
        target.engine.drain()
    elif before == "a flush that has failed":
        target.disk.fail("open", 0)
        target.flush()
        target.disk.heal()
        target.apply(put(b"own 2", b"", b"y"))
    if before != "a flush that has failed":
        target.crash()
    own = {b"own", b"own 2"} & target.contents().keys()
    assert len(own) == {"nothing": 0, "a flush that has failed": 2}.get(before, 1)
    fetched(pair)
    target.crash()
    assert target.contents().keys() == pair.source.contents().keys() | own

    log = target.engine.commit_log
    assert log is not None
    target.engine.truncate(TABLE, pair.clock.wall_us())
    log.write()
    log.sync()
    assert [name for name in target.disk.list(f"data/data/ks/t-{TABLE.id.hex}") if "Data" in name]
    target.crash()
    assert target.contents() == {}

    target.engine.truncate(TABLE, pair.clock.wall_us())
    target.apply(put(b"newer", b"", b"z"))
    fetched(pair)
    target.crash()
    assert target.contents().keys() == pair.source.contents().keys() | {b"newer"}


def test_of_a_stream_that_is_cut_in_the_middle_no_sstable_counts() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    pair.target.streams.fetch(pair.source.node, WHOLE, Reason.BOOTSTRAP)
    pair.deliver(12)
    assert pair.delivered.count(Verb.STREAM_CHUNK) > 2
    pair.target.crash()
    assert pair.target.sstables == 0
    assert not [name for name in pair.target.disk.list(f"data/data/ks/t-{TABLE.id.hex}") if "nb-" in name]
    pair.queue.clear()
    fetched(pair)
    assert pair.target.contents() == pair.source.contents()


def test_only_what_lies_in_the_ranges_arrives() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    ranges = (TokenRange(-(1 << 62), 0), TokenRange(1 << 62, -(3 << 61)))  # the second one goes around the end
    session = pair.target.streams.fetch(pair.source.node, [TableRanges(TABLE.id, ranges)], Reason.REBUILD)
    pair.run(session)

    def is_wanted(key: bytes) -> bool:
        return -(1 << 62) < token(key) <= 0 or token(key) > 1 << 62 or token(key) <= -(3 << 61)

    wanted = {key: data for key, data in pair.source.contents().items() if is_wanted(key)}
    assert pair.target.contents() == wanted
    assert 0 < len(wanted) < 501


@pytest.mark.parametrize("seed", range(5))
def test_messages_may_be_lost_doubled_and_late(seed: int) -> None:
    pair, random = Pair(), Random(seed)
    some_data(pair.source, flushes=True)

    def is_lost(message: object) -> bool:
        if random.random() < 0.1 and pair.queue:
            pair.queue.append(pair.queue[0])
        if random.random() < 0.1:
            random.shuffle(pair.queue)
        return random.random() < 0.1

    pair.is_lost = is_lost
    session = pair.target.streams.fetch(pair.source.node, WHOLE, Reason.BOOTSTRAP)
    pair.run(session, 3_000)
    assert session.outcome.error is None, f"seed {seed}"
    assert pair.target.contents() == pair.source.contents(), f"seed {seed}"
    assert pair.target.sstables == 2


def test_the_source_may_flush_compact_and_start_again_meanwhile() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    session = pair.target.streams.fetch(pair.source.node, WHOLE, Reason.BOOTSTRAP)
    pair.deliver(10)
    pair.source.flush()
    pair.deliver(6)
    pair.source.engine.compact([TABLE.id])
    pair.source.engine.background.finish()
    assert pair.source.sstables == 1
    pair.deliver(6)
    pair.source.crash()
    assert not session.is_over
    pair.run(session)
    assert pair.target.contents() == pair.source.contents()


def test_a_partition_larger_than_a_chunk_goes_by_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PARTITION_BYTES_MAX", 10_000)
    pair = Pair()
    some_data(pair.source, flushes=True)
    fetched(pair)
    assert pair.target.contents() == pair.source.contents()
    assert pair.target.store.memtable.get(b"wide") is not None


def test_a_table_that_is_truncated_meanwhile_has_nothing_of_before() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    session = pair.target.streams.fetch(pair.source.node, WHOLE, Reason.BOOTSTRAP)
    pair.deliver(20)
    for node in (pair.source, pair.target):  # what was read before is on its way still
        node.engine.truncate(TABLE, 1_000)
    pair.source.apply(put(b"new", b"a", b"v", 2_000))
    pair.run(session)
    assert list(pair.target.contents()) == [b"new"]


def test_a_table_that_is_dropped_meanwhile_ends_nothing_else() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    session = pair.target.streams.fetch(pair.source.node, WHOLE, Reason.BOOTSTRAP)
    pair.deliver(20)
    for node in (pair.source, pair.target):
        engine = node.engine
        schema = Schema.of(())
        engine.change_schema(schema, schema_mutations(engine.schema, schema, 2))
        node.work()
    pair.run(session)
    assert session.outcome.error is None


def test_tables_that_are_not_written_alike_get_mutations() -> None:
    """The target knows of a column that the source has not heard of yet."""
    more = replace(TABLE, columns=(*TABLE.columns, ColumnMetadata("x", ColumnKind.REGULAR, BLOB)))
    pair = Pair(target_table=more)
    some_data(pair.source, flushes=True)
    fetched(pair)
    assert pair.target.contents() == pair.source.contents()
    assert pair.target.sstables == 0


def test_what_an_sstable_says_of_repairs_goes_with_it() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    repair = TABLE.id
    first, second = pair.source.engine.files.readers_of(TABLE.id)
    for reader, changes in ((first, {"repaired_at_ms": 77}), (second, {"pending_repair": repair})):
        reader.statistics = reader.statistics._replace(stats=reader.statistics.stats._replace(**changes))
    fetched(pair)
    found = [reader.statistics.stats for reader in pair.target.engine.files.readers_of(TABLE.id)]
    assert {(stats.repaired_at_ms, stats.pending_repair) for stats in found} == {(77, None), (0, repair)}

    other = Pair()
    some_data(other.source, flushes=True)
    reader = other.source.engine.files.readers_of(TABLE.id)[1]
    reader.statistics = reader.statistics._replace(stats=reader.statistics.stats._replace(pending_repair=repair))
    other.run(other.target.streams.fetch(other.source.node, WHOLE, Reason.REPAIR, repair))
    assert len(other.target.contents()) == reader.key_count < 501


def test_who_pushes_hears_when_the_other_one_has_it() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    session = pair.source.streams.push(pair.target.node, WHOLE, Reason.DECOMMISSION)
    pair.run(session)
    assert session.outcome.error is None
    assert pair.target.contents() == pair.source.contents()
    assert not pair.source.streams.sending
    assert not pair.target.streams.sessions


def test_a_node_that_falls_silent_fails_the_stream_and_leaves_nothing() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    session = pair.target.streams.fetch(pair.source.node, WHOLE, Reason.BOOTSTRAP)
    pair.deliver(12)
    pair.is_lost = lambda message: True
    pair.run(session, sessions.SILENCE_S + 10)
    assert isinstance(session.outcome.error, StreamFailed)
    assert pair.target.sstables == 0


def test_a_full_disk_of_the_target_fails_the_stream() -> None:
    pair = Pair()
    some_data(pair.source, flushes=True)
    session = pair.source.streams.push(pair.target.node, WHOLE, Reason.DECOMMISSION)
    pair.source.flush()
    pair.target.disk.fail("open", after=1)
    pair.run(session)
    assert isinstance(session.outcome.error, StreamFailed)


TRAPS: dict[tuple[type, str], tuple[int, ...]] = {
    (Streams, "receive"): (1, 2, 4),
    (Streams, "_plan"): (1,),
    (Streams, "_make_target"): (1,),
    (Streams, "_note"): (1, 4),
    (FetchSession, "receive"): (1, 2, 4),
    (FetchSession, "_planned"): (1,),
    (FetchSession, "ask_again"): (1, 2),
    (FetchSession, "_next_table"): (1, 2),
    (FetchSession, "_go_on"): (1,),
    (TableSource, "read"): (1, 4),
    (TableTarget, "take"): (1, 2, 4),
    (TableTarget, "_begin"): (1, 2),
    (TableTarget, "complete"): (1,),
}
"""What raises, at which of its calls."""


@pytest.mark.parametrize("goes", ["fetched", "pushed"])
@pytest.mark.parametrize(("place", "method", "call"), [(*where, call) for where, calls in TRAPS.items() for call in calls])
def test_what_is_raised_in_a_stream_ends_a_message_or_the_stream_and_leaves_no_gap(
    monkeypatch: pytest.MonkeyPatch, place: type, method: str, goes: str, call: int
) -> None:
    """Whatever is raised: a stream that says that it is whole is whole, the others end, and the next one brings all."""
    pair = Pair()
    some_data(pair.source, flushes=True)
    calls = 0
    real = getattr(place, method)

    def trap(of: object, *arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Bug
        return real(of, *arguments)

    monkeypatch.setattr(place, method, trap)
    pair.is_lost = lambda message: message.verb == Verb.STREAM_CHUNK and pair.delivered.count(Verb.STREAM_PULL) == 5
    session: Session | None = None
    with suppress(Bug):  # who begins it hears of it
        if goes == "fetched":
            session = pair.target.streams.fetch(pair.source.node, WHOLE, Reason.BOOTSTRAP)
        else:
            session = pair.source.streams.push(pair.target.node, WHOLE, Reason.DECOMMISSION)
    if session is not None:
        pair.run(session)
    assert calls >= call, f"{method} was called {calls} times"
    assert not pair.target.streams.sessions
    assert not pair.source.streams.sessions
    if session is not None and session.outcome.error is None:
        assert pair.target.contents() == pair.source.contents()
    fetched(pair)
    assert pair.target.contents() == pair.source.contents()


def test_indexes_of_the_target_hold_what_arrived() -> None:
    index = IndexMetadata("by_v", "COMPOSITES", {"target": "v"})
    pair = Pair(table=replace(TABLE, indexes={index.name: index}))
    some_data(pair.source, flushes=True)
    fetched(pair)
    assert pair.target.contents() == pair.source.contents()
    hidden = [store for store in pair.target.engine.stores.values() if store.table.id in pair.target.engine.indexed.hidden]
    assert len(hidden) == 1
    assert hidden[0].maybe_stored(b"third") is not None

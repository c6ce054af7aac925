"""Fuzzers of bytes: mutated envelopes of v3 and v4, mutated segments of v5."""

from collections.abc import Sequence
from random import Random
from struct import error as StructError

from cqlserver.connections.session import Session
from cqlserver.paging import NO_LIMIT, PagingState
from hunt.hunting import Fuzzer, told_bugs
from hunt.operating import look, observe
from hunt.small_node import SCHEMA, Client, new_node
from protocol import requests
from protocol.compression import Lz4Compressor
from protocol.envelopes import pack_envelope
from protocol.metadata import prepared_id
from protocol.primitives import UNSET, Value
from protocol.requests import (
    SERIAL,
    Batch,
    BatchEntry,
    Execute,
    Options,
    Prepare,
    Query,
    QueryOptions,
    Register,
    Request,
    Startup,
)
from protocol.responses import RowsResult
from protocol.segments import SegmentEncoder

INSERT = "INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?)"
SELECT = "SELECT * FROM ks.t WHERE k = ? AND token(k) > ?"
VALUES = (b"\0\0\0\1", b"\0\0\0\2", b"text")
ENTRY = BatchEntry(prepared_id(INSERT, None), VALUES)
REQUESTS: tuple[Request, ...] = (
    Options(),
    Query("SELECT * FROM ks.t WHERE k = 1"),
    Query("SELECT * FROM ks.t", QueryOptions(page_size=1, paging_state=bytes(30))),
    Query(INSERT, QueryOptions(values=VALUES, timestamp_us=5)),
    Query(SELECT, QueryOptions(values=(b"\0\0\0\1", bytes(8)))),
    Prepare(INSERT),
    Prepare(SELECT),
    Execute(prepared_id(INSERT, None), None, QueryOptions(values=VALUES)),
    Execute(prepared_id(SELECT, None), None, QueryOptions(values=(b"\0\0\0\1", bytes(8)))),
    Batch(1, (ENTRY, ENTRY, BatchEntry("INSERT INTO ks.n (k) VALUES (1)", ())), QueryOptions()),
    Register(("SCHEMA_CHANGE",)),
    Startup({"CQL_VERSION": "3.0.0", "COMPRESSION": "lz4"}),
)  # fmt: skip
ROWS = tuple(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, {c}, 'text')" for k in range(3) for c in range(3))
LEVELS = (*range(12), -1, 99, 0x7FFF)
PAGE_SIZES = (-1, 0, 1, 2, 5000, 0x7FFFFFFF)
VALUE_LISTS: tuple[tuple[Value, ...], ...] = (
    (), VALUES, VALUES[:1], (b"\0\0\0\1", bytes(8)), (None, None, None), (UNSET, UNSET, UNSET), (b"", b"", b""),
    (b"\0" * 70_000,) * 3,
)  # fmt: skip
QUERIES = (
    "SELECT * FROM ks.t", "SELECT * FROM ks.t WHERE k = 1", "SELECT * FROM ks.t WHERE k IN (0, 1, 2) LIMIT 3",
    "SELECT DISTINCT k FROM ks.t", "SELECT k, count(*) FROM ks.t GROUP BY k", "SELECT * FROM ks.t PER PARTITION LIMIT 1",
    "SELECT * FROM ks.t WHERE k = 1 ORDER BY c DESC", "SELECT * FROM ks.t WHERE v = 'text' ALLOW FILTERING",
    "SELECT JSON * FROM ks.l", "SELECT * FROM ks.n", "UPDATE ks.n SET v = v + 1 WHERE k = ?", "DELETE FROM ks.t WHERE k = ?",
    SELECT, INSERT,
    "INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS", "UPDATE ks.l SET l = l + [1], m[1] = 'x' WHERE k = ?",
    "TRUNCATE ks.t", "ALTER TABLE ks.t WITH comment = 'x'", "USE ks", "DESCRIBE SCHEMA", "DESCRIBE TABLE ks.t", "LIST ROLES",
    "CREATE INDEX IF NOT EXISTS v_of_t ON ks.t (v)", "DROP INDEX IF EXISTS ks.v_of_t", "SELECT * FROM system_schema.columns",
    "SELECT * FROM system_views.clients", "SELECT * FROM system_traces.events",
    "BEGIN BATCH DELETE FROM ks.t WHERE k = ?; APPLY BATCH",
)  # fmt: skip
INTERESTING = (b"\xff\xff\xff\xff", b"\xff\xff\xff\xfe", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0", b"\xff\xff", b"\x80\0\0\0")


def mutated(rng: Random, data: bytes) -> bytes:
    """With a few bytes changed, cut out, put in."""
    changed = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                piece = rng.choice(INTERESTING)
                changed[at : at + len(piece)] = piece
            case 2:
                del changed[at : at + rng.randrange(1, 9)]
            case 3:
                changed[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(changed)


def _paging_state(rng: Random) -> bytes:
    """With a checksum that is right, and contents of nobody's."""
    key, clustering = (rng.choice((None, b"", rng.randbytes(4), b"\0\0\0\1", rng.randbytes(70_000))) for _ in range(2))
    return PagingState(key, clustering, rng.choice((0, 1, NO_LIMIT)), rng.choice((0, 1, NO_LIMIT))).encode()


def _options(rng: Random) -> QueryOptions:
    values = rng.choice(VALUE_LISTS)
    return QueryOptions(
        consistency=rng.choice(LEVELS) & 0xFFFF,
        values=values,
        names=rng.choice((None, None, None, tuple(f"n{rng.randrange(3)}" for _ in values), ("k", "c", "v")[: len(values)])),
        page_size=rng.choice(PAGE_SIZES),
        paging_state=rng.choice((None, None, b"", rng.randbytes(20), _paging_state(rng), _paging_state(rng))),
        serial_consistency=rng.choice((SERIAL, SERIAL, *LEVELS)) & 0xFFFF,
        timestamp_us=rng.choice((None, None, 0, 5, -(1 << 63), (1 << 63) - 1)),
        keyspace=rng.choice((None, None, "ks", "", "nothing")),
        now_s=rng.choice((None, None, 0, -1, -(1 << 31), (1 << 31) - 1)),
    )


def _request(rng: Random) -> Request:
    """One with odd options, or one of the plain ones."""
    match rng.randrange(5):
        case 0:
            return Query(rng.choice(QUERIES), _options(rng))
        case 1:
            return Execute(prepared_id(rng.choice(QUERIES), None), rng.choice((None, rng.randbytes(16))), _options(rng))
        case 2:
            return Prepare(rng.choice(QUERIES), rng.choice((None, "ks", "nothing")))
        case 3:
            texts = rng.choices(QUERIES, k=rng.randrange(5))
            entries = tuple(
                BatchEntry(rng.choice((text, prepared_id(text, None))), rng.choice(VALUE_LISTS)) for text in texts
            )
            return Batch(rng.randrange(3), entries, _options(rng)._replace(values=(), names=None))
    return rng.choice(REQUESTS)


def _envelope(rng: Random, version: int) -> bytes:
    try:
        data = requests.encode(_request(rng), version, rng.randrange(-3, 100), rng.random() < 0.2)
    except (ValueError, OverflowError, StructError):  # it has no place in a message
        data = requests.encode(Options(), version, 0)
    if rng.random() < 0.5:
        return data
    head, body = data[:9], mutated(rng, data[9:])
    flags = head[1] if rng.random() < 0.9 else rng.randrange(256)
    if rng.random() < 0.9:  # otherwise its length is a lie
        return pack_envelope(head[0], flags, int.from_bytes(head[2:4], "big", signed=True), head[4], body)
    return mutated(rng, head + body)


def envelopes(rng: Random) -> list[bytes]:
    version = rng.choice((3, 4))
    compression = {"COMPRESSION": "lz4"} if rng.random() < 0.2 else {}
    parts = [requests.encode(Startup({"CQL_VERSION": "3.0.0", **compression}), version, 0)]
    lz4 = Lz4Compressor()
    for _ in range(rng.randrange(1, 30)):
        data = _envelope(rng, version)
        if compression and len(data) >= 9 and rng.random() < 0.7:
            data = pack_envelope(version, 1, 1, data[4], mutated(rng, lz4.compress(data[9:])))
        parts.append(data)
    return parts


def segments(rng: Random) -> list[bytes]:
    is_compressed = rng.random() < 0.5
    options = {"COMPRESSION": "lz4"} if is_compressed else {}
    encoder = SegmentEncoder(is_compressed)
    parts = [requests.encode(Startup({"CQL_VERSION": "3.0.0", **options}), 5, 0)]
    for _ in range(rng.randrange(1, 15)):
        data = encoder.encode([_envelope(rng, 5) for _ in range(rng.randrange(1, 4))])
        parts.append(mutated(rng, data) if rng.random() < 0.1 else data)
    return parts


def fault(parts: Sequence[bytes]) -> str | None:
    """What a server does of it that none should. Of half of the cases clients are listened to."""
    node = new_node()
    if len(parts) % 2:
        observe(node)
    other = Client(node)
    for statement in (*SCHEMA, *ROWS):
        other.ask(statement)
    with told_bugs() as told:
        session = Session(node, "127.0.0.1", 2)
        for part in parts:
            try:
                session.receive(part)
                session.finish()
                session.take_later()
                session.take_output()
                session.forget_served()
                while session.has_rest and not session.closing:
                    session.resume()
                    session.finish()
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                return f"{type(error).__name__}: {error}"
            if session.closing:
                break
        session.close()
        try:
            look(node)
        except Exception as error:  # noqa: BLE001 - it is what is looked for
            return f"metrics and logs: {type(error).__name__}: {error}"
        if not isinstance(other.ask("SELECT key FROM system.local"), RowsResult):
            return "another client gets no answer"
    return told[0] if told else None


FUZZERS = (Fuzzer("envelopes", envelopes, fault), Fuzzer("segments", segments, fault))

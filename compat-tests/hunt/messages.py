"""Fuzzers of bytes: mutated envelopes of v3 and v4, mutated segments of v5."""

from collections.abc import Sequence
from random import Random

from cqlserver.connections.session import Session
from hunt.hunting import Fuzzer, told_bugs
from hunt.small_node import SCHEMA, Client, new_node
from protocol import requests
from protocol.compression import Lz4Compressor
from protocol.envelopes import pack_envelope
from protocol.metadata import prepared_id
from protocol.requests import Batch, BatchEntry, Execute, Options, Prepare, Query, QueryOptions, Register, Request, Startup
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


def _envelope(rng: Random, version: int) -> bytes:
    data = requests.encode(rng.choice(REQUESTS), version, rng.randrange(-3, 100), rng.random() < 0.2)
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
    """What a server does of it that none should."""
    node = new_node()
    other = Client(node)
    for statement in SCHEMA:
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
        if not isinstance(other.ask("SELECT key FROM system.local"), RowsResult):
            return "another client gets no answer"
    return told[0] if told else None


FUZZERS = (Fuzzer("envelopes", envelopes, fault), Fuzzer("segments", segments, fault))

"""What is taken out of requests without decoding all of them is what decoding gives."""

import random

import pytest

from cqlserver.audit.requests import maybe_batch_statements, maybe_query_text
from protocol.primitives import UNSET, Value
from protocol.requests import BATCH, QUERY, Batch, BatchEntry, Query, QueryOptions, decode, encode

HEAD = 9


def options(rng: random.Random, version: int, values: tuple[Value, ...] = ()) -> QueryOptions:
    keyspace = "ks" if version >= 5 and rng.random() < 0.3 else None
    given = {"page_size": rng.choice([0, 100]), "timestamp_us": rng.choice([None, 5]), "keyspace": keyspace}
    return QueryOptions(rng.randrange(11), values, **given)  # type: ignore[arg-type]


def values(rng: random.Random) -> tuple[Value, ...]:
    return tuple(rng.choice([None, UNSET, b"", rng.randbytes(rng.randrange(300))]) for _ in range(rng.randrange(4)))


@pytest.mark.parametrize("version", [3, 4, 5])
def test_texts_and_ids(version: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    with_keyspace = 0
    for _ in range(300):
        given = tuple(None if value is UNSET and version < 4 else value for value in values(rng))
        query = Query("SELECT é" * rng.randrange(9), options(rng, version, given))
        body = encode(query, version, 0)[HEAD:]
        assert isinstance(decode(version, 0, QUERY, body)[0], Query)
        assert maybe_query_text(version, body) == (None if query.options.keyspace else query.query)
        entries = []
        for _ in range(rng.randrange(5)):
            given = tuple(None if value is UNSET and version < 4 else value for value in values(rng))
            entries.append(BatchEntry(rng.choice([rng.randbytes(16), "INSERT ü"]), given))
        batch = Batch(rng.randrange(3), tuple(entries), options(rng, version))
        body = encode(batch, version, 0)[HEAD:]
        assert isinstance(decode(version, 0, BATCH, body)[0], Batch)
        found = maybe_batch_statements(version, body)
        assert found == (None if batch.options.keyspace else [entry.statement for entry in entries])
        with_keyspace += batch.options.keyspace is not None
    assert (with_keyspace > 0) == (version >= 5)

"""Values that are equal in different bytes (decimals 1.0 and 1.00) are one clustering, one element, one key of a map."""

from decimal import Decimal

import pytest
from test_modifications import Client

from cqlserver.terms.packing import normalise
from protocol.types import (
    BOOLEAN,
    DECIMAL,
    DURATION,
    INET,
    INT,
    VARINT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    VectorType,
)

ONE, ONE_LONGER, ONE_LONGEST = map(DECIMAL.encode, map(Decimal, ("1.0", "1.00", "1.000")))
KEY = INT.encode(1)


@pytest.fixture
def client() -> Client:
    client = Client()
    client.run("CREATE TABLE t (k int, c decimal, v int, w int, PRIMARY KEY (k, c))")
    client.run("CREATE TABLE u (k int PRIMARY KEY, s set<decimal>, m map<decimal, int>, n map<varint, int>)")
    return client


def test_row_keeps_the_clustering_with_which_it_came(client: Client) -> None:
    insert = client.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
    client.execute(insert, KEY, ONE, INT.encode(1))
    client.execute(insert, KEY, ONE_LONGER, INT.encode(2))
    assert client.run("SELECT c, v FROM t") == [(ONE, INT.encode(2))]
    client.execute(insert, KEY, DECIMAL.encode(Decimal("2.5")), INT.encode(9))
    client.execute(insert, KEY, ONE_LONGEST, INT.encode(3))
    assert client.run("SELECT c, v FROM t LIMIT 1") == [(ONE, INT.encode(3))]
    client.run("UPDATE t SET w = 4 WHERE k = 1 AND c = 1.000")
    assert client.run("SELECT c, v, w FROM t WHERE k = 1 AND c = 1") == [(ONE, INT.encode(3), INT.encode(4))]
    client.run("DELETE FROM t WHERE k = 1 AND c = 1.00")
    client.execute(insert, KEY, ONE_LONGER, INT.encode(5))
    assert client.run("SELECT c, v FROM t LIMIT 1") == [(ONE, INT.encode(5))]


def test_collections_show_the_path_of_the_newest_cell(client: Client) -> None:
    client.run("UPDATE u SET s = {1.0}, m = {1.0: 1} WHERE k = 1")
    client.run("UPDATE u SET s = s + {1.00}, m[1.00] = 2 WHERE k = 1")
    found = SetType(DECIMAL).pack([ONE_LONGER]), MapType(DECIMAL, INT).pack([(ONE_LONGER, INT.encode(2))])
    assert client.run("SELECT s, m FROM u") == [found]
    client.run("UPDATE u SET s = s - {1.000} WHERE k = 1")
    client.run("DELETE m[1.000] FROM u WHERE k = 1")
    assert client.run("SELECT s, m FROM u") == []


def test_condition_finds_the_key_in_other_bytes(client: Client) -> None:
    client.run("UPDATE u SET n[?] = 7 WHERE k = 1", b"\0\1")
    assert client.run("UPDATE u SET n[2] = 8 WHERE k = 1 IF n[1] = 7") == [(b"\1",)]
    assert client.run("UPDATE u SET n[2] = 8 WHERE k = 1 IF n[1] = 8")[0][0] == b"\0"


def test_cells_of_one_statement_meet_as_writes_do(client: Client) -> None:
    client.run("UPDATE u SET m[1.0] = 2, m[1.00] = 1, m[2.0] = 5, m[2.0] = 4 WHERE k = 1")
    two = DECIMAL.encode(Decimal("2.0"))
    assert client.run("SELECT m FROM u") == [(MapType(DECIMAL, INT).pack([(ONE, INT.encode(2)), (two, INT.encode(5))]),)]


def test_types_know_whether_they_have_one_form() -> None:
    assert all(type_.has_one_form for type_ in (INT, ListType(INT), MapType(INT, INT)))
    assert not any(type_.has_one_form for type_ in (DECIMAL, VARINT, BOOLEAN, SetType(VARINT), MapType(INT, DECIMAL)))


@pytest.mark.parametrize(
    ("type_", "bound", "stored"),
    [
        (ListType(VARINT), "00000001000000020001", "000000010000000101"),
        (SetType(VARINT), "00000002000000020001000000020002", "00000002000000010100000001" + "02"),
        (MapType(VARINT, BOOLEAN), "000000010000000200010000000102", "00000001000000010100000001" + "01"),
        (ListType(DECIMAL), "00000001" + "0000000600000001000a", "00000001" + "00000005000000010a"),
        (ListType(INET), "00000001" + "00000010" + "00" * 10 + "ffff7f000001", "00000001" + "00000004" + "7f000001"),
        (ListType(DURATION), "00000001" + "00000004" + "800a0000", "00000001" + "00000003" + "0a0000"),
        (ListType(INT), "00000001" + "00000000", "00000001" + "ffffffff"),
        (ListType(ListType(INT, True)), "00000001" + "00000008" + "0000000100000000", None),
        (ListType(TupleType((VARINT,))), "00000001" + "00000006" + "000000020001", None),
        (ListType(VectorType(VARINT, 1)), "00000001" + "00000003" + "020001", "00000001" + "00000002" + "0101"),
        (VARINT, "0001", None),
    ],
    ids=str,
)
def test_what_bound_collections_hold_is_decoded_and_encoded(type_: CqlType, bound: str, stored: str | None) -> None:
    assert normalise(bytes.fromhex(bound), type_).hex() == (bound if stored is None else stored)

"""Stored values that are odd but valid: nulls in lists, empty numbers, and bytes that are compared by another type."""

import pytest
from test_modifications import Client

from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET
from protocol.types import INT, TEXT, TIME, ListType, MapType

ONE_AND_NULL = bytes.fromhex("000000020000000400000001ffffffff")
KEY = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def client() -> Client:
    return Client()


def test_nulls_in_lists_have_text_and_order() -> None:
    type_ = ListType(INT, True)
    assert type_.to_json(ONE_AND_NULL) == "[1, null]"
    assert type_.to_literal(ONE_AND_NULL) == "[1, null]"
    assert type_.compare(type_.encode([1]), ONE_AND_NULL) < 0 < type_.compare(type_.encode([2]), ONE_AND_NULL)
    assert MapType(INT, TEXT).to_json(bytes.fromhex("000000010000000400000001ffffffff")) == '{"1": null}'


def test_functions_and_conditions_meet_nulls_in_lists(client: Client) -> None:
    client.run("CREATE TABLE t (k int PRIMARY KEY, l frozen<list<int>>)")
    client.run("INSERT INTO t (k, l) VALUES (1, ?)", ONE_AND_NULL)
    assert client.run("SELECT collection_max(l), collection_count(l) FROM t") == [(INT.encode(1), INT.encode(2))]
    assert client.run("UPDATE t SET l = [] WHERE k = 1 IF l = [1]") == [(b"\0", ONE_AND_NULL)]


def test_elements_of_maps_are_compared_as_their_keys(client: Client) -> None:
    client.run("CREATE TABLE t (k int PRIMARY KEY, u map<uuid, int>, d map<decimal, int>, f map<double, int>)")
    client.run(f"INSERT INTO t (k, u, d, f) VALUES (1, {{{KEY}: 1}}, {{1: 1}}, {{1: 2147483647}})")
    assert client.run(f"UPDATE t SET d[2] = 2 WHERE k = 1 IF u[{KEY}] = 5") == [(b"\1",)]
    with pytest.raises(ServerError, match="NumberFormatException: Zero length BigInteger"):
        client.run("UPDATE t SET d[2] = 2 WHERE k = 1 IF d[1] = 5")
    with pytest.raises(ServerError, match="IndexOutOfBoundsException"):
        client.run("UPDATE t SET d[2] = 2 WHERE k = 1 IF f[1] = 5")


@pytest.mark.parametrize("literal", ["(set<int>){1, null}", "(map<int, int>){null: 1}"])
def test_nulls_are_no_elements_of_sets_and_no_keys(client: Client, literal: str) -> None:
    client.run("CREATE TABLE t (k int PRIMARY KEY)")
    client.run("INSERT INTO t (k) VALUES (1)")
    with pytest.raises(InvalidRequest, match="null is not supported inside collections"):
        client.run(f"SELECT {literal} FROM t")


def test_adding_to_an_empty_number_fails(client: Client) -> None:
    client.run("CREATE TABLE t (k int PRIMARY KEY, i int)")
    client.run("INSERT INTO t (k, i) VALUES (1, ?)", b"")
    with pytest.raises(ServerError, match="NullPointerException"):
        client.run("UPDATE t SET i = i + 1 WHERE k = 1 IF EXISTS")


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (-1, "00:00:00.00000000-1"),
        (-1_234_567_890_123, "00:0-20:0-34.00-56700-89000-123"),
        (86_400 * 10**9, "00:00:00.000000000"),
    ],
)
def test_times_beyond_a_day_have_texts(nanoseconds: int, text: str) -> None:
    assert TIME.to_text(nanoseconds.to_bytes(8, "big", signed=True)) == text


def test_of_several_faults_in_json_the_first_column_by_hash_is_told(client: Client) -> None:
    client.run('CREATE TABLE t (k int PRIMARY KEY, "V2" set<int>, v3 list<int>)')
    with pytest.raises(InvalidRequest, match="Error decoding JSON value for v3"):
        client.run("""INSERT INTO t JSON '{"k": 1, "\\"V2\\"": [null], "v3": [null]}'""")


def test_nulls_among_values_of_in_are_told_before_unset_ones(client: Client) -> None:
    client.run("CREATE TABLE t (a int, b int, PRIMARY KEY ((a, b)))")
    with pytest.raises(InvalidRequest, match="Invalid null value in condition for column b"):
        client.run("SELECT * FROM t WHERE a = 1 AND b IN (2, ?, null)", UNSET)


def test_what_is_no_value_of_its_type_in_a_tuple_has_a_place_in_the_order(client: Client) -> None:
    """A tuple may hold anything: hexadecimal digits are taken for a list. Reads of it must not fail."""
    client.run("CREATE TABLE t (k int, c frozen<tuple<frozen<list<boolean>>, inet>>, PRIMARY KEY (k, c))")
    client.run("INSERT INTO t (k, c) VALUES (1, ([true], '127.0.0.1'))")
    client.run("INSERT INTO t (k, c) VALUES (1, 99999999999d)")
    assert len(client.run("SELECT k FROM t")) == 2
    assert len(client.run("SELECT k FROM t WHERE k = 1 AND c > 99999999999d")) == 1
    assert len(client.run("SELECT k FROM t WHERE k = 1 AND c = 99999999999d")) == 1


@pytest.mark.parametrize(
    ("type_name", "literal"),
    [
        ("tuple<int, text>", "0x00"),
        ("tuple<int, text>", "0x0000000401"),
        ("tuple<text, double>", "0xffffffff0000000101"),
        ("tuple<text, double>", "0x00000001ff"),
        ("tuple<frozen<list<int>>, uuid>", "0x000000020000"),
    ],
)
@pytest.mark.parametrize("selected", ["to_json(v)", "JSON v"])
def test_what_is_no_value_of_its_type_in_a_tuple_has_no_json(
    client: Client, type_name: str, literal: str, selected: str
) -> None:
    """It was an exception of this server's own, told as a bug."""
    client.run(f"CREATE TABLE t (k int PRIMARY KEY, v {type_name})")
    client.run(f"INSERT INTO t (k, v) VALUES (1, {literal})")
    with pytest.raises(ServerError, match=r"^java\.lang\.IndexOutOfBoundsException$"):
        client.run(f"SELECT {selected} FROM t")


def test_half_a_masked_character_becomes_a_question_mark(client: Client) -> None:
    client.run("CREATE TABLE t (k int PRIMARY KEY, v text)")
    client.run("INSERT INTO t (k, v) VALUES (1, 'a\U0001f600b')")
    assert client.run("SELECT mask_outer(v, null, 2) FROM t") == [(b"a?**",)]


DESCENDING = (
    "CREATE TABLE t (k int, s frozen<set<int>>, i int, PRIMARY KEY (k, s, i)) WITH CLUSTERING ORDER BY (s {0}, i {0})"
)
CAST = "CAST((list<int>)[k] AS duration)"


@pytest.mark.parametrize(
    ("selected", "message"),
    [
        (
            f"count(mask_replace(s, {{100}})), {CAST}",
            "Type error: {100} cannot be passed as argument 1 of function system.mask_replace",
        ),
        ("mask_replace(s, ({100}))", "Type error: ({100}) cannot be passed as argument 1 of function system.mask_replace"),
        (f"mask_replace(i, (100)), {CAST}", "i cannot be cast to duration"),
    ],
)
def test_a_literal_of_several_values_is_none_of_a_descending_columns_type(
    client: Client, selected: str, message: str
) -> None:
    """In Cassandra that is a ReversedType, which is no collection: the fault of the first selector was not seen here."""
    client.run(DESCENDING.format("DESC"))
    with pytest.raises(InvalidRequest) as caught:
        client.run(f"SELECT {selected} FROM t")
    assert caught.value.message.startswith(message)


def test_a_set_replaces_one_of_an_ascending_column(client: Client) -> None:
    client.run(DESCENDING.format("ASC"))
    client.run("INSERT INTO t (k, s, i) VALUES (1, {1}, 1)")
    assert client.run("SELECT mask_replace(s, {100}) FROM t") == client.run("SELECT (set<int>){100} FROM t")

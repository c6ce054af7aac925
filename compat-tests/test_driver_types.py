"""Every CQL type through the Python driver: bound, read back, and as a literal, with v3, v4 and v5."""

import datetime
import ipaddress
import math
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from cassandra import InvalidRequest
from cassandra.cluster import Session
from cassandra.cqltypes import CassandraType
from cassandra.encoder import Encoder
from cassandra.util import Date, Duration, OrderedMap, OrderedMapSerializedKey, SortedSet, Time, uuid_from_time
from clients.python_driver import connected
from harness.runner import Address

TIMEUUID = uuid_from_time(1_700_000_000.25, node=0x112233445566, clock_seq=7)
UUID = uuid.UUID("3f2b1c80-5d3e-4f6a-8b7c-9d0e1f2a3b4c")
UTC = datetime.datetime

NATIVE: dict[str, list[Any]] = {
    "ascii": ["", "plain", "with 'quotes'"],
    "bigint": [0, -1, 2**63 - 1, -(2**63)],
    "blob": [b"", b"\x00\xff", bytes(range(256))],
    "boolean": [True, False],
    "date": [Date(0), Date("2024-02-29"), Date("1582-10-15"), Date(-(2**31)), Date(2**31 - 1)],
    "decimal": [Decimal("0"), Decimal("-1.50"), Decimal("1E+30"), Decimal("3.14159265358979323846264338327950288")],
    "double": [0.0, -1.5, math.pi, 1.7976931348623157e308, math.inf, -math.inf],
    "duration": [Duration(0, 0, 0), Duration(14, 3, 4_005_006_007), Duration(-1, -2, -3)],
    "float": [0.0, -1.5, 3.4028234663852886e38, math.inf],
    "inet": [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("2001:db8::1")],
    "int": [0, -1, 2**31 - 1, -(2**31)],
    "smallint": [0, -1, 32767, -32768],
    "text": ["", "naïve 日本語 😀", "line\nbreak", "'"],
    "time": [Time(0), Time("23:59:59.999999999"), Time("12:34:56.789")],
    "timestamp": [UTC(1970, 1, 1), UTC(2024, 2, 29, 12, 34, 56, 789000), UTC(1969, 12, 31, 23, 59, 59)],
    "timeuuid": [TIMEUUID],
    "tinyint": [0, -1, 127, -128],
    "uuid": [UUID, uuid.UUID(int=0)],
    "varchar": ["same as text"],
    "varint": [0, -1, 127, 128, -129, 10**40, -(10**40)],
}


def read_form(name: str, value: Any) -> Any:
    """What the driver gives for a value that it was given."""
    return str(value) if name == "inet" else value


@pytest.fixture(scope="module")
def natives(session: Session) -> str:
    columns = ", ".join(f"c_{name} {name}" for name in NATIVE)
    session.execute(f"CREATE TABLE natives (k text PRIMARY KEY, {columns})")
    return "natives"


@pytest.mark.parametrize("name", NATIVE)
def test_native_bound_and_read(any_session: Session, natives: str, name: str) -> None:
    insert = any_session.prepare(f"INSERT INTO {natives} (k, c_{name}) VALUES (?, ?)")
    select = any_session.prepare(f"SELECT c_{name} FROM {natives} WHERE k = ?")
    key = f"{name}{any_session.cluster.protocol_version}"
    for value in [*NATIVE[name], None]:
        any_session.execute(insert, (key, value))
        assert any_session.execute(select, (key,)).one()[0] == (None if value is None else read_form(name, value))


@pytest.mark.parametrize("name", NATIVE)
def test_native_as_literal(session: Session, natives: str, name: str) -> None:
    """The driver writes the value into the statement."""
    for value in NATIVE[name]:
        if value in (math.inf, -math.inf) or (name == "decimal" and len(str(value)) > 16):
            continue  # the driver writes what is no CQL, or too few digits
        literal = str(value) if name == "duration" else None
        statement = f"INSERT INTO {natives} (k, c_{name}) VALUES ('literal {name}', {literal or '%s'})"
        session.execute(statement, None if literal else (value,))
        row = session.execute(f"SELECT c_{name} FROM {natives} WHERE k = 'literal {name}'").one()
        assert row[0] == read_form(name, value)


@pytest.mark.parametrize("name", sorted(NATIVE.keys() - {"duration"}))
def test_native_as_keys(any_session: Session, name: str) -> None:
    """As a partition key and as a clustering column, which sorts by the type's order."""
    table = f"keys_{name}_{any_session.cluster.protocol_version}"
    any_session.execute(f"CREATE TABLE {table} (k {name}, c {name}, PRIMARY KEY (k, c))")
    insert = any_session.prepare(f"INSERT INTO {table} (k, c) VALUES (?, ?)")
    values = [value for value in NATIVE[name] if value not in ("", b"")]
    for value in [*reversed(values), *NATIVE[name]]:
        any_session.execute(insert, (values[0], value))
    rows = any_session.execute(any_session.prepare(f"SELECT k, c FROM {table} WHERE k = ?"), (values[0],)).all()
    assert {row.k for row in rows} == {read_form(name, values[0])}
    ordered = [row.c for row in rows]
    assert len(ordered) == len(NATIVE[name])
    if name not in {"uuid", "inet"}:
        assert ordered == sorted(ordered)
    one = any_session.execute(any_session.prepare(f"SELECT c FROM {table} WHERE k = ? AND c = ?"), (values[0], values[-1]))
    assert one.one().c == read_form(name, values[-1])


def test_not_a_number(session: Session, natives: str) -> None:
    session.execute(
        session.prepare(f"INSERT INTO {natives} (k, c_double, c_float) VALUES ('nan', ?, ?)"), (math.nan, math.nan)
    )
    row = session.execute(f"SELECT c_double, c_float FROM {natives} WHERE k = 'nan'").one()
    assert math.isnan(row[0])
    assert math.isnan(row[1])


def test_wrong_bytes_are_refused(session: Session, natives: str) -> None:
    """Bytes that are no value of the column's type, bound past the driver's own checks."""
    for name, data, message in [
        ("int", b"\x01\x02", r"Expected 4 or 0 byte int \(2\)"),
        ("bigint", b"\x01", r"Expected 8 or 0 byte long \(1\)"),
        ("text", b"\xff", "String didn't validate."),
        ("boolean", b"\x01\x01", r"Expected 1 or 0 byte value \(2\)"),
        ("uuid", b"\x01\x01", r"UUID should be 16 or 0 bytes \(2\)"),
    ]:
        insert = session.prepare(f"INSERT INTO {natives} (k, c_{name}) VALUES ('wrong', ?)")
        bound = insert.bind((NATIVE[name][0],))
        bound.values[0] = data
        with pytest.raises(InvalidRequest, match=message):
            session.execute(bound)


COLLECTIONS: list[tuple[str, Any]] = [
    ("list<int>", [3, 1, 2, 1]),
    ("set<text>", {"b", "a", "c"}),
    ("map<text, int>", {"one": 1, "two": 2}),
    ("frozen<list<text>>", ["x", "", "y"]),
    ("frozen<set<uuid>>", {UUID}),
    ("frozen<map<timeuuid, date>>", {TIMEUUID: Date("2024-02-29")}),
    ("list<frozen<map<int, frozen<set<text>>>>>", [{1: {"a", "b"}, 2: {"c"}}, {}]),
    ("map<frozen<list<int>>, frozen<tuple<int, text>>>", [(([1, 2]), (1, "x")), (([]), (2, None))]),
    ("tuple<int, text, boolean>", (1, "two", True)),
    ("tuple<int, text>", (None, "x")),
    ("tuple<frozen<tuple<int, int>>, frozen<list<double>>>", ((1, 2), [0.5])),
    ("set<frozen<tuple<int, text>>>", {(2, "b"), (1, "a")}),
    ("vector<float, 3>", [1.0, -0.5, 0.25]),
    ("vector<int, 2>", [7, -7]),
    ("vector<text, 2>", ["long enough", ""]),
    ("vector<frozen<list<int>>, 2>", [[1], [2, 3]]),
    ("list<frozen<vector<float, 2>>>", [[1.0, 2.0], [3.0, 4.0]]),
]


def plain(value: Any) -> Any:
    """The driver's own collections as Python's."""
    if isinstance(value, OrderedMapSerializedKey | OrderedMap):
        return [(plain(key), plain(item)) for key, item in value.items()]
    if isinstance(value, dict):
        return [(plain(key), plain(value[key])) for key in sorted(value)]
    if isinstance(value, SortedSet | set):
        return sorted(plain(item) for item in value)
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("number", "type_name", "value"), [(i, *pair) for i, pair in enumerate(COLLECTIONS)])
def test_collections_bound_and_read(any_session: Session, number: int, type_name: str, value: Any) -> None:
    table = f"collections_{number}_{any_session.cluster.protocol_version}"
    any_session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, v {type_name})")
    insert = any_session.prepare(f"INSERT INTO {table} (k, v) VALUES (?, ?)")
    bound = OrderedMap(value) if type_name.startswith("map<frozen") else value
    any_session.execute(insert, (1, bound))
    any_session.execute(insert, (2, None))
    select = any_session.prepare(f"SELECT v FROM {table} WHERE k = ?")
    found = any_session.execute(select, (1,)).one().v
    expected = sorted(value) if type_name.startswith("map<frozen") else value
    assert plain(found) == plain(expected)
    assert any_session.execute(select, (2,)).one().v is None
    if not type_name.startswith(("tuple", "vector", "map<frozen", "list<frozen")) and "<frozen<tuple" not in type_name:
        any_session.execute(f"INSERT INTO {table} (k, v) VALUES (3, %s)", (value,))
        assert plain(any_session.execute(select, (3,)).one().v) == plain(value)


def test_an_empty_collection_is_null_unless_frozen(any_session: Session) -> None:
    table = f"empties_{any_session.cluster.protocol_version}"
    any_session.execute(
        f"CREATE TABLE {table} (k int PRIMARY KEY, l list<int>, f frozen<list<int>>, s set<int>, m map<int, int>)"
    )
    any_session.execute(
        any_session.prepare(f"INSERT INTO {table} (k, l, f, s, m) VALUES (1, ?, ?, ?, ?)"), ([], [], set(), {})
    )
    row = any_session.execute(f"SELECT l, f, s, m FROM {table}").one()
    assert (row.l, row.f, row.s, row.m) == (None, [], None, None)


def test_element_operations(any_session: Session) -> None:
    table = f"elements_{any_session.cluster.protocol_version}"
    any_session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, l list<text>, s set<int>, m map<text, int>)")

    def update(assignment: str, *values: Any) -> Any:
        any_session.execute(any_session.prepare(f"UPDATE {table} SET {assignment} WHERE k = 1"), values)
        row = any_session.execute(f"SELECT l, s, m FROM {table}").one()
        return row.l, row.s and sorted(row.s), row.m and dict(row.m)

    assert update("l = ?, s = ?, m = ?", ["a", "b"], {1, 2}, {"x": 1}) == (["a", "b"], [1, 2], {"x": 1})
    assert update("l = l + ?, s = s + ?, m = m + ?", ["c"], {3}, {"y": 2})[0] == ["a", "b", "c"]
    assert update("l = ? + l", ["z"])[0] == ["z", "a", "b", "c"]
    assert update("l[?] = ?", 1, "A")[0] == ["z", "A", "b", "c"]
    assert update("l = l - ?, s = s - ?, m = m - ?", ["b"], {1}, {"x"}) == (["z", "A", "c"], [2, 3], {"y": 2})
    assert update("m[?] = ?", "q", 9)[2] == {"q": 9, "y": 2}
    any_session.execute(f"DELETE l[0], m['y'], s[2] FROM {table} WHERE k = 1")
    row = any_session.execute(f"SELECT l, s, m, m['q'] AS q FROM {table}").one()
    assert (row.l, sorted(row.s), dict(row.m), row.q) == (["A", "c"], [3], {"q": 9}, 9)


# user-defined types


class Point(NamedTuple):
    x: int
    y: int


class Shape:
    """A class as a user has them: keyword arguments, attributes."""

    def __init__(self, name: str | None = None, corners: list[Point] | None = None, tags: set[str] | None = None) -> None:
        self.name, self.corners, self.tags = name, corners, tags


@pytest.fixture(scope="module", params=[3, 4, 5], ids="v{}".format)
def shapes(server_address: Address, keyspace: str, session: Session, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session of a cluster that has classes registered for the types, which must not be seen by other tests."""
    session.execute("CREATE TYPE IF NOT EXISTS point (x int, y int)")
    session.execute(
        "CREATE TYPE IF NOT EXISTS shape (name text, corners frozen<list<frozen<point>>>, tags frozen<set<text>>)"
    )
    session.execute(
        "CREATE TABLE IF NOT EXISTS shapes (k int PRIMARY KEY, s shape, f frozen<shape>, m map<text, frozen<shape>>,"
        " t tuple<int, frozen<point>>, l list<frozen<point>>)"
    )
    with connected(server_address, request.param, keyspace) as own:
        own.cluster.register_user_type(keyspace, "point", Point)
        own.cluster.register_user_type(keyspace, "shape", Shape)
        yield own


def test_registered_classes_bound_and_read(shapes: Session) -> None:
    version = shapes.cluster.protocol_version
    triangle = Shape("triangle", [Point(0, 0), Point(3, 0), Point(0, 4)], {"right", "closed"})
    insert = shapes.prepare("INSERT INTO shapes (k, s, f, m, t, l) VALUES (?, ?, ?, ?, ?, ?)")
    shapes.execute(insert, (version, triangle, triangle, {"a": triangle}, (1, Point(5, 6)), [Point(7, 8)]))
    row = shapes.execute("SELECT * FROM shapes WHERE k = %s", (version,)).one()
    for found in (row.s, row.f, row.m["a"]):
        assert isinstance(found, Shape)
        assert (found.name, found.corners, set(found.tags or ())) == ("triangle", triangle.corners, {"right", "closed"})
        assert isinstance((found.corners or [])[0], Point)
    assert (row.t, row.l) == ((1, Point(5, 6)), [Point(7, 8)])


def test_registered_classes_as_literals(shapes: Session) -> None:
    key = 10 + shapes.cluster.protocol_version
    shapes.execute(
        "INSERT INTO shapes (k, f, l) VALUES (%s, %s, %s)", (key, Shape("dot", [Point(1, 1)], {"t"}), [Point(2, 3)])
    )
    row = shapes.execute("SELECT f, l FROM shapes WHERE k = %s", (key,)).one()
    assert (row.f.name, row.f.corners, row.l) == ("dot", [Point(1, 1)], [Point(2, 3)])


def test_fields_of_a_type(shapes: Session) -> None:
    key = 20 + shapes.cluster.protocol_version
    shapes.execute("UPDATE shapes SET s.name = 'field', s.tags = {'only'} WHERE k = %s", (key,))
    assert shapes.execute("SELECT s.name, s.tags, s.corners FROM shapes WHERE k = %s", (key,)).one() == (
        "field",
        {"only"},
        None,
    )
    shapes.execute("DELETE s.tags FROM shapes WHERE k = %s", (key,))
    row = shapes.execute("SELECT s FROM shapes WHERE k = %s", (key,)).one()
    assert (row.s.name, row.s.tags, row.s.corners) == ("field", None, None)


def test_an_unregistered_type_is_a_named_tuple(session: Session) -> None:
    session.execute("CREATE TYPE address (street text, zip int)")
    session.execute("CREATE TABLE people (k int PRIMARY KEY, a frozen<address>)")
    session.execute("INSERT INTO people (k, a) VALUES (1, {street: 'Main', zip: 12345})")
    row = session.execute("SELECT a FROM people").one()
    assert row.a._asdict() == {"street": "Main", "zip": 12345}
    insert = session.prepare("INSERT INTO people (k, a) VALUES (?, ?)")
    session.execute(insert, (2, ("Side", None)))
    assert tuple(session.execute("SELECT a FROM people WHERE k = 2").one().a) == ("Side", None)


def test_a_type_that_grows_shows_null_for_older_values(any_session: Session) -> None:
    version = any_session.cluster.protocol_version
    any_session.execute(f"CREATE TYPE growing_{version} (a int)")
    any_session.execute(f"CREATE TABLE grown_{version} (k int PRIMARY KEY, v frozen<growing_{version}>)")
    any_session.execute(f"INSERT INTO grown_{version} (k, v) VALUES (1, {{a: 1}})")
    any_session.execute(f"ALTER TYPE growing_{version} ADD b text")
    any_session.execute(f"INSERT INTO grown_{version} (k, v) VALUES (2, {{a: 2, b: 'two'}})")
    rows = {row.k: tuple(row.v) for row in any_session.execute(f"SELECT * FROM grown_{version}")}
    assert rows == {1: (1, None), 2: (2, "two")}


def test_the_wrong_dimension_of_a_vector(session: Session) -> None:
    session.execute("CREATE TABLE dimensions (k int PRIMARY KEY, v vector<float, 3>)")
    with pytest.raises(
        InvalidRequest, match="Invalid vector literal for v of type vector<float, 3>; expected 3 elements, but given 2"
    ):
        session.execute("INSERT INTO dimensions (k, v) VALUES (1, [1.0, 2.0])")
    insert = session.prepare("INSERT INTO dimensions (k, v) VALUES (1, ?)")
    bound = insert.bind(([1.0, 2.0, 3.0],))
    bound.values[0] = bound.values[0][:8]
    with pytest.raises(InvalidRequest, match="Not enough bytes to read a vector<float, 3>"):
        session.execute(bound)


def test_the_column_types_that_the_driver_makes(session: Session, natives: str) -> None:
    result = session.execute(f"SELECT * FROM {natives} LIMIT 1")
    types = dict(zip(result.column_names, result.column_types, strict=True))
    for name in NATIVE:
        expected = {"text": "varchar"}.get(name, name)
        assert issubclass(types[f"c_{name}"], CassandraType)
        assert (
            types[f"c_{name}"].typename in {expected, "text"}
            if expected == "varchar"
            else types[f"c_{name}"].typename == expected
        )
    assert Encoder().cql_encode_all_types("it's") == "'it''s'"

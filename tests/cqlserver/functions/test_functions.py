"""Native functions: recorded calls, how calls find their function, and what needs a context.

recorded_functions.json holds what Cassandra 5.0.8 answered: name, types of the arguments, their bytes, and the error or the
bytes of the result with its type. It was never written by hand.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import UUID as Uuid

import pytest

from cqlserver.functions import (
    FUNCTION_OF_OPERATOR,
    AggregateFunction,
    Function,
    ScalarFunction,
    argument_spec,
    resolve,
)
from cqlserver.terms.assignment import Match, match_type
from protocol.errors import FunctionFailure, InvalidRequest, RequestError
from protocol.responses import ColumnSpec
from protocol.types import (
    ASCII,
    BIGINT,
    BLOB,
    DATE,
    DECIMAL,
    DOUBLE,
    DURATION,
    FLOAT,
    INT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    UUID,
    CqlType,
    Duration,
    ListType,
    MapType,
    VectorType,
    parse_java,
)
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata
from storage.token import token

_ROWS = json.loads((Path(__file__).parent / "recorded_functions.json").read_text())


@dataclass(frozen=True)
class Typed:
    """An argument whose type is known, as a column's is."""

    type: CqlType
    text: str = "c"

    def match(self, receiver: ColumnSpec) -> Match:
        return match_type(self.type, receiver.type)

    def maybe_compatible_type(self) -> CqlType | None:
        return self.type

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Marker:
    """A bind marker: of any type."""

    is_marker = True

    def match(self, receiver: ColumnSpec) -> Match:
        return Match.WEAK

    def maybe_compatible_type(self) -> CqlType | None:
        return None

    def __str__(self) -> str:
        return "?"


class FixedContext:
    version = 5

    def now_ms(self) -> int:
        return 86_400_000 * 3 + 5

    def now_ns_of_day(self) -> int:
        return 5_000_000

    def next_timeuuid(self) -> bytes:
        return bytes.fromhex("550e8400e29b11d4a716446655440000")

    def random_uuid(self) -> bytes:
        return bytes.fromhex("550e8400e29b41d4a716446655440000")


CONTEXT = FixedContext()


def found(name: str, *types: CqlType, receiver: CqlType | None = None) -> Function:
    spec = None if receiver is None else ColumnSpec("ks", "t", "c", receiver)
    function = resolve((None, name), [Typed(t, f"c{i}") for i, t in enumerate(types)], spec)
    assert function is not None, name
    return function


def call(name: str, types: tuple[CqlType, ...], *values: bytes | None, receiver: CqlType | None = None) -> bytes | None:
    function = found(name, *types, receiver=receiver)
    assert isinstance(function, ScalarFunction)
    return function.call(values, CONTEXT)


def test_recorded_calls() -> None:
    for name, type_names, values, outcome in _ROWS:
        function = found(name, *map(parse_java, type_names))
        arguments = [None if v is None else bytes.fromhex(v) for v in values]
        assert _outcome(function, arguments) == outcome, (name, type_names, values)


def _outcome(function: Function, arguments: list[bytes | None]) -> str | list[str | None]:
    try:
        if isinstance(function, AggregateFunction):
            result = function.result(function.add(function.new_state(), arguments))
        else:
            assert isinstance(function, ScalarFunction)
            result = function.call(arguments, CONTEXT)
    except RequestError as error:
        return f"{error.code:#06x} {error.message}"
    shown = function.return_type.java().replace("org.apache.cassandra.db.marshal.", "")
    return [None if result is None else result.hex(), shown]


# --- resolution -------------------------------------------------------------------------------------------------------


def test_a_name_that_no_function_has_is_none() -> None:
    assert resolve((None, "nosuch"), []) is None
    assert resolve(("ks", "now"), []) is None
    assert resolve(("system", "now"), []) is not None


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "now",
            [Typed(INT)],
            "Invalid number of arguments in call to function system.now: 0 required but 1 provided",
        ),
        (
            "min_timeuuid",
            [Typed(TEXT)],
            "Type error: c cannot be passed as argument 0 of function system.min_timeuuid of type timestamp",
        ),
        ("_add", [Typed(TEXT, "t"), Typed(INT, "i")], "the '+' operation is not supported between t and i"),
        (
            "_add",
            [Marker(), Marker()],
            "Ambiguous '+' operation with args ? and ?: use type hint to disambiguate, example '(int) ?'",
        ),
        ("_negate", [Marker()], "Ambiguous negation: use type casts to disambiguate"),
        ("max", [], "Invalid number of arguments for function system.max(any)"),
        (
            "max",
            [Marker()],
            "Cannot infer type of argument ? in call to function system.max(any): use type casts to disambiguate",
        ),
        (
            "mask_inner",
            [Typed(TEXT)],
            "Invalid number of arguments for function system.mask_inner([text|varchar|ascii], int, int, [text])",
        ),
        (
            "map_keys",
            [Typed(INT, "i")],
            "Function system.map_keys requires a map argument, but found argument i of type int",
        ),
        (
            "collection_sum",
            [Typed(ListType(TEXT), "l")],
            "Function system.collection_sum requires a numeric set/list argument, but found argument l of type list<text>",
        ),
        ("from_json", [Typed(TEXT)], "from_json() cannot be used in the selection clause of a SELECT statement"),
        (
            "similarity_cosine",
            [Typed(VectorType(FLOAT, 2)), Typed(VectorType(FLOAT, 3))],
            "All arguments must have the same vector dimensions",
        ),
        ("token", [Typed(INT)], "No receiver keyspace has been specified for function system.token"),
    ],
)
def test_calls_that_fit_no_function(name: str, arguments: list[Typed | Marker], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve((None, name), arguments)
    assert caught.value.message == message


def test_several_signatures_are_listed_when_none_fits() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve((None, "to_date"), [Typed(TEXT)])
    assert caught.value.message == (
        "Invalid call to function to_date, none of its type signatures match (known type signatures: "
        "system.to_date : (timeuuid) -> date, system.to_date : (timestamp) -> date)"
    )


def test_a_receiver_decides_between_signatures() -> None:
    function = resolve((None, "_add"), [Typed(INT, "i"), Marker()], ColumnSpec("ks", "t", "c", DOUBLE))
    assert function is not None
    assert (function.argument_types, function.return_type) == ((INT, DOUBLE), DOUBLE)


def test_arguments_are_described_to_clients_by_place_and_function() -> None:
    assert argument_spec(found("abs", INT), 0, "ks", "t") == ColumnSpec("ks", "t", "arg0(system.abs)", INT)


def test_columns_are_named_after_calls() -> None:
    assert found("now").column_name([]) == "system.now()"
    assert found("_add", INT, INT).column_name(["a", "b"]) == "a + b"
    assert found("_negate", INT).column_name(["a"]) == "-a"
    assert found("cast_as_text", INT).column_name(["a"]) == "cast(a as text)"
    assert found("count_rows").column_name([]) == "count"


def test_min_of_a_timeuuid_is_announced_as_cassandra_does() -> None:
    assert found("min", TIMEUUID).return_type.option(5).endswith(b"LegacyTimeUUIDType")


def test_only_what_reads_the_world_is_not_deterministic() -> None:
    unsteady = {"now", "uuid", "current_timestamp", "currentdate"}
    for name in unsteady:
        function = found(name)
        assert isinstance(function, ScalarFunction)
        assert not function.is_deterministic


# --- what the functions do --------------------------------------------------------------------------------------------


def test_clock_and_uuids_come_from_the_context() -> None:
    assert call("now", ()) == CONTEXT.next_timeuuid()
    assert call("uuid", ()) == CONTEXT.random_uuid()
    assert call("current_timestamp", ()) == TIMESTAMP.encode(CONTEXT.now_ms())
    assert call("currentdate", ()) == DATE.encode(3)
    assert call("current_time", ()) == TIME.encode(5_000_000)


def test_bound_functions_carry_their_context() -> None:
    function = found("uuid")
    assert isinstance(function, ScalarFunction)
    bound = function.bind(CONTEXT)
    assert (bound.name, bound.execute([])) == ("uuid", CONTEXT.random_uuid())


def _table(*types: CqlType) -> TableMetadata:
    columns = tuple(ColumnMetadata(f"k{i}", ColumnKind.PARTITION_KEY, t, i) for i, t in enumerate(types))
    return TableMetadata("ks", "t", Uuid(int=1), columns)


def test_token_takes_the_partition_key() -> None:
    one = resolve((None, "token"), [Typed(INT)], None, _table(INT))
    two = resolve((None, "token"), [Typed(INT), Typed(TEXT)], None, _table(INT, TEXT))
    assert isinstance(one, ScalarFunction)
    assert isinstance(two, ScalarFunction)
    assert one.call([INT.encode(7)], CONTEXT) == BIGINT.encode(token(INT.encode(7)))
    assert two.call([INT.encode(7), b"a"], CONTEXT) == BIGINT.encode(token(b"\x00\x04\x00\x00\x00\x07\x00\x00\x01a\x00"))
    assert two.call([INT.encode(7), None], CONTEXT) is None


def test_null_in_null_out() -> None:
    assert call("_add", (INT, INT), INT.encode(1), None) is None
    assert call("_add", (INT, INT), INT.encode(1), b"") is None
    assert call("abs", (INT,), None) is None
    assert call("to_json", (INT,), None) == b"null"


def test_division_by_zero_is_a_function_failure() -> None:
    with pytest.raises(FunctionFailure) as caught:
        call(FUNCTION_OF_OPERATOR["/"], (INT, INT), INT.encode(1), INT.encode(0))
    failure = caught.value
    assert failure.message == "the operation 'int / int' failed: / by zero"
    assert (failure.keyspace, failure.function, failure.argument_types) == ("system", "_divide", ("int", "int"))


def test_broken_json_is_a_function_failure() -> None:
    with pytest.raises(FunctionFailure, match=r"execution of 'system.from_json\[text\]' failed: Could not decode JSON"):
        call("from_json", (TEXT,), b"{", receiver=INT)
    with pytest.raises(FunctionFailure, match="MarshalException: Unable to make int from 'x'"):
        call("from_json", (TEXT,), b'"x"', receiver=INT)
    with pytest.raises(InvalidRequest, match="Unable to convert 'x' to a duration"):
        call("from_json", (TEXT,), b'"x"', receiver=DURATION)
    assert call("from_json", (TEXT,), b"null", receiver=INT) is None


def test_blobs_are_checked_when_they_become_values() -> None:
    assert call("blob_as_int", (BLOB,), b"\x00\x00\x00\x01") == INT.encode(1)
    with pytest.raises(InvalidRequest) as caught:
        call("blobasint", (BLOB,), b"\x00")
    assert caught.value.message == (
        "In call to function system.blobasint, value 0x00 is not a valid binary representation for type int"
    )


def test_masks() -> None:
    text = b"user@example.com"
    one, four = INT.encode(1), INT.encode(4)
    assert call("mask_inner", (TEXT, INT, INT), text, one, four) == b"u***********.com"
    assert call("mask_outer", (TEXT, INT, INT, TEXT), text, one, four, b"#") == b"#ser@example####"
    assert call("mask_inner", (TEXT, INT, INT), text, None, None) == b"*" * 16
    assert call("mask_default", (MapType(TEXT, INT),), b"") == bytes(4)
    assert call("mask_replace", (TEXT, TEXT), text, b"x") == b"x"
    with pytest.raises(InvalidRequest, match="Hash algorithm not found: nope"):
        call("mask_hash", (TEXT, TEXT), text, b"nope")
    with pytest.raises(InvalidRequest, match="should be single-character, but '##' has 2 characters"):
        call("mask_inner", (TEXT, INT, INT, TEXT), text, one, one, b"##")


def test_sums_wrap_and_averages_do_not() -> None:
    largest = INT.encode(2**31 - 1)
    for name, expected in (("sum", -2), ("avg", 2**31 - 1)):
        function = found(name, INT)
        assert isinstance(function, AggregateFunction)
        state = function.add(function.add(function.new_state(), [largest]), [largest])
        state = function.add(state, [None])
        assert INT.decode(function.result(state) or b"") == expected


def test_aggregates_of_nothing() -> None:
    empty = {}
    for name in ("count", "sum", "avg", "min"):
        function = found(name, DECIMAL)
        assert isinstance(function, AggregateFunction)
        result = function.result(function.new_state())
        empty[name] = result if result is None else function.return_type.decode(result)
    assert empty == {"count": 0, "sum": Decimal(0), "avg": Decimal(0), "min": None}


def test_months_before_1582_are_julian() -> None:
    """java.util.Calendar changes over on 1582-10-15, and Cassandra adds months with it."""
    day, months = DATE.from_text("1582-10-14"), DURATION.encode(Duration(14, 3, 0))
    assert DATE.to_text(call("_add", (DATE, DURATION), day, months) or b"") == "1583-12-07"


def test_texts_are_joined() -> None:
    assert call("_add", (TEXT, ASCII), "é".encode(), b"a") == "éa".encode()
    assert found("_add", ASCII, ASCII).return_type is ASCII
    assert found("uuid").return_type is UUID

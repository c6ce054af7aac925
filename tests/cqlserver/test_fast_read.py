"""The fast path of SELECT answers exactly what the general path answers, or nothing."""

import importlib.util
from pathlib import Path

import pytest

from protocol.metadata import ResultMetadata
from protocol.primitives import Value
from protocol.requests import Execute, QueryOptions
from protocol.responses import RowsResult

_spec = importlib.util.spec_from_file_location("small_database", Path(__file__).parent / "small_database.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
SmallDatabase = _module.SmallDatabase

ONE, TWO, THREE = (number.to_bytes(4, "big") for number in (1, 2, 3))


@pytest.fixture(scope="module")
def database():  # type: ignore[no-untyped-def]
    made = SmallDatabase()
    made.run("CREATE TABLE t (k int, c int, v int, s text, PRIMARY KEY (k, c))")
    made.run("CREATE TABLE w (a int, b int, c int, st int static, v text, PRIMARY KEY ((a, b), c))")
    made.run("CREATE TABLE p (k text PRIMARY KEY, v int)")
    for k in range(3):
        for c in range(30):
            made.run(f"INSERT INTO t (k, c, v, s) VALUES ({k}, {c}, {c * c}, 'x{c}')")
    made.run("INSERT INTO t (k, c, v) VALUES (1, 1, 7) USING TTL 100")
    made.run("INSERT INTO w (a, b, c, st, v) VALUES (1, 2, 3, 4, 'five')")
    made.run("INSERT INTO w (a, b, st) VALUES (1, 3, 4)")
    made.run("INSERT INTO p (k, v) VALUES ('a', 1)")
    return made


CASES: list[tuple[str, tuple[Value, ...], bool]] = [
    ("SELECT k, c, v, s FROM t WHERE k = ? AND c = ?", (ONE, TWO), True),
    ("SELECT k, c, v, s FROM t WHERE k = ? AND c = ?", (ONE, ONE), True),
    ("SELECT k, c, v, s FROM t WHERE c = ? AND k = ?", (TWO, ONE), True),
    ("SELECT s, c FROM t WHERE k = ? AND c = ?", (ONE, TWO), True),
    ("SELECT * FROM t WHERE k = ? AND c = ?", (ONE, b"\x00\x00\x10\x00"), True),
    ("SELECT * FROM t WHERE k = ? LIMIT 4", (ONE,), True),
    ("SELECT c, v, s FROM t WHERE k = ?", (TWO,), True),
    ("SELECT c, v, s FROM t WHERE k = ?", (b"\xff\xff\xff\xff",), True),
    ("SELECT v FROM p WHERE k = ?", (b"a",), True),
    ("SELECT k, v FROM p WHERE k = ?", (b"b",), True),
    ("SELECT b, a, v FROM w WHERE a = ? AND b = ? AND c = ?", (ONE, TWO, THREE), True),
    ("SELECT a, c FROM w WHERE a = ? AND b = ?", (ONE, TWO), False),
    ("SELECT a, c FROM w WHERE a = ? AND b = ?", (ONE, THREE), False),
    ("SELECT st, c FROM w WHERE a = ? AND b = ?", (ONE, TWO), False),
    ("SELECT v FROM t WHERE k = ? AND c = ?", (ONE, None), False),
    ("SELECT v FROM t WHERE k = ? AND c = ?", (ONE, b"\x01"), False),
    ("SELECT v FROM p WHERE k = ?", (b"",), False),
    ("SELECT v FROM p WHERE k = ?", (b"\xff",), False),
    ("SELECT v FROM t WHERE k = ? AND c > ?", (ONE, TWO), False),
    ("SELECT count(*) FROM t WHERE k = ?", (ONE,), False),
]


def execute_body(metadata: ResultMetadata, options: QueryOptions, version: int) -> bytes:
    return Execute(b"i" * 16, metadata.id, options).encode(version)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("page_size", [-1, 10, 5000])
@pytest.mark.parametrize(("text", "values", "fits"), CASES)
def test_answers_as_the_general_path(database, text, values, fits, page_size, version) -> None:  # type: ignore[no-untyped-def]
    plan = database.compile(text)
    options = QueryOptions(values=values, page_size=page_size)
    fast = plan.maybe_fast(version)
    answer = fast(execute_body(plan.result_metadata, options, version)) if fast is not None else None
    if page_size == 10 and "c = ?" not in text and "FROM t" in text and "LIMIT" not in text and values[0] != b"\xff" * 4:
        fits = False
    assert (answer is not None) == fits
    if answer is not None:
        result = database.execute(plan, options)
        assert isinstance(result, RowsResult)
        body = result.encode(version)
        assert answer == b"\x08" + len(body).to_bytes(4, "big") + body


def test_a_client_of_v5_with_other_metadata_goes_the_general_way(database) -> None:  # type: ignore[no-untyped-def]
    plan = database.compile("SELECT v FROM p WHERE k = ?")
    fast = plan.maybe_fast(5)
    assert fast is not None
    assert fast(Execute(b"i" * 16, b"o" * 16, QueryOptions(values=(b"a",))).encode(5)) is None


@pytest.mark.parametrize("version", [4, 5])
def test_truncated_requests_are_no_case(database, version) -> None:  # type: ignore[no-untyped-def]
    plan = database.compile("SELECT k, c, v, s FROM t WHERE k = ? AND c = ?")
    fast = plan.maybe_fast(version)
    body = execute_body(plan.result_metadata, QueryOptions(values=(ONE, TWO), page_size=100), version)
    assert fast(body) is not None
    for end in range(20, len(body)):
        assert fast(body[:end]) is None
    assert fast(body + b"\x00") is None

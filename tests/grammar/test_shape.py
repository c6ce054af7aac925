"""Statements share a shape when they differ in literals only, and never when they mean something else."""

import pytest

from grammar import tree
from grammar.shape import LENGTH_MAX, parse_shaped, shape
from grammar.tree import LiteralKind, LiteralMarker


def _key(text: str) -> str | None:
    cut = shape(text)
    return None if cut is None else cut[0]


def test_inserts_that_differ_in_literals_share_a_shape() -> None:
    first = "INSERT INTO t (a, b, c, d) VALUES (1, 'x', a132b130-ae79-11e4-ab27-0800200c9a66, 0xff)"
    second = "INSERT INTO t (a, b, c, d) VALUES (-22, 'it''s 5 (o''clock), --', 5132b130-ae79-11e4-ab27-0800200c9a66, 0x)"
    assert _key(first) == _key(second)
    cut = shape(second)
    assert cut is not None
    assert cut[1] == ["-22", "it's 5 (o'clock), --", "5132b130-ae79-11e4-ab27-0800200c9a66", "0x"]


def test_tree_of_a_shape_has_markers_with_kinds() -> None:
    text = "UPDATE t USING TTL 5 SET a = 'x', b = 1.5, c = c -5, d = 1h WHERE k IN (1, 0xff) IF e = {'a': 1}"
    cut = shape(text)
    assert cut is not None
    statement = parse_shaped(text, cut[1])
    assert isinstance(statement, tree.Update)
    assert statement.using.ttl == tree.Literal(LiteralKind.INTEGER, "5")
    assert statement.assignments == (
        tree.SetValue("a", LiteralMarker(0, LiteralKind.STRING)),
        tree.SetValue("b", LiteralMarker(1, LiteralKind.FLOAT)),
        tree.AddValue("c", LiteralMarker(2, LiteralKind.INTEGER)),
        tree.SetValue("d", LiteralMarker(3, LiteralKind.DURATION)),
    )
    values = (LiteralMarker(4, LiteralKind.INTEGER), LiteralMarker(5, LiteralKind.HEX))
    assert statement.where.relations == (tree.InRelation("k", values),)
    entry = (LiteralMarker(6, LiteralKind.STRING), LiteralMarker(7, LiteralKind.INTEGER))
    assert statement.conditions[0].value == tree.MapLiteral((entry,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES ('1')"),
        ("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (1.0)"),
        ("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (1d)"),
        ("INSERT INTO t (a) VALUES (1, 2)", "INSERT INTO t (a) VALUES (1)"),
        ("INSERT INTO t (a) VALUES ((1, 2))", "INSERT INTO t (a) VALUES ([1, 2])"),
        ("INSERT INTO t (a1) VALUES (1)", "INSERT INTO t (a2) VALUES (1)"),
        ("INSERT INTO t (a) VALUES (1) USING TTL 5", "INSERT INTO t (a) VALUES (1) USING TTL 6"),
        ("INSERT INTO t (a) VALUES (1) USING TIMESTAMP  5", "INSERT INTO t (a) VALUES (1) USING TIMESTAMP  6"),
        ("SELECT * FROM t WHERE a = 1 LIMIT 5", "SELECT * FROM t WHERE a = 1 LIMIT 6"),
        ("SELECT * FROM t WHERE a = 1 PER PARTITION LIMIT 5", "SELECT * FROM t WHERE a = 1 PER PARTITION LIMIT 6"),
        ("SELECT * FROM t WHERE a = true", "SELECT * FROM t WHERE a = false"),
        ("SELECT * FROM t WHERE a = NaN", "SELECT * FROM t WHERE a = Infinity"),
        ("INSERT INTO t JSON '{\"a\": 1}'", "INSERT INTO t JSON '{\"a\": 2}'"),
        ("SELECT * FROM t WHERE a < 1", "SELECT * FROM t WHERE a <= 1"),
        ("SELECT * FROM t WHERE a = 1 AND b = 'x'", "SELECT * FROM t WHERE a = 'x' AND b = 1"),
    ],
)
def test_statements_that_mean_something_else_have_other_shapes(one: str, other: str) -> None:
    assert _key(one) is not None
    assert _key(one) != _key(other)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a int PRIMARY KEY) WITH gc_grace_seconds = 5",
        "ALTER TABLE t WITH comment = 'x'",
        "BEGIN BATCH INSERT INTO t (a) VALUES (1); APPLY BATCH",
        'INSERT INTO t ("A") VALUES (1)',
        "INSERT INTO t (a) VALUES (1) -- one\n",
        "INSERT INTO t (a) VALUES (1) /* 2 */",
        "INSERT INTO t (a) VALUES ($$x 5$$)",
        "SELECT 1, a FROM t WHERE a = 1",
        "SELECT a[1] FROM t WHERE a = 1",
        "SELECT a FROM t WHERE a = 1 GROUP BY f(a, 5)",
        "INSERT INTO t (a) VALUES (1\0)",
        f"INSERT INTO t (a) VALUES ('{'x' * LENGTH_MAX}')",
        "INSERT INTO t (a) VALUES (1x)",
        "",
    ],
)
def test_what_cannot_share_has_no_shape(text: str) -> None:
    assert shape(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t (a) VALUES ((vector<float, 3>) [1.0, 2.0, 3.0])",
        "INSERT INTO t (a) VALUES (('text') 5)",
        "UPDATE t SET c=c-5 WHERE k = 1",
        "INSERT INTO t (a) VALUES (P1Y)",
        "INSERT INTO t (a) VALUES (1 2)",
        "INSERT INTO t (a) VALUES (1+'a 5')",
        "SELECT * FROM t WHERE a ='x'AND b = 'unclosed",
        "SELECT * FROM t WHERE a IN () AND b = 1",
        "DELETE FROM t WHERE a = 1 AND (b, c) IN ()",
    ],
)
def test_what_the_scan_must_not_share_is_found_out(text: str) -> None:
    cut = shape(text)
    assert cut is None or parse_shaped(text, cut[1]) is None

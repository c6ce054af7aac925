"""Each kind of statement, and the tree that it gives."""

import pytest

from grammar import tree
from grammar.errors import CqlSyntaxError
from grammar.parser import parse
from grammar.tree import (
    AddValue,
    BinaryOperation,
    Cast,
    ClusteringOrder,
    Column,
    ColumnDefinition,
    ColumnFunction,
    ColumnMask,
    ColumnRelation,
    Condition,
    CustomTypeName,
    Deletion,
    Describe,
    DescribeKind,
    ElementSelection,
    Expression,
    FieldSelection,
    FrozenTypeName,
    FunctionCall,
    IndexTarget,
    IndexTargetKind,
    ListLiteral,
    ListTypeName,
    Literal,
    LiteralKind,
    MapLiteral,
    MapTypeName,
    Marker,
    NativeTypeName,
    Null,
    Operator,
    Ordering,
    PrimaryKey,
    Property,
    QualifiedName,
    Resource,
    ResourceKind,
    RoleOptions,
    Selector,
    SetLiteral,
    SetTypeName,
    SetValue,
    SliceSelection,
    Statement,
    TupleLiteral,
    TupleTypeName,
    TypeHint,
    TypeName,
    UnaryMinus,
    UserTypeLiteral,
    UserTypeName,
    Using,
    VectorTypeName,
    WhereClause,
)

T = QualifiedName(None, "t")
KT = QualifiedName("k", "t")
INT = NativeTypeName("int")
TEXT = NativeTypeName("text")


def i(text: object) -> Literal:
    return Literal(LiteralKind.INTEGER, str(text))


def s(text: str) -> Literal:
    return Literal(LiteralKind.STRING, text)


def c(name: str) -> Column:
    return Column(name)


def eq(column: str, value: Expression) -> ColumnRelation:
    return ColumnRelation(column, Operator.EQ, value)


A1 = WhereClause((eq("a", i(1)),))

STATEMENTS: list[tuple[str, Statement]] = [
    ("USE Ks", tree.Use("ks")),
    ('USE "Ks";', tree.Use("Ks")),
    ("TRUNCATE TABLE k.t", tree.Truncate(KT)),
    ("SELECT * FROM k.t", tree.Select(KT)),
    (
        "SELECT JSON DISTINCT a, B AS c FROM t WHERE a = 1 PER PARTITION LIMIT 2 LIMIT ? ALLOW FILTERING",
        tree.Select(
            T,
            (Selector(c("a")), Selector(c("b"), "c")),
            True,
            True,
            A1,
            per_partition_limit=i(2),
            limit=Marker(0, None),
            allow_filtering=True,
            markers=(None,),
        ),
    ),
    (
        "SELECT a FROM t GROUP BY a, f(b) ORDER BY a DESC, v ANN OF [1]",
        tree.Select(
            T,
            (Selector(c("a")),),
            group_by=(c("a"), FunctionCall(QualifiedName(None, "f"), (c("b"),))),
            order_by=(Ordering("a", True), Ordering("v", False, ListLiteral((i(1),)))),
        ),
    ),
    ('INSERT INTO t (a, "B") VALUES (1, :x)', tree.Insert(T, ("a", "B"), (i(1), Marker(0, "x")), markers=("x",))),
    (
        "INSERT INTO t (a) VALUES (1) IF NOT EXISTS USING TTL 5 AND TIMESTAMP ?",
        tree.Insert(T, ("a",), (i(1),), True, Using(Marker(0, None), i(5)), markers=(None,)),
    ),
    ("INSERT INTO t JSON '{}' DEFAULT UNSET", tree.InsertJson(T, s("{}"), True)),
    (
        "UPDATE t USING TTL 1 SET a = 1, b = b + 2, c = c - 3, d = [4] + d, e[5] = 6, f.g = 7, h += 8, i -= 9, j = j -1 "
        "WHERE a = 1 IF EXISTS",
        tree.Update(
            T,
            (
                SetValue("a", i(1)),
                AddValue("b", i(2)),
                tree.SubtractValue("c", i(3)),
                tree.PrependValue("d", ListLiteral((i(4),))),
                tree.SetElement("e", i(5), i(6)),
                tree.SetField("f", "g", i(7)),
                AddValue("h", i(8)),
                tree.SubtractValue("i", i(9)),
                AddValue("j", i(-1)),
            ),
            A1,
            Using(None, i(1)),
            True,
        ),
    ),
    (
        "DELETE a, b[1], c.d FROM t USING TIMESTAMP 5 WHERE a = 1 "
        "IF a = 1 AND b[2] IN (3) AND c.d IN ? AND e CONTAINS KEY 4",
        tree.Delete(
            T,
            (Deletion("a"), Deletion("b", i(1)), Deletion("c", None, "d")),
            A1,
            i(5),
            False,
            (
                Condition("a", Operator.EQ, i(1)),
                Condition("b", Operator.IN, (i(3),), i(2)),
                Condition("c", Operator.IN, Marker(0, None), None, "d"),
                Condition("e", Operator.CONTAINS_KEY, i(4)),
            ),
            markers=(None,),
        ),
    ),
    (
        "BEGIN UNLOGGED BATCH USING TIMESTAMP 1 INSERT INTO t (a) VALUES (?); DELETE FROM t WHERE a = 1 APPLY BATCH",
        tree.Batch(
            tree.BatchKind.UNLOGGED,
            (tree.Insert(T, ("a",), (Marker(0, None),)), tree.Delete(T, (), A1)),
            Using(i(1)),
            markers=(None,),
        ),
    ),
    (
        "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'X', 'dc': 3} AND durable_writes = true",
        tree.CreateKeyspace(
            "k", (Property("replication", {"class": "X", "dc": "3"}), Property("durable_writes", "true")), True
        ),
    ),
    ("ALTER KEYSPACE k WITH x = ascii", tree.AlterKeyspace("k", (Property("x", "ascii"),))),
    ("DROP KEYSPACE IF EXISTS k", tree.DropKeyspace("k", True)),
    (
        "CREATE TABLE k.t (a int, b text STATIC MASKED WITH f(1), c int MASKED WITH DEFAULT, PRIMARY KEY ((a, b), c),) "
        "WITH CLUSTERING ORDER BY (c DESC) AND COMPACT STORAGE AND comment = 'x'",
        tree.CreateTable(
            KT,
            (
                ColumnDefinition("a", INT),
                ColumnDefinition("b", TEXT, True, ColumnMask(QualifiedName(None, "f"), (i(1),))),
                ColumnDefinition("c", INT, False, ColumnMask(QualifiedName("system", "mask_default"))),
            ),
            (PrimaryKey(("a", "b"), ("c",)),),
            (ClusteringOrder("c", True),),
            (Property("comment", "x"),),
            True,
        ),
    ),
    ("ALTER TABLE t ALTER a TYPE int", tree.AlterTableColumnType(T, False, "a", INT)),
    ("ALTER TABLE t ALTER IF EXISTS a DROP MASKED", tree.AlterTableMask(T, False, "a", None, True)),
    (
        "ALTER TABLE IF EXISTS t ADD IF NOT EXISTS (a int, b text)",
        tree.AlterTableAdd(T, True, (ColumnDefinition("a", INT), ColumnDefinition("b", TEXT)), True),
    ),
    ("ALTER TABLE t DROP (a, b) USING TIMESTAMP 5", tree.AlterTableDrop(T, False, ("a", "b"), False, 5)),
    ("ALTER TABLE t DROP compact", tree.AlterTableDrop(T, False, ("compact",))),
    ("ALTER TABLE t DROP COMPACT STORAGE", tree.AlterTableDropCompactStorage(T, False)),
    ("ALTER TABLE t RENAME a TO b AND c TO d", tree.AlterTableRename(T, False, (("a", "b"), ("c", "d")))),
    ("ALTER TABLE t WITH x = 1", tree.AlterTableWith(T, False, (Property("x", "1"),))),
    ("DROP TABLE IF EXISTS k.t", tree.DropTable(KT, True)),
    ("CREATE TYPE t (a int, b text)", tree.CreateType(T, (("a", INT), ("b", TEXT)))),
    ("ALTER TYPE t ADD IF NOT EXISTS a int", tree.AlterTypeAdd(T, False, "a", INT, True)),
    ("ALTER TYPE t RENAME a TO b", tree.AlterTypeRename(T, False, (("a", "b"),))),
    ("ALTER TYPE t ALTER a TYPE int", tree.AlterTypeFieldType(T, False, "a", INT)),
    ("DROP TYPE t", tree.DropType(T)),
    (
        "CREATE CUSTOM INDEX IF NOT EXISTS x ON t (a, keys(b), values(c), entries(d), full(e), values) USING 'sai' "
        "WITH OPTIONS = {'a': 'b'}",
        tree.CreateIndex(
            "x",
            T,
            (
                IndexTarget("a", IndexTargetKind.SIMPLE),
                IndexTarget("b", IndexTargetKind.KEYS),
                IndexTarget("c", IndexTargetKind.VALUES),
                IndexTarget("d", IndexTargetKind.ENTRIES),
                IndexTarget("e", IndexTargetKind.FULL),
                IndexTarget("values", IndexTargetKind.SIMPLE),
            ),
            True,
            "sai",
            (Property("options", {"a": "b"}),),
            True,
        ),
    ),
    ("DROP INDEX k.t", tree.DropIndex(KT)),
    (
        "CREATE MATERIALIZED VIEW k.t AS SELECT a FROM t WHERE a IS NOT NULL PRIMARY KEY (a, b)",
        tree.CreateMaterializedView(
            KT, (Selector(c("a")),), T, WhereClause((tree.IsNotNullRelation("a"),)), PrimaryKey(("a",), ("b",))
        ),
    ),
    ("ALTER MATERIALIZED VIEW t WITH x = 1", tree.AlterMaterializedView(T, (Property("x", "1"),))),
    ("DROP MATERIALIZED VIEW t", tree.DropMaterializedView(T)),
    (
        "CREATE OR REPLACE FUNCTION k.t (a int) CALLED ON NULL INPUT RETURNS text LANGUAGE Java AS $$x$$",
        tree.CreateFunction(KT, (("a", INT),), True, TEXT, "Java", "x", True),
    ),
    ("DROP FUNCTION t (int)", tree.DropFunction(T, (INT,))),
    ("DROP FUNCTION t", tree.DropFunction(T, None)),
    (
        "CREATE AGGREGATE t (int) SFUNC f STYPE int FINALFUNC g INITCOND 0",
        tree.CreateAggregate(T, (INT,), "f", INT, "g", i(0)),
    ),
    ("DROP AGGREGATE IF EXISTS t ()", tree.DropAggregate(T, (), True)),
    ("CREATE TRIGGER x ON t USING 'y'", tree.CreateTrigger("x", T, "y")),
    ("DROP TRIGGER x ON t", tree.DropTrigger("x", T)),
    (
        "GRANT SELECT PERMISSION, ALTER, EXECUTE ON TABLE t TO r",
        tree.Grant(("ALTER", "SELECT"), Resource(ResourceKind.TABLE, None, "t"), "r"),
    ),
    (
        "REVOKE ALL ON ROLE 'X' FROM r",
        tree.Revoke(("ALTER", "DROP", "AUTHORIZE", "DESCRIBE"), Resource(ResourceKind.ROLE, None, "X"), "r"),
    ),
    ('GRANT A TO "B"', tree.GrantRole("a", "B")),
    ("REVOKE all FROM b", tree.RevokeRole("all", "b")),
    (
        "LIST SELECT ON ALL TABLES IN KEYSPACE k OF r NORECURSIVE",
        tree.ListPermissions(("SELECT",), Resource(ResourceKind.ALL_TABLES, "k"), "r", False),
    ),
    (
        "CREATE ROLE 'R' WITH PASSWORD = 'p' AND LOGIN = true AND ACCESS TO DATACENTERS {'a', 'b'}",
        tree.CreateRole("R", RoleOptions(password="p", login=True, datacenters=("a", "b"))),
    ),
    ("ALTER ROLE r WITH SUPERUSER = false", tree.AlterRole("r", RoleOptions(superuser=False))),
    ("DROP ROLE IF EXISTS r", tree.DropRole("r", True)),
    ("CREATE USER U", tree.CreateRole("U", RoleOptions(superuser=False, login=True), False, True)),
    ("ALTER USER u WITH PASSWORD 'p'", tree.AlterRole("u", RoleOptions(password="p"), False, True)),
    ("DROP USER u", tree.DropRole("u")),
    ("LIST ROLES OF R NORECURSIVE", tree.ListRoles("r", False)),
    ("LIST USERS", tree.ListUsers()),
    ("ADD IDENTITY 'i' TO ROLE r", tree.AddIdentity("i", "r")),
    ("DROP IDENTITY IF EXISTS 'i'", tree.DropIdentity("i", True)),
    ("DESC FULL SCHEMA WITH INTERNALS", Describe(DescribeKind.FULL_SCHEMA, None, None, True)),
    ("DESCRIBE KEYSPACE", Describe(DescribeKind.KEYSPACE)),
    ("DESCRIBE ONLY KEYSPACE k", Describe(DescribeKind.ONLY_KEYSPACE, "k")),
    ("DESCRIBE COLUMNFAMILIES", Describe(DescribeKind.TABLES)),
    ("DESCRIBE COLUMNFAMILY k.t", Describe(DescribeKind.TABLE, "k", "t")),
    ("DESCRIBE MATERIALIZED VIEW t", Describe(DescribeKind.MATERIALIZED_VIEW, None, "t")),
    ("DESCRIBE k.t", Describe(DescribeKind.ANY, "k", "t")),
    ("DESCRIBE type", Describe(DescribeKind.ANY, None, "type")),
]


@pytest.mark.parametrize(("text", "expected"), STATEMENTS, ids=[text[:50] for text, _ in STATEMENTS])
def test_statement(text: str, expected: Statement) -> None:
    assert parse(text) == expected
    assert parse(f"  -- a comment\n{text} ; ;\n") == expected


F = QualifiedName(None, "f")

TERMS: list[tuple[str, Expression]] = [
    ("null", Null()),
    ("-1.5", Literal(LiteralKind.FLOAT, "-1.5")),
    ("-nan", Literal(LiteralKind.FLOAT, "NaN")),
    ("INFINITY", Literal(LiteralKind.FLOAT, "Infinity")),
    ("True", Literal(LiteralKind.BOOLEAN, "True")),
    ("0xAf", Literal(LiteralKind.HEX, "0xAf")),
    ("[]", ListLiteral(())),
    ("{}", SetLiteral(())),
    ("{1, 2}", SetLiteral((i(1), i(2)))),
    ("{1: 'x', 2: null}", MapLiteral(((i(1), s("x")), (i(2), Null())))),
    ("{f(1): 2}", MapLiteral(((FunctionCall(F, (i(1),)), i(2)),))),
    ('{A: 1, "B": {c: 2}, a: 3}', UserTypeLiteral((("a", i(3)), ("B", UserTypeLiteral((("c", i(2)),)))))),
    ("(1, (2))", TupleLiteral((i(1), TupleLiteral((i(2),))))),
    ("('x')", TupleLiteral((s("x"),))),
    ("K.F()", FunctionCall(QualifiedName("k", "f"), ())),
    ("Token(1)", FunctionCall(QualifiedName(None, "token"), (i(1),))),
    ("(int) 5", TypeHint(INT, i(5))),
    ("(u) 5", TypeHint(UserTypeName(None, "u"), i(5))),
    ("(k.u) 5", TypeHint(UserTypeName("k", "u"), i(5))),
    ("('java') 5", TypeHint(CustomTypeName("java"), i(5))),
    ("(list<int>) [5]", TypeHint(ListTypeName(INT), ListLiteral((i(5),)))),
    ("CAST(5 AS Text)", Cast(i(5), TEXT)),
    ("1 + 2 * 3 - 4", BinaryOperation("-", BinaryOperation("+", i(1), BinaryOperation("*", i(2), i(3))), i(4))),
    ("- f()", UnaryMinus(FunctionCall(F, ()))),
]


@pytest.mark.parametrize(("text", "expected"), TERMS, ids=[text for text, _ in TERMS])
def test_term(text: str, expected: Expression) -> None:
    statement = parse(f"INSERT INTO t (a) VALUES ({text})")
    assert isinstance(statement, tree.Insert)
    assert statement.values == (expected,)


SELECTABLES: list[tuple[str, Expression]] = [
    ('"A"', Column("A", True)),
    ("count(*)", tree.CountRows()),
    ("count(a)", FunctionCall(QualifiedName(None, "count"), (c("a"),))),
    ("writetime(a[1].b)", ColumnFunction("writetime", FieldSelection(ElementSelection(c("a"), i(1)), "b"))),
    ("a.b.c", FieldSelection(FieldSelection(c("a"), "b"), "c")),
    ("a[1..]", SliceSelection(c("a"), i(1), None)),
    ("f(a, 1)[..2]", SliceSelection(FunctionCall(F, (c("a"), i(1))), None, i(2))),
    ("(a)", TupleLiteral((c("a"),))),
    ("(a.b)", TupleLiteral((FieldSelection(c("a"), "b"),))),
    ("(int) a", TypeHint(INT, c("a"))),
    ("(int) a.b", FieldSelection(TypeHint(INT, c("a")), "b")),
    ("(int) (text) a.b.c", FieldSelection(FieldSelection(TypeHint(INT, TypeHint(TEXT, c("a"))), "b"), "c")),
    ("{(a): 1}", MapLiteral(((TupleLiteral((c("a"),)), i(1)),))),
    (
        "{(a.b): 1, (c): (b)}",
        MapLiteral(
            ((TupleLiteral((FieldSelection(c("a"), "b"),)), i(1)), (TupleLiteral((c("c"),)), TupleLiteral((c("b"),))))
        ),
    ),
    ("(a, b).c", FieldSelection(TupleLiteral((c("a"), c("b"))), "c")),
    ("{a: 1}", MapLiteral(((c("a"), i(1)),))),
    ("a + b * -c", BinaryOperation("+", c("a"), BinaryOperation("*", c("b"), UnaryMinus(c("c"))))),
    ("cast(a AS text)", Cast(c("a"), TEXT)),
    ("ttl", c("ttl")),
    ("distinct", c("distinct")),
]


@pytest.mark.parametrize(("text", "expected"), SELECTABLES, ids=[text for text, _ in SELECTABLES])
def test_selectable(text: str, expected: Expression) -> None:
    statement = parse(f"SELECT {text} FROM t")
    assert isinstance(statement, tree.Select)
    assert [selector.expression for selector in statement.selectors] == [expected]


RELATIONS: list[tuple[str, tree.Relation]] = [
    ('"" >= 1', ColumnRelation("", Operator.GTE, i(1))),
    ("a LIKE 'x'", ColumnRelation("a", Operator.LIKE, s("x"))),
    ("a CONTAINS KEY 1", ColumnRelation("a", Operator.CONTAINS_KEY, i(1))),
    ("a IN ()", tree.InRelation("a", ())),
    ("a IN :x", tree.InRelation("a", Marker(0, "x"))),
    ("a['k'] != 1", tree.MapEntryRelation("a", s("k"), Operator.NEQ, i(1))),
    ("token(a, b) > ?", tree.TokenRelation(("a", "b"), Operator.GT, Marker(0, None))),
    ("(a, b) = (1, 2)", tree.MultiColumnRelation(("a", "b"), Operator.EQ, TupleLiteral((i(1), i(2))))),
    ("(a) IN ?", tree.MultiColumnInRelation(("a",), Marker(0, None))),
    ("(a) IN ((1), (2))", tree.MultiColumnInRelation(("a",), (TupleLiteral((i(1),)), TupleLiteral((i(2),))))),
    ("((a = 1))", eq("a", i(1))),
]


@pytest.mark.parametrize(("text", "expected"), RELATIONS, ids=[text for text, _ in RELATIONS])
def test_relation(text: str, expected: tree.Relation) -> None:
    statement = parse(f"SELECT * FROM t WHERE {text}")
    assert isinstance(statement, tree.Select)
    assert statement.where.relations == (expected,)


def test_custom_index_expressions_stand_apart() -> None:
    statement = parse("SELECT * FROM t WHERE expr(i, 'x') AND a = 1")
    assert isinstance(statement, tree.Select)
    expression = tree.CustomIndexExpression(QualifiedName(None, "i"), s("x"))
    assert statement.where == WhereClause((eq("a", i(1)),), (expression,))


TYPES: list[tuple[str, TypeName]] = [
    ("VARCHAR", NativeTypeName("varchar")),
    ('"int"', UserTypeName(None, "int")),
    ("k.u", UserTypeName("k", "u")),
    ("frozen<set<int>>", FrozenTypeName(SetTypeName(INT))),
    ("map<text, frozen<u>>", MapTypeName(TEXT, FrozenTypeName(UserTypeName(None, "u")))),
    ("tuple<int, text>", TupleTypeName((INT, TEXT))),
    ("vector<int, -3>", VectorTypeName(INT, -3)),
    ("'a.B'", CustomTypeName("a.B")),
    ("map", UserTypeName(None, "map")),
]


@pytest.mark.parametrize(("text", "expected"), TYPES, ids=[text for text, _ in TYPES])
def test_type(text: str, expected: TypeName) -> None:
    assert parse(f"ALTER TYPE t ADD a {text}") == tree.AlterTypeAdd(T, False, "a", expected)


def test_markers_of_a_statement_are_numbered_in_the_order_of_the_text() -> None:
    statement = parse("UPDATE t USING TTL ? SET a = :b, c[?] = ? WHERE k = :K IF d IN ?")
    assert statement.markers == (None, "b", None, None, "k", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE TABLE t (a int) WITH x = 1 AND x = 2", "Multiple definitions for property 'x'"),
        ("CREATE TABLE t (a int) WITH x = {'a': 1, 'a': 2}", "Multiple definition for property a"),
        ("CREATE ROLE r WITH LOGIN = true AND LOGIN = true", "Multiple definition for property 'LOGIN'"),
        ("UPDATE t SET a = 1, a = 2 WHERE k = 1", "Multiple incompatible setting of column a"),
        ("UPDATE t SET a = b + 1 WHERE k = 1", "Only expressions of the form X = X +<value> are supported."),
        ("SELECT * FROM ?", "Bind variables cannot be used for table names"),
        (
            "GRANT EXECUTE ON KEYSPACE k TO r",
            "Resource type DataResource does not support any of the requested permissions",
        ),
    ],
)
def test_what_is_wrong_beyond_the_grammar(text: str, message: str) -> None:
    with pytest.raises(CqlSyntaxError) as raised:
        parse(text)
    assert raised.value.message == message


@pytest.mark.parametrize("text", ["CREATE INDEX ? ON t (v)", "CREATE INDEX ? ON t (full(v))", "DROP INDEX ?"])
def test_a_marker_is_no_name_of_an_index(text: str) -> None:
    with pytest.raises(CqlSyntaxError, match="Bind variables cannot be used for index names"):
        parse(text)

"""Nodes of names, types, expressions and of the statements that read and write data; see grammar.tree."""

from enum import Enum

from grammar.node import Node, field, node


class LiteralKind(Enum):
    """What a literal looks like; the names are those of Cassandra's Constants.Type, as its messages print them."""

    STRING = "STRING"
    INTEGER = "INTEGER"
    FLOAT = "FLOAT"
    BOOLEAN = "BOOLEAN"
    UUID = "UUID"
    HEX = "HEX"
    DURATION = "DURATION"


class Operator(Enum):
    """A comparison of a relation or condition; the value is its text in CQL and in messages."""

    EQ = "="
    LT = "<"
    LTE = "<="
    GT = ">"
    GTE = ">="
    NEQ = "!="
    LIKE = "LIKE"
    IN = "IN"
    CONTAINS = "CONTAINS"
    CONTAINS_KEY = "CONTAINS KEY"


# --- names ---------------------------------------------------------------------------------------------------------


@node
class QualifiedName(Node):
    """`[keyspace.]name` of a table, view, index, type, function or aggregate."""

    keyspace: str | None
    name: str


# --- types ---------------------------------------------------------------------------------------------------------


@node
class TypeName(Node):
    """The root of all type names, as written: nothing is resolved or checked."""


@node
class NativeTypeName(TypeName):
    """`int`, `text`, ... in lower case; `varchar` stays `varchar`."""

    name: str


@node
class ListTypeName(TypeName):
    element: TypeName


@node
class SetTypeName(TypeName):
    element: TypeName


@node
class MapTypeName(TypeName):
    key: TypeName
    value: TypeName


@node
class TupleTypeName(TypeName):
    elements: tuple[TypeName, ...]


@node
class VectorTypeName(TypeName):
    """`vector<element, dimension>`; the dimension may be any 32-bit integer, negative too."""

    element: TypeName
    dimension: int


@node
class FrozenTypeName(TypeName):
    """`frozen<inner>`."""

    inner: TypeName


@node
class UserTypeName(TypeName):
    """A user-defined type (any name that is no native type's)."""

    keyspace: str | None
    name: str


@node
class CustomTypeName(TypeName):
    """`'org.apache.cassandra.db.marshal.X(...)'`: a Java class name in quotes, unquoted here."""

    java_class: str


# --- expressions: terms and selectables ----------------------------------------------------------------------------


@node
class Expression(Node):
    """The root of terms and selectables."""


@node
class Literal(Expression):
    """A constant. `text` is the raw text: of a STRING without quotes and with '' undone, of HEX with its 0x, of
    numbers with their minus sign. A FLOAT may also be NaN (-NaN too), Infinity or -Infinity, in just this case."""

    kind: LiteralKind
    text: str


@node
class LiteralMarker(Expression):
    """A literal that `grammar.shape` cut out: `index` counts the literals of the statement's text from 0. It stands
    where a `Literal` of that kind would stand; see `grammar.shape` for what a compiler does with it."""

    index: int
    kind: LiteralKind


@node
class Null(Expression):
    """`NULL`."""


@node
class Marker(Expression):
    """A bind marker: `?` (name None) or `:name`."""

    index: int
    name: str | None


@node
class ListLiteral(Expression):
    """`[a, b]`: a list or a vector, as its receiver decides. May be empty."""

    items: tuple[Expression, ...]


@node
class SetLiteral(Expression):
    """`{a, b}`. Empty: `{}`, an empty set or an empty map, as its receiver decides."""

    items: tuple[Expression, ...]


@node
class MapLiteral(Expression):
    """`{k: v}`, never empty. In a selectable it may be a user type's literal: then the keys are `Column`s."""

    entries: tuple[tuple[Expression, Expression], ...]


@node
class UserTypeLiteral(Expression):
    """`{field: value}`, in terms only. A field that is named twice keeps its first place and its last value."""

    fields: tuple[tuple[str, Expression], ...]


@node
class TupleLiteral(Expression):
    """`(a, b)`. `(a)` is a tuple of one in a term; in a selectable it may as well be just parentheses."""

    items: tuple[Expression, ...]


@node
class FunctionCall(Expression):
    """`[keyspace.]name(arguments)`; the name in lower case unless quoted. `token(..)` and `count(x)` come this way."""

    name: QualifiedName
    arguments: tuple[Expression, ...]


@node
class TypeHint(Expression):
    """`(type) expression`."""

    type: TypeName
    expression: Expression


@node
class Cast(Expression):
    """`CAST(expression AS type)`; the type is a native one's name in lower case."""

    expression: Expression
    type: NativeTypeName


@node
class BinaryOperation(Expression):
    """`left operator right`, operator one of `+ - * / %`."""

    operator: str
    left: Expression
    right: Expression


@node
class UnaryMinus(Expression):
    """`-expression` (`-5` is a Literal, its sign belongs to the text)."""

    expression: Expression


@node
class Column(Expression):
    """A column's name in a selectable, or a field's in `{name: value}` there."""

    name: str
    quoted: bool = False


@node
class FieldSelection(Expression):
    """`expression.field`."""

    expression: Expression
    field: str


@node
class ElementSelection(Expression):
    """`expression[key]`."""

    expression: Expression
    key: Expression


@node
class SliceSelection(Expression):
    """`expression[start..end]`; either end may be left out."""

    expression: Expression
    start: Expression | None
    end: Expression | None


@node
class CountRows(Expression):
    """`COUNT(*)`. (`COUNT(1)` and `COUNT(column)` are FunctionCalls.)"""


@node
class ColumnFunction(Expression):
    """`writetime(c)`, `maxwritetime(c)` or `ttl(c)`; function in lower case. The operand is a Column, or an element,
    slice or field selection of one."""

    function: str
    operand: Expression


# --- WHERE and IF --------------------------------------------------------------------------------------------------


@node
class Relation(Node):
    """The root of the relations of a WHERE clause."""


@node
class ColumnRelation(Relation):
    """`column operator value`, every operator but IN."""

    column: str
    operator: Operator
    value: Expression


@node
class InRelation(Relation):
    """`column IN (a, b)` (tuple, may be empty) or `column IN ?` (Marker)."""

    column: str
    values: tuple[Expression, ...] | Marker


@node
class IsNotNullRelation(Relation):
    """`column IS NOT NULL`."""

    column: str


@node
class MapEntryRelation(Relation):
    """`column[key] operator value`."""

    column: str
    key: Expression
    operator: Operator
    value: Expression


@node
class TokenRelation(Relation):
    """`token(columns) operator value`."""

    columns: tuple[str, ...]
    operator: Operator
    value: Expression


@node
class MultiColumnRelation(Relation):
    """`(columns) operator (values)` or `(columns) operator ?`."""

    columns: tuple[str, ...]
    operator: Operator
    value: TupleLiteral | Marker


@node
class MultiColumnInRelation(Relation):
    """`(columns) IN ((..), (..))`, `(columns) IN (?, ?)`, `(columns) IN ()`: a tuple; `(columns) IN ?`: a Marker."""

    columns: tuple[str, ...]
    values: tuple[TupleLiteral | Marker, ...] | Marker


@node
class CustomIndexExpression(Node):
    """`expr(index, value)`."""

    index: QualifiedName
    value: Expression


@node
class WhereClause(Node):
    """All relations, AND-ed; custom index expressions apart, as Cassandra keeps them."""

    relations: tuple[Relation, ...] = ()
    expressions: tuple[CustomIndexExpression, ...] = ()


@node
class Condition(Node):
    """One condition of IF: `column operator value`, `column[element] ...` or `column.field ...`. With IN, the value is
    a tuple of expressions or a Marker."""

    column: str
    operator: Operator
    value: "Expression | tuple[Expression, ...]"
    element: Expression | None = None
    field: str | None = None


# --- statements ----------------------------------------------------------------------------------------------------


@node
class Statement(Node):
    """The root of all statements. `markers`: the name of each bind marker, None for `?`."""

    markers: tuple[str | None, ...] = field(default=(), kw_only=True)


@node
class Selector(Node):
    """One item of the selection, with its alias."""

    expression: Expression
    alias: str | None = None


@node
class Ordering(Node):
    """`column [ASC | DESC]` or `column ANN OF vector [ASC | DESC]`."""

    column: str
    descending: bool = False
    ann_of: Expression | None = None


@node
class Select(Statement):
    """SELECT. `selectors` empty: `*`. `limit` and `per_partition_limit` are INTEGER Literals (never LiteralMarkers) or
    Markers. `group_by` holds selectables: Columns and function calls."""

    table: QualifiedName
    selectors: tuple[Selector, ...] = ()
    is_json: bool = False
    is_distinct: bool = False
    where: WhereClause = WhereClause()
    group_by: tuple[Expression, ...] = ()
    order_by: tuple[Ordering, ...] = ()
    per_partition_limit: Expression | None = None
    limit: Expression | None = None
    allow_filtering: bool = False


@node
class Using(Node):
    """USING TIMESTAMP and TTL: INTEGER literals or markers. Of two of a kind, the last one stands, as in Cassandra."""

    timestamp: Expression | None = None
    ttl: Expression | None = None


NO_USING = Using()


@node
class Insert(Statement):
    """INSERT INTO table (columns) VALUES (values). The numbers of both may differ: the compiler says so."""

    table: QualifiedName
    columns: tuple[str, ...]
    values: tuple[Expression, ...]
    if_not_exists: bool = False
    using: Using = NO_USING


@node
class InsertJson(Statement):
    """INSERT INTO table JSON value. `value`: a STRING Literal or a Marker; `default_unset`: DEFAULT UNSET was said."""

    table: QualifiedName
    value: Literal | Marker
    default_unset: bool = False
    if_not_exists: bool = False
    using: Using = NO_USING


@node
class Assignment(Node):
    """The root of what SET does to one column."""

    column: str


@node
class SetValue(Assignment):
    """`c = value`."""

    value: Expression


@node
class AddValue(Assignment):
    """`c = c + value` or `c += value`: append, add entries, increment. `c = c -5` comes as AddValue of -5."""

    value: Expression


@node
class SubtractValue(Assignment):
    """`c = c - value` or `c -= value`."""

    value: Expression


@node
class PrependValue(Assignment):
    """`c = value + c`."""

    value: Expression


@node
class SetElement(Assignment):
    """`c[key] = value`."""

    key: Expression
    value: Expression


@node
class SetField(Assignment):
    """`c.field = value`."""

    field: str
    value: Expression


@node
class Update(Statement):
    """UPDATE. `if_exists` excludes `conditions`."""

    table: QualifiedName
    assignments: tuple[Assignment, ...]
    where: WhereClause
    using: Using = NO_USING
    if_exists: bool = False
    conditions: tuple[Condition, ...] = ()


@node
class Deletion(Node):
    """What DELETE names: `c`, `c[element]` or `c.field`."""

    column: str
    element: Expression | None = None
    field: str | None = None


@node
class Delete(Statement):
    """DELETE. `deletions` empty: rows. `timestamp`: of USING TIMESTAMP."""

    table: QualifiedName
    deletions: tuple[Deletion, ...]
    where: WhereClause
    timestamp: Expression | None = None
    if_exists: bool = False
    conditions: tuple[Condition, ...] = ()


class BatchKind(Enum):
    LOGGED = "LOGGED"
    UNLOGGED = "UNLOGGED"
    COUNTER = "COUNTER"


@node
class Batch(Statement):
    """BEGIN ... APPLY BATCH. The markers of the parts are numbered through; `markers` stands on the batch alone."""

    kind: BatchKind
    statements: tuple[Insert | InsertJson | Update | Delete, ...]
    using: Using = NO_USING


@node
class Use(Statement):
    keyspace: str


@node
class Truncate(Statement):
    table: QualifiedName

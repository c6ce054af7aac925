"""The statement tree: what a CQL text says, before any schema is looked at.

Frozen, slotted nodes; `grammar.parser` builds them, `cqlserver` compiles them. They hold no positions and no types of
columns: everything here follows from the text alone. The shapes mirror the rules of Cassandra 5.0.8's `Parser.g`.

Conventions
- Names are `str` as Cassandra keeps them: an unquoted name is lower case, a quoted one is as written, `""` undone.
- An expression (`Expression`) is a term (in VALUES, WHERE, SET, ...) or a selectable (between SELECT and FROM). Both
  use the same classes; `Column`, `FieldSelection`, `ElementSelection`, `SliceSelection`, `CountRows`, `ColumnFunction`
  and `Cast` of columns occur in selectables only.
- Bind markers are numbered from 0 in the order of the text. `Statement.markers` holds the names: None for `?`.
- What the text leaves out is None, or an empty tuple.
"""

from collections.abc import Mapping
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


# --- schema --------------------------------------------------------------------------------------------------------


@node
class Property(Node):
    """`name = value` of a WITH clause: the literal's raw text, or a map of raw texts. No name comes twice."""

    name: str
    value: str | Mapping[str, str]


@node
class CreateKeyspace(Statement):
    name: str
    properties: tuple[Property, ...]
    if_not_exists: bool = False


@node
class AlterKeyspace(Statement):
    name: str
    properties: tuple[Property, ...]
    if_exists: bool = False


@node
class DropKeyspace(Statement):
    name: str
    if_exists: bool = False


@node
class ColumnMask(Node):
    """MASKED WITH function(arguments), or MASKED WITH DEFAULT: then `mask_default` without arguments."""

    function: QualifiedName
    arguments: tuple[Expression, ...] = ()


@node
class ColumnDefinition(Node):
    """A column of CREATE TABLE or ALTER TABLE ADD."""

    name: str
    type: TypeName
    is_static: bool = False
    mask: ColumnMask | None = None


@node
class PrimaryKey(Node):
    """PRIMARY KEY ((partition), clustering), or PRIMARY KEY beside a column."""

    partition: tuple[str, ...]
    clustering: tuple[str, ...] = ()


@node
class ClusteringOrder(Node):
    column: str
    descending: bool


@node
class CreateTable(Statement):
    """CREATE TABLE. `primary_keys` holds each PRIMARY KEY of the text: the compiler refuses none and several. `columns`
    has each definition, repeated names too."""

    name: QualifiedName
    columns: tuple[ColumnDefinition, ...]
    primary_keys: tuple[PrimaryKey, ...]
    clustering_order: tuple[ClusteringOrder, ...] = ()
    properties: tuple[Property, ...] = ()
    compact_storage: bool = False
    if_not_exists: bool = False


@node
class AlterTable(Statement):
    """The root of ALTER TABLE's forms."""

    name: QualifiedName
    if_exists: bool


@node
class AlterTableColumnType(AlterTable):
    """ALTER column TYPE type (refused by the compiler, as in Cassandra)."""

    column: str
    type: TypeName


@node
class AlterTableMask(AlterTable):
    """ALTER [IF EXISTS] column MASKED WITH ... or DROP MASKED (mask None)."""

    column: str
    mask: ColumnMask | None
    if_column_exists: bool = False


@node
class AlterTableAdd(AlterTable):
    columns: tuple[ColumnDefinition, ...]
    if_column_not_exists: bool = False


@node
class AlterTableDrop(AlterTable):
    """DROP columns [USING TIMESTAMP timestamp_us]."""

    columns: tuple[str, ...]
    if_column_exists: bool = False
    timestamp_us: int | None = None


@node
class AlterTableRename(AlterTable):
    renames: tuple[tuple[str, str], ...]
    if_column_exists: bool = False


@node
class AlterTableDropCompactStorage(AlterTable):
    pass


@node
class AlterTableWith(AlterTable):
    properties: tuple[Property, ...]


@node
class DropTable(Statement):
    name: QualifiedName
    if_exists: bool = False


@node
class CreateType(Statement):
    """CREATE TYPE; repeated field names are refused by the compiler."""

    name: QualifiedName
    fields: tuple[tuple[str, TypeName], ...]
    if_not_exists: bool = False


@node
class AlterType(Statement):
    """The root of ALTER TYPE's forms."""

    name: QualifiedName
    if_exists: bool


@node
class AlterTypeFieldType(AlterType):
    """ALTER field TYPE type (refused by the compiler, as in Cassandra)."""

    field: str
    type: TypeName


@node
class AlterTypeAdd(AlterType):
    field: str
    type: TypeName
    if_field_not_exists: bool = False


@node
class AlterTypeRename(AlterType):
    renames: tuple[tuple[str, str], ...]
    if_field_exists: bool = False


@node
class DropType(Statement):
    name: QualifiedName
    if_exists: bool = False


class IndexTargetKind(Enum):
    """SIMPLE: a column without a word around it, resolved by the column's type."""

    SIMPLE = "SIMPLE"
    VALUES = "VALUES"
    KEYS = "KEYS"
    ENTRIES = "KEYS_AND_VALUES"
    FULL = "FULL"


@node
class IndexTarget(Node):
    column: str
    kind: IndexTargetKind


@node
class CreateIndex(Statement):
    """CREATE [CUSTOM] INDEX [name] ON table (targets) [USING 'class']. `name` None: made up from the table's."""

    name: str | None
    table: QualifiedName
    targets: tuple[IndexTarget, ...]
    is_custom: bool = False
    using: str | None = None
    properties: tuple[Property, ...] = ()
    if_not_exists: bool = False


@node
class DropIndex(Statement):
    name: QualifiedName
    if_exists: bool = False


@node
class CreateMaterializedView(Statement):
    """CREATE MATERIALIZED VIEW; `selectors` empty: `*`."""

    name: QualifiedName
    selectors: tuple[Selector, ...]
    table: QualifiedName
    where: WhereClause
    primary_key: PrimaryKey
    clustering_order: tuple[ClusteringOrder, ...] = ()
    properties: tuple[Property, ...] = ()
    compact_storage: bool = False
    if_not_exists: bool = False


@node
class AlterMaterializedView(Statement):
    name: QualifiedName
    properties: tuple[Property, ...]
    if_exists: bool = False


@node
class DropMaterializedView(Statement):
    name: QualifiedName
    if_exists: bool = False


@node
class CreateFunction(Statement):
    """CREATE FUNCTION. `language` in the text's own case; `called_on_null`: CALLED ON NULL INPUT."""

    name: QualifiedName
    arguments: tuple[tuple[str, TypeName], ...]
    called_on_null: bool
    return_type: TypeName
    language: str
    body: str
    or_replace: bool = False
    if_not_exists: bool = False


@node
class DropFunction(Statement):
    """`argument_types` None: no parentheses were written."""

    name: QualifiedName
    argument_types: tuple[TypeName, ...] | None = None
    if_exists: bool = False


@node
class CreateAggregate(Statement):
    name: QualifiedName
    argument_types: tuple[TypeName, ...]
    state_function: str
    state_type: TypeName
    final_function: str | None = None
    initial_value: Expression | None = None
    or_replace: bool = False
    if_not_exists: bool = False


@node
class DropAggregate(Statement):
    """`argument_types` None: no parentheses were written."""

    name: QualifiedName
    argument_types: tuple[TypeName, ...] | None = None
    if_exists: bool = False


@node
class CreateTrigger(Statement):
    name: str
    table: QualifiedName
    java_class: str
    if_not_exists: bool = False


@node
class DropTrigger(Statement):
    name: str
    table: QualifiedName
    if_exists: bool = False


# --- roles and permissions -----------------------------------------------------------------------------------------


class ResourceKind(Enum):
    ALL_KEYSPACES = "ALL KEYSPACES"
    KEYSPACE = "KEYSPACE"
    ALL_TABLES = "ALL TABLES IN KEYSPACE"
    TABLE = "TABLE"
    ALL_ROLES = "ALL ROLES"
    ROLE = "ROLE"
    ALL_FUNCTIONS = "ALL FUNCTIONS"
    KEYSPACE_FUNCTIONS = "ALL FUNCTIONS IN KEYSPACE"
    FUNCTION = "FUNCTION"
    ALL_MBEANS = "ALL MBEANS"
    MBEANS = "MBEANS"
    MBEAN = "MBEAN"


@node
class Resource(Node):
    """What permissions are granted on. `name`: the table, role, function or MBean; `argument_types` of FUNCTION."""

    kind: ResourceKind
    keyspace: str | None = None
    name: str | None = None
    argument_types: tuple[TypeName, ...] = ()


@node
class Grant(Statement):
    """GRANT permissions ON resource TO role. `permissions`: upper case, in Cassandra's order, only those that the
    resource's kind has."""

    permissions: tuple[str, ...]
    resource: Resource
    role: str


@node
class Revoke(Statement):
    """REVOKE permissions ON resource FROM role; see Grant."""

    permissions: tuple[str, ...]
    resource: Resource
    role: str


@node
class GrantRole(Statement):
    """GRANT role TO grantee."""

    role: str
    grantee: str


@node
class RevokeRole(Statement):
    """REVOKE role FROM revokee."""

    role: str
    revokee: str


@node
class ListPermissions(Statement):
    permissions: tuple[str, ...]
    resource: Resource | None = None
    role: str | None = None
    recursive: bool = True


@node
class RoleOptions(Node):
    """What WITH says of a role; None: not said. `datacenters` and `cidr_groups`: () means ALL."""

    password: str | None = None
    hashed_password: str | None = None
    superuser: bool | None = None
    login: bool | None = None
    options: Mapping[str, str] | None = None
    datacenters: tuple[str, ...] | None = None
    cidr_groups: tuple[str, ...] | None = None


@node
class CreateRole(Statement):
    """CREATE ROLE, or CREATE USER (`is_user`: then `login` is True and `superuser` said or False)."""

    name: str
    options: RoleOptions
    if_not_exists: bool = False
    is_user: bool = False


@node
class AlterRole(Statement):
    """ALTER ROLE, or ALTER USER (`is_user`)."""

    name: str
    options: RoleOptions
    if_exists: bool = False
    is_user: bool = False


@node
class DropRole(Statement):
    """DROP ROLE or DROP USER."""

    name: str
    if_exists: bool = False


@node
class ListRoles(Statement):
    """LIST ROLES [OF role] [NORECURSIVE]."""

    role: str | None = None
    recursive: bool = True


@node
class ListUsers(Statement):
    """LIST USERS."""


@node
class AddIdentity(Statement):
    """ADD IDENTITY identity TO ROLE role."""

    identity: str
    role: str
    if_not_exists: bool = False


@node
class DropIdentity(Statement):
    identity: str
    if_exists: bool = False


# --- DESCRIBE ------------------------------------------------------------------------------------------------------


class DescribeKind(Enum):
    CLUSTER = "CLUSTER"
    SCHEMA = "SCHEMA"
    FULL_SCHEMA = "FULL SCHEMA"
    KEYSPACES = "KEYSPACES"
    KEYSPACE = "KEYSPACE"
    ONLY_KEYSPACE = "ONLY KEYSPACE"
    TABLES = "TABLES"
    TABLE = "TABLE"
    INDEX = "INDEX"
    MATERIALIZED_VIEW = "MATERIALIZED VIEW"
    TYPES = "TYPES"
    TYPE = "TYPE"
    FUNCTIONS = "FUNCTIONS"
    FUNCTION = "FUNCTION"
    AGGREGATES = "AGGREGATES"
    AGGREGATE = "AGGREGATE"
    ANY = "ANY"


@node
class Describe(Statement):
    """DESCRIBE in all forms. `keyspace` and `name` are those written; KEYSPACE without a name is the current one. ANY
    is `DESCRIBE [keyspace.]name` without a word for the kind."""

    kind: DescribeKind
    keyspace: str | None = None
    name: str | None = None
    with_internals: bool = False

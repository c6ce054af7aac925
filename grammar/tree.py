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
from dataclasses import dataclass, field
from enum import Enum


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


@dataclass(frozen=True, slots=True)
class QualifiedName:
    """`[keyspace.]name` of a table, view, index, type, function or aggregate."""

    keyspace: str | None
    name: str


# --- types ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeName:
    """The root of all type names, as written: nothing is resolved or checked."""


@dataclass(frozen=True, slots=True)
class NativeTypeName(TypeName):
    """`int`, `text`, ... in lower case; `varchar` stays `varchar`."""

    name: str


@dataclass(frozen=True, slots=True)
class ListTypeName(TypeName):
    element: TypeName


@dataclass(frozen=True, slots=True)
class SetTypeName(TypeName):
    element: TypeName


@dataclass(frozen=True, slots=True)
class MapTypeName(TypeName):
    key: TypeName
    value: TypeName


@dataclass(frozen=True, slots=True)
class TupleTypeName(TypeName):
    elements: tuple[TypeName, ...]


@dataclass(frozen=True, slots=True)
class VectorTypeName(TypeName):
    """`vector<element, dimension>`; the dimension may be any 32-bit integer, negative too."""

    element: TypeName
    dimension: int


@dataclass(frozen=True, slots=True)
class FrozenTypeName(TypeName):
    """`frozen<inner>`."""

    inner: TypeName


@dataclass(frozen=True, slots=True)
class UserTypeName(TypeName):
    """A user-defined type (any name that is no native type's)."""

    keyspace: str | None
    name: str


@dataclass(frozen=True, slots=True)
class CustomTypeName(TypeName):
    """`'org.apache.cassandra.db.marshal.X(...)'`: a Java class name in quotes, unquoted here."""

    java_class: str


# --- expressions: terms and selectables ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expression:
    """The root of terms and selectables."""


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A constant. `text` is the raw text: of a STRING without quotes and with '' undone, of HEX with its 0x, of
    numbers with their minus sign. A FLOAT may also be NaN (-NaN too), Infinity or -Infinity, in just this case."""

    kind: LiteralKind
    text: str


@dataclass(frozen=True, slots=True)
class LiteralMarker(Expression):
    """A literal that `grammar.shape` cut out: `index` counts the literals of the statement's text from 0. It stands
    where a `Literal` of that kind would stand; see `grammar.shape` for what a compiler does with it."""

    index: int
    kind: LiteralKind


@dataclass(frozen=True, slots=True)
class Null(Expression):
    """`NULL`."""


@dataclass(frozen=True, slots=True)
class Marker(Expression):
    """A bind marker: `?` (name None) or `:name`."""

    index: int
    name: str | None


@dataclass(frozen=True, slots=True)
class ListLiteral(Expression):
    """`[a, b]`: a list or a vector, as its receiver decides. May be empty."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class SetLiteral(Expression):
    """`{a, b}`. Empty: `{}`, an empty set or an empty map, as its receiver decides."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral(Expression):
    """`{k: v}`, never empty. In a selectable it may be a user type's literal: then the keys are `Column`s."""

    entries: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class UserTypeLiteral(Expression):
    """`{field: value}`, in terms only. A field that is named twice keeps its first place and its last value."""

    fields: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class TupleLiteral(Expression):
    """`(a, b)`. `(a)` is a tuple of one in a term; in a selectable it may as well be just parentheses."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class FunctionCall(Expression):
    """`[keyspace.]name(arguments)`; the name in lower case unless quoted. `token(..)` and `count(x)` come this way."""

    name: QualifiedName
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class TypeHint(Expression):
    """`(type) expression`."""

    type: TypeName
    expression: Expression


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    """`CAST(expression AS type)`; the type is a native one's name in lower case."""

    expression: Expression
    type: NativeTypeName


@dataclass(frozen=True, slots=True)
class BinaryOperation(Expression):
    """`left operator right`, operator one of `+ - * / %`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class UnaryMinus(Expression):
    """`-expression` (`-5` is a Literal, its sign belongs to the text)."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Column(Expression):
    """A column's name in a selectable, or a field's in `{name: value}` there."""

    name: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class FieldSelection(Expression):
    """`expression.field`."""

    expression: Expression
    field: str


@dataclass(frozen=True, slots=True)
class ElementSelection(Expression):
    """`expression[key]`."""

    expression: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class SliceSelection(Expression):
    """`expression[start..end]`; either end may be left out."""

    expression: Expression
    start: Expression | None
    end: Expression | None


@dataclass(frozen=True, slots=True)
class CountRows(Expression):
    """`COUNT(*)`. (`COUNT(1)` and `COUNT(column)` are FunctionCalls.)"""


@dataclass(frozen=True, slots=True)
class ColumnFunction(Expression):
    """`writetime(c)`, `maxwritetime(c)` or `ttl(c)`; function in lower case. The operand is a Column, or an element,
    slice or field selection of one."""

    function: str
    operand: Expression


# --- WHERE and IF --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relation:
    """The root of the relations of a WHERE clause."""


@dataclass(frozen=True, slots=True)
class ColumnRelation(Relation):
    """`column operator value`, every operator but IN."""

    column: str
    operator: Operator
    value: Expression


@dataclass(frozen=True, slots=True)
class InRelation(Relation):
    """`column IN (a, b)` (tuple, may be empty) or `column IN ?` (Marker)."""

    column: str
    values: tuple[Expression, ...] | Marker


@dataclass(frozen=True, slots=True)
class IsNotNullRelation(Relation):
    """`column IS NOT NULL`."""

    column: str


@dataclass(frozen=True, slots=True)
class MapEntryRelation(Relation):
    """`column[key] operator value`."""

    column: str
    key: Expression
    operator: Operator
    value: Expression


@dataclass(frozen=True, slots=True)
class TokenRelation(Relation):
    """`token(columns) operator value`."""

    columns: tuple[str, ...]
    operator: Operator
    value: Expression


@dataclass(frozen=True, slots=True)
class MultiColumnRelation(Relation):
    """`(columns) operator (values)` or `(columns) operator ?`."""

    columns: tuple[str, ...]
    operator: Operator
    value: TupleLiteral | Marker


@dataclass(frozen=True, slots=True)
class MultiColumnInRelation(Relation):
    """`(columns) IN ((..), (..))`, `(columns) IN (?, ?)`, `(columns) IN ()`: a tuple; `(columns) IN ?`: a Marker."""

    columns: tuple[str, ...]
    values: tuple[TupleLiteral | Marker, ...] | Marker


@dataclass(frozen=True, slots=True)
class CustomIndexExpression:
    """`expr(index, value)`."""

    index: QualifiedName
    value: Expression


@dataclass(frozen=True, slots=True)
class WhereClause:
    """All relations, AND-ed; custom index expressions apart, as Cassandra keeps them."""

    relations: tuple[Relation, ...] = ()
    expressions: tuple[CustomIndexExpression, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of IF: `column operator value`, `column[element] ...` or `column.field ...`. With IN, the value is
    a tuple of expressions or a Marker."""

    column: str
    operator: Operator
    value: "Expression | tuple[Expression, ...]"
    element: Expression | None = None
    field: str | None = None


# --- statements ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement:
    """The root of all statements. `markers`: the name of each bind marker, None for `?`."""

    markers: tuple[str | None, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True)
class Selector:
    """One item of the selection, with its alias."""

    expression: Expression
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Ordering:
    """`column [ASC | DESC]` or `column ANN OF vector [ASC | DESC]`."""

    column: str
    descending: bool = False
    ann_of: Expression | None = None


@dataclass(frozen=True, slots=True)
class Select(Statement):
    """SELECT. `selectors` empty: `*`. `limit` and `per_partition_limit` are INTEGER Literals (never LiteralMarkers) or
    Markers. `group_by` holds selectables: Columns and function calls."""

    table: QualifiedName
    selectors: tuple[Selector, ...] = ()
    is_json: bool = False
    is_distinct: bool = False
    where: WhereClause = field(default_factory=WhereClause)
    group_by: tuple[Expression, ...] = ()
    order_by: tuple[Ordering, ...] = ()
    per_partition_limit: Expression | None = None
    limit: Expression | None = None
    allow_filtering: bool = False


@dataclass(frozen=True, slots=True)
class Using:
    """USING TIMESTAMP and TTL: INTEGER literals or markers. Of two of a kind, the last one stands, as in Cassandra."""

    timestamp: Expression | None = None
    ttl: Expression | None = None


NO_USING = Using()


@dataclass(frozen=True, slots=True)
class Insert(Statement):
    """INSERT INTO table (columns) VALUES (values). The numbers of both may differ: the compiler says so."""

    table: QualifiedName
    columns: tuple[str, ...]
    values: tuple[Expression, ...]
    if_not_exists: bool = False
    using: Using = NO_USING


@dataclass(frozen=True, slots=True)
class InsertJson(Statement):
    """INSERT INTO table JSON value. `value`: a STRING Literal or a Marker; `default_unset`: DEFAULT UNSET was said."""

    table: QualifiedName
    value: Literal | Marker
    default_unset: bool = False
    if_not_exists: bool = False
    using: Using = NO_USING


@dataclass(frozen=True, slots=True)
class Assignment:
    """The root of what SET does to one column."""

    column: str


@dataclass(frozen=True, slots=True)
class SetValue(Assignment):
    """`c = value`."""

    value: Expression


@dataclass(frozen=True, slots=True)
class AddValue(Assignment):
    """`c = c + value` or `c += value`: append, add entries, increment. `c = c -5` comes as AddValue of -5."""

    value: Expression


@dataclass(frozen=True, slots=True)
class SubtractValue(Assignment):
    """`c = c - value` or `c -= value`."""

    value: Expression


@dataclass(frozen=True, slots=True)
class PrependValue(Assignment):
    """`c = value + c`."""

    value: Expression


@dataclass(frozen=True, slots=True)
class SetElement(Assignment):
    """`c[key] = value`."""

    key: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class SetField(Assignment):
    """`c.field = value`."""

    field: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Update(Statement):
    """UPDATE. `if_exists` excludes `conditions`."""

    table: QualifiedName
    assignments: tuple[Assignment, ...]
    where: WhereClause
    using: Using = NO_USING
    if_exists: bool = False
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Deletion:
    """What DELETE names: `c`, `c[element]` or `c.field`."""

    column: str
    element: Expression | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Batch(Statement):
    """BEGIN ... APPLY BATCH. The markers of the parts are numbered through; `markers` stands on the batch alone."""

    kind: BatchKind
    statements: tuple[Insert | InsertJson | Update | Delete, ...]
    using: Using = NO_USING


@dataclass(frozen=True, slots=True)
class Use(Statement):
    keyspace: str


@dataclass(frozen=True, slots=True)
class Truncate(Statement):
    table: QualifiedName


# --- schema --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Property:
    """`name = value` of a WITH clause: the literal's raw text, or a map of raw texts. No name comes twice."""

    name: str
    value: str | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CreateKeyspace(Statement):
    name: str
    properties: tuple[Property, ...]
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterKeyspace(Statement):
    name: str
    properties: tuple[Property, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropKeyspace(Statement):
    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class ColumnMask:
    """MASKED WITH function(arguments), or MASKED WITH DEFAULT: then `mask_default` without arguments."""

    function: QualifiedName
    arguments: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column of CREATE TABLE or ALTER TABLE ADD."""

    name: str
    type: TypeName
    is_static: bool = False
    mask: ColumnMask | None = None


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """PRIMARY KEY ((partition), clustering), or PRIMARY KEY beside a column."""

    partition: tuple[str, ...]
    clustering: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusteringOrder:
    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class AlterTable(Statement):
    """The root of ALTER TABLE's forms."""

    name: QualifiedName
    if_exists: bool


@dataclass(frozen=True, slots=True)
class AlterTableColumnType(AlterTable):
    """ALTER column TYPE type (refused by the compiler, as in Cassandra)."""

    column: str
    type: TypeName


@dataclass(frozen=True, slots=True)
class AlterTableMask(AlterTable):
    """ALTER [IF EXISTS] column MASKED WITH ... or DROP MASKED (mask None)."""

    column: str
    mask: ColumnMask | None
    if_column_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterTableAdd(AlterTable):
    columns: tuple[ColumnDefinition, ...]
    if_column_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterTableDrop(AlterTable):
    """DROP columns [USING TIMESTAMP timestamp_us]."""

    columns: tuple[str, ...]
    if_column_exists: bool = False
    timestamp_us: int | None = None


@dataclass(frozen=True, slots=True)
class AlterTableRename(AlterTable):
    renames: tuple[tuple[str, str], ...]
    if_column_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterTableDropCompactStorage(AlterTable):
    pass


@dataclass(frozen=True, slots=True)
class AlterTableWith(AlterTable):
    properties: tuple[Property, ...]


@dataclass(frozen=True, slots=True)
class DropTable(Statement):
    name: QualifiedName
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateType(Statement):
    """CREATE TYPE; repeated field names are refused by the compiler."""

    name: QualifiedName
    fields: tuple[tuple[str, TypeName], ...]
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterType(Statement):
    """The root of ALTER TYPE's forms."""

    name: QualifiedName
    if_exists: bool


@dataclass(frozen=True, slots=True)
class AlterTypeFieldType(AlterType):
    """ALTER field TYPE type (refused by the compiler, as in Cassandra)."""

    field: str
    type: TypeName


@dataclass(frozen=True, slots=True)
class AlterTypeAdd(AlterType):
    field: str
    type: TypeName
    if_field_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterTypeRename(AlterType):
    renames: tuple[tuple[str, str], ...]
    if_field_exists: bool = False


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class IndexTarget:
    column: str
    kind: IndexTargetKind


@dataclass(frozen=True, slots=True)
class CreateIndex(Statement):
    """CREATE [CUSTOM] INDEX [name] ON table (targets) [USING 'class']. `name` None: made up from the table's."""

    name: str | None
    table: QualifiedName
    targets: tuple[IndexTarget, ...]
    is_custom: bool = False
    using: str | None = None
    properties: tuple[Property, ...] = ()
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropIndex(Statement):
    name: QualifiedName
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class AlterMaterializedView(Statement):
    name: QualifiedName
    properties: tuple[Property, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropMaterializedView(Statement):
    name: QualifiedName
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class DropFunction(Statement):
    """`argument_types` None: no parentheses were written."""

    name: QualifiedName
    argument_types: tuple[TypeName, ...] | None = None
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateAggregate(Statement):
    name: QualifiedName
    argument_types: tuple[TypeName, ...]
    state_function: str
    state_type: TypeName
    final_function: str | None = None
    initial_value: Expression | None = None
    or_replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropAggregate(Statement):
    """`argument_types` None: no parentheses were written."""

    name: QualifiedName
    argument_types: tuple[TypeName, ...] | None = None
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateTrigger(Statement):
    name: str
    table: QualifiedName
    java_class: str
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Resource:
    """What permissions are granted on. `name`: the table, role, function or MBean; `argument_types` of FUNCTION."""

    kind: ResourceKind
    keyspace: str | None = None
    name: str | None = None
    argument_types: tuple[TypeName, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant(Statement):
    """GRANT permissions ON resource TO role. `permissions`: upper case, in Cassandra's order, only those that the
    resource's kind has."""

    permissions: tuple[str, ...]
    resource: Resource
    role: str


@dataclass(frozen=True, slots=True)
class Revoke(Statement):
    """REVOKE permissions ON resource FROM role; see Grant."""

    permissions: tuple[str, ...]
    resource: Resource
    role: str


@dataclass(frozen=True, slots=True)
class GrantRole(Statement):
    """GRANT role TO grantee."""

    role: str
    grantee: str


@dataclass(frozen=True, slots=True)
class RevokeRole(Statement):
    """REVOKE role FROM revokee."""

    role: str
    revokee: str


@dataclass(frozen=True, slots=True)
class ListPermissions(Statement):
    permissions: tuple[str, ...]
    resource: Resource | None = None
    role: str | None = None
    recursive: bool = True


@dataclass(frozen=True, slots=True)
class RoleOptions:
    """What WITH says of a role; None: not said. `datacenters` and `cidr_groups`: () means ALL."""

    password: str | None = None
    hashed_password: str | None = None
    superuser: bool | None = None
    login: bool | None = None
    options: Mapping[str, str] | None = None
    datacenters: tuple[str, ...] | None = None
    cidr_groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class CreateRole(Statement):
    """CREATE ROLE, or CREATE USER (`is_user`: then `login` is True and `superuser` said or False)."""

    name: str
    options: RoleOptions
    if_not_exists: bool = False
    is_user: bool = False


@dataclass(frozen=True, slots=True)
class AlterRole(Statement):
    """ALTER ROLE, or ALTER USER (`is_user`)."""

    name: str
    options: RoleOptions
    if_exists: bool = False
    is_user: bool = False


@dataclass(frozen=True, slots=True)
class DropRole(Statement):
    """DROP ROLE or DROP USER."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class ListRoles(Statement):
    """LIST ROLES [OF role] [NORECURSIVE]."""

    role: str | None = None
    recursive: bool = True


@dataclass(frozen=True, slots=True)
class ListUsers(Statement):
    """LIST USERS."""


@dataclass(frozen=True, slots=True)
class AddIdentity(Statement):
    """ADD IDENTITY identity TO ROLE role."""

    identity: str
    role: str
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Describe(Statement):
    """DESCRIBE in all forms. `keyspace` and `name` are those written; KEYSPACE without a name is the current one. ANY
    is `DESCRIBE [keyspace.]name` without a word for the kind."""

    kind: DescribeKind
    keyspace: str | None = None
    name: str | None = None
    with_internals: bool = False

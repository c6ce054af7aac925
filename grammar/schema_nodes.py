"""Nodes of statements about schema, roles and permissions, and of DESCRIBE; see grammar.tree."""

from collections.abc import Mapping
from enum import Enum

from grammar.data_nodes import Expression, QualifiedName, Selector, Statement, TypeName, WhereClause
from grammar.node import Node, node

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

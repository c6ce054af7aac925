"""The actions of schema, role, permission and DESCRIBE statements; see grammar.actions."""

import re
from typing import Any

from grammar import tree
from grammar.errors import CqlSyntaxError
from grammar.keywords import NATIVE_TYPES
from grammar.lexer import Quoted
from grammar.parse_state import Action, Children, ParseState, fold, names, parsed_number, user_type_ident
from grammar.terms_text import term_text
from grammar.tree import DescribeKind, IndexTargetKind, ResourceKind

# --- types ---------------------------------------------------------------------------------------------------------


def _frozen_type(c: Children, p: ParseState) -> tree.TypeName:
    inner = c[2]
    if isinstance(inner, tree.NativeTypeName | tree.CustomTypeName):
        shown = inner.name if isinstance(inner, tree.NativeTypeName) else f"'{inner.java_class}'"
        p.errors.append(f"frozen<> is only allowed on collections, tuples, and user-defined types (got {shown})")
    return tree.FrozenTypeName(inner)


def _vector_type(c: Children, p: ParseState) -> tree.TypeName:
    return tree.VectorTypeName(c[2], parsed_number(c[4], 32, p))


# --- properties ----------------------------------------------------------------------------------------------------


def _property_map(entries: list[tuple[tree.Expression, tree.Expression]], p: ParseState) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in entries:
        if not isinstance(key, tree.Literal):
            p.errors.append(f"Invalid property name: {term_text(key)}{_no_markers(key)}")
            break
        if not isinstance(value, tree.Literal):
            shown = f"{term_text(value)} for property: {term_text(key)}"
            p.errors.append(f"Invalid property value: {shown}{_no_markers(value)}")
            break
        if key.text in found:
            p.errors.append(f"Multiple definition for property {key.text}")
        found[key.text] = value.text
    return found


def _no_markers(term: tree.Expression) -> str:
    return " (bind variables are not supported in DDL queries)" if isinstance(term, tree.Marker) else ""


def _property(c: Children, p: ParseState) -> tree.Property:
    return tree.Property(fold(c[0]), c[2])


def _map_property(c: Children, p: ParseState) -> tree.Property:
    return tree.Property(fold(c[0]), _property_map(c[2], p))


def _keyword_text(c: Children, p: ParseState) -> str:
    word: str = c[0]
    return word.lower() if word.lower() in NATIVE_TYPES else word


def _properties(c: Children, p: ParseState) -> list[Any]:
    return [c[0]]


def _more_properties(c: Children, p: ParseState) -> Any:
    new = c[2]
    if isinstance(new, tree.Property) and any(isinstance(old, tree.Property) and old.name == new.name for old in c[0]):
        p.errors.append(f"Multiple definitions for property '{new.name}'")
    c[0].append(new)
    return c[0]


class _CompactStorage:
    """COMPACT STORAGE among the properties of a table."""


def _split(items: Any) -> tuple[tuple[tree.ClusteringOrder, ...], tuple[tree.Property, ...], bool]:
    """(clustering order, properties, COMPACT STORAGE) of what stands behind WITH."""
    order: list[tree.ClusteringOrder] = []
    properties: list[tree.Property] = []
    compact = False
    for item in items:
        if isinstance(item, tree.Property):
            properties.append(item)
        elif isinstance(item, _CompactStorage):
            compact = True
        else:
            order.extend(item)
    return tuple(order), tuple(properties), compact


# --- tables --------------------------------------------------------------------------------------------------------


def _column_definition(c: Children, p: ParseState) -> tree.ColumnDefinition:
    return tree.ColumnDefinition(fold(c[0]), c[1], c[2], c[3])


def _primary_key_column(c: Children, p: ParseState) -> tuple[tree.ColumnDefinition, tree.PrimaryKey]:
    return c[0], tree.PrimaryKey((c[0].name,))


def _create_table(c: Children, p: ParseState) -> tree.CreateTable:
    columns: list[tree.ColumnDefinition] = []
    keys: list[tree.PrimaryKey] = []
    for item in c[5]:
        for part in item if isinstance(item, tuple) else (item,):
            (keys if isinstance(part, tree.PrimaryKey) else columns).append(part)
    order, properties, compact = _split(c[7])
    return tree.CreateTable(c[3], tuple(columns), tuple(keys), order, properties, compact, c[2])


def _alter_table(c: Children, p: ParseState) -> tree.AlterTable:
    kind, arguments = c[4]
    altered: tree.AlterTable = kind(c[3], c[2], *arguments)
    return altered


def _alter_type(c: Children, p: ParseState) -> tree.AlterType:
    kind, arguments = c[4]
    altered: tree.AlterType = kind(c[3], c[2], *arguments)
    return altered


def _renames(pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((fold(old), fold(new)) for old, new in pairs)


def _create_index(c: Children, p: ParseState) -> tree.CreateIndex:
    _, is_custom, _, if_not_exists, name, _, table, _, targets, _, using, properties = c
    if isinstance(name, tree.QualifiedName):  # a marker, which has been refused
        name = ""
    return tree.CreateIndex(
        None if name is None else fold(name), table, tuple(targets), is_custom, using, tuple(properties), if_not_exists
    )


def _create_view(c: Children, p: ParseState) -> tree.CreateMaterializedView:
    _, _, _, if_not_exists, name, _, _, selectors, _, table, where, key, items = c
    order, properties, compact = _split(items)
    if compact:
        raise CqlSyntaxError("COMPACT STORAGE tables are not allowed starting with version 4.0")
    return tree.CreateMaterializedView(name, tuple(selectors), table, where, key, order, properties, compact, if_not_exists)


# --- functions -----------------------------------------------------------------------------------------------------


def _arguments(pairs: Any) -> tuple[tuple[str, tree.TypeName], ...]:
    return tuple(pairs)


def _create_function(c: Children, p: ParseState) -> tree.CreateFunction:
    return tree.CreateFunction(c[4], tuple(c[6]), c[8], c[13], c[15], c[17], c[1], c[3])


def _create_aggregate(c: Children, p: ParseState) -> tree.CreateAggregate:
    return tree.CreateAggregate(c[4], tuple(c[6]), c[9], c[11], c[12], c[13], c[1], c[3])


# --- permissions ---------------------------------------------------------------------------------------------------

_PERMISSIONS = (
    "CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "DESCRIBE", "EXECUTE", "UNMASK", "SELECT_MASKED"
)  # fmt: skip

_TABLE_PERMISSIONS = frozenset(("ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "UNMASK", "SELECT_MASKED"))
_ROLE_PERMISSIONS = frozenset(("ALTER", "DROP", "AUTHORIZE", "DESCRIBE"))
_FUNCTION_PERMISSIONS = frozenset(("ALTER", "DROP", "AUTHORIZE", "EXECUTE"))
_MBEAN_PERMISSIONS = frozenset(("AUTHORIZE", "DESCRIBE", "EXECUTE", "MODIFY", "SELECT"))

# kind of a resource -> (class that messages name, permissions that it can have)
_RESOURCE_PERMISSIONS: dict[ResourceKind, tuple[str, frozenset[str]]] = {
    ResourceKind.ALL_KEYSPACES: ("DataResource", _TABLE_PERMISSIONS | {"CREATE"}),
    ResourceKind.KEYSPACE: ("DataResource", _TABLE_PERMISSIONS | {"CREATE"}),
    ResourceKind.ALL_TABLES: ("DataResource", _TABLE_PERMISSIONS | {"CREATE"}),
    ResourceKind.TABLE: ("DataResource", _TABLE_PERMISSIONS),
    ResourceKind.ALL_ROLES: ("RoleResource", _ROLE_PERMISSIONS | {"CREATE"}),
    ResourceKind.ROLE: ("RoleResource", _ROLE_PERMISSIONS),
    ResourceKind.ALL_FUNCTIONS: ("FunctionResource", _FUNCTION_PERMISSIONS | {"CREATE"}),
    ResourceKind.KEYSPACE_FUNCTIONS: ("FunctionResource", _FUNCTION_PERMISSIONS | {"CREATE"}),
    ResourceKind.FUNCTION: ("FunctionResource", _FUNCTION_PERMISSIONS),
    ResourceKind.ALL_MBEANS: ("JMXResource", _MBEAN_PERMISSIONS),
    ResourceKind.MBEANS: ("JMXResource", _MBEAN_PERMISSIONS),
    ResourceKind.MBEAN: ("JMXResource", _MBEAN_PERMISSIONS),
}


def _permissions(said: Any) -> tuple[str, ...]:
    wanted = {name.upper() for name in said}
    return tuple(name for name in _PERMISSIONS if name in wanted)


def _applicable(said: Any, resource: tree.Resource, p: ParseState) -> tuple[str, ...]:
    java_class, possible = _RESOURCE_PERMISSIONS[resource.kind]
    found = tuple(name for name in _permissions(said) if name in possible)
    if not found and java_class != "FunctionResource":  # of which it is told later what else is wrong
        p.errors.append(f"Resource type {java_class} does not support any of the requested permissions")
    return found


def _grant(c: Children, p: ParseState) -> tree.Grant:
    return tree.Grant(_applicable(c[1], c[3], p), c[3], fold(c[5]))


def _revoke(c: Children, p: ParseState) -> tree.Revoke:
    return tree.Revoke(_applicable(c[1], c[3], p), c[3], fold(c[5]))


def _list_permissions(c: Children, p: ParseState) -> tree.ListPermissions:
    return tree.ListPermissions(_permissions(c[1]), c[2], None if c[3] is None else fold(c[3]), c[4])


def _table_resource(c: Children, p: ParseState) -> tree.Resource:
    name: tree.QualifiedName = c[-1]
    return tree.Resource(ResourceKind.TABLE, name.keyspace, name.name)


def _function_resource(c: Children, p: ParseState) -> tree.Resource:
    name: tree.QualifiedName = c[1]
    return tree.Resource(ResourceKind.FUNCTION, name.keyspace, name.name, tuple(c[3]))


_PROPERTY = r'(?:\*|[^,=:*?"\n]+=(?:"(?:\\.|[^"\\\n])*"|[^,=:"\n]+))'
_OBJECT_NAME = rf"([^:\n]*):({_PROPERTY}(?:,{_PROPERTY})*)"
"""javax.management.ObjectName. (Not compiled before somebody asks: it is rare.)"""


def _canonical(name: re.Match[str]) -> str:
    """The key properties of a JMX object name in order, the asterisk last."""
    properties = re.findall(_PROPERTY, name[2])
    return f"{name[1]}:{','.join(sorted(properties, key=lambda text: (text == '*', text)))}"


def _mbean(kind: ResourceKind) -> Action:
    def action(c: Children, p: ParseState) -> tree.Resource:
        if not c[1]:
            p.errors.append("Empty JMX object name supplied")
        if c[1] == "*:*":
            p.errors.append("Please use ALL MBEANS instead of wildcard pattern")
        found = re.fullmatch(_OBJECT_NAME, c[1])
        if c[1] and found is None:
            p.errors.append(f"{c[1]} is not a valid JMX object name")
        if found is not None and kind is ResourceKind.MBEANS and not {"*", "?"} & set(c[1]):
            p.errors.append(f"Plural form used, but non-pattern JMX object name specified ({c[1]})")
        return tree.Resource(kind, None, c[1] if found is None else _canonical(found))

    return action


# --- roles ---------------------------------------------------------------------------------------------------------

# field of RoleOptions -> name of Cassandra's IRoleManager.Option, for messages
_OPTION_NAMES = {
    "password": "PASSWORD",
    "hashed_password": "HASHED_PASSWORD",
    "superuser": "SUPERUSER",
    "login": "LOGIN",
    "options": "OPTIONS",
}


def _role_options(said: Any) -> tree.RoleOptions:
    found: dict[str, Any] = {}
    for name, value in said:
        if name in found:
            if name in _OPTION_NAMES:
                raise CqlSyntaxError(f"Multiple definition for property '{_OPTION_NAMES[name]}'")
            value = (*found[name], *value)  # noqa: PLW2901
        found[name] = value
    if "password" in found and "hashed_password" in found:
        raise CqlSyntaxError("Options 'password' and 'hashed password' are mutually exclusive")
    return tree.RoleOptions(**found)


def _create_role(c: Children, p: ParseState) -> tree.CreateRole:
    return tree.CreateRole(fold(c[3]), _role_options(c[4]), c[2])


def _alter_role(c: Children, p: ParseState) -> tree.AlterRole:
    return tree.AlterRole(fold(c[3]), _role_options(c[4]), c[2])


def _create_user(c: Children, p: ParseState) -> tree.CreateRole:
    options = _role_options([*c[4], ("superuser", bool(c[5])), ("login", True)])
    return tree.CreateRole(c[3], options, c[2], True)


def _alter_user(c: Children, p: ParseState) -> tree.AlterRole:
    options = _role_options([*c[4], ("superuser", c[5])])
    return tree.AlterRole(c[3], options, c[2], True)


def _quoted(message: str) -> Action:
    def action(c: Children, p: ParseState) -> str:
        p.errors.append(message)
        return str(c[0])

    return action


# --- DESCRIBE ------------------------------------------------------------------------------------------------------

_DESCRIBED = {kind.value: kind for kind in DescribeKind} | {"COLUMNFAMILY": DescribeKind.TABLE}
_DESCRIBED["COLUMNFAMILIES"] = DescribeKind.TABLES

_Description = tuple[DescribeKind, str | None, str | None]


def _describe_word(c: Children, p: ParseState) -> _Description:
    return _DESCRIBED[c[0].upper()], None, None


def _describe_named(c: Children, p: ParseState) -> _Description:
    return _DESCRIBED[c[0].upper()], c[1].keyspace, c[1].name


def _describe_only_keyspace(c: Children, p: ParseState) -> _Description:
    return DescribeKind.ONLY_KEYSPACE, fold(c[2]) if len(c) > 2 else None, None


def _describe_any(c: Children, p: ParseState) -> _Description:
    return DescribeKind.ANY, fold(c[0]) if len(c) > 1 else None, fold(c[-1])


def _describe(c: Children, p: ParseState) -> tree.Describe:
    kind, keyspace, name = c[1]
    return tree.Describe(kind, keyspace, name, c[2])


def _index_target(kind: IndexTargetKind, column: int) -> Action:
    return lambda c, p: tree.IndexTarget(fold(c[column]), kind)


def _resource(kind: ResourceKind, keyspace: int | None = None) -> Action:
    return lambda c, p: tree.Resource(kind, None if keyspace is None else fold(c[keyspace]))


_TYPES: dict[str, Action] = {
    "type_ident": lambda c, p: user_type_ident(c[0], p),
    "native_type": lambda c, p: tree.NativeTypeName(c[0].lower()),
    "user_type": lambda c, p: tree.UserTypeName(c[0].keyspace, c[0].name),
    "list_type": lambda c, p: tree.ListTypeName(c[2]),
    "set_type": lambda c, p: tree.SetTypeName(c[2]),
    "map_type": lambda c, p: tree.MapTypeName(c[2], c[4]),
    "tuple_type": lambda c, p: tree.TupleTypeName(tuple(c[2])),
    "vector_type": _vector_type,
    "frozen_type": _frozen_type,
    "custom_type": lambda c, p: tree.CustomTypeName(c[0]),
    "pair": lambda c, p: (fold(c[0]), c[1]),
    "create_type": lambda c, p: tree.CreateType(c[3], tuple(c[5]), c[2]),
    "alter_type": _alter_type,
    "alter_field_type": lambda c, p: (tree.AlterTypeFieldType, (fold(c[1]), c[3])),
    "alter_add_field": lambda c, p: (tree.AlterTypeAdd, (fold(c[2]), c[3], c[1])),
    "alter_rename_fields": lambda c, p: (tree.AlterTypeRename, (_renames(c[2]), c[1])),
    "drop_type": lambda c, p: tree.DropType(c[3], c[2]),
}

_TABLES: dict[str, Action] = {
    "use": lambda c, p: tree.Use(fold(c[1])),
    "truncate": lambda c, p: tree.Truncate(c[-1]),
    "create_keyspace": lambda c, p: tree.CreateKeyspace(fold(c[3]), tuple(c[5]), c[2]),
    "alter_keyspace": lambda c, p: tree.AlterKeyspace(fold(c[3]), tuple(c[5]), c[2]),
    "drop_keyspace": lambda c, p: tree.DropKeyspace(fold(c[3]), c[2]),
    "properties": _properties,
    "more_properties": _more_properties,
    "property": _property,
    "map_property": _map_property,
    "raw_text": lambda c, p: c[0].text,
    "keyword_text": _keyword_text,
    "create_table": _create_table,
    "column_definition": _column_definition,
    "primary_key_column": _primary_key_column,
    "primary_key": lambda c, p: tree.PrimaryKey(names(c[3])),
    "primary_key_clustering": lambda c, p: tree.PrimaryKey(names(c[3]), names(c[5])),
    "mask": lambda c, p: tree.ColumnMask(c[2], tuple(c[4])),
    "default_mask": lambda c, p: tree.ColumnMask(tree.QualifiedName("system", "mask_default")),
    "table_properties": _properties,
    "more_table_properties": _more_properties,
    "compact_storage": lambda c, p: _CompactStorage(),
    "clustering_order_by": lambda c, p: c[4],
    "clustering_order": lambda c, p: tree.ClusteringOrder(fold(c[0]), c[1]),
    "alter_table": _alter_table,
    "alter_column_type": lambda c, p: (tree.AlterTableColumnType, (fold(c[1]), c[3])),
    "alter_column_mask": lambda c, p: (tree.AlterTableMask, (fold(c[1]), c[2])),
    "alter_existing_column_mask": lambda c, p: (tree.AlterTableMask, (fold(c[3]), c[4], True)),
    "alter_column_drop_mask": lambda c, p: (tree.AlterTableMask, (fold(c[1]), None)),
    "alter_existing_column_drop_mask": lambda c, p: (tree.AlterTableMask, (fold(c[3]), None, True)),
    "alter_add": lambda c, p: (tree.AlterTableAdd, ((c[2],), c[1])),
    "alter_add_several": lambda c, p: (tree.AlterTableAdd, (tuple(c[3]), c[1])),
    "alter_drop": lambda c, p: (tree.AlterTableDrop, ((fold(c[2]),), c[1], c[3])),
    "alter_drop_compact": lambda c, p: (tree.AlterTableDrop, (("compact",), False, c[2])),
    "alter_drop_several": lambda c, p: (tree.AlterTableDrop, (names(c[3]), c[1], c[5])),
    "alter_rename": lambda c, p: (tree.AlterTableRename, (_renames(c[2]), c[1])),
    "alter_drop_compact_storage": lambda c, p: (tree.AlterTableDropCompactStorage, ()),
    "alter_with": lambda c, p: (tree.AlterTableWith, (tuple(c[1]),)),
    "drop_table": lambda c, p: tree.DropTable(c[3], c[2]),
    "create_index": _create_index,
    "index_simple": _index_target(IndexTargetKind.SIMPLE, 0),
    "index_values": _index_target(IndexTargetKind.VALUES, 2),
    "index_keys": _index_target(IndexTargetKind.KEYS, 2),
    "index_entries": _index_target(IndexTargetKind.ENTRIES, 2),
    "index_full": _index_target(IndexTargetKind.FULL, 2),
    "drop_index": lambda c, p: tree.DropIndex(c[3], c[2]),
    "create_view": _create_view,
    "alter_view": lambda c, p: tree.AlterMaterializedView(c[4], tuple(c[6]), c[3]),
    "drop_view": lambda c, p: tree.DropMaterializedView(c[4], c[3]),
    "create_trigger": lambda c, p: tree.CreateTrigger(fold(c[3]), c[5], c[7], c[2]),
    "drop_trigger": lambda c, p: tree.DropTrigger(fold(c[3]), c[5], c[2]),
    "create_function": _create_function,
    "drop_function": lambda c, p: tree.DropFunction(c[3], None, c[2]),
    "drop_function_arguments": lambda c, p: tree.DropFunction(c[3], tuple(c[5]), c[2]),
    "create_aggregate": _create_aggregate,
    "drop_aggregate": lambda c, p: tree.DropAggregate(c[3], None, c[2]),
    "drop_aggregate_arguments": lambda c, p: tree.DropAggregate(c[3], tuple(c[5]), c[2]),
}

_ROLES: dict[str, Action] = {
    "grant": _grant,
    "revoke": _revoke,
    "grant_role": lambda c, p: tree.GrantRole(fold(c[1]), fold(c[3])),
    "revoke_role": lambda c, p: tree.RevokeRole(fold(c[1]), fold(c[3])),
    "list_permissions": _list_permissions,
    "all_permissions": lambda c, p: _PERMISSIONS,
    "all_keyspaces": _resource(ResourceKind.ALL_KEYSPACES),
    "keyspace_resource": _resource(ResourceKind.KEYSPACE, 1),
    "table_resource": _table_resource,
    "all_tables": _resource(ResourceKind.ALL_TABLES, 4),
    "all_roles": _resource(ResourceKind.ALL_ROLES),
    "role_resource": lambda c, p: tree.Resource(ResourceKind.ROLE, None, fold(c[1])),
    "all_functions": _resource(ResourceKind.ALL_FUNCTIONS),
    "keyspace_functions": _resource(ResourceKind.KEYSPACE_FUNCTIONS, 4),
    "function_resource": _function_resource,
    "all_mbeans": _resource(ResourceKind.ALL_MBEANS),
    "mbean": _mbean(ResourceKind.MBEAN),
    "mbeans": _mbean(ResourceKind.MBEANS),
    "create_role": _create_role,
    "alter_role": _alter_role,
    "drop_role": lambda c, p: tree.DropRole(fold(c[3]), c[2]),
    "list_roles": lambda c, p: tree.ListRoles(None if c[2] is None else fold(c[2]), c[3]),
    "role_password": lambda c, p: ("password", c[2]),
    "role_hashed_password": lambda c, p: ("hashed_password", c[3]),
    "role_custom_options": lambda c, p: ("options", _property_map(c[2], p)),
    "role_superuser": lambda c, p: ("superuser", c[2].lower() == "true"),
    "role_login": lambda c, p: ("login", c[2].lower() == "true"),
    "role_all_datacenters": lambda c, p: ("datacenters", ()),
    "role_datacenters": lambda c, p: ("datacenters", tuple(c[4])),
    "role_all_cidrs": lambda c, p: ("cidr_groups", ()),
    "role_cidrs": lambda c, p: ("cidr_groups", tuple(c[4])),
    "create_user": _create_user,
    "alter_user": _alter_user,
    "drop_user": lambda c, p: tree.DropRole(c[3], c[2]),
    "list_users": lambda c, p: tree.ListUsers(),
    "quoted_text": lambda c, p: Quoted(c[0]),
    "raw_name": lambda c, p: c[0],
    "quoted_user": _quoted("Quoted strings are are not supported for user names and USER is deprecated, please use ROLE"),
    "quoted_identity": _quoted("Quoted strings are are not supported for identity"),
    "user_password": lambda c, p: [("password", c[2])],
    "user_hashed_password": lambda c, p: [("hashed_password", c[3])],
    "add_identity": lambda c, p: tree.AddIdentity(c[3], c[6], c[2]),
    "drop_identity": lambda c, p: tree.DropIdentity(c[3], c[2]),
    "describe": _describe,
    "describe_word": _describe_word,
    "describe_named": _describe_named,
    "describe_keyspace": lambda c, p: (DescribeKind.KEYSPACE, fold(c[1]), None),
    "describe_full_schema": lambda c, p: (DescribeKind.FULL_SCHEMA, None, None),
    "describe_only_keyspace": _describe_only_keyspace,
    "describe_view": lambda c, p: (DescribeKind.MATERIALIZED_VIEW, c[2].keyspace, c[2].name),
    "describe_any": _describe_any,
}

ACTIONS: dict[str, Action] = {**_TYPES, **_TABLES, **_ROLES}

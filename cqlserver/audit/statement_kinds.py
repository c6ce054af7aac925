"""What an audited statement is: type, category, and what it is about (audit/AuditLogEntryType.java, getAuditLogContext of
the statements in cql3/statements/)."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from cqlserver.auth.resources import Resource
from grammar import tree
from grammar.errors import CqlSyntaxError
from grammar.parser import parse
from grammar.shape import shape

KINDS_MAX: Final = 10_000
"""Of texts, by their shape."""
TEXT_CHARS_MAX: Final = 65_536
"""A longer text is not looked into."""

CATEGORY_OF: Final[Mapping[str, str]] = {
    "SELECT": "QUERY", "UPDATE": "DML", "DELETE": "DML", "BATCH": "DML", "PREPARE_STATEMENT": "PREPARE",
    "GRANT": "DCL", "REVOKE": "DCL", "LIST_USERS": "DCL", "LIST_ROLES": "DCL", "LIST_PERMISSIONS": "DCL",
    "CREATE_ROLE": "DCL", "ALTER_ROLE": "DCL", "DROP_ROLE": "DCL", "CREATE_IDENTITY": "DCL", "DROP_IDENTITY": "DCL",
    "USE_KEYSPACE": "OTHER", "DESCRIBE": "OTHER", "REQUEST_FAILURE": "ERROR",
    "LOGIN_ERROR": "AUTH", "LOGIN_SUCCESS": "AUTH", "UNAUTHORIZED_ATTEMPT": "AUTH",
}  # fmt: skip
"""All others are DDL."""

_TYPES: Final[Mapping[type[tree.Statement], str]] = {
    tree.Select: "SELECT", tree.Insert: "UPDATE", tree.InsertJson: "UPDATE", tree.Update: "UPDATE", tree.Delete: "DELETE",
    tree.Batch: "BATCH", tree.Use: "USE_KEYSPACE", tree.Truncate: "TRUNCATE", tree.Describe: "DESCRIBE",
    tree.CreateKeyspace: "CREATE_KEYSPACE", tree.AlterKeyspace: "ALTER_KEYSPACE", tree.DropKeyspace: "DROP_KEYSPACE",
    tree.CreateTable: "CREATE_TABLE", tree.AlterTable: "ALTER_TABLE", tree.DropTable: "DROP_TABLE",
    tree.CreateType: "CREATE_TYPE", tree.AlterType: "ALTER_TYPE", tree.DropType: "DROP_TYPE",
    tree.CreateIndex: "CREATE_INDEX", tree.DropIndex: "DROP_INDEX", tree.CreateMaterializedView: "CREATE_VIEW",
    tree.AlterMaterializedView: "ALTER_VIEW", tree.DropMaterializedView: "DROP_VIEW",
    tree.CreateFunction: "CREATE_FUNCTION",
    tree.DropFunction: "DROP_FUNCTION", tree.CreateAggregate: "CREATE_AGGREGATE", tree.DropAggregate: "DROP_AGGREGATE",
    tree.CreateTrigger: "CREATE_TRIGGER", tree.DropTrigger: "DROP_TRIGGER", tree.Grant: "GRANT", tree.GrantRole: "GRANT",
    tree.Revoke: "REVOKE", tree.RevokeRole: "REVOKE", tree.ListPermissions: "LIST_PERMISSIONS", tree.ListRoles: "LIST_ROLES",
    tree.ListUsers: "LIST_ROLES", tree.CreateRole: "CREATE_ROLE", tree.AlterRole: "ALTER_ROLE", tree.DropRole: "DROP_ROLE",
    tree.AddIdentity: "CREATE_IDENTITY", tree.DropIdentity: "DROP_IDENTITY",
}  # fmt: skip


class StatementKind(NamedTuple):
    """`keyspace`: that the statement names, or is about; None: the one in use. `scope`: a table, or what else it is."""

    type: str
    keyspace: str | None = None
    scope: str | None = None

    @property
    def category(self) -> str:
        return CATEGORY_OF.get(self.type, "DDL")


UNKNOWN: Final = StatementKind("SELECT")
"""Of a text that nobody can parse any more, although it was answered: too long to be looked into."""

_NAME: Final = r"[a-z_]\w*"
_BEGIN: Final = re.compile(
    rf"(?:insert +into|update|(?:select|delete) +(?:[\w ,]*?|\*) *\bfrom) +{_NAME}(?:\.{_NAME})?(?=[ (;]|$)", re.IGNORECASE
)
"""Of plain statements, up to the table's name: enough to know what they are."""


class StatementKinds:
    """By text; what has one shape has one kind."""

    def __init__(self) -> None:
        self._known: dict[str, StatementKind] = {}

    def of(self, text: str) -> StatementKind:
        if len(text) > TEXT_CHARS_MAX:
            return _of_first_word(text)
        begin = _BEGIN.match(text)
        if begin is not None:
            kind = self._known.get(begin[0])
            if kind is None:
                kind = _kind(text)
                self._remember(begin[0], kind)
            return kind
        cut = shape(text)
        key = cut[0] if cut is not None else text
        kind = self._known.get(key)
        if kind is None:
            kind = _kind(text)
            self._remember(key, kind)
        return kind

    def _remember(self, key: str, kind: StatementKind) -> None:
        if len(self._known) >= KINDS_MAX:
            self._known.clear()
        self._known[key] = kind


def _of_first_word(text: str) -> StatementKind:
    word = text.lstrip()[:16].partition(" ")[0].upper()
    return StatementKind({"BEGIN": "BATCH", "INSERT": "UPDATE", "UPDATE": "UPDATE", "DELETE": "DELETE"}.get(word, "SELECT"))


def _kind(text: str) -> StatementKind:
    try:
        statement = parse(text)
    except CqlSyntaxError:
        return _of_first_word(text)
    for kind in type(statement).__mro__:
        if kind in _TYPES:
            return StatementKind(_TYPES[kind], *_about(statement))
    return UNKNOWN


def _about(statement: tree.Statement) -> tuple[str | None, str | None]:
    if isinstance(statement, tree.Grant | tree.Revoke):
        resource = statement.resource
        return resource.keyspace, Resource(resource.kind, resource.keyspace, resource.name).name
    if isinstance(statement, tree.CreateIndex | tree.CreateTrigger | tree.DropTrigger):
        return statement.table.keyspace, statement.name
    for field in ("name", "table"):  # of a view its own, not its base's
        name = getattr(statement, field, None)
        if isinstance(name, tree.QualifiedName):
            return name.keyspace, name.name
    if isinstance(statement, tree.Use):
        return statement.keyspace, None
    if isinstance(statement, tree.CreateKeyspace | tree.AlterKeyspace | tree.DropKeyspace):
        return statement.name, None
    return None, None

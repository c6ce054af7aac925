"""The rows of LIST ROLES, LIST USERS and LIST PERMISSIONS: made up, with columns of tables that do not exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cqlserver.auth.access import Access
from cqlserver.auth.grants import Granted
from protocol.metadata import ColumnSpec, ResultMetadata
from protocol.responses import Result, RowsResult, VoidResult
from protocol.types import BOOLEAN, TEXT, CqlType, MapType
from storage.projection import wire_values

_KEYSPACE: Final = "system_auth"
_OPTIONS: Final = MapType(TEXT, TEXT, frozen=True)


@dataclass(frozen=True, slots=True)
class Listing:
    """`logins_only`: roles that can't log in are left out."""

    columns: tuple[ColumnSpec, ...]
    logins_only: bool


def _columns(table: str, *columns: tuple[str, CqlType]) -> tuple[ColumnSpec, ...]:
    return tuple(ColumnSpec(_KEYSPACE, table, name, of) for name, of in columns)


ROLES: Final = Listing(
    _columns("roles", ("role", TEXT), ("super", BOOLEAN), ("login", BOOLEAN), ("options", _OPTIONS), ("datacenters", TEXT)),
    logins_only=False,
)
USERS: Final = Listing(_columns("users", ("name", TEXT), ("super", BOOLEAN), ("datacenters", TEXT)), logins_only=True)
_PERMISSIONS: Final = _columns("permissions", ("role", TEXT), ("username", TEXT), ("resource", TEXT), ("permission", TEXT))


def listed(access: Access, names: Sequence[str], listing: Listing) -> Result:
    """Rows of these roles; LIST USERS counts who is a superuser through others too."""
    if not names:
        return VoidResult()
    rows: list[tuple[bytes, ...]] = []
    for name in names:
        role = access.roles.maybe_role(name)
        can_login = role is not None and role.can_login
        datacenters = TEXT.encode(access.datacenters_text(name))
        if not listing.logins_only:
            is_super = role is not None and role.is_super
            flags = BOOLEAN.encode(is_super), BOOLEAN.encode(can_login)
            rows.append((TEXT.encode(name), *flags, _OPTIONS.encode({}), datacenters))
        elif can_login:
            rows.append((TEXT.encode(name), BOOLEAN.encode(access.roles.is_super(name)), datacenters))
    return _rows(listing.columns, rows)


def listed_permissions(found: Sequence[Granted]) -> Result:
    if not found:
        return VoidResult()
    texts = ((one.role, one.role, one.text, one.permission) for one in sorted(found))
    return _rows(_PERMISSIONS, [tuple(map(TEXT.encode, row)) for row in texts])


def _rows(columns: tuple[ColumnSpec, ...], rows: Sequence[tuple[bytes, ...]]) -> RowsResult:
    content = b"".join([wire_values(row) for row in rows])
    return RowsResult(ResultMetadata(columns), len(rows), content)

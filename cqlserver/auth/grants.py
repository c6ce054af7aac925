"""The authorizer (auth/CassandraAuthorizer.java): which role has which permission on what."""

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from cqlserver.auth.caches import AuthCache
from cqlserver.auth.resources import PERMISSIONS, Resource, named
from cqlserver.auth.roles import RoleManager
from cqlserver.auth.tables import AuthTables
from cqlserver.program.auth_settings import CacheSettings
from storage.environment.environment import Clock

Permissions = frozenset[str]
NONE: Final[Permissions] = frozenset()


class Granted(NamedTuple):
    """A line of LIST PERMISSIONS; they sort as Cassandra sorts them."""

    role: str
    resource: str
    order: int
    text: str

    @property
    def permission(self) -> str:
        return PERMISSIONS[self.order]


class Grants:
    def __init__(self, tables: AuthTables, roles: RoleManager, clock: Clock, settings: CacheSettings) -> None:
        self._tables, self._roles = tables, roles
        self.cache = AuthCache(settings, clock.monotonic, tables, self._load)

    def permissions(self, role: str, resource: Resource) -> Permissions:
        """All that a role may do with a resource, by itself or through roles that it is a member of; its parents, and
        whether it is a superuser, are for the caller."""
        return self.cache.get((role, resource.name))

    def _load(self, key: tuple[str, str]) -> Permissions:
        role, resource = key
        return NONE.union(*(self._of(name, resource) for name in self._roles.roles_of(role)))

    def _of(self, role: str, resource: str) -> Permissions:
        row = self._tables.maybe_row(
            "SELECT permissions FROM system_auth.role_permissions WHERE role = ? AND resource = ?", role, resource
        )
        return NONE if row is None else frozenset(row["permissions"] or ())

    def grant(self, role: str, permissions: Collection[str], resource: Resource) -> Permissions:
        """Which of them are new."""
        new = frozenset(permissions) - self._of(role, resource.name)
        if new:
            self._tables.write(_ADD, new, role, resource.name)
            self._tables.write(_INDEX, resource.name, role)
        return new

    def revoke(self, role: str, permissions: Collection[str], resource: Resource) -> Permissions:
        """Which of them it had."""
        found = self._of(role, resource.name) & frozenset(permissions)
        if found:
            self._tables.write(_REMOVE, found, role, resource.name)
            self._tables.write(_UNINDEX, resource.name, role)
        return found

    def revoke_all_from(self, role: str) -> None:
        """The role was dropped."""
        rows = list(self._tables.rows("SELECT resource FROM system_auth.role_permissions WHERE role = ?", role))
        for row in rows:
            self._tables.write(_UNINDEX, row["resource"], role)
        self._tables.write("DELETE FROM system_auth.role_permissions WHERE role = ?", role)

    def revoke_all_on(self, resource: Resource) -> None:
        """The resource was dropped."""
        name = resource.name
        rows = list(self._tables.rows(_ROLES_ON, name))
        if not rows:
            return
        for row in rows:
            self._tables.write("DELETE FROM system_auth.role_permissions WHERE role = ? AND resource = ?", row["role"], name)
        self._tables.write("DELETE FROM system_auth.resource_role_permissons_index WHERE resource = ?", name)

    def listed(self, role: str | None, permissions: Collection[str], resource: Resource | None) -> Iterator[Granted]:
        """What a role (None: any) was granted on a resource (None: any)."""
        for row in self._rows(role, resource):
            for permission in row["permissions"] or ():
                if permission in permissions:
                    text = str(named(row["resource"]))
                    yield Granted(row["role"], row["resource"], PERMISSIONS.index(permission), text)

    def _rows(self, role: str | None, resource: Resource | None) -> Iterator[dict[str, Any]]:
        select = "SELECT role, resource, permissions FROM system_auth.role_permissions"
        if role is not None and resource is not None:
            return self._tables.rows(f"{select} WHERE role = ? AND resource = ?", role, resource.name)
        if role is not None:
            return self._tables.rows(f"{select} WHERE role = ?", role)
        rows = self._tables.rows(select)
        return rows if resource is None else (row for row in rows if row["resource"] == resource.name)


_ROLES_ON: Final = "SELECT role FROM system_auth.resource_role_permissons_index WHERE resource = ?"
_ADD: Final = "UPDATE system_auth.role_permissions SET permissions = permissions + ? WHERE role = ? AND resource = ?"
_REMOVE: Final = "UPDATE system_auth.role_permissions SET permissions = permissions - ? WHERE role = ? AND resource = ?"
_INDEX: Final = "INSERT INTO system_auth.resource_role_permissons_index (resource, role) VALUES (?, ?)"
_UNINDEX: Final = "DELETE FROM system_auth.resource_role_permissons_index WHERE resource = ? AND role = ?"

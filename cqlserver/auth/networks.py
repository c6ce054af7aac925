"""From where a role may come (auth/CassandraNetworkAuthorizer.java, CassandraCIDRAuthorizer.java).

Datacenters: a set by role, empty for all. Cassandra keeps it under the name of the role's resource
('roles/alice'). Networks: named groups of them (system_auth.cidr_groups), of which a role has a set, empty for all.
"""

from collections.abc import Sequence
from typing import Final

from cqlserver.auth.caches import AuthCache
from cqlserver.auth.resources import role as role_resource
from cqlserver.auth.roles import RoleManager
from cqlserver.auth.tables import AuthTables
from cqlserver.program.auth_settings import CacheSettings
from storage.environment.environment import Clock

ALL: Final[frozenset[str]] = frozenset()


class Datacenters:
    """Which datacenters a role may use."""

    def __init__(self, tables: AuthTables, roles: RoleManager, clock: Clock, settings: CacheSettings, here: str) -> None:
        self._tables, self._roles, self._here = tables, roles, here
        self.cache = AuthCache(settings, clock.monotonic, tables, self.allowed)

    def allowed(self, role: str) -> frozenset[str] | None:
        """The set, empty for all of them; None for a role that can't log in."""
        if not self._roles.can_login(role):
            return None
        if self._roles.is_super(role):
            return ALL
        row = self._tables.maybe_row("SELECT dcs FROM system_auth.network_permissions WHERE role = ?", _key(role))
        return ALL if row is None else frozenset(row["dcs"] or ())

    def permit_here(self, role: str) -> bool:
        allowed = self.cache.get(role)
        return allowed is not None and (not allowed or self._here in allowed)

    def write(self, role: str, datacenters: Sequence[str]) -> None:
        self._tables.write(_SET_DATACENTERS, frozenset(datacenters), _key(role))

    def drop(self, role: str) -> None:
        self._tables.write("DELETE FROM system_auth.network_permissions WHERE role = ?", _key(role))


def _key(role: str) -> str:
    return role_resource(role).name


class Networks:
    """Which groups of networks a role may come from. They are written also where nobody checks them."""

    def __init__(self, tables: AuthTables) -> None:
        self._tables = tables

    def groups(self) -> list[str]:
        return sorted(row["cidr_group"] for row in self._tables.rows("SELECT cidr_group FROM system_auth.cidr_groups"))

    def write(self, role: str, groups: Sequence[str]) -> None:
        self._tables.write(_SET_GROUPS, frozenset(groups), role)

    def drop(self, role: str) -> None:
        self._tables.write("DELETE FROM system_auth.cidr_permissions WHERE role = ?", role)


_SET_DATACENTERS: Final = "UPDATE system_auth.network_permissions SET dcs = ? WHERE role = ?"
_SET_GROUPS: Final = "UPDATE system_auth.cidr_permissions SET cidr_groups = ? WHERE role = ?"

"""The role manager (auth/CassandraRoleManager.java): roles, who is a member of which, identities of certificates."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cqlserver.auth.caches import AuthCache
from cqlserver.auth.tables import AuthTables
from cqlserver.program.auth_settings import CacheSettings
from protocol.errors import InvalidRequest, Overloaded, ServerError
from storage.environment.environment import Clock

log = logging.getLogger("cqlserver")

CLASS_NAME: Final = "org.apache.cassandra.auth.CassandraRoleManager"
DEFAULT_SUPERUSER_HASH: Final = "$2a$10$B0JJPOsIR0uTB1ndj8pztOJ5ZaUXY1ZlHLTpN/TAXDU8y4DUWDvVi"
"""Of the password 'cassandra'. Everybody knows it, so a salt that everybody knows takes nothing away."""
PASSWORD_INTERVAL_MS: Final = 5_000
"""A role's password may be changed only so often (cassandra.role_password_update_min_interval_in_ms)."""


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    is_super: bool
    can_login: bool
    member_of: frozenset[str]


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What CREATE ROLE and ALTER ROLE say; None: nothing."""

    superuser: bool | None = None
    login: bool | None = None
    salted_hash: str | None = None


class RoleManager:
    def __init__(self, tables: AuthTables, clock: Clock, settings: CacheSettings) -> None:
        self.tables, self._clock = tables, clock
        self.cache = AuthCache(settings, clock.monotonic, tables, self._all_of)

    # --- what is asked at each check: from the cache ---------------------------------------------------------------------

    def roles_of(self, name: str) -> Mapping[str, Role]:
        """The role and all that it is a member of, by name, it first; empty where it does not exist."""
        return self.cache.get(name)

    def is_super(self, name: str) -> bool:
        return any(role.is_super for role in self.roles_of(name).values())

    def can_login(self, name: str) -> bool:
        role = self.roles_of(name).get(name)
        return role is not None and role.can_login

    # --- what is so now --------------------------------------------------------------------------------------------------

    def maybe_role(self, name: str) -> Role | None:
        row = self.tables.maybe_row("SELECT * FROM system_auth.roles WHERE role = ?", name)
        if row is None:
            return None
        if row["is_superuser"] is None or row["can_login"] is None:
            raise ServerError(f"java.lang.RuntimeException: Invalid metadata has been detected for role {name}")
        return Role(row["role"], row["is_superuser"], row["can_login"], frozenset(row["member_of"] or ()))

    def exists(self, name: str) -> bool:
        return self.maybe_role(name) is not None

    def names(self) -> list[str]:
        return [row["role"] for row in self.tables.rows("SELECT role FROM system_auth.roles")]

    def granted_to(self, name: str, inherited: bool) -> list[str]:
        """The role itself and what it is a member of: by all ways, or directly."""
        if inherited:
            return list(self._all_of(name))
        role = self.maybe_role(name)
        if role is None:
            return []
        direct = (self.maybe_role(member) for member in sorted(role.member_of))
        return list(dict.fromkeys([name, *("" if of is None else of.name for of in direct)]))

    def _all_of(self, name: str) -> Mapping[str, Role]:
        found: dict[str, Role] = {}
        seen: set[str] = set()

        def collect(role: Role | None) -> None:
            if role is None:
                return
            found.setdefault(role.name, role)
            for granted in sorted(role.member_of):
                if granted not in seen:
                    seen.add(granted)
                    collect(self.maybe_role(granted))

        collect(self.maybe_role(name))
        return MappingProxyType(found)

    # --- changes ---------------------------------------------------------------------------------------------------------

    def create_first(self, name: str, salted_hash: Callable[[], str]) -> None:
        """A superuser, where there is no role at all."""
        if self.exists(name) or self.tables.maybe_row("SELECT role FROM system_auth.roles LIMIT 1") is not None:
            return
        self.tables.write(
            "INSERT INTO system_auth.roles (role, is_superuser, can_login, salted_hash) VALUES (?, ?, ?, ?) "
            "USING TIMESTAMP 0",
            *(name, True, True, salted_hash()),
        )
        log.info("Created default superuser role '%s'", name)

    def create(self, name: str, change: RoleChange) -> None:
        if any(self._identities_of(name)):
            raise ServerError(
                f"java.lang.IllegalStateException: Cannot create a role '{name}' when identities already exists for it"
            )
        self.alter(name, RoleChange(change.superuser or False, change.login or False, change.salted_hash), is_new=True)

    def alter(self, name: str, change: RoleChange, is_new: bool = False) -> None:
        said: dict[str, str | bool | None] = {
            "is_superuser": change.superuser,
            "can_login": change.login,
            "salted_hash": change.salted_hash,
        }
        given = {column: value for column, value in said.items() if value is not None}
        if not given:
            return
        if is_new:
            names, markers = ", ".join(given), ", ".join("?" * len(given))
            self.tables.write(f"INSERT INTO system_auth.roles (role, {names}) VALUES (?, {markers})", name, *given.values())
        else:
            assignments = ", ".join(f"{column} = ?" for column in given)
            self.tables.write(f"UPDATE system_auth.roles SET {assignments} WHERE role = ?", *given.values(), name)

    def check_password_may_change(self, name: str) -> None:
        row = self.tables.maybe_row(
            "SELECT writetime(salted_hash) AS written_us FROM system_auth.roles WHERE role = ?", name
        )
        if row is not None and row["written_us"] is not None:
            age_ms = self._clock.wall_us() // 1000 - row["written_us"] // 1000
            if age_ms <= PASSWORD_INTERVAL_MS:
                raise Overloaded(f"Password for role {name} can only be changed every {PASSWORD_INTERVAL_MS}ms.")

    def drop(self, name: str) -> None:
        write = self.tables.write
        write("DELETE FROM system_auth.roles WHERE role = ?", name)
        members = [row["member"] for row in self.tables.rows(_MEMBERS, name)]
        for member in members:
            write(_LEAVE, frozenset((name,)), member)
        if members:
            write("DELETE FROM system_auth.role_members WHERE role = ?", name)
        for identity in self._identities_of(name):
            self.drop_identity(identity)

    def grant(self, name: str, grantee: str) -> None:
        for of, member in ((grantee, name), (name, grantee)):
            if member in self._all_of(of):
                raise InvalidRequest(f"{of} is a member of {member}")
        self.tables.write(_JOIN, frozenset((name,)), grantee)
        self.tables.write("INSERT INTO system_auth.role_members (role, member) VALUES (?, ?)", name, grantee)

    def revoke(self, name: str, revokee: str) -> None:
        if name not in self.granted_to(revokee, False):
            raise InvalidRequest(f"{revokee} is not a member of {name}")
        self.tables.write(_LEAVE, frozenset((name,)), revokee)
        self.tables.write("DELETE FROM system_auth.role_members WHERE role = ? AND member = ?", name, revokee)

    # --- identities ------------------------------------------------------------------------------------------------------

    def maybe_role_of_identity(self, identity: str) -> str | None:
        row = self.tables.maybe_row("SELECT role FROM system_auth.identity_to_role WHERE identity = ?", identity)
        return None if row is None else row["role"]

    def add_identity(self, identity: str, role: str) -> None:
        if self.maybe_role_of_identity(identity) is not None:
            raise ServerError(
                "java.lang.IllegalStateException: "
                f"Identity is already associated with another role, cannot associate it with role {role}"
            )
        self.tables.write("INSERT INTO system_auth.identity_to_role (identity, role) VALUES (?, ?)", identity, role)

    def drop_identity(self, identity: str) -> None:
        self.tables.write("DELETE FROM system_auth.identity_to_role WHERE identity = ?", identity)

    def _identities_of(self, role: str) -> Iterator[str]:
        for row in self.tables.rows("SELECT identity, role FROM system_auth.identity_to_role"):
            if row["role"] == role:
                yield row["identity"]


_MEMBERS: Final = "SELECT member FROM system_auth.role_members WHERE role = ?"
_JOIN: Final = "UPDATE system_auth.roles SET member_of = member_of + ? WHERE role = ?"
_LEAVE: Final = "UPDATE system_auth.roles SET member_of = member_of - ? WHERE role = ?"

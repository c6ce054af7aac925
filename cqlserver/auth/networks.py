"""From where a role may come (auth/CassandraNetworkAuthorizer.java, CassandraCIDRAuthorizer.java).

Datacenters: a set by role, empty for all. Cassandra keeps it under the name of the role's resource
('roles/alice'). Networks: named groups of them (system_auth.cidr_groups), of which a role has a set, empty for all.
"""

import logging
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from cqlserver.auth.caches import AuthCache
from cqlserver.auth.network_counts import NetworkCounts
from cqlserver.auth.resources import role as role_resource
from cqlserver.auth.roles import RoleManager
from cqlserver.auth.tables import AuthTables
from cqlserver.program.auth_settings import AuthSettings, CacheSettings
from storage.environment.environment import Clock

ALL: Final[frozenset[str]] = frozenset()
Network = tuple[IPv4Address | IPv6Address, int]
"""Its first address, and how many bits of it all addresses have in common."""
log = logging.getLogger("cqlserver")


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

    def __init__(self, tables: AuthTables, roles: RoleManager, clock: Clock, settings: AuthSettings) -> None:
        self._tables, self._roles, self._clock, self._settings = tables, roles, clock, settings.cidr
        self.cache = AuthCache(settings.permissions, clock.monotonic, tables, self.allowed)
        self.counts = NetworkCounts(clock.monotonic)
        self._known = KnownNetworks(())
        self._known_until = self._told_until = float("-inf")

    def allowed(self, role: str) -> frozenset[str] | None:
        """The groups, empty for all of them; None for a role that can't log in."""
        if not self._roles.can_login(role):
            return None
        if self._roles.is_super(role) and not self._settings.checks_superusers:
            return ALL
        row = self._tables.maybe_row("SELECT cidr_groups FROM system_auth.cidr_permissions WHERE role = ?", role)
        return ALL if row is None else frozenset(row["cidr_groups"] or ())

    def permit(self, role: str, address: str) -> bool:
        with self.counts.checks.timed():
            return self._permit(role, address)

    def _permit(self, role: str, address: str) -> bool:
        allowed = self.cache.get(role)
        if allowed is not None and not allowed and self._settings.enforces:
            return True
        groups = self.groups_of(address)
        is_allowed = allowed is not None and (not allowed or not allowed.isdisjoint(groups))
        if not is_allowed and not self._settings.enforces:
            self._tell(role, address, groups)
            is_allowed = True
        self.counts.checked(groups, is_allowed)
        return is_allowed

    def groups_of(self, address: str) -> frozenset[str]:
        """Those that have the narrowest network in which an address lies. Raises ValueError."""
        if self._clock.monotonic() >= self._known_until:
            self.reload()
        of = ip_address(address)
        with self.counts.lookups.timed():
            return self._known.groups_of((of.ipv4_mapped or of) if isinstance(of, IPv6Address) else of)

    def reload(self) -> None:
        """Reads the groups anew."""
        with self.counts.reloads.timed():
            rows = self._tables.rows("SELECT cidr_group, cidrs FROM system_auth.cidr_groups")
            self._known = KnownNetworks((row["cidr_group"], row["cidrs"] or ()) for row in rows)
        self._known_until = self._clock.monotonic() + 60 * self._settings.refresh_minutes

    def _tell(self, role: str, address: str, groups: frozenset[str]) -> None:
        """Once a minute."""
        now = self._clock.monotonic()
        if now >= self._told_until:
            self._told_until = now + 60
            shown = ", ".join(sorted(groups))
            log.warning("Role %s accessed from unauthorized IP %s, CIDR group [%s]", role, address, shown)

    def groups(self) -> list[str]:
        return sorted(row["cidr_group"] for row in self._tables.rows("SELECT cidr_group FROM system_auth.cidr_groups"))

    def has_group(self, name: str) -> bool:
        row = self._tables.maybe_row("SELECT cidrs FROM system_auth.cidr_groups WHERE cidr_group = ?", name)
        return row is not None and bool(row["cidrs"])

    def write_group(self, name: str, networks: Iterable[Network]) -> None:
        shown = ", ".join(f"('{address}', {prefix})" for address, prefix in networks)
        self._tables.write(f"UPDATE system_auth.cidr_groups SET cidrs = {{{shown}}} WHERE cidr_group = ?", name)

    def drop_group(self, name: str) -> None:
        self._tables.write("DELETE FROM system_auth.cidr_groups WHERE cidr_group = ?", name)

    def write(self, role: str, groups: Sequence[str]) -> None:
        self._tables.write(_SET_GROUPS, frozenset(groups), role)

    def drop(self, role: str) -> None:
        self._tables.write("DELETE FROM system_auth.cidr_permissions WHERE role = ?", role)


class KnownNetworks:
    """The networks of each group."""

    def __init__(self, groups: Iterable[tuple[str, Iterable[Network]]]) -> None:
        named: dict[tuple[int, int], dict[int, set[str]]] = {}
        for group, networks in groups:
            for address, prefix in networks:
                if not 0 <= prefix <= address.max_prefixlen:
                    log.error("Invalid CIDR %s/%d found in the table, ignoring this entry", address, prefix)
                    continue
                network = int(address) >> (address.max_prefixlen - prefix)
                named.setdefault((address.version, prefix), {}).setdefault(network, set()).add(group)
        self._named = sorted(named.items(), reverse=True)

    def groups_of(self, address: IPv4Address | IPv6Address) -> frozenset[str]:
        """The narrowest network decides."""
        for (version, prefix), groups in self._named:
            found = groups.get(int(address) >> (address.max_prefixlen - prefix)) if version == address.version else None
            if found is not None:
                return frozenset(found)
        return frozenset()


def parsed_network(text: str) -> Network:
    """'10.1.2.3/8' -> 10.0.0.0 and 8 (cql3/CIDR.java). Raises ValueError with Cassandra's words."""
    parts = text.rstrip("/").split("/")
    if len(parts) != 2:
        raise ValueError(f"{text} is not a valid CIDR String")
    prefix = _short(parts[1])
    try:
        address = ip_address(parts[0] or "127.0.0.1")  # Java takes none for its own
    except ValueError:
        raise ValueError(f"{text} is not a valid CIDR String") from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
        prefix -= 96 if "." in parts[0] else 0
    if not 0 <= prefix <= address.max_prefixlen:
        raise ValueError(f"{text} is not a valid CIDR String")
    others = address.max_prefixlen - prefix
    return type(address)(int(address) >> others << others), prefix


def _short(text: str) -> int:
    """Java's Short.parseShort. Raises ValueError."""
    if not text.lstrip("+-").isdecimal() or not -(1 << 31) <= (value := int(text)) < 1 << 31:
        raise ValueError(f'For input string: "{text}"')
    if not -(1 << 15) <= value < 1 << 15:
        raise ValueError(f'Value out of range. Value:"{text}" Radix:10')
    return value


_SET_DATACENTERS: Final = "UPDATE system_auth.network_permissions SET dcs = ? WHERE role = ?"
_SET_GROUPS: Final = "UPDATE system_auth.cidr_permissions SET cidr_groups = ? WHERE role = ?"

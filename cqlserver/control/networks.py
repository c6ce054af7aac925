"""Groups of networks from which roles may come: written, looked up and read anew (auth/CIDRGroupsMappingManager.java)."""

from cqlserver.auth.access import Access
from cqlserver.auth.networks import parsed_network
from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.system.network_views import access_counts, latencies


async def cidr_groups_of_ip(control: Control, *, address: str) -> object:
    """The groups that have the narrowest network in which an address lies."""
    try:
        parsed_network(f"{address}/0")
    except ValueError:
        raise BadArgument(f"Invalid IP {address}") from None
    return {"groups": sorted(_checking(control, "'Get CIDR groups for IP'").networks.groups_of(address))}


async def set_cidr_group(control: Control, *, group: str, networks: list[str]) -> object:
    """Says which networks a group has."""
    try:
        parsed = [parsed_network(network) for network in networks]
    except ValueError as error:
        raise Refused(str(error)) from None
    control.node.access.networks.write_group(group, parsed)
    await control.settle()
    return {}


async def drop_cidr_group(control: Control, *, group: str) -> object:
    """Forgets a group."""
    networks = control.node.access.networks
    if not networks.has_group(group):
        raise Refused(f"CIDR group '{group}' doesn't exists")
    networks.drop_group(group)
    await control.settle()
    return {}


async def reload_cidr_groups(control: Control) -> object:
    """Reads the groups anew."""
    _checking(control, "Load CIDR groups cache").networks.reload()
    return {}


async def invalidate_cidr_permissions(control: Control, *, roles: list[str]) -> object:
    """Forgets from where roles may come, or all may; `forgotten`: of whom something was known."""
    cache = _checking(control, "Invalidate CIDR permissions cache").networks.cache
    known = set(cache.keys())
    for role in roles:
        cache.forget(role)
    if not roles:
        cache.clear()
    return {"forgotten": [role for role in roles if role in known]}


async def cidr_filtering_stats(control: Control) -> object:
    """What was counted of checking."""
    return {"counts": list(access_counts(control.node)), "latencies": list(latencies(control.node))}


def _checking(control: Control, what: str) -> Access:
    """Where somebody is asked from where roles may come. Raises Refused."""
    if not control.node.config.auth.checks_networks:
        raise Refused(f"{what} operation not supported by AllowAllCIDRAuthorizer")
    return control.node.access

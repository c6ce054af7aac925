"""nodetool's commands about groups of networks from which roles may come."""

from typing import Final

from cqlserver.nodetool.arguments import Command

NETWORK_COMMANDS: Final = (
    Command("cidrfilteringstats", "Print statistics on CIDR filtering", "networks"),
    Command(
        "dropcidrgroup",
        "Drop an existing cidr group",
        "networks",
        (),
        "<cidrGroup>",
        "Requires a cidr group name",
    ),
    Command(
        "getcidrgroupsofip",
        "Print CIDR groups associated with given IP",
        "networks",
        (),
        "<IP address>",
        "Requires IP address as a string",
    ),
    Command(
        "invalidatecidrpermissionscache",
        "Invalidate the cidr permissions cache",
        "networks",
        (),
        "[<role>...]",
        "List of roles to invalidate. By default, all roles",
    ),
    Command(
        "reloadcidrgroupscache",
        "Reload CIDR groups cache with latest entries in cidr_groups table, when CIDR authorizer is enabled",
        "networks",
    ),
    Command(
        "updatecidrgroup",
        "Insert/Update a cidr group",
        "networks",
        (),
        "[<cidrGroup> <cidr> ...]",
        "Requires a cidr group name, followed by one or more CIDRs separated by space",
    ),
)

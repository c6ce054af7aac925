"""Groups of networks: updatecidrgroup, dropcidrgroup, getcidrgroupsofip, what is believed of them, and what is counted."""

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import double, in_java_order, table
from cqlserver.nodetool.program import Tool

_QUANTILES = ("p50th", "p95th", "p99th", "p999th", "max")


def cidrfilteringstats(tool: Tool) -> None:
    told = tool.call("cidr_filtering_stats")
    counts = in_java_order({of["name"]: str(of["value"]) for of in told["counts"]})
    tool.out("cidr_filtering_metrics_counts: ")
    tool.out(table([("name", "value"), *counts.items()]))
    latencies = in_java_order({of["name"]: [double(of[share]) for share in _QUANTILES] for of in told["latencies"]})
    tool.out("cidr_filtering_metrics_latencies: ")
    tool.out(table([("name", *_QUANTILES), *((name, *values) for name, values in latencies.items())]))


def dropcidrgroup(tool: Tool) -> None:
    if len(tool.arguments) != 1:
        raise UsageError("dropcidrgroup command requires a cidr group name")
    tool.call("drop_cidr_group", group=tool.arguments[0])
    tool.out(f"Deleted CIDR group {tool.arguments[0]}")


def getcidrgroupsofip(tool: Tool) -> None:
    if len(tool.arguments) != 1:
        raise UsageError("Requires IP address as input")
    groups = tool.call("cidr_groups_of_ip", address=tool.arguments[0])["groups"]
    if groups:
        tool.write(table([["CIDR Groups: "], *([group] for group in in_java_order(dict.fromkeys(groups), 1))]))


def invalidatecidrpermissionscache(tool: Tool) -> None:
    roles = tool.arguments
    forgotten = tool.call("invalidate_cidr_permissions", roles=roles)["forgotten"]
    if not roles:
        tool.out("Invalidated CIDR permissions cache")
    for role in roles:
        if role in forgotten:
            tool.out(f"Invalidated the role {role} from CIDR permissions cache")
        else:
            tool.out(f"Not found role {role} in CIDR permissions cache, nothing to invalidate")


def reloadcidrgroupscache(tool: Tool) -> None:
    tool.call("reload_cidr_groups")
    tool.out("Reloaded CIDR groups cache")


def updatecidrgroup(tool: Tool) -> None:
    if len(tool.arguments) < 2:
        raise UsageError("updatecidrgroup command requires a cidr group name and atleast one CIDR")
    group, *networks = tool.arguments
    tool.call("set_cidr_group", group=group, networks=networks)

"""invalidate*cache of what is believed of roles."""

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.program import Tool


def invalidatecredentialscache(tool: Tool) -> None:
    tool.call("invalidate_auth_cache", cache="credentials", roles=tool.arguments)


def invalidatenetworkpermissionscache(tool: Tool) -> None:
    tool.call("invalidate_auth_cache", cache="network_permissions", roles=tool.arguments)


def invalidaterolescache(tool: Tool) -> None:
    tool.call("invalidate_auth_cache", cache="roles", roles=tool.arguments)


def invalidatepermissionscache(tool: Tool) -> None:
    resources = _resources(tool)
    if not tool.arguments:
        if resources:
            raise UsageError("No resource options allowed without a <role> being specified")
        tool.call("invalidate_auth_cache", cache="permissions")
        return
    if len(tool.arguments) != 1:
        raise UsageError("A single <role> is only supported / you have a typo in the resource options spelling")
    if not resources:
        raise UsageError("No resource options specified")
    for resource in resources:
        tool.call("invalidate_auth_cache", cache="permissions", roles=tool.arguments, resource=resource)


def _resources(tool: Tool) -> list[str]:
    """Their names, in the order in which Cassandra's tool takes them. Raises UsageError."""
    options = tool.options
    keyspace, table, functions_in = options["keyspace"], options["table"], options["functions_in_keyspace"]
    found = ["data"] if options["all_keyspaces"] else []
    for option, name in ((options["all_tables"], "--all-tables"), (table, "--table")):
        if option and not keyspace and tool.arguments:
            raise UsageError(f"{name} option should be passed along with --keyspace option")
    if options["all_tables"]:
        found.append(f"data/{keyspace}/*")
    if table:
        found.append(f"data/{keyspace}/{table}")
    elif keyspace and not options["all_tables"]:
        found.append(f"data/{keyspace}")
    found += ["roles"] if options["all_roles"] else []
    found += [f"roles/{options['role']}"] if options["role"] else []
    found += ["functions"] if options["all_functions"] else []
    if options["function"]:
        if not functions_in and tool.arguments:
            raise UsageError("--function option should be passed along with --functions-in-keyspace option")
        found.append(f"functions/{functions_in}/{options['function']}")
    elif functions_in:
        found.append(f"functions/{functions_in}")
    found += ["mbean"] if options["all_mbeans"] else []
    return found + ([f"mbean/{options['mbean']}"] if options["mbean"] else [])

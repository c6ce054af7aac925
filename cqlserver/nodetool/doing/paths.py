"""datapaths, viewbuildstatus."""

from typing import Any

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import as_json, as_yaml, in_java_order, table
from cqlserver.nodetool.program import Exit, Tool


def datapaths(tool: Tool) -> None:
    form = tool.options["format"]
    if form is not None and form not in ("json", "yaml"):
        raise UsageError("arguments for -F are yaml and json only.")
    keyspaces: dict[str, dict[str, list[str]]] = {}
    for found in tool.call("data_paths")["tables"]:
        names = (found["keyspace"], f"{found['keyspace']}.{found['table']}")
        if not tool.arguments or any(name in tool.arguments for name in names):
            keyspaces.setdefault(found["keyspace"], {})[found["table"]] = [found["path"]]
    ordered: dict[str, Any] = in_java_order({name: in_java_order(tables) for name, tables in keyspaces.items()})
    if form is not None:
        tool.write((as_json if form == "json" else as_yaml)(ordered))
        return
    for keyspace, tables in ordered.items():
        tool.out(f"Keyspace: {keyspace}")
        for name, paths in tables.items():
            tool.write(f"\tTable: {name}\n\tPaths:\n" + "".join(f"\t\t{path}\n" for path in paths) + "\n")


def viewbuildstatus(tool: Tool) -> None:
    names = tool.arguments[0].split(".") if len(tool.arguments) == 1 else tool.arguments
    if len(names) != 2:
        raise UsageError("viewbuildstatus requires keyspace and view name arguments")
    keyspace, view = names
    nodes = tool.call("view_build_status", keyspace=keyspace, view=view)["nodes"]
    if all(node["status"] == "SUCCESS" for node in nodes):
        tool.out(f"{keyspace}.{view} has finished building")
        return
    tool.out(f"{keyspace}.{view} has not finished building; node status is below.\n")
    tool.write(table([["Host", "Info"], *([f"/{_host(tool, node)}", node["status"]] for node in nodes)]))
    raise Exit(1)


def _host(tool: Tool, node: dict[str, Any]) -> str:
    return f"{node['address']}:{node['port']}" if tool.options["print_port"] else str(node["address"])

"""status, ring, describecluster, describering."""

from typing import Any

from cqlserver.control.client import ControlError
from cqlserver.nodetool.printing import file_size, in_java_order, table
from cqlserver.nodetool.program import Exit, Tool

_STATES = {"normal": "N", "leaving": "L", "joining": "J", "moving": "M"}


def _ring(tool: Tool) -> dict[str, Any]:
    """The ring as the keyspace that is named last has it, its nodes in the order in which Cassandra's tool has them."""
    keyspace = tool.arguments[-1] if tool.arguments else None
    try:
        found: dict[str, Any] = tool.call("ring", keyspace=keyspace)
    except ControlError as error:
        if error.code != "NoSuchRing":
            raise
        tool.write(f"\nError: {error.message}\n")
        raise Exit(1) from None
    by_name = {f"{node['address']}:{node['port']}": node for node in found["nodes"]}
    found["nodes"] = list(in_java_order(by_name).values())
    return found


def _by_datacenter(nodes: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    datacenters: dict[str, list[dict[str, Any]]] = {}
    for node in nodes:
        datacenters.setdefault(node["datacenter"], []).append(node)
    return dict(sorted(datacenters.items()))


def _address(tool: Tool, node: dict[str, Any]) -> str:
    address: str = node["address"]
    if tool.options.get("resolve_ip"):
        import socket

        address = socket.getfqdn(address)
    return f"{address}:{node['port']}" if tool.options["print_port"] else address


def _load(node: dict[str, Any]) -> str:
    return "?" if node["load_bytes"] is None else file_size(node["load_bytes"])


def status(tool: Tool) -> None:
    ring = _ring(tool)
    is_effective = ring["note"] is None
    has_vnodes = any(len(node["tokens"]) > 1 for node in ring["nodes"])
    owns = "Owns (effective)" if is_effective else "Owns"
    head = ["--", "Address", "Load", *(["Tokens"] if has_vnodes else []), owns, "Host ID"]
    head += ["Rack"] if has_vnodes else ["Token", "Rack"]
    datacenters = _by_datacenter(ring["nodes"])
    rows = [head]
    for nodes in datacenters.values():
        for node in nodes:
            row = [("U" if node["is_up"] else "D") + _STATES[node["state"]], _address(tool, node), _load(node)]
            row += [str(len(node["tokens"]))] if has_vnodes else []
            row += [f"{node['owns'] * 100:.1f}%" if is_effective else "?", node["host_id"]]
            rows.append(row + ([node["rack"]] if has_vnodes else [node["tokens"][0], node["rack"]]))
    lines = table(rows, "  ").splitlines(keepends=True)  # all data centers' columns are as wide
    at = 1
    for name, nodes in datacenters.items():
        title = f"Datacenter: {name}"
        between = "\n" if at > 1 else ""
        tool.write(f"{between}{title}\n{'=' * len(title)}\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n")
        tool.write(lines[0] + "".join(lines[at : at + len(nodes)]))
        at += len(nodes)
    tool.write("\n" if is_effective else f"\nNote: {ring['note']}\n")


def ring(tool: Tool) -> None:
    ring = _ring(tool)
    width = max(len(f"{node['address']}:{node['port']}") for node in ring["nodes"])

    def line(*cells: str) -> None:
        address, rack, is_up, state, load, owns, token = cells
        tool.out(f"{address:<{width}}  {rack:<12}{is_up:<7}{state:<8}{load:<16}{owns:<20}{token:<44}")

    tool.out("")
    for name, nodes in _by_datacenter(ring["nodes"]).items():
        tokens = sorted(((int(token), node) for node in nodes for token in node["tokens"]), key=lambda pair: pair[0])
        tool.out(f"Datacenter: {name}\n==========")
        line("Address", "Rack", "Status", "State", "Load", "Owns", "Token")
        if len(tokens) > 1:
            line("", "", "", "", "", "", str(tokens[-1][0]))
        else:
            tool.out("")
        for token, node in tokens:
            is_up, state = "Up" if node["is_up"] else "Down", node["state"].capitalize()
            owns = f"{node['owns'] * 100:.2f}%" if ring["note"] is None else "?"
            line(_address(tool, node), node["rack"], is_up, state, _load(node), owns, str(token))
        tool.out("")
    if any(len(node["tokens"]) > 1 for node in ring["nodes"]):
        tool.out('  Warning: "nodetool ring" is used to output all the tokens of a node.')
        tool.out('  To view status related info of a node use "nodetool status" instead.\n')
    tool.write("\n  " if ring["note"] is None else f"\n  Note: {ring['note']}\n")


def describecluster(tool: Tool) -> None:
    cluster, ring = tool.call("cluster_facts"), tool.call("ring")
    nodes = ring["nodes"]
    tool.out("Cluster Information:")
    dynamic = "enabled" if cluster["dynamic_snitch"] else "disabled"
    tool.out(f"\tName: {cluster['name']}\n\tSnitch: {cluster['snitch']}\n\tDynamicEndPointSnitch: {dynamic}")
    tool.out(f"\tPartitioner: {cluster['partitioner']}\n\tSchema versions:")
    for version, names in in_java_order(cluster["schema_versions"]).items():
        shown = names if tool.options["print_port"] else [name.rpartition(":")[0] for name in names]
        tool.out(f"\t\t{version}: [{', '.join(shown)}]\n")
    states = [node["state"] for node in nodes]
    down = [node for node in nodes if not node["is_up"]]
    tool.out(f"Stats for all nodes:\n\tLive: {len(nodes) - len(down)}")
    tool.out(f"\tJoining: {states.count('joining')}\n\tMoving: {states.count('moving')}")
    tool.out(f"\tLeaving: {states.count('leaving')}\n\tUnreachable: {len(down)}")
    tool.out("\nData Centers: ")
    for name, there in _by_datacenter(nodes).items():
        tool.out(f"\t{name} #Nodes: {len(there)} #Down: {sum(1 for node in there if not node['is_up'])}")
    tool.out("\nDatabase versions:")
    for version, names in in_java_order(cluster["release_versions"]).items():
        tool.out(f"\t{version}: [{', '.join(names)}]\n")
    tool.out("Keyspaces:")
    for keyspace in cluster["keyspaces"]:
        tool.out(f"\t{keyspace['name']} -> Replication class: {keyspace['replication']}")
    if ring["note"] is not None:
        tool.out(f"\nNote: {ring['note']}")


def describering(tool: Tool) -> None:
    tool.out(f"Schema Version:{tool.call('cluster_facts')['schema_version']}")
    tool.out("TokenRange: ")
    for found in tool.call("describe_ring", keyspace=tool.arguments[0])["ranges"]:
        replicas = found["replicas"]
        details = ", ".join(
            f"EndpointDetails(host:{_address(tool, node)}, datacenter:{node['datacenter']}, rack:{node['rack']})"
            for node in replicas
        )
        addresses = ", ".join(_address(tool, node) for node in replicas)
        native = ", ".join(node["native_address"] for node in replicas)
        tool.out(
            f"\tTokenRange(start_token:{found['start']}, end_token:{found['end']}, endpoints:[{addresses}], "
            f"rpc_endpoints:[{native}], endpoint_details:[{details}])"
        )

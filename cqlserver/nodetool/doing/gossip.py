"""gossipinfo, failuredetector; gossip and hinted handoff, looked at and switched."""

from typing import Any

from cqlserver.nodetool.printing import table
from cqlserver.nodetool.program import Tool

_HIDDEN = "TOKENS"


def _endpoint(tool: Tool, node: dict[str, Any]) -> str:
    return f"/{node['address']}:{node['port']}" if tool.options["print_port"] else f"/{node['address']}"


def gossipinfo(tool: Tool) -> None:
    lines = []
    for node in tool.call("gossip_info")["nodes"]:
        name = _endpoint(tool, node)
        if tool.options["resolve_ip"]:
            import socket

            name = socket.getfqdn(node["address"]) + (f":{node['port']}" if tool.options["print_port"] else "")
        lines += [name, f"  generation:{node['generation']}", f"  heartbeat:{node['heartbeat']}"]
        states = [state for state in node["states"] if state["name"] != _HIDDEN]
        lines += [f"  {state['name']}:{state['version']}:{state['value']}" for state in states]
        hidden = [state for state in node["states"] if state["name"] == _HIDDEN]
        lines += [f"  {state['name']}:{state['version']}:<hidden>" for state in hidden]
        if not hidden:
            lines.append("  TOKENS: not present")
    tool.out("".join(f"{line}\n" for line in lines))


def failuredetector(tool: Tool) -> None:
    tool.out(f"{'Endpoint':>10},{'Phi':>16}")
    for node in tool.call("failure_detector")["nodes"]:
        tool.out(f"{_endpoint(tool, node):>10},{node['phi']:>16.8f}")


def statusgossip(tool: Tool) -> None:
    tool.out("running" if tool.call("node_info")["gossips"] else "not running")


def enablegossip(tool: Tool) -> None:
    tool.call("gossip", on=True)


def disablegossip(tool: Tool) -> None:
    tool.call("gossip", on=False)


# --- hints -----------------------------------------------------------------------------------------------------------


def statushandoff(tool: Tool) -> None:
    is_enabled = tool.call("hinted_handoff")["is_enabled"]
    tool.out(f"Hinted handoff is {'running' if is_enabled else 'not running'}")


def enablehandoff(tool: Tool) -> None:
    tool.call("set_hinted_handoff", on=True)


def disablehandoff(tool: Tool) -> None:
    tool.call("set_hinted_handoff", on=False)


def pausehandoff(tool: Tool) -> None:
    tool.call("set_hinted_handoff", paused=True)


def resumehandoff(tool: Tool) -> None:
    tool.call("set_hinted_handoff", paused=False)


def getmaxhintwindow(tool: Tool) -> None:
    tool.out(f"Current max hint window: {tool.call('hinted_handoff')['window_ms']} ms")


def setmaxhintwindow(tool: Tool) -> None:
    tool.call("set_hinted_handoff", window_ms=int(tool.arguments[0]))


def sethintedhandoffthrottlekb(tool: Tool) -> None:
    tool.call("set_hinted_handoff", throttle_kib=int(tool.arguments[0]))


def listpendinghints(tool: Tool) -> None:
    nodes = tool.call("pending_hints")["nodes"]
    if not nodes:
        tool.out("This node does not have any pending hints")
        return
    rows = [["Host ID", "Address", "Rack", "DC", "Status", "Total files", "Newest", "Oldest"]]
    for node in nodes:
        place = [f"{node['address']}:{node['port']}", node["rack"] or "Unknown", node["datacenter"] or "Unknown"]
        state = "Unknown" if node["address"] is None else "UP" if node["is_up"] else "DOWN"
        # what Cassandra counts is files of hints: here a node has one of them
        rows.append([node["host_id"], *place, state, "1", _time(node["newest_ms"]), _time(node["oldest_ms"])])
    tool.write(table(rows))


def _time(time_ms: int) -> str:
    from datetime import UTC, datetime

    seconds, ms = divmod(time_ms, 1_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S},{ms:03}"


def truncatehints(tool: Tool) -> None:
    address = None
    if tool.arguments:
        import socket

        from cqlserver.nodetool.arguments import UsageError

        try:
            address = socket.gethostbyname(tool.arguments[-1])
        except OSError as error:
            told = f"{tool.arguments[-1]}: {error.strerror}"
            raise UsageError(f"java.net.UnknownHostException: {told}") from None
    tool.call("truncate_hints", address=address)

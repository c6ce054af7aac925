"""info, version."""

from typing import Any

from cqlserver.nodetool.printing import file_size
from cqlserver.nodetool.program import Tool

_NO_CACHE = "entries 0, size 0 bytes, capacity 0 bytes, 0 hits, 0 requests, NaN recent hit rate, 0 save period in seconds"


def version(tool: Tool) -> None:
    tool.out(f"ReleaseVersion: {tool.call('node_info')['release_version']}")
    if tool.options["verbose"]:
        tool.out("GitSHA: Unknown")


def info(tool: Tool) -> None:
    node = tool.call("node_info")
    mib = 1 << 20
    lines = [
        ("ID", node["host_id"]),
        ("Gossip active", "true" if node["gossips"] and not node["is_drained"] else "false"),
        ("Native Transport active", "true" if node["native_transport"] else "false"),
        ("Load", file_size(node["load_bytes"])),
        ("Uncompressed load", file_size(node["uncompressed_bytes"])),
        ("Generation No", "0" if node["is_drained"] else str(node["generation_s"])),
        ("Uptime (seconds)", str(node["uptime_s"])),
        ("Heap Memory (MB)", f"{node['memory_bytes'] / mib:.2f} / {node['memory_limit_bytes'] / mib:.2f}"),
        ("Off Heap Memory (MB)", "0.00"),
        ("Data Center", node["datacenter"]),
        ("Rack", node["rack"]),
        ("Exceptions", "0"),
        ("Key Cache", _cache(node["key_cache"])),
        ("Row Cache", _cache(node["row_cache"])),
        ("Counter Cache", _NO_CACHE),
        ("Chunk Cache", _chunk_cache(node["chunk_cache"])),
        ("Network Cache", "size 0 bytes, overflow size: 0 bytes, capacity 0 bytes"),
        ("Percent Repaired", "100.0%"),
    ]
    tokens = node["tokens"]
    if len(tokens) == 1 or tool.options["tokens"]:
        lines += [("Token", token) for token in tokens]
    else:
        lines.append(("Token", f"(invoke with -T/--tokens to see all {len(tokens)} tokens)"))
    lines += [
        ("Bootstrap state", "COMPLETED"),
        ("Bootstrap failed", "false"),
        ("Decommissioning", "false"),
        ("Decommission failed", "false"),
    ]
    for name, value in lines:
        tool.out(f"{name:<23}: {value}")


def _cache(cache: dict[str, Any]) -> str:
    requests = cache["hits"] + cache["misses"]
    rate = f"{cache['hits'] / requests:.3f}" if requests else "NaN"
    sizes = f"size {file_size(cache['bytes'])}, capacity {file_size(cache['bytes_max'])}"
    hits = f"{cache['hits']} hits, {requests} requests, {rate} recent hit rate, 0 save period in seconds"
    return f"entries {cache['entries']}, {sizes}, {hits}"


def _chunk_cache(cache: dict[str, Any]) -> str:
    requests = cache["hits"] + cache["misses"]
    rate = f"{cache['hits'] / requests:.3f}" if requests else "NaN"
    sizes = f"size {file_size(cache['bytes'])}, capacity {file_size(cache['bytes_max'])}"
    return f"{sizes}, {cache['misses']} misses, {requests} requests, {rate} recent hit rate"

"""What a node says of itself and of its cluster, for `nodetool info` and `status`."""

import sys
from collections.abc import Mapping
from typing import Any, Final

from cqlserver.control.context import Control, Refused
from cqlserver.control.storing import DRAINED, readers
from cqlserver.node import Node
from cqlserver.system.tables import RELEASE_VERSION
from storage.schema.metadata import KeyspaceMetadata, is_system_keyspace
from storage.sstable.caches import Generations

_FULL: Final = 1.0
_LOCAL: Final = "Ownership values for keyspaces with LocalStrategy are meaningless"
_DIFFERENT: Final = (
    "Non-system keyspaces don't have the same replication settings, effective ownership information is meaningless"
)


class NoSuchRing(Refused):
    """The cluster was asked for as a keyspace has it that there isn't."""

    code = "NoSuchRing"


async def node_info(control: Control) -> object:
    node = control.node
    engine, environment = node.engine, node.environment
    caches = engine.maybe_files.caches if engine.maybe_files is not None else None
    loaded = readers(engine)
    return {
        "host_id": str(node.local.host_id),
        "release_version": RELEASE_VERSION,
        "load_bytes": sum(reader.disk_bytes for reader in loaded),
        "uncompressed_bytes": sum(reader.data_bytes for reader in loaded),
        "generation_s": environment.clock.now_s() - int(environment.clock.monotonic() - node.started_s),
        "uptime_s": int(environment.clock.monotonic() - node.started_s),
        "memory_bytes": _resident_bytes(),
        "memory_limit_bytes": _memory_limit_bytes(),
        "datacenter": node.ring_node.datacenter,
        "rack": node.ring_node.rack,
        "tokens": [str(token) for token in node.local.tokens],
        "native_transport": control.takes_clients,
        "is_drained": node.commit_log is not None and node.commit_log.failure == DRAINED,
        "incremental_backups": engine.maybe_files is not None and engine.maybe_files.keeps_backups,
        "chunk_cache": _cache_facts(caches.chunks if caches is not None else None, node.config.file_cache_bytes),
        "key_cache": _cache_facts(caches.keys if caches is not None else None, engine.options.key_cache_bytes),
    }


def _cache_facts(cache: Generations[Any, Any] | None, bytes_max: int) -> dict[str, object]:
    """`bytes_max`: of one that is not there yet."""
    if cache is None:
        cache = Generations(bytes_max)
    return {
        "entries": len(cache),
        "bytes": cache.size,
        "bytes_max": cache.capacity,
        "hits": cache.hits,
        "misses": cache.misses,
    }


async def ring(control: Control, *, keyspace: str | None) -> object:
    """`owns`: the share of the data that a node has a replica of; null where `note` says why it means nothing."""
    node = control.node
    note = _maybe_note(node.schema.keyspaces, keyspace)
    load = sum(reader.disk_bytes for reader in readers(node.engine))
    return {
        "note": note,
        "nodes": [
            {
                "address": node.address,
                "port": node.ring_node.port,
                "datacenter": node.ring_node.datacenter,
                "rack": node.ring_node.rack,
                "host_id": str(node.local.host_id),
                "is_up": True,
                "state": "normal",
                "load_bytes": load,
                "tokens": [str(token) for token in node.local.tokens],
                "owns": _owns(node, keyspace) if note is None else None,
            }
        ],
    }


def _maybe_note(keyspaces: Mapping[str, KeyspaceMetadata], keyspace: str | None) -> str | None:
    if keyspace is not None:
        found = keyspaces.get(keyspace)
        if found is None or found.is_virtual:
            raise NoSuchRing(f"The keyspace {keyspace}, does not exist")
        return _LOCAL if _strategy(found).endswith("LocalStrategy") else None
    users = [found for name, found in keyspaces.items() if not is_system_keyspace(name)]
    return _DIFFERENT if any(found.params.replication != users[0].params.replication for found in users) else None


def _strategy(keyspace: KeyspaceMetadata) -> str:
    return keyspace.params.replication.get("class", "")


def _owns(node: Node, keyspace: str | None) -> float:
    """All of it: there is one node, unless the keyspace's replicas lie in other datacenters alone."""
    found = node.schema.keyspaces.get(keyspace) if keyspace is not None else None
    if found is None or not _strategy(found).endswith("NetworkTopologyStrategy"):
        return _FULL
    return _FULL if found.params.replication.get(node.ring_node.datacenter, "0") != "0" else 0.0


def _resident_bytes() -> int:
    """What the process has in memory now, or at most had, where the system does not say."""
    import resource

    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _memory_limit_bytes() -> int:
    import os

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

"""What a node says of itself, for `nodetool info`."""

from typing import Any

from cqlserver.control.context import Control
from cqlserver.control.storing import DRAINED, readers
from cqlserver.metrics.process import resident_bytes
from cqlserver.system.tables import RELEASE_VERSION
from storage.sstable.caches import Generations


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
        "gossips": node.member is None or node.member.cluster.gossiper.is_running,
        "generation_s": node.generation if node.member is None else node.member.cluster.gossiper.generation,
        "uptime_s": int(environment.clock.monotonic() - node.started_s),
        "memory_bytes": resident_bytes(),
        "memory_limit_bytes": _memory_limit_bytes(),
        "datacenter": node.ring_node.datacenter,
        "rack": node.ring_node.rack,
        "tokens": [str(token) for token in node.local.tokens],
        "native_transport": control.takes_clients,
        "is_drained": node.commit_log is not None and node.commit_log.failure == DRAINED,
        "incremental_backups": engine.maybe_files is not None and engine.maybe_files.keeps_backups,
        "chunk_cache": _cache_facts(caches.chunks if caches is not None else None, node.config.file_cache_bytes),
        "key_cache": _cache_facts(caches.keys if caches is not None else None, engine.options.key_cache_bytes),
        "row_cache": _cache_facts(caches.rows if caches is not None else None, engine.options.row_cache_bytes),
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


def _memory_limit_bytes() -> int:
    import os

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

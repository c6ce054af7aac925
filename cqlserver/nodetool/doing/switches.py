"""stop, *binary, invalidate*cache, setcachecapacity, getconcurrentcompactors, refreshsizeestimates."""

from typing import Final

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.program import Tool

_TYPES: Final = frozenset(
    """
    P0 CLEANUP SCRUB UPGRADE_SSTABLES VERIFY MAJOR_COMPACTION RELOCATE GARBAGE_COLLECT FLUSH WRITE ANTICOMPACTION
    VALIDATION INDEX_BUILD VIEW_BUILD COMPACTION TOMBSTONE_COMPACTION UNKNOWN STREAM KEY_CACHE_SAVE ROW_CACHE_SAVE
    COUNTER_CACHE_SAVE INDEX_SUMMARY
    """.split()
)
"""OperationType."""
_CAPACITIES: Final = "<key-cache-capacity> <row-cache-capacity> <counter-cache-capacity>"


def stop(tool: Tool) -> None:
    for name in tool.arguments:
        if name not in _TYPES:
            raise UsageError(f'compaction_type: can not convert "{name}" to a OperationType')
    kind = tool.arguments[-1] if tool.arguments else "UNKNOWN"
    tool.call("stop_tasks", kind=kind, id=tool.options["compaction_id"] or "")


def disablebinary(tool: Tool) -> None:
    tool.call("native_transport", on=False)


def enablebinary(tool: Tool) -> None:
    tool.call("native_transport", on=True)


def statusbinary(tool: Tool) -> None:
    tool.out("running" if tool.call("node_info")["native_transport"] else "not running")


def invalidatekeycache(tool: Tool) -> None:
    tool.call("invalidate_cache", cache="keys")


def invalidaterowcache(tool: Tool) -> None:
    tool.call("invalidate_cache", cache="rows")


def invalidatecountercache(tool: Tool) -> None:
    tool.call("invalidate_cache", cache="counters")


def setcachecapacity(tool: Tool) -> None:
    if not tool.arguments:
        raise UsageError(f"Required parameters are missing: {_CAPACITIES}")
    mib = [_number(text, _CAPACITIES) for text in tool.arguments]
    if len(mib) != 3:
        raise UsageError(
            "setcachecapacity requires key-cache-capacity, row-cache-capacity, and counter-cache-capacity args."
        )
    tool.call("set_cache_capacity", keys_mib=mib[0], rows_mib=mib[1])


def _number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f'{name}: can not convert "{text}" to a Integer') from None


def getconcurrentcompactors(tool: Tool) -> None:
    tool.out(f"Current concurrent compactors in the system is: \n{tool.call('compaction_stats')['concurrent_compactors']}")


def getcolumnindexsize(tool: Tool) -> None:
    """Where nothing is set each format has its own: that is what -1 means."""
    tool.out(f"Current value for column_index_size: {tool.call('column_index_size')['kib']} KiB")


def refreshsizeestimates(tool: Tool) -> None:
    tool.call("refresh_size_estimates")

"""tpstats, tablehistograms, proxyhistograms; getlogginglevels, setlogginglevel."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import as_json, as_yaml, in_java_order, table
from cqlserver.nodetool.program import Tool

_MESSAGES: Final = tuple(
    """
    READ_RSP RANGE_REQ PING_REQ PAXOS2_COMMIT_REMOTE_RSP PAXOS2_COMMIT_AND_PREPARE_RSP _SAMPLE VALIDATION_RSP
    SCHEMA_PULL_RSP SYNC_RSP PAXOS2_CLEANUP_START_PREPARE_REQ PAXOS2_PREPARE_REFRESH_REQ SCHEMA_VERSION_REQ
    HINT_RSP BATCH_REMOVE_RSP PAXOS2_CLEANUP_RSP PAXOS2_CLEANUP_FINISH_PREPARE_RSP PAXOS_COMMIT_REQ SNAPSHOT_RSP
    COUNTER_MUTATION_REQ PAXOS2_PROPOSE_REQ GOSSIP_DIGEST_SYN PAXOS_PREPARE_REQ PREPARE_MSG
    PAXOS2_PREPARE_REFRESH_RSP PAXOS_COMMIT_RSP HINT_REQ BATCH_REMOVE_REQ STATUS_RSP READ_REPAIR_RSP
    PAXOS2_PROPOSE_RSP GOSSIP_DIGEST_ACK2 CLEANUP_MSG REQUEST_RSP TRUNCATE_RSP UNUSED_CUSTOM_VERB
    REPLICATION_DONE_RSP SNAPSHOT_REQ ECHO_REQ PAXOS2_REPAIR_REQ PAXOS2_CLEANUP_COMPLETE_RSP PREPARE_CONSISTENT_REQ
    FAILURE_RSP BATCH_STORE_RSP SCHEMA_PUSH_RSP MUTATION_RSP FINALIZE_PROPOSE_MSG ECHO_RSP PAXOS2_REPAIR_RSP
    INTERNAL_RSP FAILED_SESSION_MSG PAXOS2_CLEANUP_COMPLETE_REQ _TRACE SCHEMA_VERSION_RSP FINALIZE_COMMIT_MSG
    SNAPSHOT_MSG PREPARE_CONSISTENT_RSP PAXOS_PROPOSE_REQ PAXOS_PREPARE_RSP MUTATION_REQ PAXOS2_CLEANUP_RSP2
    READ_REQ PING_RSP PAXOS2_COMMIT_REMOTE_REQ RANGE_RSP VALIDATION_REQ SYNC_REQ PAXOS2_PREPARE_RSP _TEST_1
    GOSSIP_SHUTDOWN PAXOS2_CLEANUP_START_PREPARE_RSP TRUNCATE_REQ _TEST_2 GOSSIP_DIGEST_ACK PAXOS2_CLEANUP_REQ
    SCHEMA_PUSH_REQ FINALIZE_PROMISE_MSG PAXOS2_CLEANUP_FINISH_PREPARE_REQ PAXOS2_PREPARE_REQ BATCH_STORE_REQ
    COUNTER_MUTATION_RSP REPAIR_RSP PAXOS2_COMMIT_AND_PREPARE_REQ STATUS_REQ SCHEMA_PULL_REQ READ_REPAIR_REQ
    REPLICATION_DONE_REQ PAXOS_PROPOSE_RSP
    """.split()
)
"""What Cassandra's nodes say to each other, in the order of its hash map. This server's messages are others
(metrics/dropped.py), and none of them is dropped for having waited too long."""
_SHARES: Final = ("50%", "75%", "95%", "98%", "99%", "Min", "Max")
_NO_SSTABLES: Final = "No SSTables exists, unable to calculate 'Partition Size' and 'Cell Count' percentiles"
_REQUESTS: Final = {
    "Read": "Read Latency",
    "Write": "Write Latency",
    "RangeSlice": "Range Latency",
    "CASRead": "CAS Read Latency",
    "CASWrite": "CAS Write Latency",
    "ViewWrite": "View Write Latency",
}


def tpstats(tool: Tool) -> None:
    form = tool.options["format"]
    if form not in (None, "", "json", "yaml"):
        raise UsageError("arguments for -F are json,yaml only.")
    told = tool.call("thread_pools")
    pools, dropped = told["pools"], told["dropped"]
    if form:
        tool.write((as_json if form == "json" else as_yaml)(_pools_map(pools, dropped)))
        return
    rows = [["Pool Name", "Active", "Pending", "Completed", "Blocked", "All time blocked"]]
    rows += [[pool["name"], *(str(pool[of]) for of in ("active", "pending", "completed")), "0", "0"] for pool in pools]
    tool.write(table(rows))
    tool.out("\nLatencies waiting in queue (micros) per dropped message types")
    head = ["Message type", "Dropped    ", "50%     ", "95%     ", "99%     ", "Max"]
    tool.write(table([head, *([name, str(dropped.get(name, 0)), "0.0", "0.0", "0.0", "0.0"] for name in _MESSAGES)]))


def _pools_map(pools: Sequence[Mapping[str, Any]], dropped: Mapping[str, int]) -> dict[str, Any]:
    told = {
        pool["name"]: in_java_order(
            {
                "ActiveTasks": pool["active"],
                "PendingTasks": pool["pending"],
                "CompletedTasks": pool["completed"],
                "CurrentlyBlockedTasks": 0,
                "TotalBlockedTasks": 0,
            }
        )
        for pool in pools
    }
    return in_java_order(
        {
            "ThreadPools": in_java_order(told),
            "DroppedMessage": in_java_order({name: dropped.get(name, 0) for name in _MESSAGES}),
            "WaitLatencies": in_java_order({name: [0.0] * len(_SHARES) for name in _MESSAGES}),
        }
    )


def tablehistograms(tool: Tool) -> None:
    names = tool.arguments
    if len(names) == 1:
        names = names[0].split(".")
        if len(names) != 2:
            raise UsageError("tablehistograms requires keyspace and table name arguments")
    elif names and (len(names) > 2 or any("." in name for name in names)):
        raise UsageError("tablehistograms requires <keyspace> <table> or <keyspace.table> format argument.")
    keyspace, name = names or (None, None)
    for of in tool.call("table_histograms", keyspace=keyspace, table=name)["tables"]:
        sizes, cells = of["partition_bytes"], of["cells"]
        if sizes is None:
            tool.out(_NO_SSTABLES)
            sizes = cells = ["NaN"] * len(_SHARES)
        tool.out(f"{of['keyspace']}/{of['table']} histograms")
        heads = ("Read Latency", "Write Latency", "SSTables", "Partition Size", "Cell Count")
        tool.out(f"{'Percentile':<10}" + "".join(f"{head:>18}" for head in heads))
        tool.out(f"{'':<10}" + "".join(f"{unit:>18}" for unit in ("(micros)", "(micros)", "", "(bytes)", "")))
        for share, *numbers, size, count in zip(
            _SHARES, of["read_us"], of["write_us"], of["sstables"], sizes, cells, strict=True
        ):
            tool.out(f"{share:<10}" + "".join(f"{number:18.2f}" for number in numbers) + f"{size:>18}{count:>18}")
        tool.out("")


def proxyhistograms(tool: Tool) -> None:
    told = tool.call("proxy_histograms")
    tool.out("proxy histograms")
    tool.out(f"{'Percentile':<10}" + "".join(f"{head:>19}" for head in _REQUESTS.values()))
    tool.out(f"{'':<10}" + f"{'(micros)':>19}" * len(_REQUESTS))
    for index, share in enumerate(_SHARES):
        tool.out(f"{share:<10}" + "".join(f"{told[kind][index]:19.2f}" for kind in _REQUESTS))
    tool.out("")

def getlogginglevels(tool: Tool) -> None:
    tool.out(f"\n{'Logger Name':<50}{'Log Level':>10}")
    for name, level in tool.call("logging_levels").items():
        tool.out(f"{name:<50}{level:>10}")


def setlogginglevel(tool: Tool) -> None:
    logger, level = (*tool.arguments, "", "")[:2]
    tool.call("set_logging_level", logger=logger, level=level if len(tool.arguments) == 2 else "")

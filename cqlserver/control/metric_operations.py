"""The operations of the control port on what is counted."""

from typing import Final

from cqlserver.control import statistics
from cqlserver.control.operation import STRING, Argument, Operation

METRIC_OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "thread_pools",
        "What goes on, waits and was done, as Cassandra's thread pools",
        (),
        {"type": "object", "properties": {"pools": {"type": "array", "items": {"type": "object"}}}},
        statistics.thread_pools,
        reads=True,
        alone=False,
    ),
    Operation(
        "proxy_histograms",
        "How long requests take, by kind: 50, 75, 95, 98, 99 %, least, greatest, in microseconds",
        (),
        {"type": "object"},
        statistics.proxy_histograms,
        reads=True,
        alone=False,
    ),
    Operation(
        "table_histograms",
        "The same of a table's reads and writes, with SSTables per read, sizes and cells of partitions",
        (
            Argument("keyspace", STRING, "its keyspace; of all tables where there is none", None),
            Argument("table", STRING, "its name", None),
        ),
        {"type": "object", "properties": {"tables": {"type": "array", "items": {"type": "object"}}}},
        statistics.table_histograms,
        reads=True,
        alone=False,
    ),
)

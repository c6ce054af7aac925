"""The operations of the control port on what is counted, and logged."""

from typing import Final

from cqlserver.control import logging_levels, statistics
from cqlserver.control.operation import NOTHING, STRING, Argument, Operation

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
    Operation(
        "logging_levels",
        "From which level on each logger logs",
        (),
        {"type": "object"},
        logging_levels.logging_levels,
        reads=True,
        alone=False,
    ),
    Operation(
        "set_logging_level",
        "Has a logger log from a level on",
        (
            Argument("logger", STRING, "its name, or a component's; all where there is none", ""),
            Argument("level", STRING, "TRACE, DEBUG, INFO, WARN, ERROR or OFF; that of the start where none is", ""),
        ),
        NOTHING,
        logging_levels.set_logging_level,
        alone=False,
    ),
)

"""The operations of the control port on what is counted, and logged."""

from typing import TYPE_CHECKING, Final

from cqlserver.control.later import later
from cqlserver.control.operation import BOOLEAN, INTEGER, NOTHING, STRING, STRINGS, Argument, Operation
from cqlserver.metrics.samplers import SAMPLERS

if TYPE_CHECKING:
    from cqlserver.control import logging_levels, profiling, statistics
else:
    logging_levels, profiling, statistics = later("logging_levels", "profiling", "statistics")

_SAMPLED: Final = (
    Argument("keyspace", STRING, "of this keyspace alone", None),
    Argument("table", STRING, "of this table of it alone", None),
    Argument("duration_ms", INTEGER, "how long", 10_000),
    Argument("capacity", INTEGER, "how many partitions are told apart, at most 1024", 256),
    Argument("count", INTEGER, "how many are told", 10),
    Argument("samplers", STRINGS, "of what", list(SAMPLERS)),
)
_DONE: Final = {"type": "object", "properties": {"done": BOOLEAN.schema}}

METRIC_OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "sample_partitions",
        "Which partitions are read and written most, from now on for a while",
        _SAMPLED,
        {"type": "object", "properties": {"samples": {"type": "object"}}},
        profiling.sample_partitions,
        reads=True,
        alone=False,
    ),
    Operation(
        "schedule_samples",
        "The same again and again, told in the log",
        (*_SAMPLED, Argument("interval_ms", INTEGER, "from one beginning to the next")),
        _DONE,
        profiling.schedule_samples,
        alone=False,
    ),
    Operation("stop_samples", "Ends that", _SAMPLED[:2], _DONE, profiling.stop_samples, alone=False),
    Operation(
        "sampling_jobs",
        "Of which tables partitions are sampled again and again",
        (),
        {"type": "object", "properties": {"jobs": {"type": "array", "items": STRING.schema}}},
        profiling.sampling_jobs,
        reads=True,
        alone=False,
    ),
    Operation(
        "thread_pools",
        "What goes on, waits and was done, as Cassandra's thread pools",
        (),
        {
            "type": "object",
            "properties": {
                "pools": {"type": "array", "items": {"type": "object"}},
                "dropped": {"type": "object", "description": "messages to other nodes that were given up, by type"},
            },
        },
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

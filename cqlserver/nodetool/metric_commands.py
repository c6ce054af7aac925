"""nodetool's commands about what is counted, and logged."""

from typing import Final

from cqlserver.nodetool.arguments import Command, Option

METRIC_COMMANDS: Final = (
    Command("getlogginglevels", "Get the runtime logging levels", "metrics"),
    Command("proxyhistograms", "Print statistic histograms for network operations", "metrics"),
    Command(
        "setlogginglevel",
        "Set the log level threshold for a given component or class. Will reset to the initial configuration if called with "
        "no parameters.",
        "metrics",
        (),
        "<component|class> <level>",
        "The component or class to change the level for and the log level threshold to set. Will reset to initial level if "
        "omitted. Available components:  bootstrap, compaction, repair, streaming, cql, ring",
    ),
    Command(
        "tablehistograms",
        "Print statistic histograms for a given table",
        "metrics",
        (),
        "[<keyspace> <table> | <keyspace.table>]",
        "The keyspace and table name",
    ),
    Command(
        "tpstats",
        "Print usage statistics of thread pools",
        "metrics",
        (Option(("-F", "--format"), "Output format (json, yaml)", "format"),),
    ),
)

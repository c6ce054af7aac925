"""nodetool's commands about what is counted."""

from typing import Final

from cqlserver.nodetool.arguments import Command, Option

METRIC_COMMANDS: Final = (
    Command("proxyhistograms", "Print statistic histograms for network operations", "metrics"),
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

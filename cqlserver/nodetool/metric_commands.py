"""nodetool's commands about what is counted, and logged."""

from typing import Final

from cqlserver.nodetool.arguments import Command, Option

_PROFILE: Final = (
    "profiling",
    (
        Option(("-a",), "Comma separated list of samplers to use (Default: all)", "samplers"),
        Option(
            ("-i", "--interval"),
            "Schedule a new job that samples every interval milliseconds (Default: disabled) in the background",
            "intervalMillis",
            is_integer=True,
        ),
        Option(("-k",), "Number of the top samples to list (Default: 10)", "topCount", is_integer=True),
        Option(("-l", "--list"), "List the scheduled sampling jobs"),
        Option(("-s",), "Capacity of the sampler, higher for more accuracy (Default: 256)", "capacity", is_integer=True),
        Option(
            ("-t", "--stop"),
            "Stop the scheduled sampling job identified by <keyspace> and <cfname>. Jobs are stopped until the last "
            "schedules complete.",
        ),
    ),
    "<keyspace> <cfname> <duration>",
    "The keyspace, column family name, and duration in milliseconds (Default: 10000)",
)

METRIC_COMMANDS: Final = (
    Command("getlogginglevels", "Get the runtime logging levels", "metrics"),
    Command("profileload", "Low footprint profiling of activity for a period of time", *_PROFILE),
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
    Command("toppartitions", "Sample and print the most active partitions", *_PROFILE),
    Command(
        "tpstats",
        "Print usage statistics of thread pools",
        "metrics",
        (Option(("-F", "--format"), "Output format (json, yaml)", "format"),),
    ),
)

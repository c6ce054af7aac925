"""nodetool's commands on the audit log and the full query log, as in Cassandra 5.0."""

from typing import Final

from cqlserver.nodetool.arguments import Command, Option

_IF_NOT_SET: Final = "If not set the value from cassandra.yaml will be used"


def _list(side: str, what: str, title: str) -> Option:
    verb = "included" if side == "included" else "excluded"
    text = f"Comma separated list of {what} to be {verb} for audit log. {_IF_NOT_SET}"
    return Option((f"--{side}-{title}",), text, f"{side}_{title}")


def _files(log: str) -> tuple[Option, ...]:
    return (
        Option(
            ("--archive-command",),
            f"Command that will handle archiving rolled {log} log files. Format is \"/path/to/script.sh %path\" where %path "
            "will be replaced with the file to archive Enable this by setting the "
            f"{log.replace(' ', '_')}_logging_options.allow_nodetool_archive_command: true in the config.",
            "archive_command",
        ),
        Option(
            ("--blocking",), "If the queue is full whether to block producers or drop samples [true|false].", "blocking"
        ),
        Option(("--max-archive-retries",), "Max number of archive retries.", "archive_retries", is_integer=True),
        Option(
            ("--max-log-size",),
            "How many bytes of log data to store before dropping segments. Might not be respected if a log file hasn't "
            "rolled so it can be deleted.",
            "max_log_size",
            is_integer=True,
        ),
        Option(
            ("--max-queue-weight",),
            "Maximum number of bytes of query data to queue to disk before blocking or dropping samples.",
            "max_queue_weight",
            is_integer=True,
        ),
        Option(("--roll-cycle",), "How often to roll the log file (MINUTELY, HOURLY, DAILY).", "roll_cycle"),
    )


AUDIT_COMMANDS: Final = (
    Command("disableauditlog", "Disable the audit log", "auditing"),
    Command("disablefullquerylog", "Disable the full query log", "auditing"),
    Command(
        "enableauditlog",
        "Enable the audit log",
        "auditing",
        tuple(
            sorted(
                (
                    *_files("audit"),
                    _list("excluded", "Audit Log Categories", "categories"),
                    _list("excluded", "keyspaces", "keyspaces"),
                    _list("excluded", "users", "users"),
                    _list("included", "Audit Log Categories", "categories"),
                    _list("included", "keyspaces", "keyspaces"),
                    _list("included", "users", "users"),
                    Option(
                        ("--logger",),
                        f"Logger name to be used for AuditLogging. Default BinAuditLogger. {_IF_NOT_SET}",
                        "logger",
                    ),
                )
            )
        ),
    ),
    Command(
        "enablefullquerylog",
        "Enable full query logging, defaults for the options are configured in cassandra.yaml",
        "auditing",
        tuple(
            sorted(
                (
                    *_files("full query"),
                    Option(
                        ("--path",),
                        "Path to store the full query log at. Will have it's contents recursively deleted.",
                        "path",
                    ),
                )
            )
        ),
    ),
    Command("getauditlog", "Print configuration of audit log if enabled, otherwise the configuration reflected in "
            "cassandra.yaml", "auditing"),
    Command("getfullquerylog", "Print configuration of fql if enabled, otherwise the configuration reflected in "
            "cassandra.yaml", "auditing"),
    Command("resetfullquerylog", "Stop the full query log and clean files in the configured full query log directory from "
            "cassandra.yaml as well as JMX", "auditing"),
)  # fmt: skip

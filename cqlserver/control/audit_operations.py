"""The operations of the control port on the audit log and the full query log: those that nodetool asks for."""

from typing import TYPE_CHECKING, Final

from cqlserver.control.later import later
from cqlserver.control.operation import BOOLEAN, INTEGER, NOTHING, STRING, Argument, Operation

if TYPE_CHECKING:
    from cqlserver.control import auditing
else:
    (auditing,) = later("auditing")

_FILES: Final = (
    Argument("roll_cycle", STRING, "when a new file is begun: MINUTELY, HOURLY, DAILY", None),
    Argument("block", BOOLEAN, "serve nobody where the log can't be written, rather than log nothing", None),
    Argument("max_log_size", INTEGER, "bytes of all files, beyond which the oldest go", None),
    Argument("max_queue_weight", INTEGER, "is told and checked; there is no queue", None),
    Argument("archive_command", STRING, "for each file that is full, with %path for its name", None),
    Argument("max_archive_retries", INTEGER, "how often a file is tried again", None),
)

AUDIT_OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "audit_log",
        "The audit log's settings, and whether it is on",
        (),
        {"type": "object"},
        auditing.audit_log,
        reads=True,
    ),
    Operation(
        "enable_audit_log",
        "Begins to log statements, logins and failures; of one that is on changes what it includes and excludes",
        (
            Argument("logger", STRING, "BinAuditLogger or FileAuditLogger", None),
            *(Argument(f"{side}_{what}", STRING, f"{what} with commas between them", None)
              for side in ("included", "excluded") for what in ("keyspaces", "categories", "users")),
            *_FILES,
        ),
        NOTHING,
        auditing.enable_audit_log,
    ),
    Operation("disable_audit_log", "Ends the audit log", (), NOTHING, auditing.disable_audit_log),
    Operation(
        "full_query_log",
        "The full query log's settings, and whether it is on",
        (),
        {"type": "object"},
        auditing.full_query_log,
        reads=True,
    ),
    Operation(
        "enable_full_query_log",
        "Begins to log each statement with its values, for `cqlserver fql`",
        (Argument("path", STRING, "the folder, on the server's machine", None), *_FILES),
        NOTHING,
        auditing.enable_full_query_log,
    ),
    Operation("disable_full_query_log", "Ends the full query log", (), NOTHING, auditing.disable_full_query_log),
    Operation(
        "reset_full_query_log",
        "Ends the full query log, and removes its files",
        (),
        NOTHING,
        auditing.reset_full_query_log,
    ),
)  # fmt: skip

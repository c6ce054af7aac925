"""The audit log and the full query log: enable, disable, get, reset."""

from typing import Any, Final

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import table
from cqlserver.nodetool.program import Tool

_FILES: Final = ("archive_command", "roll_cycle", "block", "max_log_size", "max_queue_weight", "max_archive_retries")
_LISTS: Final = tuple(f"{side}_{what}" for what in ("keyspaces", "categories", "users") for side in ("included", "excluded"))


def enableauditlog(tool: Tool) -> None:
    lists = {name: tool.options[name] for name in _LISTS if tool.options[name]}
    logger = tool.options["logger"]
    tool.call("enable_audit_log", **({"logger": logger} if logger else {}), **lists, **_files(tool))


def disableauditlog(tool: Tool) -> None:
    tool.call("disable_audit_log")


def getauditlog(tool: Tool) -> None:
    _show(tool, tool.call("audit_log"), ("logger", "audit_logs_dir", *_FILES, *_LISTS))


def enablefullquerylog(tool: Tool) -> None:
    path = tool.options["path"]
    tool.call("enable_full_query_log", **({"path": path} if path else {}), **_files(tool))


def disablefullquerylog(tool: Tool) -> None:
    tool.call("disable_full_query_log")


def resetfullquerylog(tool: Tool) -> None:
    tool.call("reset_full_query_log")


def getfullquerylog(tool: Tool) -> None:
    _show(tool, tool.call("full_query_log"), ("log_dir", *_FILES))


def _files(tool: Tool) -> dict[str, object]:
    given: dict[str, object] = {}
    blocking = tool.options["blocking"]
    if blocking is not None:
        if blocking.lower() not in ("true", "false"):
            raise UsageError(f"Invalid [{blocking}]. Blocking only accepts 'true' or 'false'.")
        given["block"] = blocking.lower() == "true"
    for name in ("roll_cycle", "max_log_size", "max_queue_weight", "archive_command", "max_archive_retries"):
        if tool.options[name] is not None:
            given[name] = tool.options[name]
    return given


def _show(tool: Tool, facts: dict[str, Any], names: tuple[str, ...]) -> None:
    tool.write(table([(name, _text(facts[name])) for name in ("enabled", *names)]))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

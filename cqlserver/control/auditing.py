"""The audit log and the full query log: on, off, and what they are set to (service/StorageService.java)."""

from dataclasses import asdict, replace

from cqlserver.audit.logs import audit_logs_of
from cqlserver.audit.options import AuditLogOptions, FullQueryLogOptions, checked, checked_audit, placed_audit
from cqlserver.control.context import Control, Refused


async def audit_log(control: Control) -> object:
    audit = audit_logs_of(control.node).audit
    options = audit.options if audit is not None else _audit_options(control)
    return {**asdict(options), "enabled": audit is not None}


async def enable_audit_log(control: Control, *, archive_command: str | None, **given: object) -> object:
    options = _audit_options(control)
    if archive_command is not None and not options.allow_nodetool_archive_command:
        raise Refused(
            "Can't enable audit log archiving via nodetool unless audit_logging_options.allow_nodetool_archive_command is "
            "set to true"
        )
    try:
        wanted = checked_audit(replace(options, **_chosen(given, archive_command)))  # type: ignore[arg-type]
        audit_logs_of(control.node).enable_audit(wanted)
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from error
    return {}


async def disable_audit_log(control: Control) -> object:
    audit_logs_of(control.node).disable_audit()
    return {}


async def full_query_log(control: Control) -> object:
    logs = audit_logs_of(control.node)
    options = logs.full_query.options if logs.full_query is not None else _full_query_options(control)
    return {**asdict(options), "enabled": logs.full_query is not None}


async def enable_full_query_log(
    control: Control, *, path: str | None, archive_command: str | None, **given: object
) -> object:
    options = _full_query_options(control)
    if archive_command is not None and not options.allow_nodetool_archive_command:
        raise Refused(
            "Can't enable full query log archiving via nodetool unless "
            "full_query_logging_options.allow_nodetool_archive_command is set to true"
        )
    try:
        wanted = replace(options, log_dir=path or options.log_dir, **_chosen(given, archive_command))  # type: ignore[arg-type]
        audit_logs_of(control.node).enable_full_query(checked(wanted))
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from error
    return {}


async def disable_full_query_log(control: Control) -> object:
    audit_logs_of(control.node).disable_full_query()
    return {}


async def reset_full_query_log(control: Control) -> object:
    try:
        audit_logs_of(control.node).reset_full_query(_full_query_options(control).log_dir)
    except OSError as error:
        raise Refused(str(error)) from error
    return {}


def _chosen(given: dict[str, object], archive_command: str | None) -> dict[str, object]:
    chosen = {name: value for name, value in given.items() if value is not None}
    if archive_command is not None:
        chosen["archive_command"] = archive_command
    return chosen


def _audit_options(control: Control) -> AuditLogOptions:
    config = control.node.config
    return placed_audit(config.audit_log or AuditLogOptions(), config.data)


def _full_query_options(control: Control) -> FullQueryLogOptions:
    return control.node.config.full_query_log or FullQueryLogOptions()

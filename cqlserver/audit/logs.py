"""Both logs of one node: on and off, as its settings say, and as nodetool says later."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from cqlserver.audit.audit_log import AuditLog
from cqlserver.audit.bin_log import MAGIC, SUFFIX, BinLog
from cqlserver.audit.full_query_log import FullQueryLog
from cqlserver.audit.options import BIN_LOGGER, FILTERS, AuditLogOptions, BinLogOptions, FullQueryLogOptions

if TYPE_CHECKING:
    from cqlserver.node import Node

log = logging.getLogger("cqlserver.audit")

LINES_SUFFIX = ".log"
NO_FOLDER = "cassandra.yaml did not set log_dir and not set as parameter"


def audit_logs_of(node: "Node") -> "AuditLogs":
    """Those of this node, made where there are none yet."""
    if node.audit_logs is None:
        node.audit_logs = AuditLogs(node)
    return node.audit_logs


class AuditLogs:
    """`audit`, `full_query`: None where they are off."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self.audit: AuditLog | None = None
        self.full_query: FullQueryLog | None = None
        self._fqlog_folder: str | None = None

    # --- audit log -----------------------------------------------------------------------------------------------------

    def enable_audit(self, options: AuditLogOptions) -> None:
        """What is on already gets other filters alone, as in Cassandra. Raises OSError."""
        if self.audit is not None and self.audit.options.logger == options.logger:
            filters = {name: getattr(options, name) for name in FILTERS}
            self.audit.filter_anew(replace(self.audit.options, **filters))
            return
        self.disable_audit()
        if options.logger == "NoOpAuditLogger":
            return
        node = self._node
        clock, batch_ids = node.environment.clock, node.environment.rng.fork("audited batches")
        is_binary = options.logger == BIN_LOGGER
        suffix, head = (SUFFIX, MAGIC) if is_binary else (LINES_SUFFIX, b"")
        files = self._open(options.audit_logs_dir, options, suffix, head)
        host = f"/{node.ring_node.address}:{node.ring_node.port}"

        def failed(error: OSError) -> None:
            self._end("audit", "audit log", options, error)

        self.audit = AuditLog(
            options, files, host, node.statements, lambda: clock.wall_us() // 1_000, batch_ids.uuid4, failed
        )
        self._observe()
        log.info("AuditLog is enabled with configuration: %s", options)

    def disable_audit(self) -> None:
        audit, self.audit = self.audit, None
        if audit is not None:
            self._observe()
            audit.files.close()

    # --- full query log ------------------------------------------------------------------------------------------------

    def enable_full_query(self, options: FullQueryLogOptions) -> None:
        """Raises ValueError, OSError."""
        if self.full_query is not None:
            raise ValueError("Binlog is already configured")
        if not options.log_dir:
            raise ValueError(NO_FOLDER)
        node = self._node

        def failed(error: OSError) -> None:
            self._end("full_query", "full query log", options, error)

        files = self._open(options.log_dir, options, SUFFIX, MAGIC)
        self.full_query = FullQueryLog(options, files, node.statements, node.environment.clock.wall_us, failed)
        self._fqlog_folder = options.log_dir
        self._observe()

    def disable_full_query(self) -> None:
        full_query, self.full_query = self.full_query, None
        if full_query is None:
            log.info("Full query log already stopped")
            return
        log.info("Stopping full query logging to %s", full_query.files.folder)
        self._observe()
        full_query.files.close()

    def reset_full_query(self, configured: str) -> None:
        """Ends it, and removes its files: those of the configured folder, and of the one used last. Raises OSError."""
        self.disable_full_query()
        disk = self._node.environment.disk
        for folder in filter(None, {configured, self._fqlog_folder}):
            for name in disk.list(folder):
                if name.endswith(SUFFIX):
                    disk.unlink(f"{folder}/{name}")

    # --- both ------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        self.disable_audit()
        if self.full_query is not None:
            self.disable_full_query()

    def _open(self, folder: str, options: BinLogOptions, suffix: str, head: bytes) -> BinLog:
        for other in (self.audit, self.full_query):
            if other is not None and other.files.folder == folder:
                raise ValueError(f"Already logging to {folder}")
        return BinLog(folder, options, self._node.environment, suffix, head)

    def _end(self, name: str, what: str, options: BinLogOptions, error: OSError) -> None:
        """It can't be written: nobody is served any more, or nothing logged, as `block` says."""
        ended: AuditLog | FullQueryLog = getattr(self, name)
        ended.files.abandon()
        setattr(self, name, None)
        self._observe()
        if options.block:
            log.error(
                "The %s can't be written: %s. Clients are turned away, because it says block: true. Make room, then "
                "`nodetool enablebinary`; what was asked since is not logged.", what, error
            )  # fmt: skip
            self._node.turn_clients_away()
        else:
            log.error("The %s can't be written and is off now: %s. Make room, then enable it by nodetool.", what, error)

    def _observe(self) -> None:
        found = [observer for observer in (self.audit, self.full_query) if observer is not None]
        self._node.audit(found)


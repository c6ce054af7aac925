"""system_distributed.repair_history and parent_repair_history: what was repaired, and what came of it
(repair/SystemDistributedKeyspace.java). A node keeps what it was told to repair itself."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from cluster.repair.coordinator import RepairCommand, Session, Watcher
from cluster.repair.options import Preview
from cluster.repair.rows import columns_of
from cqlserver.metrics.meters import Metering
from storage.engine import Engine
from storage.keys import clustering_order_key, compose_key
from storage.mutation import Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata

KEYSPACE: Final = "system_distributed"
US_PER_MS: Final = 1_000


class RepairHistory(Watcher):
    """Of one node. A preview leaves no trace, and is counted all the same."""

    def __init__(self, engine: Engine, metering: Metering) -> None:
        self._engine, self._metering = engine, metering

    def command_began(self, command: RepairCommand) -> None:
        self._note_command(
            command,
            {
                "keyspace_name": command.keyspace,
                "columnfamily_names": {table.name for table in command.tables},
                "requested_ranges": {str(range_) for range_ in command.ranges},
                "started_at": self._now_ms,
                "options": _options(command),
            },
        )

    def command_ended(self, command: RepairCommand) -> None:
        if command.error is None:
            successful = {str(range_) for range_ in command.successful}
            self._note_command(command, {"finished_at": self._now_ms, "successful_ranges": successful})
        elif command.sessions:
            self._note_command(command, {"finished_at": self._now_ms, **_exception(command.error)})

    def session_began(self, command: RepairCommand, session: Session) -> None:
        local, neighbours = command.local, session.common.neighbours
        for table in command.tables:
            self._metering.count_repair(table.id, is_over=False)
            for range_ in session.common.ranges:
                self._note_job(
                    command,
                    session,
                    table,
                    {
                        "parent_id": command.id,
                        "range_begin": str(range_.start),
                        "range_end": str(range_.end),
                        "coordinator": ip_address(local.address),
                        "coordinator_port": local.port,
                        "participants": {ip_address(node.address) for node in neighbours},
                        "participants_v2": {f"{node.address}:{node.port}" for node in neighbours},
                        "status": "STARTED",
                        "started_at": self._now_ms,
                    },
                )

    def job_ended(self, command: RepairCommand, session: Session, table: TableMetadata, error: Exception | None) -> None:
        if error is None:
            self._metering.count_repair(table.id, is_over=True)
        values = {"status": "SUCCESS"} if error is None else {"status": "FAILED", **_exception(error)}
        self._note_job(command, session, table, {**values, "finished_at": self._now_ms})

    # --- rows --------------------------------------------------------------------------------------------------------

    @property
    def _now_ms(self) -> int:
        return self._engine.environment.clock.wall_us() // US_PER_MS

    def _note_command(self, command: RepairCommand, values: Mapping[str, Any]) -> None:
        self._write("parent_repair_history", (command.id.bytes,), (), values, command)

    def _note_job(
        self, command: RepairCommand, session: Session, table: TableMetadata, values: Mapping[str, Any]
    ) -> None:
        key = command.keyspace.encode(), table.name.encode()
        self._write("repair_history", key, (session.id.bytes,), values, command)

    def _write(
        self,
        name: str,
        key: Sequence[bytes],
        clustering: tuple[bytes, ...],
        values: Mapping[str, Any],
        command: RepairCommand,
    ) -> None:
        if command.options.preview is not Preview.NONE:
            return
        table = self._engine.schema.keyspaces[KEYSPACE].tables[name]
        timestamp_us = self._engine.environment.clock.wall_us()
        row = Row(clustering, Liveness(timestamp_us), columns=columns_of(table, values, timestamp_us))
        ck = clustering_order_key(table)(clustering)
        self._engine.apply(PartitionUpdate(table.id, compose_key(key), rows={ck: row}))


def _exception(error: Exception) -> dict[str, Any]:
    return {"exception_message": str(error), "exception_stacktrace": f"{type(error).__name__}: {error}"}


def _options(command: RepairCommand) -> dict[str, str]:
    """By their names in Cassandra (RepairOption.asMap)."""
    options = command.options
    flags = {
        "primaryRange": options.is_primary_range,
        "incremental": options.is_incremental,
        "sub_range_repair": bool(options.ranges),
        "trace": False,
        "pullRepair": options.pulls,
        "forceRepair": options.is_forced,
        "optimiseStreams": options.optimises_streams,
        "repairPaxos": options.repairs_paxos,
        "paxosOnly": options.is_paxos_only,
    }
    return {
        "parallelism": options.parallelism.value,
        "jobThreads": str(options.job_threads),
        "columnFamilies": ",".join(options.tables),
        "dataCenters": ",".join(options.datacenters),
        "hosts": ",".join(options.hosts),
        "ranges": ",".join(map(str, command.ranges)),
        "previewKind": options.preview.value,
        **{name: str(flag).lower() for name, flag in flags.items()},
    }

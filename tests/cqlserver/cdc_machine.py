"""A node with change data capture in this process, on a disk that forgets and fails on command."""

from pathlib import Path

from crash_machine import CrashMachine

from cqlserver.program.cdc_settings import CdcSettings
from cqlserver.program.config import Config
from cqlserver.program.storage_settings import StorageSettings
from protocol import requests, responses
from protocol.requests import Query, QueryOptions
from storage.cdc.format import SegmentContents, is_completed, maybe_segment_id, read_segment

CDC_RAW = "/data/cdc_raw"
KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"


class CdcMachine(CrashMachine):
    """See the module."""

    seed = b"cdc"

    def __init__(
        self,
        cdc: CdcSettings | None = None,
        segment_bytes: int = 32 << 20,
        compatibility_mode: str = "CASSANDRA_4",
    ) -> None:
        self.cdc = cdc or CdcSettings(enabled=True, total_mib=1024)
        self.memtable_bytes = 64 << 20
        self.segment_bytes, self.storage = segment_bytes, StorageSettings(compatibility_mode)
        super().__init__()

    def config(self) -> Config:
        return Config(
            port=0,
            data=Path("/data"),
            cdc=self.cdc,
            commitlog_segment_bytes=self.segment_bytes,
            memtable_bytes=self.memtable_bytes,
            storage=self.storage,
        )

    def stop(self) -> None:
        self.node.engine.close()

    def ask(self, request: requests.Request) -> responses.Response:
        """The answer, once the log is written."""
        response = super().ask(request)
        self.write()
        return response

    def write(self) -> None:
        assert self.node.engine.commit_log is not None
        self.node.engine.commit_log.write()

    def sync(self) -> None:
        assert self.node.engine.commit_log is not None
        self.node.engine.commit_log.sync()

    def do(self, *statements: str) -> None:
        """Raises what is answered."""
        for statement in statements:
            self.clock.advance(1)
            response = self.ask(Query(statement))
            if isinstance(response, responses.Error):
                raise response.error

    def do_at(self, statement: str, options: QueryOptions) -> None:
        """With a time of now, which the protocol's version has no room for."""
        self.node.statements.query(self.session.state, statement, options)
        self.write()

    def rows(self, statement: str) -> list[tuple[bytes | None, ...]]:
        response = self.ask(Query(statement))
        assert isinstance(response, responses.RowsResult), response
        return sorted(response.rows())

    # -- cdc_raw ------------------------------------------------------------------------------------------------------

    def segments(self) -> dict[str, SegmentContents]:
        """By name; all of each has to be whole."""
        names = sorted(name for name in self.disk.list(CDC_RAW) if maybe_segment_id(name) is not None)
        found = {}
        for name in names:
            data = self.disk.read_file(f"{CDC_RAW}/{name}")
            found[name] = read_segment(data)
            assert found[name].end == len(data), (name, found[name].end, len(data))
        return found

    def mutations(self) -> list[bytes]:
        return [mutation for contents in self.segments().values() for mutation in contents.mutations]

    def completed(self) -> dict[str, bool]:
        """By segment, whether its index says so; those without one are left out."""
        found = {}
        for name in self.segments():
            path = f"{CDC_RAW}/{name.removesuffix('.log')}_cdc.idx"
            if self.disk.exists(path):
                found[name] = is_completed(self.disk.read_file(path))
        return found

    def durable(self) -> dict[str, int]:
        """By segment, the offset that its index tells."""
        found = {}
        for name in self.segments():
            path = f"{CDC_RAW}/{name.removesuffix('.log')}_cdc.idx"
            if self.disk.exists(path):
                found[name] = int(self.disk.read_file(path).split(b"\n")[0])
        return found

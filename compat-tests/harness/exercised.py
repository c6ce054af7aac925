"""Servers whose storage is put to work while scripts run: `--storage` of the compat tests.

    flush     a server with a data folder flushes what each go wrote
    compact   the same, and after every third flush all SSTables of a table are compacted
    kill      it is killed in the middle of each script (kill -9) and started again on its folder
"""

import os
from pathlib import Path

import cqlserver
from harness.runner import Address

MODES = ("flush", "compact", "kill")
ENDS_WITH_THE_PROCESS = {
    "counter/deleted_counters_go_on_counting": "counts that a DELETE hides are kept in memory, as in Cassandra",
    "sai/create_sai_on_all_types": "a start has indexes by name, here as in Cassandra",
    "user_aggregates/create_aggregate_forms_and_errors": "an aggregate keeps a function that was replaced, till a start",
    "user_functions/describe_functions": "a start has functions by name and by their arguments, here as in Cassandra",
    "roles_basic/alter_without_permission": "a connection outlives the password of its role",
    "roles_basic/login": "a connection outlives the login of its role",
    "roles_permissions/types_and_keyspaces": "a connection outlives the login of its role",
}
"""Scripts that a kill changes, and why."""
EXERCISE_VARIABLE = "CQLSERVER_EXERCISE_STORAGE"


class ExercisedServer:
    """One of these; `kills` counts."""

    def __init__(self, mode: str, data: Path, config: Path) -> None:
        self.mode, self._data, self._config = mode, data, config
        self.kills = 0
        self._server = self._start(0)

    @property
    def address(self) -> Address:
        return Address(self._server.host, self._server.port)

    def _start(self, port: int) -> cqlserver.Server:
        if self.mode == "kill":
            return cqlserver.start(data=self._data, config=self._config, port=port)
        os.environ[EXERCISE_VARIABLE] = self.mode
        try:
            return cqlserver.start(data=self._data, config=self._config, port=port)
        finally:
            del os.environ[EXERCISE_VARIABLE]

    def kill_and_start(self) -> None:
        port = self._server.port
        self._server.kill()
        self.kills += 1
        self._server = self._start(port)

    def stop(self) -> None:
        """Checks that what this is for did happen."""
        self._server.stop()
        sstables = [path.name for path in self._data.glob("data/*/*/*-Data.db")]
        generations = [int(name.split("-")[1]) for name in sstables]
        print(f"{self.mode}: {len(sstables)} SSTables at the end, up to number {max(generations, default=0)}", end="")
        print(f", {self.kills} kills")
        assert self.kills if self.mode == "kill" else sstables

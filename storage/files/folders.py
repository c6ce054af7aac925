"""Where the files of tables are: DIR/data/<keyspace>/<table>-<id in hex>/, as Cassandra has them.

The folders that are there are looked for once, at the start; after that nobody but this process makes any.
"""

from typing import Final
from uuid import UUID

from storage.environment.environment import Disk
from storage.schema.metadata import TableMetadata

DATA_FOLDER: Final = "data"
_ID_DIGITS: Final = 32


class DataFolders:
    """Of the data folder `root`."""

    def __init__(self, disk: Disk, root: str) -> None:
        self._disk, self.root = disk, f"{root}/{DATA_FOLDER}"
        self._by_id: dict[str, str] = {}

    def find(self) -> None:
        """Looks for the folders that are there."""
        disk = self._disk
        for keyspace in disk.list(self.root):
            for name in disk.list(f"{self.root}/{keyspace}") if disk.is_folder(f"{self.root}/{keyspace}") else ():
                table, _, digits = name.rpartition("-")
                if table and len(digits) == _ID_DIGITS:
                    self._by_id[digits] = f"{self.root}/{keyspace}/{name}"

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def paths(self) -> list[str]:
        return list(self._by_id.values())

    def maybe_folder(self, table_id: UUID) -> str | None:
        """The folder of a table, if there is one."""
        return self._by_id.get(table_id.hex)

    def remove_if_empty(self, folder: str) -> None:
        """The folder of a table that is dropped, with that of its keyspace, where nothing is in them."""
        disk, keyspace = self._disk, folder.rpartition("/")[0]
        if disk.list(folder):
            return
        self._by_id.pop(folder.rpartition("-")[2], None)
        disk.remove_folder(folder)
        disk.sync_folder(keyspace)
        if not disk.list(keyspace):
            disk.remove_folder(keyspace)
            disk.sync_folder(self.root)

    def name(self, table: TableMetadata) -> str:
        """The folder of a table, be it there or not."""
        return self._by_id.get(table.id.hex) or f"{self.root}/{table.keyspace}/{table.name}-{table.id.hex}"

    def add(self, table: TableMetadata) -> str:
        """It is there now."""
        found = self._by_id[table.id.hex] = self.name(table)
        return found

    def make(self, table: TableMetadata) -> str:
        """The folder of a table, made durably if need be."""
        found = self._by_id.get(table.id.hex)
        if found is None:
            self._disk.mkdirs(self.name(table))
            found = self.add(table)
        return found

"""Snapshots of a table: hard links to all files of its SSTables, in snapshots/<name>/ of its folder, as Cassandra has them
(service/snapshot/SnapshotManifest.java, TableSnapshot.java).

    snapshots/<name>/nb-1-big-Data.db, ...   the files
    snapshots/<name>/schema.cql              statements that make the table anew
    snapshots/<name>/manifest.json           which SSTables, since when, until when

The manifest is written last: what a crash left without one is none, and makes room for the next of its name. Built-in
indexes are not in it: they follow from the rows.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from storage.environment.environment import Disk
from storage.environment.gathered import GatheredSyncs
from storage.files.table_files import TableFiles
from storage.sstable.constants import DATA
from storage.sstable.reader import SSTableReader

SNAPSHOTS: Final = "snapshots"
BACKUPS: Final = "backups"
MANIFEST: Final = "manifest.json"
SCHEMA: Final = "schema.cql"
_NEW_MANIFEST: Final = "manifest.json.tmp"


class Snapshot(NamedTuple):
    """One of one table. Times in milliseconds; `expires_ms` None: never. `disk_bytes`: of all of its files; `true_bytes`: of
    those that the table itself does not have any more."""

    name: str
    folder: str
    created_ms: int | None
    expires_ms: int | None
    disk_bytes: int
    true_bytes: int

    @property
    def keyspace(self) -> str:
        return self.folder.rsplit("/", 4)[-4]

    @property
    def table(self) -> str:
        return self.folder.rsplit("/", 3)[-3].rpartition("-")[0]


def has_snapshot(disk: Disk, table_folder: str, name: str) -> bool:
    return disk.exists(f"{table_folder}/{SNAPSHOTS}/{name}/{MANIFEST}")


def take(disk: Disk, files: TableFiles, name: str, schema: str, created_ms: int, expires_ms: int | None = None) -> None:
    """Takes one of the SSTables that the table has now; durable when it returns. May run beside the loop: what a compaction
    takes away meanwhile makes it begin again. Raises OSError."""
    folder = f"{files.folder}/{SNAPSHOTS}/{name}"
    while True:
        remove(disk, folder)
        gathered = GatheredSyncs(disk)
        gathered.mkdirs(folder)
        readers = files.readers
        try:
            for reader in readers:
                link(gathered, reader, folder)
            break
        except FileNotFoundError:
            if files.readers == readers:
                raise
    names = [reader.descriptor.file_name("") for reader in readers]
    write_texts(gathered, folder, schema, manifest(names, created_ms, expires_ms))
    gathered.sync()
    put_manifest_in_place(gathered, folder)
    gathered.sync()


def write_texts(disk: GatheredSyncs, folder: str, schema: str, manifest: str) -> None:
    """The manifest not under its name."""
    for name, text in ((SCHEMA, schema), (_NEW_MANIFEST, manifest)):
        file = disk.open_append(f"{folder}/{name}")
        try:
            file.write(text.encode())
        finally:
            file.close()


def put_manifest_in_place(disk: GatheredSyncs, folder: str) -> None:
    """When all else is durable."""
    disk.rename(f"{folder}/{_NEW_MANIFEST}", f"{folder}/{MANIFEST}")


class Links(Protocol):
    """What `link` needs of a disk."""

    def link(self, old: str, new: str) -> None: ...


def link(disk: Links, reader: SSTableReader, folder: str) -> None:
    """The files of an SSTable in another folder, too."""
    for component in reader.components:
        name = reader.descriptor.file_name(component)
        disk.link(f"{reader.folder}/{name}", f"{folder}/{name}")


def back_up(disk: Disk, reader: SSTableReader) -> None:
    """Keeps an SSTable in backups/ of its table's folder, whatever becomes of it. Raises OSError."""
    folder = f"{reader.folder}/{BACKUPS}"
    disk.mkdirs(folder)
    link(disk, reader, folder)
    disk.sync_folder(folder)


def manifest(prefixes: Sequence[str], created_ms: int, expires_ms: int | None) -> str:
    """`prefixes`: of the SSTables' files, as `nb-1-big-`."""
    names = ", ".join(json.dumps(prefix + DATA) for prefix in prefixes)
    expires = json.dumps(instant(expires_ms)) if expires_ms is not None else "null"
    return (
        f'{{\n  "files" : [ {names}{" " if names else ""}],\n  "created_at" : "{instant(created_ms)}",\n'
        f'  "expires_at" : {expires},\n  "ephemeral" : false\n}}'
    )


def instant(time_ms: int) -> str:
    """'2026-11-27T18:17:47.220Z'; without milliseconds where they are zero, as Java's Instant has it."""
    text = datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{time_ms % 1000:03}Z" if time_ms % 1000 else f"{text}Z"


def _maybe_ms(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
    except ValueError:
        return None


def told(manifest: bytes) -> tuple[int | None, int | None]:
    """By a manifest: since when a snapshot is there, and until when, in milliseconds."""
    try:
        found = json.loads(manifest)
    except ValueError:
        return None, None
    created_ms, expires_ms = (_maybe_ms(found.get(name)) for name in ("created_at", "expires_at"))
    return created_ms, expires_ms


def listed(disk: Disk, table_folder: str) -> list[Snapshot]:
    """All of a table, those of a table that is dropped too."""
    found = []
    there = set(disk.list(table_folder))
    for name in disk.list(f"{table_folder}/{SNAPSHOTS}"):
        folder = f"{table_folder}/{SNAPSHOTS}/{name}"
        if not disk.exists(f"{folder}/{MANIFEST}"):
            continue
        created_ms, expires_ms = told(disk.read_file(f"{folder}/{MANIFEST}"))
        sizes = {file: disk.size(f"{folder}/{file}") for file in disk.list(folder) if not disk.is_folder(f"{folder}/{file}")}
        true_bytes = sum(size for file, size in sizes.items() if file not in there)
        found.append(Snapshot(name, folder, created_ms, expires_ms, sum(sizes.values()), true_bytes))
    return found


def remove(disk: Disk, folder: str) -> None:
    """Removes a folder with all that is in it, its manifest first; there need not be one."""
    for name in sorted(disk.list(folder), key=lambda name: name != MANIFEST):
        if disk.is_folder(f"{folder}/{name}"):
            remove(disk, f"{folder}/{name}")
        else:
            disk.unlink(f"{folder}/{name}")
    if disk.exists(folder):
        disk.remove_folder(folder)
        disk.sync_folder(folder.rpartition("/")[0])

"""Segments of cdc_raw, read by Cassandra's own CommitLogReader (ReadSegments.java)."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sstables.inspector import HOME, opened

SOURCE = Path(__file__).with_name("ReadSegments.java")
LIBRARY = HOME / "lib"
_CONFIG = """
cluster_name: reader
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
commitlog_sync: periodic
commitlog_sync_period: 10000ms
data_file_directories: [{folder}/data]
commitlog_directory: {folder}/commitlog
hints_directory: {folder}/hints
saved_caches_directory: {folder}/caches
endpoint_snitch: SimpleSnitch
storage_compatibility_mode: {mode}
seed_provider: [{{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{{seeds: 127.0.0.1}}]}}]
"""


class ReadMutation(NamedTuple):
    """`end`: the offset behind it. `rewritten`: as Cassandra writes what it has read; `updates`: as it prints them."""

    keyspace: str
    end: int
    rewritten: bytes
    updates: tuple[str, ...]


class Table(NamedTuple):
    """`id` "type": a keyspace's types, as statements with `;` between them."""

    keyspace: str
    id: str
    cql: str


def read_with_cassandra(
    folder: Path, tables: Sequence[Table], segments: Sequence[Path], mode: str, texts: bool = True
) -> dict[str, list[ReadMutation]]:
    """By the name of the segment. `folder`: for what Java needs; `mode`: storage_compatibility_mode; `texts`: whether
    updates are printed. Raises AssertionError for what Cassandra can't read."""
    classes = folder / "classes"
    classes.mkdir(parents=True)
    subprocess.run(["javac", "-nowarn", "-cp", f"{LIBRARY}/*", "-d", str(classes), str(SOURCE)], check=True)
    (folder / "cassandra.yaml").write_text(_CONFIG.format(folder=folder, mode=mode))
    (folder / "logback.xml").write_text('<configuration><root level="OFF"/></configuration>\n')
    (folder / "schema").write_text("".join("\t".join(table) + "\n" for table in tables))
    (agent,) = LIBRARY.glob("jamm-*.jar")
    command = [
        "java", *opened(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256M", f"-javaagent:{agent}",
        f"-Dcassandra.config=file://{folder}/cassandra.yaml", f"-Dlogback.configurationFile={folder}/logback.xml",
        f"-Djava.io.tmpdir={folder}", f"-Dcassandra.storagedir={folder}",
        f"-Dtexts={str(texts).lower()}",
        "-cp", f"{classes}:{LIBRARY}/*", "ReadSegments", str(folder / "schema"), *map(str, segments),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[ReadMutation]] = {}
    name, updates = "", list[str]()
    for line in done.stdout.splitlines():
        kind, *parts = line.split("\t")
        assert kind != "error", line
        if kind == "segment":
            (name,) = parts
            found[name] = []
        elif kind == "update":
            updates.append(parts[0])
        elif kind == "mutation":
            keyspace, end, rewritten = parts
            found[name].append(ReadMutation(keyspace, int(end), bytes.fromhex(rewritten), tuple(updates)))
            updates.clear()
    return found
